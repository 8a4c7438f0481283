# SPDX-License-Identifier: Apache-2.0
"""A twin of the core for the testbench: what must come of whatever arrives, from the ports alone.

`Twin` sees the ports in every cycle and knows the rules of REGISTERS.md and the modules' headers.
It says, to the cycle, what every register must read, when the interrupt is high, and which image
must be answered with which id. Known only within bounds, because they depend on what happens
inside: STATUS.BUSY (must be 1 while an accepted image is unanswered, 0 when the core has been
empty for a while) and the counters of the sequencer (never fall). LATENCY is not looked at, and
neither is asi_weight: the twin is one of a core with a weight memory.
"""

from __future__ import annotations

import zlib
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import cocotb
from cocotb.triggers import RisingEdge

from golden.image_packets import ERROR, Fate, PacketRules
from golden.layer_table import Description, TableRules
from golden.word_loader import Loader
from xnor_fcc.registers import (
    ADDRESS,
    BIT,
    BITS,
    ID_VALUE,
    MAP,
    RESET,
    VERSION_VALUE,
    errors_in,
)
from xnor_fcc_sim.bench import Bench
from xnor_fcc_sim.packets import Beat

_ONES = 0xFFFF_FFFF
_ENABLE = 1 << BIT["CONTROL"]["ENABLE"]
_PIXEL_8BIT = 1 << BIT["CONTROL"]["PIXEL_8BIT"]
_SOFT_RESET = 1 << BIT["CONTROL"]["SOFT_RESET"]
_IRQ_RESULT = 1 << BIT["IRQ_STATUS"]["RESULT"]
_IRQ_ERROR = 1 << BIT["IRQ_STATUS"]["ERROR"]
RISING = ("BUSY_CYCLES", "STALL_CYCLES", "STEP_CYCLES")
_NAME = {r["address"]: r["name"] for r in MAP["registers"] if "count" not in r}
# Cycles after its last result in which a core may still call itself busy.
_SETTLING = 16


@dataclass
class _State:
    """Registers that a software reset clears, as a read in this cycle would find them."""

    error: int = 0
    irq_status: int = 0
    cycles: int = 0
    cycles_high: int = 0
    images: int = 0
    batches: int = 0
    dropped: int = 0
    floor: dict[str, int] = field(default_factory=lambda: dict.fromkeys(RISING, 0))


class Twin:
    """Follows the ports cycle by cycle and fails at the first thing that must not be.

    `index`: position of each image of the round, by its activation bits, in the bench's images.
    """

    def __init__(self, dut: Any, bench: Bench) -> None:
        self.dut, self.bench = dut, bench
        self.geometry = g = bench.geometry
        self.rules = TableRules(g)
        self.packets = PacketRules(g.image_width)
        self.constants = {
            ADDRESS[name]: value for name, value in g.parameters().items() if name in ADDRESS
        }
        self.constants |= {
            ADDRESS["ID"]: ID_VALUE,
            ADDRESS["VERSION"]: VERSION_VALUE,
            ADDRESS["SCORE_BITS"]: g.score_bits,
        }
        self.index: dict[int, int] = {}
        # Position of the next image to be answered; number of its batch.
        self.presented = self.batch = 0
        self.malformed = self.reads = self.writes = self.refused = self.beats = 0
        self.reasons: Counter[str] = Counter()
        self._hardware_reset()
        self.task = cocotb.start_soon(self._watch())

    def _hardware_reset(self) -> None:
        g = self.geometry
        self.irq_enable = 0
        self.running = self.grey = False
        self.stored = {name: RESET[name] for name in BITS}
        self.table = [0] * g.max_layers
        self.loaders = [
            Loader(32, g.pe * g.simd, g.weight_depth, 0),
            Loader(
                g.score_bits, g.pe * g.score_bits * (3 if g.order == 2 else 1), g.threshold_depth, 0
            ),
        ]
        self.crcs = [0, 0]
        self.locked: bool | None = False  # None: until the images inside are answered
        self.packets.reset()
        self._core_reset()

    def _core_reset(self) -> None:
        """What a software reset does to everything but the network and its description."""
        self.state = _State()
        self.due = Fate()
        self.expected_read: tuple[int, int | None] | None = None
        self.soft_reset = False
        # Cycles until the verdict of the table check, if one is under way, and its error.
        self.check: tuple[int, int] | None = None
        self.inside = 0
        self.quiet = 0
        self.held: tuple[bool, bool] = (False, False)
        self.full = False
        self.packets.reset()

    def begin(self, index: dict[int, int]) -> None:
        """The bench has begun with new images."""
        self.index = index
        self.presented = len(self.bench.results.pending)
        self.batch = 0

    async def _watch(self) -> None:
        dut, edge = self.dut, RisingEdge(self.dut.clk)
        while True:
            await edge
            if dut.reset.value == 1:
                self._hardware_reset()
            else:
                self._cycle()

    def _cycle(self) -> None:
        dut, state = self.dut, self.state
        # Results: the last beat of a batch is presented in the cycle after it has been handed over.
        valid = dut.aso_result_valid.value == 1
        end = valid and dut.aso_result_endofpacket.value == 1
        taken = valid and dut.aso_result_ready.value == 1
        if end and self.held != (True, False):
            first, count = self.bench.passes.batches[self.batch]
            if self.presented == first + count - 1:
                self.batch += 1
                state.batches += 1
                state.irq_status |= _IRQ_RESULT
            self.presented += 1
        self.held = (end, taken)
        if self.check is None:
            assert (dut.ins_csr_irq.value == 1) == bool(state.irq_status & self.irq_enable), "irq"
        self._answer()

        due, self.due = self.due, Fate()
        events = due.errors
        for loader in self.loaders:
            events |= ERROR["LOAD_OVERFLOW"] if loader.overflow else 0
            loader.overflow = False
        events |= self._check_table()
        resetting, self.soft_reset = self.soft_reset, False

        self._image()
        read = dut.avs_csr_read.value == 1
        write = dut.avs_csr_write.value == 1
        clear_error = clear_irq = 0
        running = self.running
        if read or write:
            address = int(dut.avs_csr_address.value)
            if read:
                self.reads += 1
                self.expected_read = (address, self._value(address))
                if address == ADDRESS["CYCLES"]:
                    state.cycles_high = state.cycles >> 32
            if write:
                self.writes += 1
                value = int(dut.avs_csr_writedata.value)
                clear_error = value if address == ADDRESS["ERROR"] else 0
                clear_irq = value if address == ADDRESS["IRQ_STATUS"] else 0
                events |= self._write(address, value)
        if running and not self.running:
            self.packets.cut()

        for name in errors_in(events):
            self.reasons[name] += 1
        state.error = state.error & ~clear_error | events
        state.irq_status = state.irq_status & ~clear_irq | (_IRQ_ERROR if events else 0)
        state.dropped += due.dropped
        state.images += end and taken
        state.cycles = state.cycles + 1 & (1 << 64) - 1
        self.inside += self.full - (end and taken)
        self.quiet = 0 if self.inside else self.quiet + 1
        if resetting:
            # A read is answered all the same, and another reset may have been written meanwhile.
            kept = self.expected_read, self.soft_reset
            self._core_reset()
            self.expected_read, self.soft_reset = kept

    def _answer(self) -> None:
        """The answer to the read of the cycle before, and only then one."""
        dut, want = self.dut, self.expected_read
        self.expected_read = None
        assert (dut.avs_csr_readdatavalid.value == 1) == (want is not None), "readdatavalid"
        if want is None:
            return
        got, (address, value) = int(dut.avs_csr_readdata.value), want
        if value is not None:
            assert got == value, f"register {address}: {got:#x}, not {value:#x}"
        elif address == ADDRESS["STATUS"] and got == 0 and self.locked is None:
            self.locked = False
        for name in RISING:
            if address == ADDRESS[name]:
                assert got >= self.state.floor[name], f"{name} has fallen to {got}"
                self.state.floor[name] = got

    def _value(self, address: int) -> int | None:
        """What a register reads in this cycle; None where that is not known."""
        state, layer = self.state, address - ADDRESS["LAYER_TABLE"]
        if address in self.constants:
            return self.constants[address]
        if 0 <= layer < len(self.table):
            return self.table[layer]
        name = _NAME.get(address, "")
        if name in self.stored:
            return self.stored[name]
        if name in ("STATUS", "CONTROL"):
            if self.check is not None:
                return None
            if name == "CONTROL":
                return (_ENABLE if self.running else 0) | (_PIXEL_8BIT if self.grey else 0)
            if self.inside == 0 and (self.locked is None or self.quiet <= _SETTLING):
                return None
            return int(self.running) | (2 if self.inside else 0)
        if name in ("ERROR", "IRQ_STATUS") and self.check is not None:
            return None
        if name in RISING or name == "LATENCY":
            return None
        known = {
            "ERROR": state.error,
            "IRQ_ENABLE": self.irq_enable,
            "IRQ_STATUS": state.irq_status,
            "WEIGHTS_LOADED": self.loaders[0].loaded,
            "THRESHOLDS_LOADED": self.loaders[1].loaded,
            "WEIGHTS_CRC": self.crcs[0],
            "THRESHOLDS_CRC": self.crcs[1],
            "CYCLES": state.cycles & _ONES,
            "CYCLES_HIGH": state.cycles_high,
            "IMAGES": state.images,
            "BATCHES": state.batches,
            "DROPPED": state.dropped,
        }
        return known.get(name, 0)

    def _image(self) -> None:
        """A beat of asi_image that is taken in this cycle."""
        dut = self.dut
        ready = dut.asi_image_ready.value == 1
        assert not ready or (self.running and not self.full), "ready without room"
        self.full = False
        if not ready or dut.asi_image_valid.value != 1:
            return
        self.beats += 1
        beat = Beat(
            int(dut.asi_image_data.value),
            int(dut.asi_image_startofpacket.value),
            int(dut.asi_image_endofpacket.value),
            int(dut.asi_image_empty.value),
            int(dut.asi_image_error.value),
        )
        fate = self.packets.beat(beat)
        self.malformed += fate.dropped
        self.due.errors |= fate.errors
        self.due.dropped += fate.dropped
        if fate.image is not None:
            number, bits = fate.image
            self.bench.results.pending.append((number, self.index[bits]))
            self.full = True  # until it is taken, for a cycle at least

    def _write(self, address: int, value: int) -> int:
        """A register write; the errors that it sets at once."""
        layer = address - ADDRESS["LAYER_TABLE"]
        name = "LAYER_TABLE" if 0 <= layer < len(self.table) else _NAME.get(address, "")
        if name == "CONTROL":
            return self._control(value)
        if name == "IRQ_ENABLE":
            self.irq_enable = value & (_IRQ_RESULT | _IRQ_ERROR)
        if name not in (*BITS, "LAYER_TABLE", "LOAD_DATA"):
            return 0
        assert self.locked is not None, "the bench must not write this while the core comes to rest"
        if self.locked:
            self.refused += 1
            return ERROR["CONFIG_BUSY"]
        if name == "LAYER_TABLE":
            self.table[layer] = value
        elif name == "LOAD_DATA":
            selected = self.stored["LOAD_SELECT"]
            loader = self.loaders[selected]
            loader.cycle(False, value & ((1 << loader.chunk) - 1))
            self.crcs[selected] = zlib.crc32(value.to_bytes(4, "little"), self.crcs[selected])
        else:
            self.stored[name] = value & ((1 << BITS[name]) - 1)
            if name == "LOAD_SELECT":
                self.loaders[value & 1].cycle(True, None)
                self.crcs[value & 1] = 0
        return 0

    def _control(self, value: int) -> int:
        grey = bool(value & _PIXEL_8BIT)
        if value & _SOFT_RESET:
            self.running, self.locked, self.irq_enable = False, False, 0
            self.soft_reset = True
            self.check = None
        elif not value & _ENABLE:
            assert self.check is None, "the bench must not stop a core that is being started"
            if self.running:
                self.running, self.locked = False, None
        elif self.locked:
            same = self.running and grey == self.grey
            self.refused += not same
            return 0 if same else ERROR["CONFIG_BUSY"]
        else:
            assert self.locked is not None
            self.grey, self.locked = grey, True
            # The check starts one cycle later; see fcc_table_check for its latency, which is the
            # longest where it refuses: until then the error may come at any time.
            cycles = 3 * self.stored["LAYERS"] + 4
            wrong = self._verdict()
            limit = 3 * self.geometry.max_layers + 4
            self.check = (limit, wrong) if wrong else (cycles, 0)
            self.packets.number = 0
            levels = self.table[0] >> BIT["LAYER_TABLE"]["ORDER_2"] & 1
            self.packets.configure(
                self.stored["INPUTS"],
                grey,
                self.stored["PIXEL_THRESHOLD"],
                self.stored["PIXEL_RESIDUAL"] if levels else None,
            )
        return 0

    def _verdict(self) -> int:
        """The error bit that the table check must set; 0 where the core must start."""
        layers = self.stored["LAYERS"]
        entries = self.table[: min(layers, len(self.table))]
        described = Description(
            tuple((entry & 0xFFFF, entry >> 16) for entry in entries),
            self.stored["INPUTS"],
            self.stored["CLASSES"],
            self.loaders[0].loaded,
            self.loaders[1].loaded,
            layers,
            self.grey,
        )
        if not self.rules.fits(described):
            return ERROR["BAD_TABLE"]
        return 0 if self.rules.loaded(described) else ERROR["NOT_LOADED"]

    def _check_table(self) -> int:
        """One cycle nearer to the verdict; the errors that it brings."""
        if self.check is None:
            return 0
        left, wrong = self.check
        if left:
            self.check = (left - 1, wrong)
            return 0
        self.check = None
        self.running, self.locked = not wrong, not wrong
        return wrong
