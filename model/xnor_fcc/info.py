# SPDX-License-Identifier: Apache-2.0
"""What a network is: its layers, its dead neurons, its cycles on a core, and the FPGAs it fits."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, TypedDict

import numpy as np

from .data import DATASETS
from .devices import Device, devices
from .errors import CommandLine
from .geometry import NAMED, Geometry, GeometryError, MapShape, Shape
from .geometry_options import add_geometry, add_network, geometry_of
from .integer import IntegerNetwork, Layer, OutputLayer, ShiftLayer, find_network
from .space import Candidate, Space, pick

ALL, NONE = "all", "none"

_EPILOG = """\
A neuron is constant (dead) if its thresholds lie where its sum cannot reach: it answers the same to
every input, and could be folded into the thresholds behind it.

Cycles are those of one core, --geometry or --pe, --simd, --lanes (the smallest that holds the
network): an image in an endless stream, and the latency of a lone one, last beat in to class out,
without the core's wait for more images (PARTIAL_TIMEOUT). Words are those of the core's weight
memory, PE x SIMD bits each.

For each FPGA the explorer's best geometry for throughput follows (seconds each); `xnor-fcc explore`
lists all that are worth building. --device names one of them, or none.

examples
  xnor-fcc info
  xnor-fcc info order2 --geometry throughput --device de1-soc
  xnor-fcc info my.npz --pe 16 --simd 64 --lanes 1 --json
"""


def parser() -> CommandLine:
    """The command line."""
    result = CommandLine(
        prog="xnor-fcc info",
        description=__doc__,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    which = result.add_mutually_exclusive_group()
    which.add_argument("named", nargs="?", metavar="NETWORK", help="the network, as with --network")
    add_network(which, default=None)
    add_geometry(result)
    result.add_argument(
        "--device",
        choices=[*devices(), ALL, NONE],
        default=ALL,
        help="the FPGA board that it may fit (default: all)",
    )
    result.add_argument("--json", action="store_true", help="print one JSON object instead of text")
    return result


# ---- facts


class LayerFacts(TypedDict):
    """A layer."""

    inputs: int
    outputs: int
    input_order: int | None
    """None where the inputs are the pixels themselves."""
    weights: str
    weight_bits: int
    answers: str
    constant: dict[str, int]
    """How many neurons always answer this, by what they answer."""
    convolution: ConvFacts | None
    """Of a convolution, whose inputs are a window's."""


class ConvFacts(TypedDict):
    """What a convolution has beside a layer."""

    kernel: int
    channels: int
    positions: int
    """Windows a side."""
    pool: bool


class PixelFacts(TypedDict):
    """How pixels become the first map."""

    side: int
    border: int
    levels: list[list[int]]
    """Of each colour; without levels they are numbers."""


class CoreFacts(TypedDict):
    """What the network takes of one core."""

    pe: int
    simd: int
    lanes: int
    weight_stream: int
    words: int
    word_bits: int
    threshold_words: int
    period: int
    cycles_per_image: float
    latency: int


class _Fits(TypedDict):
    board: str
    part: str
    fits: bool


class DeviceFacts(_Fits, total=False):
    """Whether an FPGA takes the network: with which geometry, or else for what `reason` not."""

    reason: str
    pe: int
    simd: int
    lanes: int
    cycles_per_image: float
    latency: int
    alm: float
    alm_share: float
    blocks: int
    block: str


class FileFacts(TypedDict):
    """What the file itself tells."""

    network: str
    dataset: str | None
    widths: list[int]
    kinds: list[str]
    pixel_threshold: int
    pixel_residual: tuple[int, int] | None
    pixels: PixelFacts | None
    """Of a network that begins with convolutions."""
    weight_bits: int
    constant_neurons: int
    layers: list[LayerFacts]
    latents: int
    """Of an output layer that has learnt, one for each weight; else 0."""
    info: dict[str, Any]


class Report(FileFacts):
    """The JSON object that the command prints."""

    reason: str | None
    """Why no core runs it."""
    core: CoreFacts | None
    devices: dict[str, DeviceFacts]


def reach(layer: Layer | ShiftLayer | OutputLayer) -> tuple[np.ndarray, np.ndarray]:
    """The least and the greatest sum of each neuron: int64 (outputs,) both.

    The sum is P, of a layer of power-of-two weights the dot product.
    """
    if isinstance(layer, ShiftLayer):
        weights = (2 * layer.weights.astype(np.int64) - 1) << layer.exponents
        return 255 * np.minimum(weights, 0).sum(axis=1), 255 * np.maximum(weights, 0).sum(axis=1)
    low = np.zeros(layer.outputs, np.int64)
    if layer.mask is not None:  # a weight of 0 counts one half of the most, always
        low += (layer.mask == 0).sum(axis=1) * (layer.most // layer.inputs // 2)
    return low, layer.most - low


def constant(layer: Layer | ShiftLayer) -> dict[int, int]:
    """How many neurons answer this to every input, by the bit (or level) that they answer."""
    limits = layer.thresholds[:, None]
    if isinstance(layer, Layer) and layer.lower is not None and layer.upper is not None:
        limits = np.stack([layer.lower, layer.thresholds, layer.upper], axis=1)
    first, last = ((sums[:, None] >= limits).sum(axis=1) for sums in reach(layer))
    answers, counts = np.unique(first[first == last], return_counts=True)
    return dict(zip(answers.tolist(), counts.tolist(), strict=True))


def describe_layer(layer: Layer | ShiftLayer | OutputLayer) -> LayerFacts:
    """A layer as it stands in the report."""
    planes = 2 if layer.ternary else 1
    shifts = isinstance(layer, ShiftLayer)
    if isinstance(layer, OutputLayer):
        answers, same = "scores", {}
    else:
        answers = "bits" if layer.output_order == 1 else "levels"
        same = {str(answer): count for answer, count in constant(layer).items()}
    return {
        "inputs": layer.inputs,
        "outputs": layer.outputs,
        "input_order": None if shifts else layer.order,
        "weights": "power-of-two" if shifts else "ternary" if layer.ternary else "binary",
        "weight_bits": layer.inputs * layer.outputs * (4 if shifts else planes),
        "answers": answers,
        "constant": same,
        "convolution": None,
    }


def describe(network: IntegerNetwork) -> FileFacts:
    """Everything of the report that the file itself tells."""
    layers = [describe_layer(layer) for layer in network.layers]
    sides = network.map_sides
    for facts, side, layer in zip(layers, sides, network.convolutions, strict=False):
        facts["convolution"] = {
            "kernel": layer.kernel,
            "channels": layer.channels,
            "positions": side * (2 if layer.pool else 1),
            "pool": bool(layer.pool),
        }
    pixels = network.pixels
    return {
        "network": network.name,
        "dataset": network.dataset,
        "widths": list(network.widths),
        "kinds": sorted(network.kinds),
        "pixel_threshold": network.pixel_threshold,
        "pixel_residual": network.pixel_residual,
        "pixels": None
        if pixels is None
        else {"side": pixels.side, "border": pixels.border, "levels": pixels.levels.tolist()},
        "weight_bits": sum(layer["weight_bits"] for layer in layers),
        "constant_neurons": sum(sum(layer["constant"].values()) for layer in layers),
        "layers": layers,
        "latents": 0 if network.output.latents is None else network.output.latents.size,
        "info": dict(network.info),
    }


def on_core(geometry: Geometry, shape: Shape) -> CoreFacts:
    """What the network takes of the smallest core of some PE, SIMD and LANES."""
    period = geometry.period_cycles(shape)
    return {
        "pe": geometry.pe,
        "simd": geometry.simd,
        "lanes": geometry.lanes,
        "weight_stream": geometry.weight_stream,
        "words": geometry.weight_words(shape),
        "word_bits": geometry.pe * geometry.simd,
        "threshold_words": sum(geometry.groups(m) for m in shape.widths[1:]),
        "period": period,
        "cycles_per_image": round(period / geometry.images_per_batch(shape), 3),
        "latency": geometry.latency_cycles(shape, 0),
    }


def on_devices(chosen: Sequence[Device], shape: Shape) -> Iterator[DeviceFacts]:
    """Whether the network fits each of these FPGAs, with the explorer's best geometry for
    throughput. Cores are tried once for all of them, in an FPGA that is as large as any."""
    if not chosen:
        return
    largest = replace(
        chosen[0],
        alms=max(device.alms for device in chosen),
        blocks=max(device.blocks for device in chosen),
    )
    assert all(device.shapes == largest.shapes for device in chosen), "they are of one family"
    found = Space(largest, shape).explore()
    for device in chosen:
        space = Space(device, shape)
        fit = [each for each in found if not space.excess(each.geometry, each.area)]
        yield _on_device(device, shape, fit)


def _on_device(device: Device, shape: Shape, found: Sequence[Candidate]) -> DeviceFacts:
    if found:
        best = pick(found)["throughput"]
        return {
            "board": device.board,
            "part": device.part,
            "fits": True,
            "pe": best.sizes.pe,
            "simd": best.sizes.simd,
            "lanes": best.sizes.lanes,
            "cycles_per_image": round(best.cycles, 3),
            "latency": best.geometry.latency_cycles(shape, 0),
            "alm": round(best.area.alm, 1),
            "alm_share": round(best.area.alm / device.alms, 4),
            "blocks": best.area.blocks,
            "block": device.block,
        }
    bits = sum(n * m * rounds for n, m, rounds in shape.layers)
    room = device.blocks * device.block_bits
    return {
        "board": device.board,
        "part": device.part,
        "fits": False,
        "reason": f"{bits:,} weight bits, and {device.blocks} {device.block} hold {room:,}"
        if bits > room
        else "no geometry fits its logic and memory",
    }


# ---- text


def text(report: FileFacts) -> str:
    """What the file tells, for people."""
    dataset = DATASETS.get(report["dataset"] or "")
    pixels = f"bit is 1 from grey {report['pixel_threshold']} on"
    if report["pixel_residual"]:
        lower, upper = report["pixel_residual"]
        pixels += f", residual bit from {lower} or {upper} on"
    if "power-of-two" in report["kinds"]:
        pixels = "grey, as they are"
    if report["pixels"] is not None:
        pixels = _pixels_text(report["pixels"])
    lines = [
        f"{report['network']}: {'-'.join(map(str, report['widths']))}, "
        + (", ".join(report["kinds"]) or "single bits"),
        f"  data set     {dataset.title if dataset else report['dataset'] or 'not known'}",
        f"  pixels       {pixels}",
        f"  weight bits  {report['weight_bits']:,}",
    ]
    accuracy = report["info"].get("test_accuracy")
    if isinstance(accuracy, float):
        lines.append(f"  accuracy     {accuracy:.4f} of the test images, as its file says")
    if report["latents"]:
        origin = report["info"].get("learnt_from")
        lines.append(
            f"  latents      {report['latents']:,}, from which its last layer goes on learning"
            + f"; learnt from {origin}" * bool(origin)
        )
    for i, layer in enumerate(report["layers"]):
        order = f"{layer['input_order'] or 8}-bit"
        dead = ", ".join(f"{n} always {answer}" for answer, n in layer["constant"].items())
        inputs, window = f"{layer['inputs']} {order} inputs", ""
        if layer["convolution"] is not None:
            inputs, window = _window_text(layer["convolution"], order)
        lines.append(
            f"  layer {i}      {inputs}, {layer['outputs']} neurons{window}, "
            f"{layer['weights']} weights, {layer['weight_bits']:,} bits"
            + f"; constant: {dead}"
            * bool(dead)
        )
    return "\n".join(lines)


def _pixels_text(pixels: PixelFacts) -> str:
    """How pixels become a map, for people."""
    colours = len(pixels["levels"])
    side, border = pixels["side"], pixels["border"]
    levels = "; ".join(" ".join(map(str, filter(None, each))) for each in pixels["levels"])
    return (
        f"{side}x{side}, {f'{colours} colours' if colours > 1 else 'grey'}"
        + f", {border} black around them"
        * bool(border)
        + (f"; bits are 1 from {levels} on" if any(pixels["levels"]) else "; numbers of 8 bits")
    )


def _window_text(convolution: ConvFacts, order: str) -> tuple[str, str]:
    """What a convolution reads, and where, for people."""
    kernel, places = convolution["kernel"], convolution["positions"]
    pool = ", max-pool 2x2" * convolution["pool"]
    inputs = f"{kernel}x{kernel} of {convolution['channels']} {order} channels"
    return inputs, f" at {places}x{places} positions{pool}"


def core_text(core: CoreFacts) -> str:
    """Cycles and words of a core, for people."""
    where = f" streamed over {core['weight_stream']} bits" * bool(core["weight_stream"])
    return (
        f"  {'core':<13}PE={core['pe']} SIMD={core['simd']} LANES={core['lanes']}, "
        f"{core['cycles_per_image']:.1f} cycles an image, latency {core['latency']} cycles; "
        f"{core['words']:,} weight words of {core['word_bits']:,} bits{where}, "
        f"{core['threshold_words']} threshold words"
    )


def device_text(name: str, fit: DeviceFacts) -> str:
    """A line on an FPGA."""
    if not fit["fits"]:
        return f"  {name:<13}does not fit ({fit['reason']}); xnor-fcc explore streams its weights"
    return (
        f"  {name:<13}PE={fit['pe']} SIMD={fit['simd']} LANES={fit['lanes']}, "
        f"{fit['cycles_per_image']:.1f} cycles an image, {fit['alm']:,.0f} ALMs "
        f"({fit['alm_share']:.0%}), {fit['blocks']} {fit['block']}"
    )


def _parts(
    options: argparse.Namespace, network: IntegerNetwork
) -> Iterator[tuple[dict[str, Any], str]]:
    """The report piece by piece, each with its text: the explorer takes seconds."""
    facts = describe(network)
    try:
        shape = network.shape
        if not isinstance(shape, MapShape):
            Geometry.for_widths(shape, *NAMED["default"])
    except GeometryError as cause:
        yield (
            {**facts, "reason": str(cause), "core": None, "devices": {}},
            (f"{text(facts)}\n  no core runs it: {cause}"),
        )
        return
    core = on_core(geometry_of(options, shape), shape)
    yield {**facts, "reason": None, "core": core}, f"{text(facts)}\n{core_text(core)}"
    fits: dict[str, DeviceFacts] = {}
    yield {"devices": fits}, ""
    chosen = [each for name, each in devices().items() if options.device in (ALL, name)]
    for device, fit in zip(chosen, on_devices(chosen, shape), strict=True):
        fits[device.name] = fit
        yield {}, device_text(device.name, fit)


def main(argv: Sequence[str] | None = None) -> int:
    """Describe, print."""
    options = parser().parse_args(argv)
    network = IntegerNetwork.load(find_network(options.named or options.network or "mnist"))
    report: dict[str, Any] = {}
    for part, words in _parts(options, network):
        report.update(part)
        if words and not options.json:
            print(words, flush=True)
    if options.json:
        print(json.dumps(report, indent=1))
    return 0
