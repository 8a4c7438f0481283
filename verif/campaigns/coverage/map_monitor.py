# SPDX-License-Identifier: Apache-2.0
"""Watches a running core for convolutions and samples the section "Maps" of plan.json, as
`monitor.Monitor` does with a core for dense layers.

It reads the wires of fcc_map_core and the ports. A table counts when the core has answered an image
with it, or has refused it; a malformed packet when the core raises its error; the pixels of a
packet when nothing was wrong with it.
"""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import cocotb
from cocotb.triggers import RisingEdge

from campaigns.coverage.monitor import bins_of_run
from golden.map_tables import RESERVED, Core, Table, verdict
from xnor_fcc.map_plan import Stage, Window, image_area

_WINDOWS = {
    Window.PIXELS: "pixels",
    Window.SQUARE: "3x3",
    Window.POINT: "1x1",
    Window.DENSE: "dense",
}
# More than any limit.
_PLENTY = 1 << 30
_LIMITS = {
    "ring": 127,
    "most_groups": 255,
    **dict.fromkeys(
        ("weight_depth", "threshold_depth", "map_input", "map_even", "map_odd"), _PLENTY
    ),
}


class MapMonitor:
    """Samples one running core for convolutions; `bench` is its testbench."""

    def __init__(self, bench: Any) -> None:
        self.dut, self.core, g = bench.dut, bench.core, bench.geometry
        self.geometry = g
        self.limits = Core.of(g)
        self.see = bins_of_run().see
        self.refused: list[Table] = []
        self.fresh = False
        # Of the packet: its pixels so far, and what they are beside the levels.
        self.beats = 0
        self.open = False
        self.beside: set[tuple[str, str]] = set()
        self.last: tuple[bool, bool, int] | None = None
        self.task = cocotb.start_soon(self._watch())

    async def _watch(self) -> None:
        dut, core, edge = self.dut, self.core, RisingEdge(self.dut.clk)
        while True:
            await edge
            if dut.reset.value == 1 or core.core_reset.value == 1:
                self.open, self.last, self.fresh = False, None, False
                continue
            if core.check_done.value == 1:
                self._verdict()
            self._packet_errors()
            self._beat()
            if dut.aso_result_valid.value == 1 and dut.aso_result_ready.value == 1 and self.fresh:
                self.fresh = False
                self._network()
            if core.stall.value == 1:
                self.see("map wait", "for results of the image before")
            elif core.running.value == 1 and core.sequencer_busy.value != 1:
                self.see("map wait", "for an image")

    # ---- tables

    def _table(self) -> Table:
        """What is checked, with all that it needs loaded."""
        core = self.core
        layers = int(core.layers.value)
        packed = int(core.table_entries.value)
        count = min(layers, self.limits.max_layers)
        return Table(
            tuple(packed >> 32 * layer & 0xFFFF_FFFF for layer in range(count)),
            int(core.inputs.value),
            int(core.classes.value),
            _PLENTY,
            _PLENTY,
            layers,
            core.pixel_mode.value == 1,
        )

    def _verdict(self) -> None:
        core, table = self.core, self._table()
        if core.check_bad_table.value == 1:
            self.refused.append(table)
            for name, most in _LIMITS.items():
                if verdict(replace(self.limits, **{name: most}), table) == "ok":
                    self.see("map limit", name.upper())
            return
        if core.check_not_loaded.value == 1:
            self.see("map table", "not loaded")
        else:
            self.fresh = True
        # The tables before that are like this one but for one thing.
        for before in self.refused:
            wrong = _differences(before, table)
            if len(wrong) == 1:
                self.see("map table", wrong[0])
        self.refused.clear()

    def _network(self) -> None:
        """The first image after a start is answered."""
        g, see = self.geometry, self.see
        stages = [Stage.of_entry(entry) for entry in self._table().entries]
        count, parts = len(stages), self.limits.parts
        see("map layers", str(count) if count < 5 else "5 or more")
        if count == g.max_layers:
            see("map layers", "MAX_LAYERS")
        if stages[0].side == 1:
            see("map size", "an image of one window")
        if image_area(stages[0].side + 2).words == g.map_input:
            see("map size", "all of MAP_INPUT")
        for layer, stage in enumerate(stages):
            window = _WINDOWS[stage.window]
            side = "odd" if stage.side % 2 else "even"
            see("map window", window, "pooled" if stage.pool else "not pooled", side)
            inputs = f"order {stage.order}"
            see("map kind", window, inputs, "ternary" if stage.ternary else "binary")
            if layer == count - 1:
                continue
            place = "first" if layer == 0 else "hidden"
            rest = "in part" if stage.groups % parts else "full"
            slices = "one slot" if stage.groups <= parts else "several slots"
            if parts > 1 or rest == "full":
                see("map channels", place, slices, rest)
            area = "MAP_ODD" if layer % 2 else "MAP_EVEN"
            if stage.out_words(parts) == self.limits.area(layer):
                see("map size", f"all of {area}")
            if stage.flat:
                kind = "pooled" if stage.pool else f"of an {side} side"
                kind = "of one position" if stage.side == 1 else kind
                see("map flat", "of a dense layer" if window == "dense" else kind)

    # ---- images in

    def _beat(self) -> None:
        dut = self.dut
        self.last = None
        if dut.asi_image_valid.value != 1:
            return
        if dut.asi_image_ready.value != 1:
            if self.core.running.value == 1:
                self.see("map wait", "of an image for the core")
            return
        start = dut.asi_image_startofpacket.value == 1
        end = dut.asi_image_endofpacket.value == 1
        if start:
            self.beats = 0
            self.beside.clear()
        self.last = (end, self.open and start, self.beats)
        self.beats += 1
        self.open = not end
        self._pixel(int(dut.asi_image_data.value))

    def _pixel(self, data: int) -> None:
        """A pixel beside the levels of its colours."""
        g = self.geometry
        levels = int(self.core.levels.value)
        for colour in range(g.pixel_channels):
            value = data >> g.image_width - 8 - 8 * colour & 0xFF
            for k in range(g.pixel_levels):
                level = levels >> 8 * (colour * g.pixel_levels + k) & 0xFF
                name = {0: "0, never", 1: "1", 255: "255"}.get(level, "2 to 254")
                if value == 0:
                    self.beside.add((name, "0"))
                if value == 255:
                    self.beside.add((name, "255"))
                if value == level - 1:
                    self.beside.add((name, "level - 1"))
                if value == level and level:
                    self.beside.add((name, "level"))

    def _packet_errors(self) -> None:
        """Errors of the beat of the cycle before."""
        core = self.core
        if self.last is None:
            return
        end, cut, before = self.last
        side = int(core.image_side.value)
        many = "one" if self.geometry.pixel_channels == 1 else "several"
        wrong = []
        if core.packet_flagged.value == 1:
            wrong.append("flagged")
        if core.packet_frame.value == 1:
            wrong.append("cut off by a start" if cut else "without a start")
        if core.packet_long.value == 1:
            wrong.append("long")
        if core.packet_short.value == 1:
            pixels = before + 1
            wrong.append(
                "short by symbols" if pixels == side**2
                else "short by lines" if pixels % side == 0
                else "short by pixels"
            )  # fmt: skip
        for kind in wrong:
            self.see("map packet", many, kind)
        if end and not wrong and core.packets_dropped.value == 0:
            for name, pixel in self.beside:
                self.see("map pixel", name, pixel)


def _differences(wrong: Table, right: Table) -> list[str]:
    """In what two descriptions of networks differ, each thing by its name."""
    found = []
    for name, word in (("layers", "LAYERS"), ("inputs", "INPUTS"), ("classes", "CLASSES")):
        if getattr(wrong, name) != getattr(right, name):
            found.append(word)
    if wrong.grey != right.grey:
        found.append("1-bit pixels")
    for ours, theirs in zip(wrong.entries, right.entries, strict=False):
        if (ours ^ theirs) & RESERVED:
            found.append("a bit that is 0")
        one, other = Stage.of_entry(ours), Stage.of_entry(theirs)
        found += [
            fact.name
            for fact in fields(Stage)
            if getattr(one, fact.name) != getattr(other, fact.name)
        ]
    return found
