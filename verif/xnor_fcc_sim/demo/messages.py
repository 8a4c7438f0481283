# SPDX-License-Identifier: Apache-2.0
"""What a page is told of an image: that which it draws, and no more."""

from __future__ import annotations

import base64
from itertools import pairwise
from typing import Any

import numpy as np

from xnor_fcc_sim.core import SimulatedAnswers
from xnor_fcc_sim.demo.subjects import Given, Subject
from xnor_fcc_sim.page.map_drawings import columns, gap, reached
from xnor_fcc_sim.page.trace_drawings import across, grid, layer_names, map_name, margins
from xnor_fcc_sim.page.trace_page import latency
from xnor_fcc_sim.trace import Layer, Trace

Message = dict[str, Any]

# Places that differ which a picture shows; of more there is only the number.
_MARKED = 500
# Neurons that are named as the closest to their thresholds.
_CLOSEST = 3


def packed(values: np.ndarray, most: int) -> Message:
    """Whole numbers of 0 to `most`, as few bits each as `bits` says, the first in the upper bits
    of the first byte."""
    flat = values.reshape(-1).astype(np.uint8)
    bits = 1 if most == 1 else 2 if most <= 3 else 8
    if bits < 8:
        planes = np.unpackbits(flat[:, None], axis=1)[:, 8 - bits :]
        flat = np.packbits(planes.reshape(-1))
    return {"bits": bits, "most": most, "data": base64.b64encode(flat.tobytes()).decode()}


def _picture(seen: np.ndarray, wrong: np.ndarray, most: int, width: int) -> Message:
    """Values (n,) in rows of `width`, or of a map (H, W, m) channel by channel."""
    if seen.ndim == 1:
        shape = {"width": width, "height": -(-len(seen) // width), "across": 1, "gap": 0, "maps": 1}
    else:
        high, wide, maps = seen.shape
        seen, wrong = seen.transpose(2, 0, 1), wrong.transpose(2, 0, 1)
        shape = {
            "width": wide, "height": high, "across": columns(maps), "gap": gap(wide), "maps": maps,
        }  # fmt: skip
    places = np.flatnonzero(wrong)
    return {
        **shape, **packed(seen, most), "count": int(seen.size),
        "wrong": len(places), "marked": places[:_MARKED].tolist(),
    }  # fmt: skip


def _inputs(trace: Trace, subject: Subject) -> Message:
    inputs = trace.inputs
    if not trace.maps:
        two = trace.shape.orders[0] == 2
        width = across(len(inputs.seen))
        return {
            "what": "levels 0 to 3" if two else "bits",
            "ones": int((inputs.seen > 1).sum() if two else inputs.seen.sum()),
            **_picture(inputs.seen, inputs.wrong, 3 if two else 1, width),
        }
    counts, wrong = reached(inputs, subject.colours)
    pixels = subject.network.pixels
    assert pixels is not None
    levels = pixels.levels.shape[1]
    most = levels or 255
    return {
        "what": f"levels reached, 0 to {levels}" if levels else "numbers of 8 bits",
        "ones": int(np.count_nonzero(inputs.seen)),
        **_picture(counts, wrong, most, 0),
        "count": int(inputs.seen.size),
        "wrong": int(inputs.wrong.sum()),
    }


def _layer(trace: Trace, index: int) -> Message:
    layer, sums = trace.hidden[index], trace.sums[index]
    two = trace.shape.orders[index + 1] == 2
    flat = sums.seen.reshape(-1)
    closest = np.lexsort((np.arange(len(flat)), np.abs(2 * flat + 1)))[:_CLOSEST]
    shown = margins(flat)
    return {
        "title": map_name(trace, index) if index < trace.maps else layer_names(trace)[index],
        "what": "levels" if two else "bits",
        "ones": int((layer.seen > 1).sum() if two else layer.seen.sum()),
        **_picture(layer.seen, layer.wrong, 3 if two else 1, grid(len(layer.seen))),
        "edges": shown.edges,
        "counts": shown.counts,
        "closest": [] if index < trace.maps
        else [[j, int(flat[j]), int(layer.seen[j])] for j in closest.tolist()],
        "wrong_sums": int(sums.wrong.sum()),
    }  # fmt: skip


def _size(layers: list[Layer]) -> int:
    return sum(layer.seen.size for layer in layers)


def phases(trace: Trace) -> list[tuple[str, int]]:
    """Where the clock cycles of an image went, from its last beat in to its class out: waiting for
    others to share a batch with, each layer's steps, pipeline and result."""
    first, last = int(trace.mine["image"][-1]), int(trace.mine["result"][-1])
    names = ["waiting", *(f"layer {i}" for i in range(len(trace.hidden))), "output layer", "result"]
    starts = [first, *(int(steps[0]) for steps in trace.steps()), int(trace.mine["step"][-1]) + 1]
    cuts = [*(min(max(start, first), last) for start in starts), last]
    return [(name, after - before) for name, (before, after) in
            zip(names, pairwise(cuts), strict=True)]


def traced(trace: Trace, subject: Subject) -> Message:
    """All of one image. What is `seen` comes from the simulated RTL, `wanted` from the reference;
    they agree where no bit, sum, score differs, nor the class."""
    scores = trace.scores
    wanted = int(scores.wanted.argmax())
    agree = trace.wrong_values == 0 and trace.wrong_sums == 0 and trace.answer == wanted
    return {
        "kind": "traced",
        "answer": trace.answer,
        "wanted_answer": wanted,
        "scores": scores.seen.tolist(),
        "wanted": scores.wanted.tolist(),
        "cycles": latency(trace),
        "inputs": _inputs(trace, subject),
        "layers": [_layer(trace, index) for index in range(len(trace.hidden))],
        "agree": agree,
        "wrong_values": trace.wrong_values,
        "wrong_sums": trace.wrong_sums,
        "hidden": _size(trace.hidden),
        "sums": _size(trace.sums),
        "phases": phases(trace),
    }


def quick(answers: SimulatedAnswers) -> Message:
    """What is known of an image before it has been looked into."""
    return {
        "kind": "quick",
        "answer": int(answers.classes[0]),
        "scores": answers.scores[0].tolist(),
        "cycles": int(answers.cycles[0]),
    }


def given(image: Given) -> Message:
    """The image as it goes into the core."""
    return {
        "kind": "image",
        "pixels": base64.b64encode(image.grey.tobytes()).decode(),
        "label": image.label,
        "note": image.note,
    }
