# SPDX-License-Identifier: Apache-2.0
"""Packets in, batches out: that what takes labels off, what makes images and what fills lanes are
joined so that each image keeps its number and its own label. What each of them does by itself,
their own testbenches have."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import repeat
from typing import Any

import cocotb
import numpy as np

from modules.unit import drive, edge, fields, hold, known, settings, start
from xnor_fcc.geometry import ceil_div

_BEAT = ("valid", "data", "startofpacket", "endofpacket", "empty", "error")


@dataclass(frozen=True)
class Image:
    """What has to stand in a lane."""

    bits: int
    number: int
    label: int


class Bench:
    """Sends packets and plays the sequencer."""

    def __init__(self, dut: Any, seed: int, labelled: bool) -> None:
        built = settings()["parameters"]
        self.dut = dut
        self.symbols: int = built["WIDTH"] // 8
        self.lanes: int = built["LANES"]
        self.inputs = self.capacity = int(built["CAPACITY"])
        self.learns = bool(built["LEARN"])
        self.labelled = labelled
        self.rng = np.random.default_rng(seed)
        self.now = 0
        self.enable = True
        # Of the batch that has been taken; whether one was loaded in the cycle before.
        self.steps: deque[str] = deque()
        self.loaded: list[int] | None = None
        self.came: list[Image] = []
        self.wanted: list[Image] = []
        self.packets = self.dropped = self.lost = 0

    async def reset(self) -> None:
        """Enabled, nothing sent."""
        names = ("pixel_mode", "pixel_threshold", "pixel_residual", "pairs", "planes", "now",
                 "batch_taken", "load_image", *(f"asi_{name}" for name in _BEAT))  # fmt: skip
        await start(self.dut, **dict.fromkeys(names, 0), enable=0, restart=1, timeout=9,
                    labelled=self.labelled, inputs=self.inputs)  # fmt: skip
        await edge(self.dut, 2)
        drive(self.dut, restart=0)
        await edge(self.dut, 2)

    async def cycle(self, beat: dict[str, int] | None, take: bool) -> bool:
        """One cycle; whether the beat was accepted."""
        dut = self.dut
        step = self.steps.popleft() if self.steps else ""
        nothing = {name: int(self.rng.integers(2)) for name in _BEAT}
        shown = {**(beat or nothing), "valid": int(beat is not None)}
        drive(dut, **{f"asi_{name}": value for name, value in shown.items()}, enable=self.enable,
              now=self.now, batch_taken=step == "take", load_image=step == "load")  # fmt: skip
        await edge(dut)
        self.now += 1
        self.dropped += int(dut.dropped.value)
        if self.loaded is not None:
            count = int(dut.batch_count.value)
            numbers = fields(known(dut.batch_ids), 16, count)
            labels = fields(known(dut.batch_labels), 8, count)
            if not self.labelled:
                labels = [0] * count
            every = zip(self.loaded[:count], numbers, labels, strict=True)
            self.came += [Image(*image) for image in every]
        self.loaded = None
        if step == "load":
            self.loaded = fields(known(dut.images), self.capacity, self.lanes)
        if dut.batch_valid.value and not self.steps and step != "take" and take:
            self.steps.extend(["take", "", "load"])
        return beat is not None and bool(dut.asi_ready.value)

    def packet(self, kind: str) -> list[dict[str, int]]:
        """The beats of another packet: a good one, or one that has no image."""
        size = ceil_div(self.inputs, 8) + {"long": 1, "short": -1}.get(kind, 0)
        image = b"" if kind == "only" else self.rng.bytes(size)
        label = int(self.rng.integers(256)) if self.labelled else 0
        sent = image + bytes([label]) * self.labelled
        if kind == "good":
            bits = int.from_bytes(image, "little") & (1 << self.inputs) - 1
            self.wanted.append(Image(bits, self.packets, label))
        self.lost += kind != "good"
        self.packets += 1
        beats = []
        for at in range(0, len(sent), self.symbols):
            part, last = sent[at : at + self.symbols], at + self.symbols >= len(sent)
            data = int.from_bytes(part.ljust(self.symbols, b"\x5a"), "big")
            beats.append({"data": data, "startofpacket": at == 0, "endofpacket": last,
                          "empty": self.symbols - len(part),
                          "error": kind == "flag" and last})  # fmt: skip
        return beats

    async def send(
        self, beats: list[dict[str, int]], comes: Iterable[bool], takes: Iterable[bool]
    ) -> None:
        """Beats, each until it is accepted."""
        come, take = iter(comes), iter(takes)
        for beat in beats:
            while not next(come):
                await self.cycle(None, next(take))
            for _ in range(300):
                if await self.cycle(beat, next(take)):
                    break
            else:
                raise AssertionError("a beat was never accepted")

    async def rest(self) -> None:
        """Until nothing is left; all that was wanted has come."""
        for _ in range(40 + 20 * self.lanes):
            await self.cycle(None, True)
        assert not self.dut.busy.value
        assert self.came == self.wanted
        assert self.dropped == self.lost


@cocotb.test(timeout_time=1000, timeout_unit="us")
async def packets(dut: Any) -> None:
    """Good packets and others in any order, with labels and without, fast and slow senders and
    sequencers: every image once, with its number and label."""
    modes = (False, True) if settings()["parameters"]["LEARN"] else (False,)
    for labelled in modes:
        for number, (idle, slow) in enumerate(((0, 0), (4, 0), (0, 9), (20, 5))):
            bench = Bench(dut, 10 * labelled + number, labelled)
            await bench.reset()
            kinds = ["good"] * 12 + ["short", "long", "flag"] * 2 + ["only"] * 2 * labelled
            if ceil_div(bench.inputs, 8) == 1:  # without a pixel there is no packet
                kinds = [kind for kind in kinds if kind != "short"]
            beats = [beat for kind in bench.rng.permutation(kinds) for beat in bench.packet(kind)]
            await bench.send(beats, hold(bench.rng, 3, idle), hold(bench.rng, 2, slow))
            await bench.rest()


@cocotb.test(timeout_time=1000, timeout_unit="us")
async def stop_behind_an_image(dut: Any) -> None:
    """No images any more from the cycle behind an image's last beat on, or a few later, with lanes
    that are free or not: it leaves in a batch, with its label, and the core is busy until then."""
    if not settings()["parameters"]["LEARN"]:
        return
    for later in range(4):
        for images in range(1, 2 * settings()["parameters"]["LANES"] + 2):
            bench = Bench(dut, 50 + images, labelled=True)
            await bench.reset()
            beats = [beat for _ in range(images) for beat in bench.packet("good")]
            # Without a sequencer as many as there are lanes.
            takes = images % 2 == 1 or images > bench.lanes
            await bench.send(beats, repeat(True), repeat(takes))
            for _ in range(later):
                await bench.cycle(None, False)
            bench.enable = False
            for cycle in range(3):
                assert not await bench.cycle(beats[0], False)
                assert later or cycle or dut.busy.value
            await bench.rest()
