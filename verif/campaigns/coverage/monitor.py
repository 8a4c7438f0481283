# SPDX-License-Identifier: Apache-2.0
"""Watches a running core and samples the bins of coverage_plan.json, with cocotb-coverage.

`Monitor` is the observer of every `bench.Bench` whose settings say so (`runs.watched`), and writes
what it has seen into a file of its own in the directory that the setting `bins` names, again at
each bin that is seen first. It drives nothing. What it samples it reads inside the core, cycle by
cycle, or at the ports; of the bench it takes only what no wire carries: the network's thresholds
and widths, and the parameters of the build, which the bench has read back.

A bin counts by itself when it is observed; that the answers were right meanwhile is the bench's
business, and a campaign whose tests do not all pass has no result.
"""

from __future__ import annotations

import functools
import json
import uuid
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import cocotb
from cocotb.triggers import RisingEdge
from cocotb_coverage.coverage import CoverPoint, coverage_db

from campaigns.coverage.plan import Group, groups
from xnor_fcc.registers import ADDRESS, BIT, MAP, errors_in
from xnor_fcc_sim.settings import settings

_ONES = 0xFFFF_FFFF
_ENABLE, _GREY, _SOFT_RESET = (
    1 << BIT["CONTROL"][name] for name in ("ENABLE", "PIXEL_8BIT", "SOFT_RESET")
)
_TABLE = ADDRESS["LAYER_TABLE"]
_ORDER_2, _TERNARY = (1 << BIT["LAYER_TABLE"][name] for name in ("ORDER_2", "TERNARY"))
_NAME = {
    r["address"]: r["name"] for r in MAP["registers"] if "count" not in r and not r.get("learn")
}
_CONFIGURATION = (
    "INPUTS", "CLASSES", "LAYERS", "PIXEL_THRESHOLD", "PIXEL_RESIDUAL", "PARTIAL_TIMEOUT",
    "LOAD_SELECT", "LOAD_DATA", "LAYER_TABLE",
)  # fmt: skip
_LOCKING = {
    "table check", "running, empty", "image half in", "image waiting", "between layers",
    "results going out", "stopping",
}  # fmt: skip
# States of fcc_sequencer.
_WAIT, _WIND, _STEP = 0, 1, 2
# A beat is held long if the core could have computed a batch meanwhile; for small cores.
_LONG = 50
# Batches after each start whose hidden bits are looked at.
_BATCHES = 12
# Cycles between two looks at the counters, which wrap while nobody looks.
_COUNTERS_EVERY = 8
_COUNTERS = {
    "IMAGES": "images_reg",
    "BATCHES": "batches_reg",
    "BUSY_CYCLES": "busy_cycles_reg",
    "STALL_CYCLES": "stall_cycles_reg",
    "DROPPED": "dropped_reg",
    "STEP_CYCLES": "step_cycles_reg",
    "WEIGHT_STALL_CYCLES": "weight_stall_cycles_reg",
}


class Bins:
    """What has been seen in this simulation, kept by cocotb-coverage and in a file."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / f"{uuid.uuid4().hex}.json"
        self.seen: set[tuple[str, ...]] = set()
        self.groups = groups()
        self.samplers = {name: _sampler(group) for name, group in self.groups.items()}

    def see(self, group: str, *values: str) -> None:
        """Sample one bin. cocotb-coverage lets a value without a bin pass in silence; here it is a
        mistake in the plan or in the monitor."""
        key = (group, *values)
        if key in self.seen:
            return
        assert values in self.groups[group].bins, f"not in the plan: {group}: {values}"
        self.seen.add(key)
        self.samplers[group](", ".join(values))
        covered = {name: coverage_db[_point(name)].detailed_coverage for name in self.groups}
        seen = {name: [b for b, hits in bins.items() if hits] for name, bins in covered.items()}
        self.path.write_text(json.dumps(seen))


def _point(name: str) -> str:
    return f"core.{name}"


def _sampler(group: Group) -> Callable[[str], None]:
    """A function that samples a group by the name of the bin."""

    @CoverPoint(
        _point(group.name), xf=lambda bin_: bin_, bins=[", ".join(bin_) for bin_ in group.bins]
    )
    def sample(bin_: str) -> None:
        pass

    function: Callable[[str], None] = sample
    return function


@functools.cache
def bins_of_run() -> Bins:
    """One for a whole simulation, however many benches it has."""
    return Bins(Path(settings()["bins"]))


class Monitor:
    """Samples one running core; `bench` is its testbench."""

    def __init__(self, bench: Any) -> None:
        self.bench, self.dut, self.core = bench, bench.dut, bench.core
        self.geometry = bench.geometry
        self.see = bins_of_run().see
        core = bench.core
        self.csr, images = core.csr, core.image_input
        self.sink, self.batcher = images.image_sink, images.batcher
        self.engine, self.source = core.engine, core.result_source
        self.sequencer = core.engine.sequencer
        self.streamed = self.geometry.weight_stream > 0
        self.many = "more" if self.geometry.lanes > 1 else "one"
        # Something to be seen only if what is due in the next cycle is there too.
        self.due: list[tuple[Any, Callable[[], None]]] = []
        self.was_reset, self.resetting = True, False
        self.error = self.irq_status = 0
        self.cleared = self.irq_cleared = 0
        self.counters: dict[str, int] = {}
        self.clean: tuple[int, list[tuple[str, str, str]]] | None = None
        self.cycle = 0
        # Events since the last load, and those before loads that nothing has been answered with.
        self.last_event = "hardware reset"
        self.reloads: set[str] = set()
        self.bus_loaded = False
        self.fresh = False
        self._forget()
        self.task = cocotb.start_soon(self._watch())

    def _forget(self) -> None:
        """What a reset ends."""
        self.scores: list[int] = []
        self.holds: list[int] = []
        self.hold = 0
        self.gaps = 0
        self.gap: int | None = None
        self.batches = 0
        self.hidden_layer = 0
        self.hidden_due: int | None = None
        self.in_packet = False
        self.paused = True
        self.packet_paused = False
        self.pixels: set[str] = set()
        self.position = 0
        self.last_id: int | None = None
        self.flowing = 0
        self.due = []

    # ---- every cycle

    async def _watch(self) -> None:
        dut, edge = self.dut, RisingEdge(self.dut.clk)
        while True:
            await edge
            self.cycle += 1
            if dut.reset.value == 1:
                self._hardware_reset()
                continue
            self.was_reset = False
            due, self.due = self.due, []
            for handle, confirmed in due:
                if handle.value == 1:
                    confirmed()
            if self.resetting:  # what the core says in this cycle counts no more
                self.resetting = False
                self._forget()
                continue
            self._errors()
            if dut.avs_csr_write.value == 1:
                self._write(int(dut.avs_csr_address.value), int(dut.avs_csr_writedata.value))
            else:
                self.cleared = self.irq_cleared = 0
            if dut.avs_csr_read.value == 1:
                self._read(int(dut.avs_csr_address.value))
            self._image()
            self._result()
            self._sequencer()
            if self.streamed:
                self._weights()
            if self.cycle % _COUNTERS_EVERY == 0:
                self._counters()
            self._settled()

    def _hardware_reset(self) -> None:
        if not self.was_reset:
            self._reset("hardware")
            self.last_event, self.bus_loaded, self.fresh = "hardware reset", False, False
            self.reloads.clear()
        self.was_reset = True
        self.error = self.irq_status = self.cleared = self.irq_cleared = 0
        self._forget()

    def _reset(self, kind: str) -> None:
        self.clean = (self.cycle, [(kind, state, self.many) for state in self._states()])
        self.counters = {}

    def _settled(self) -> None:
        """Resets count once the core is clean."""
        if self.clean is None or self.cycle < self.clean[0] + 3:
            return
        states, self.clean = self.clean[1], None
        # A start right behind the reset may be under way.
        if int(self.csr.images_reg.value) or int(self.csr.error_reg.value):
            return
        core = self.core
        if not (core.staged_valid.value == 1 or core.sequencer_busy.value == 1
                or core.result_busy.value == 1 or core.waiting.value == 1):  # fmt: skip
            for state in states:
                self.see("reset", *state)

    def _states(self) -> set[str]:
        """Everything that the core is doing in this cycle, in the words of the plan."""
        core, csr, sequencer = self.core, self.csr, self.sequencer
        running, busy = csr.running_reg.value == 1, core.core_busy.value == 1
        states = set()
        if csr.checking.value == 1:
            return {"table check"}
        if not running and not busy:
            loading = {"loading thresholds": self.engine.threshold_source.loader}
            if not self.streamed:
                loading["loading weights"] = self.engine.weight_source.g_loaded.loader
            states = {name for name, loader in loading.items() if int(loader.index_reg.value)}
            return states or {"stopped"}
        half_in = self.sink.in_packet_reg.value == 1
        if running and not busy and not half_in:
            return {"running, empty"}
        if not running:
            states.add("stopping")
        if half_in and running:
            states.add("image half in")
        if core.waiting.value == 1 or core.staged_valid.value == 1:
            states.add("image waiting")
        state = int(sequencer.state_reg.value)
        if state == _WIND:
            states.add("winding up")
        elif state == _STEP:
            states |= {f"computing {layer}" for layer in self._layer()}
            if core.weight_stall.value == 1:
                states.add("waiting for weights")
        elif core.stall.value == 1:
            states.add("sequencer stalled")
        elif core.sequencer_busy.value == 1:
            states.add("between layers")
        sending = core.result_busy.value == 1
        if self.dut.aso_result_valid.value == 1:
            held = self.dut.aso_result_ready.value != 1
            states.add("results held" if held else "results going out")
        settling = core.sequencer_busy.value != 1 and core.settling.value == 1
        if settling and not sending:
            states.add("scores on their way")
        return states

    def _layer(self) -> list[str]:
        """The layer in the rings, which may be first and last at once."""
        following = int(self.sequencer.next_layer_reg.value)
        names = ["the output layer"] if self.engine.output_layer.value == 1 else []
        if following == 1 or (names and int(self.csr.layers_reg.value) == 1):
            names.append("the first layer")
        return names or ["a hidden layer"]

    # ---- registers

    def _errors(self) -> None:
        csr = self.csr
        error, before = int(csr.error_reg.value), self.error
        self.error = error
        for name in errors_in(error & ~before):
            self.see("error", name, "set")
        for name in errors_in(before & ~error & self.cleared):
            self.see("error", name, "cleared")
        # Before the write it was set, and it still is, although the write has cleared it.
        event = int(csr.error_event.value)
        if event & error and self._clears("ERROR") & event & error:
            self.see("error again", "seen")
        status, was = int(csr.irq_status_reg.value), self.irq_status
        self.irq_status = status
        if status or was:
            enabled = int(csr.irq_enable_reg.value)
            raised = self.dut.ins_csr_irq.value == 1
            again = self._clears("IRQ_STATUS") & int(csr.irq_event.value) & status
            for name, bit in BIT["IRQ_STATUS"].items():
                mask = 1 << bit
                if status & ~was & mask:
                    if enabled & mask and raised:
                        self.see("interrupt", name, "asked for")
                    if not enabled & mask and not raised:
                        self.see("interrupt", name, "not asked for")
                if was & ~status & self.irq_cleared & mask:
                    self.see("interrupt", name, "cleared")
                if again & mask:
                    self.see("interrupt", name, "again in the cycle of clearing")
        if self.core.check_done.value == 1:
            self._verdict()
        if csr.load_overflow.value == 1:
            weights = "weights" if self.engine.weight_overflow.value == 1 else "thresholds"
            self.see("overflow", weights, "stream" if self.streamed else "memory")
            self.last_event = "LOAD_OVERFLOW"

    def _clears(self, register: str) -> int:
        """Bits that a write in this cycle clears."""
        dut = self.dut
        if dut.avs_csr_write.value != 1 or int(dut.avs_csr_address.value) != ADDRESS[register]:
            return 0
        return int(dut.avs_csr_writedata.value)

    def _verdict(self) -> None:
        """The table check is over."""
        core, csr = self.core, self.csr
        if core.check_bad_table.value == 1:
            wrong = self._wrong_table()
            if len(wrong) == 1:
                self.see("bad table", wrong[0])
            self.last_event = "BAD_TABLE"
        elif core.check_not_loaded.value == 1:
            steps, offsets = self._needs()
            lacking = []
            if not self.streamed and steps > int(core.weights_loaded.value):
                lacking.append("weights")
            if offsets > int(core.thresholds_loaded.value):
                lacking.append("thresholds")
            if len(lacking) == 1:
                self.see("not loaded", lacking[0])
            self.last_event = "NOT_LOADED"
        elif csr.wanted_reg.value == 1:
            self.fresh = True
            self.batches = 0
            self.last_id = None

    def _entries(self) -> list[int]:
        """Entries of the layers in use, as the core holds them."""
        packed = int(self.core.table_entries.value)
        layers = min(int(self.csr.layers_reg.value), self.geometry.max_layers)
        return [packed >> 32 * layer & _ONES for layer in range(layers)]

    def _table(self) -> list[tuple[int, int]]:
        """(words, groups) of the layers in use."""
        return [(entry & 0x7FFF, entry >> 16 & 0x7FFF) for entry in self._entries()]

    def _kinds(self) -> list[tuple[bool, bool]]:
        """Whether the inputs of each layer in use are of order 2, and its weights ternary."""
        return [(entry & _ORDER_2 != 0, entry & _TERNARY != 0) for entry in self._entries()]

    def _share(self) -> int:
        """Lanes of an image."""
        return 2 if self.geometry.order == 2 and self.core.pairs.value == 1 else 1

    def _needs(self) -> tuple[int, int]:
        """Weight words and threshold words of the layer table."""
        table = self._table()
        layers = zip(table, self._kinds(), strict=True)
        steps = sum(words * groups * (1 + ternary) for (words, groups), (_, ternary) in layers)
        return steps, sum(groups for _, groups in table)

    def _wrong_table(self) -> list[str]:
        """Every condition that the description of the network breaks, by itself."""
        g, csr = self.geometry, self.csr
        layers, inputs, classes = (
            int(handle.value) for handle in (csr.layers_reg, csr.inputs_reg, csr.classes_reg)
        )
        if layers == 0:
            return ["LAYERS 0"]
        if layers > g.max_layers:
            return ["LAYERS beyond MAX_LAYERS"]
        wrong = []
        table = self._table()
        filled = inputs
        for number, (words, count) in enumerate(table):
            if words == 0:
                wrong.append("words 0")
            elif words > g.ring:
                wrong.append("words beyond the ring")
            elif number and (words - 1) * g.simd >= filled:
                wrong.append("words that the layer before cannot fill")
            elif number == 0 and 1 <= inputs <= g.max_width:
                if words < g.words(inputs):
                    wrong.append("too few words for INPUTS")
                if words > g.words(inputs):
                    wrong.append("too many words for INPUTS")
            if count == 0:
                wrong.append("groups 0")
            elif count > g.groups(g.max_width):
                wrong.append("groups beyond GROUPS")
            # A layer without neurons is wrong by itself, not by what it cannot fill.
            filled = count * g.pe or g.capacity
        kinds = self._kinds()
        if g.order == 1 and any(order_2 for order_2, _ in kinds):
            wrong.append("order 2 on a core of order 1")
        elif kinds[0][0] and csr.pixel_mode_reg.value != 1:
            wrong.append("order 2 of 1-bit pixels")
        if not g.ternary and any(ternary for _, ternary in kinds):
            wrong.append("ternary weights on a core without")
        if inputs == 0:
            wrong.append("INPUTS 0")
        if inputs > g.max_width:
            wrong.append("INPUTS beyond MAX_WIDTH")
        if classes == 0:
            wrong.append("CLASSES 0")
        elif classes > g.max_classes:
            wrong.append("CLASSES beyond MAX_CLASSES")
        elif classes > filled:
            wrong.append("CLASSES beyond the last layer")
        steps, offsets = self._needs()
        if not self.streamed and steps > g.weight_depth:
            wrong.append("too many weight words")
        if offsets > g.threshold_depth:
            wrong.append("too many threshold words")
        return wrong

    def _write(self, address: int, value: int) -> None:
        g, csr = self.geometry, self.csr
        layer = address - _TABLE
        name = "LAYER_TABLE" if 0 <= layer < g.max_layers else _NAME.get(address, "no register")
        self.see("register", name, "written")
        self.cleared = value if name == "ERROR" else 0
        self.irq_cleared = value if name == "IRQ_STATUS" else 0
        locked = csr.locked.value == 1
        if name == "CONTROL":
            self._control(value, locked)
        elif name in _CONFIGURATION and locked:
            self._refused(name)
        if name == "LOAD_SELECT" and not locked:
            half = self._states() & {"loading weights", "loading thresholds"}
            self.reloads.add("half a load" if half else self.last_event)
        if name == "LOAD_DATA" and not locked:
            self.bus_loaded = True

    def _refused(self, register: str) -> None:
        """Seen once CONFIG_BUSY is there; it may have been before, so that its event counts."""
        if int(self.csr.error_event.value) >> BIT["ERROR"]["CONFIG_BUSY"] & 1:
            for state in self._states():
                state = "results going out" if state == "results held" else state
                state = "computing" if state.startswith("computing") else state
                if state in _LOCKING | {"computing"}:
                    self.see("refused", register, state)

    def _control(self, value: int, locked: bool) -> None:
        csr = self.csr
        states = self._states()
        running = csr.running_reg.value == 1
        if value & _SOFT_RESET:
            self._reset("software")
            self.last_event, self.fresh = "software reset", False
            self.resetting = True
            if value & _ENABLE:
                self.see("enable", "enable with a reset")
        elif value & _ENABLE:
            same = bool(value & _GREY) == (csr.pixel_mode_reg.value == 1)
            if running:
                self.see("enable", "enable again" if same else "enable in the other mode")
            elif locked:
                when = "during the table check" if "table check" in states else "while stopping"
                self.see("enable", f"enable {when}")
            if locked and not (running and same):
                self._refused("CONTROL")
        elif "table check" in states:
            self.see("enable", "stop during the table check")
        elif running:
            self.last_event = "stop"
            for state, words in (("running, empty", "empty"), ("image half in", "image half in"),
                                 ("image waiting", "image waiting"),
                                 ("results held", "results held")):  # fmt: skip
                if state in states:
                    self.see("enable", f"stop, {words}")
            if any(state.startswith("computing") for state in states):
                self.see("enable", "stop, computing")

    def _read(self, address: int) -> None:
        layer = address - _TABLE
        inside = 0 <= layer < self.geometry.max_layers
        name = "LAYER_TABLE" if inside else _NAME.get(address, "no register")
        # Only if it is answered.
        read = functools.partial(self.see, "register", name, "read")
        self.due.append((self.dut.avs_csr_readdatavalid, read))
        if name == "CYCLES_HIGH":
            high = int(self.csr.cycles_reg.value) >> 32
            if int(self.csr.cycles_high_reg.value) + 1 == high:
                self.see("wrap", "CYCLES_HIGH of before")

    def _counters(self) -> None:
        """A counter near its end that is near its beginning a moment later has wrapped."""
        csr = self.csr
        now = {name: int(getattr(csr, register).value) for name, register in _COUNTERS.items()}
        cycles = int(csr.cycles_reg.value)
        now["CYCLES, low half"], now["CYCLES, both halves"] = cycles & _ONES, cycles >> 32
        for name, value in now.items():
            if self.counters.get(name, 0) > _ONES - 32 and value < 32:
                if name == "CYCLES, both halves" and cycles & _ONES > 32:
                    continue
                self.see("wrap", name)
        self.counters = now

    # ---- images in

    def _image(self) -> None:
        dut, sink = self.dut, self.sink
        if dut.asi_image_valid.value != 1:
            self.paused = True
            return
        if dut.asi_image_ready.value != 1:
            if self.csr.running_reg.value == 1:
                self.see("image gaps", "held back by the core")
            self.paused = False
            return
        start = dut.asi_image_startofpacket.value == 1
        end = dut.asi_image_endofpacket.value == 1
        paused, self.paused = self.paused, False
        if start:
            self.see("image gaps", "between packets" if paused else "none between packets")
            self.packet_paused, self.position = False, 0
            self.pixels.clear()
        elif paused:
            self.see("image gaps", "in a packet")
            self.packet_paused = True
        self._malformed(start, end)
        data = int(dut.asi_image_data.value)
        grey = self.csr.pixel_mode_reg.value == 1
        inputs = int(self.csr.inputs_reg.value)
        if grey:
            self._pixels(data, inputs)
        if end and sink.bad.value != 1:
            if not self.packet_paused and not start:
                self.see("image gaps", "none in a packet")
            beat = self.geometry.image_width
            length = 8 * inputs if grey else -(-inputs // 8) * 8
            size = "exactly" if length == beat else "less than" if length < beat else "more than"
            self.see("beat", f"{size} a beat", "8 bit" if grey else "1 bit")
            if grey:
                for name in self.pixels:
                    threshold, pixel = name.split(": ")
                    self.see("pixel", threshold, pixel)
            else:
                last = data >> 8 * int(dut.asi_image_empty.value) & 0xFF
                rest = "not 0" if last >> inputs % 8 else "0"
                self.see("pixel format", f"in part, the rest {rest}" if inputs % 8 else "full")

    def _pixels(self, data: int, inputs: int) -> None:
        threshold = int(self.csr.pixel_threshold_reg.value)
        named = {0: "0", 1: "1", 255: "255"}.get(threshold, "2 to 254")
        size = self.geometry.image_width // 8
        for byte in data.to_bytes(size, "big")[: max(0, inputs - self.position)]:
            for value, name in ((0, "0"), (threshold - 1, "threshold - 1"),
                                (threshold, "threshold"), (255, "255")):  # fmt: skip
                if byte == value:
                    self.pixels.add(f"{named}: {name}")
        self.position += size

    def _malformed(self, start: bool, end: bool) -> None:
        """What is wrong with this beat; seen if the core raises the error in the next cycle."""
        sink, core = self.sink, self.core
        faults: list[tuple[str, Any]] = []
        lost_end, lost_start = sink.lost_end.value == 1, sink.lost_start.value == 1
        if sink.was_bad.value != 1 and not lost_start:
            if sink.too_short.value == 1:
                by = "bytes" if sink.at_last.value == 1 else "beats"
                faults.append((f"short by {by}", core.packet_short))
            if sink.too_long.value == 1:
                by = "bytes" if end else "beats"
                faults.append((f"long by {by}", core.packet_long))
        if self.dut.asi_image_error.value == 1:
            place = "the first beat" if start else "the last beat" if end else "between"
            faults.append((f"flagged in {place}", core.packet_flagged))
        if lost_start:
            faults.append(("no start", core.packet_frame))
        if lost_end:
            faults.append(("no end", core.packet_frame))
            if end and sink.bad.value == 1:
                faults.append(("two at once", core.packet_frame))
        mode = "8 bit" if self.csr.pixel_mode_reg.value == 1 else "1 bit"
        if len({id(strobe) for _, strobe in faults}) > 1:
            faults.append(("several faults", core.packet_flagged))
        for name, strobe in faults:
            self.due.append((strobe, functools.partial(self.see, "packet", name, mode)))

    # ---- batches and layers

    def _sequencer(self) -> None:
        core, sequencer, g = self.core, self.sequencer, self.geometry
        if self.hidden_due is not None:
            self._hidden(self.hidden_due)
            self.hidden_due = None
        if self.engine.lanes.load_late_s1.value == 1:
            self.hidden_due, self.hidden_layer = self.hidden_layer, self.hidden_layer + 1
        if core.load_image.value == 1:
            self._batch()
        if core.stall.value == 1:
            if self.batcher.full.value == 1:
                self.see("stall", "a full batch waits behind", self.many)
            elif core.waiting.value != 1:
                self.see("stall", "nothing waits behind", self.many)
            self.gap = None
        # Idle cycles since the last step, the one of the load included.
        if int(sequencer.state_reg.value) != _WAIT:
            self.gap = 0
        elif self.gap is not None:
            self.gap += 1
        if self.engine.load_hidden.value == 1 and self.gap is not None:
            kind = {0: "none", g.drain: "the whole drain"}.get(self.gap, "in part")
            self.see("gap", kind, "PE <= SIMD" if g.pe <= g.simd else "PE > SIMD")

    def _batch(self) -> None:
        share = self._share()
        lanes = self.geometry.lanes // share
        count = int(self.batcher.count_reg.value) // share
        self.batches += 1
        self.hidden_layer = 0
        running = self.csr.running_reg.value == 1
        cause = "full" if count == lanes else "timeout" if running else "stop"
        if lanes <= 5:
            self.see("batch", f"{count} of {lanes}, {cause}")
        if cause == "timeout":
            cycles = int(self.csr.partial_timeout_reg.value)
            long = "2 to 255" if cycles < 256 else "256 or more"
            self.see("timeout", str(cycles) if cycles < 2 else long)

    def _hidden(self, layer: int) -> None:
        """Hidden bits of a layer, as the lanes hold them when the next layer has taken them."""
        expected = self.bench.expected
        if expected is None or self.batches > _BATCHES or layer >= len(expected.network.hidden):
            return
        hidden = expected.network.hidden[layer]
        # The higher lane of a pair has the first bits.
        share = self._share()
        lanes = range(share - 1, int(self.core.batch_count.value), share)
        bits = [int(self.engine.lanes.g_lane[lane].lane.hidden.value) for lane in lanes]
        n = hidden.most
        for neuron, threshold in enumerate(hidden.thresholds.tolist()):
            names = {0: "0, always 1", n + 1: "n + 1, never 1"}.get(threshold)
            ends = {1: "1", n: "n"}
            for lane in bits:
                bit = str(lane >> neuron & 1)
                if names is not None:
                    self.see("threshold", names, bit)
                elif threshold not in ends:
                    self.see("threshold", "in between", bit)
                for end, name in ends.items():
                    if threshold == end and names is None:
                        self.see("threshold", name, bit)

    # ---- results out

    def _result(self) -> None:
        dut = self.dut
        if dut.aso_result_valid.value != 1:
            return
        if dut.aso_result_ready.value != 1:
            self.hold += 1
            return
        self.holds.append(self.hold)
        self.hold = 0
        data = int(dut.aso_result_data.value)
        if dut.aso_result_endofpacket.value != 1:
            self.scores.append(data - (1 << 32) if data >> 31 else data)
            return
        self._answer(data >> 16, data & 0xFFFF)
        self.scores.clear()
        self.holds.clear()

    def _answer(self, winner: int, number: int) -> None:
        g, scores, holds = self.geometry, self.scores, self.holds
        patterns = {
            "every beat at once": not any(holds),
            "every beat held": all(holds),
            "some beats held": any(holds) and not all(holds),
            "first beat held long": holds[0] >= _LONG,
            "last beat held long": holds[-1] >= _LONG,
        }
        for name, met in patterns.items():
            if met:
                self.see("backpressure", name, self.many)
        limit = 1 << g.score_bits - 1
        for value, name in ((-limit, "lowest"), (-1, "-1"), (0, "0"), (1, "1"),
                            (limit - 1, "highest")):  # fmt: skip
            if value in scores:
                self.see("score", name)
        best = max(scores)
        self.see("best score", "negative" if best < 0 else "positive" if best else "zero")
        if len(scores) == 1:
            self.see("one class", "1")
        else:
            share = scores.count(best)
            tie = "shared by all" if share == len(scores) else "shared by some"
            place = "last" if winner == len(scores) - 1 else "in between"
            self.see("winner", place if winner else "first", tie if share > 1 else "alone")
        if self.last_id == 0xFFFF and number == 0:
            self.see("wrap", "image id")
        self.last_id = number
        # The oldest image came in before the cycle counter began again.
        now = int(self.csr.cycles_reg.value) & _ONES
        if int(self.source.stamp_reg.value) > now and int(self.source.latency.value) < 1 << 16:
            self.see("wrap", "LATENCY across CYCLES")
        for event in self.reloads:
            self.see("reload", event)
        self.reloads.clear()
        if self.fresh:
            self.fresh = False
            self._shape()
            self._size()

    def _size(self) -> None:
        """The geometry of the core that has answered."""
        g, see = self.geometry, self.see
        size = "=" if g.pe == g.simd else "<" if g.pe < g.simd else ">"
        see("array", f"PE {size} SIMD", "stream" if self.streamed else "memory")
        least = {"PE": 1, "SIMD": 1, "LANES": 1, "MAX_WIDTH": 1, "MAX_LAYERS": 1, "MAX_CLASSES": 1,
                 "WEIGHT_DEPTH": 2, "THRESHOLD_DEPTH": 2}  # fmt: skip
        parameters = g.parameters()
        for name, value in least.items():
            if parameters[name] == value and not (self.streamed and name == "WEIGHT_DEPTH"):
                see("smallest", f"{name} = {value}")
        for name in ("PE", "SIMD", "LANES", "MAX_WIDTH"):
            value = parameters[name]
            power = value & (value - 1) == 0
            see("evenness", name, "power of two" if power else "odd" if value % 2 else "even")
        if g.lanes <= 5:
            see("lanes", str(g.lanes))
        few = "1 of several" if g.ring > 1 else "1, ring of one word"
        see("taps", few if g.taps == 1 else "whole ring" if g.taps == g.ring else "some", self.many)
        see("image width", str(g.image_width))
        if self.streamed:
            beats, rest = divmod(g.pe * g.simd, g.weight_stream)
            count = "several beats" if beats + bool(rest) > 1 else "one beat"
            see("stream words", count + " with a surplus" * bool(rest))
        else:
            rest = g.weight_depth % g.bank_depth
            if g.bank_depth == 1:
                see("banks", "of one word")
            elif g.weight_depth > g.bank_depth:
                see("banks", "several, the last in part" if rest else "several, full")
            else:
                see("banks", "one, in part" if rest else "one, full")
        see("source", "loaded over registers" if self.bus_loaded else "preset")

    def _shape(self) -> None:
        """The layers of the network that has answered."""
        g, see = self.geometry, self.see
        widths = self.bench.expected.network.widths
        table = self._table()
        assert table == [(g.words(n), g.groups(m)) for n, m in pairwise(widths)]
        layers = len(table)
        for number, (order_2, ternary) in enumerate(self._kinds()):
            place = "output" if number == layers - 1 else "hidden" if number else "first"
            plain = "order 1" if self._share() == 1 else "order 1 in a pair"
            weights = "ternary" if ternary else "binary"
            see("kind", place, "order 2" if order_2 else plain, weights)
        see("layers", str(layers) if layers < 3 else "3 or more")
        if layers == g.max_layers:
            see("layers", "MAX_LAYERS")
        for number, (words, count) in enumerate(table):
            places = ["output"] if number == layers - 1 else []
            places += ["first"] if number == 0 else []
            n, m = widths[number], widths[number + 1]
            for place in places or ["hidden"]:
                for name in _ends(words, g.ring, "one", "some", "whole ring"):
                    see("words", place, name)
                for name in _ends(count, g.groups(g.max_width), "one", "some", "GROUPS"):
                    see("groups", place, name)
                beside = "fewer than TAPS" if words < g.taps else "more than TAPS"
                see("words and taps", place, "TAPS" if words == g.taps else beside)
                see("last word", place, "in part" if n % g.simd else "full")
                see("last group", place, "in part" if m % g.pe else "full")
            if number < layers - 1:
                for name in _ends(m, g.max_width, "1 neuron", "", "MAX_WIDTH neurons"):
                    if name:
                        see("width", name)
        for width, most, one, many in (
            (widths[0], g.max_width, "1 input", "MAX_WIDTH inputs"),
            (widths[-1], g.max_classes, "1 class", "MAX_CLASSES classes"),
        ):
            for name in _ends(width, most, one, "", many):
                if name:
                    see("width", name)

    # ---- weights in

    def _weights(self) -> None:
        dut, core = self.dut, self.core
        stream = self.engine.weight_source.g_streamed.stream
        valid, ready = dut.asi_weight_valid.value == 1, dut.asi_weight_ready.value == 1
        if core.weight_stall.value == 1:
            self.see("weight flow", "a step waits for its word")
        if valid and not ready and core.sequencer_busy.value == 1:
            self.see("weight flow", "the sender waits for the core")
        self.flowing = self.flowing + 1 if valid and ready else 0
        if self.flowing >= 16:
            self.see("weight flow", "a beat every cycle")
        if stream.fault.value == 1:
            return
        kind = None
        if valid and ready and stream.framed.value != 1:
            start, end = (
                handle.value == 1
                for handle in (dut.asi_weight_startofpacket, dut.asi_weight_endofpacket)
            )
            if end and stream.last_beat.value != 1:
                kind = "an end inside a word"
            if stream.in_packet_reg.value == 1 and start:
                kind = "a start inside"
            elif stream.in_packet_reg.value != 1 and not start:
                kind = "no start"
        elif (self.engine.step_due.value == 1 and stream.waiting_valid_reg.value == 1
              and stream.in_step.value != 1):  # fmt: skip
            ends = stream.waiting_last_reg.value == 1
            kind = "ends before the pass" if ends else "goes on behind the pass"
        if kind is not None:
            self.due.append((stream.fault, functools.partial(self.see, "weight frame", kind)))


def _ends(value: int, high: int, one: str, some: str, most: str) -> list[str]:
    """Names of a size from 1 to `high`; both ends where they meet."""
    names = [one] * (value == 1) + [most] * (value == high)
    return names or [some]
