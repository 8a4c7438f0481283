# SPDX-License-Identifier: Apache-2.0
"""Bad input at scale: a flood of malformed packets and of random register accesses between good
images, against a twin of the core that follows from the ports alone what must come of it.

`Twin` sees the ports in every cycle and knows the rules of REGISTERS.md and the modules' headers.
It says, to the cycle, what every register must read, when the interrupt is high, and which image
must be answered with which id. Known only within bounds, because they depend on what
happens inside: STATUS.BUSY (must be 1 while an accepted image is unanswered, 0 when the core has
been empty for a while), the counters of the sequencer (never fall; exact at the end of each round,
by the cycle model), LATENCY (not looked at). Hidden bits, scores and classes are compared by
`bench.Bench` as in every other run of the core.

Settings: geometry, seed, malformed and accesses (how many of each at least), rounds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import ClockCycles, RisingEdge

from bench import Beat, Bench, settings
from core_tests import bursts, patience, random_widths
from fcc_image_sink_tests import Format
from fcc_table_check_tests import Bench as TableRules
from fcc_table_check_tests import Network as Description
from fcc_word_loader_tests import Loader
from streams import write_burst
from xnor_fcc.geometry import Geometry, ceil_div
from xnor_fcc.integer import random_network
from xnor_fcc.pack import pack
from xnor_fcc.registers import ADDRESS, BIT, ID_VALUE, MAP, VERSION_VALUE, errors_in

_ONES = 0xFFFF_FFFF
_ENABLE = 1 << BIT["CONTROL"]["ENABLE"]
_PIXEL_8BIT = 1 << BIT["CONTROL"]["PIXEL_8BIT"]
_SOFT_RESET = 1 << BIT["CONTROL"]["SOFT_RESET"]
_ERROR = {name: 1 << bit for name, bit in BIT["ERROR"].items()}
_IRQ_RESULT = 1 << BIT["IRQ_STATUS"]["RESULT"]
_IRQ_ERROR = 1 << BIT["IRQ_STATUS"]["ERROR"]
_STROBE = {
    "error_short": "PACKET_SHORT",
    "error_long": "PACKET_LONG",
    "error_frame": "PACKET_FRAME",
    "error_flag": "PACKET_FLAGGED",
}
# Registers of the network's description that are plain storage, with their bits.
_STORED = {"INPUTS": 16, "CLASSES": 16, "LAYERS": 16, "PIXEL_THRESHOLD": 8, "PARTIAL_TIMEOUT": 32,
           "LOAD_SELECT": 1}  # fmt: skip
_RISING = ("BUSY_CYCLES", "STALL_CYCLES", "STEP_CYCLES")
_NAME = {r["address"]: r["name"] for r in MAP["registers"] if "count" not in r}
# Cycles after its last result in which a core may still call itself busy.
_SETTLING = 16


@dataclass
class Fate:
    """What comes of one beat: reasons, packets dropped, an image with its id."""

    errors: int = 0
    dropped: int = 0
    image: tuple[int, int] | None = None  # (id, activation bits, pixel 0 lowest)


class Packets:
    """The rules of asi_image, beat by beat."""

    def __init__(self, width: int) -> None:
        self.size = width // 8
        self.reset()

    def configure(self, inputs: int, grey: bool, threshold: int) -> None:
        """Format of the images from now on."""
        self.inputs, self.grey, self.threshold = inputs, grey, threshold
        self.bytes = inputs if grey else ceil_div(inputs, 8)

    def reset(self) -> None:
        """Between two packets, ids from 0."""
        self.open = self.bad = False
        self.number = 0
        self.payload = b""

    def cut(self) -> None:
        """The core is stopped: a packet that is open now will be no image."""
        self.bad = True

    def beat(self, beat: Beat) -> Fate:
        """Take one beat."""
        fate = Fate()
        if beat.start:
            if self.open:  # it never ended
                fate.errors |= _ERROR["PACKET_FRAME"]
                fate.dropped += 1
                self.number += 1
            self.bad, self.payload = False, b""
        elif not self.open:  # it never started
            fate.errors |= _ERROR["PACKET_FRAME"]
            self.bad, self.payload = True, b""
        self.open = not beat.end
        missing = self.bytes - len(self.payload)  # before this beat
        carried = self.size - (beat.empty if beat.end else 0)
        if not self.bad:  # the length of a packet that is bad anyway says nothing
            if beat.end and carried < missing:
                fate.errors |= _ERROR["PACKET_SHORT"]
            # Without an end there is at least one byte more to come.
            if carried + (not beat.end) > missing:
                fate.errors |= _ERROR["PACKET_LONG"]
        if beat.error:
            fate.errors |= _ERROR["PACKET_FLAGGED"]
        self.bad |= bool(fate.errors & ~_ERROR["PACKET_FRAME"])
        if not self.bad:
            self.payload += beat.data.to_bytes(self.size, "big")[:carried]
        if beat.end:
            if self.bad:
                fate.dropped += 1
            else:
                fate.image = (self.number & 0xFFFF, self._bits())
            self.number += 1
        return fate

    def _bits(self) -> int:
        if self.grey:
            return sum((byte >= self.threshold) << i for i, byte in enumerate(self.payload))
        return int.from_bytes(self.payload, "little") & ((1 << self.inputs) - 1)


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
    floor: dict[str, int] = field(default_factory=lambda: dict.fromkeys(_RISING, 0))


class Twin:
    """Follows the ports cycle by cycle and fails at the first thing that must not be.

    `index`: position of each image of the round, by its activation bits, in the bench's images.
    """

    def __init__(self, dut: Any, bench: Bench) -> None:
        self.dut, self.bench = dut, bench
        self.geometry = g = bench.geometry
        self.rules = TableRules(dut, 0)
        self.packets = Packets(g.image_width)
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
        self.stored = {**dict.fromkeys(_STORED, 0), "PIXEL_THRESHOLD": 128, "PARTIAL_TIMEOUT": 256}
        self.table = [0] * g.max_layers
        self.loaders = [
            Loader(32, g.pe * g.simd, g.weight_depth, 0),
            Loader(g.score_bits, g.pe * g.score_bits, g.threshold_depth, 0),
        ]
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
            events |= _ERROR["LOAD_OVERFLOW"] if loader.overflow else 0
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
            pending = self.expected_read
            self._core_reset()
            self.expected_read = pending

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
        for name in _RISING:
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
        if name in _RISING or name == "LATENCY":
            return None
        known = {
            "ERROR": state.error,
            "IRQ_ENABLE": self.irq_enable,
            "IRQ_STATUS": state.irq_status,
            "WEIGHTS_LOADED": self.loaders[0].loaded,
            "THRESHOLDS_LOADED": self.loaders[1].loaded,
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
        if name not in (*_STORED, "LAYER_TABLE", "LOAD_DATA"):
            return 0
        assert self.locked is not None, "the bench must not write this while the core comes to rest"
        if self.locked:
            self.refused += 1
            return _ERROR["CONFIG_BUSY"]
        if name == "LAYER_TABLE":
            self.table[layer] = value
        elif name == "LOAD_DATA":
            loader = self.loaders[self.stored["LOAD_SELECT"]]
            loader.cycle(False, value & ((1 << loader.chunk) - 1))
        else:
            self.stored[name] = value & ((1 << _STORED[name]) - 1)
            if name == "LOAD_SELECT":
                self.loaders[value & 1].cycle(True, None)
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
            return 0 if same else _ERROR["CONFIG_BUSY"]
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
            self.packets.configure(
                self.stored["INPUTS"], grey, self.stored["PIXEL_THRESHOLD"]
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
        )
        if not self.rules.fits(described):
            return _ERROR["BAD_TABLE"]
        return 0 if self.rules.loaded(described) else _ERROR["NOT_LOADED"]

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


Rule = Callable[[int, int], int | None]


class Host:
    """Random accesses to any register, on a bus that is busy about half of the time.

    A `Rule` gets the address and the value of a write and returns the value that may be written
    now, or None.
    """

    def __init__(self, dut: Any, layers: int, seed: int) -> None:
        self.dut = dut
        self.rng = np.random.default_rng(seed)
        writable = [r["address"] for r in MAP["registers"] if r["access"] != "ro"]
        often = [ADDRESS[name] for name in ("ERROR", "IRQ_STATUS", "LOAD_DATA")]
        table = [ADDRESS["LAYER_TABLE"] + layer for layer in range(layers)]
        self.favourites = [*writable, *table, *3 * often]
        self.done = 0

    def _write(self, rule: Rule) -> tuple[int, int] | None:
        rng = self.rng
        address = int(rng.choice(self.favourites) if rng.random() < 0.6 else rng.integers(0, 64))
        values = (0, _ONES, 1 << int(rng.integers(0, 32)), rng.integers(0, 1 << 32),
                  rng.integers(0, 16))  # fmt: skip
        allowed = rule(address, int(values[rng.integers(0, len(values))]))
        return None if allowed is None else (address, allowed)

    async def flood(self, rule: Rule, accesses: int | None = None) -> None:
        """Random reads and writes, for ever or until so many are done."""
        dut, rng, edge = self.dut, self.rng, RisingEdge(self.dut.clk)
        target = None if accesses is None else self.done + accesses
        burst: list[tuple[int, int]] = []
        write: tuple[int, int] | None = None
        address = 0
        await edge
        while target is None or self.done < target:
            kind = rng.random()
            back = write is not None and kind < 0.4  # what was written is read back
            write = burst.pop() if burst else self._write(rule) if 0.4 < kind < 0.65 else None
            read = write is None and (back or kind > 0.65)
            dut.avs_csr_read.value = int(read)
            dut.avs_csr_write.value = int(write is not None)
            if not back:
                address = int(rng.integers(0, 64))
            address, value = write or (address, int(rng.integers(0, 1 << 32)))
            dut.avs_csr_address.value = address
            dut.avs_csr_writedata.value = value
            # Memories are filled, and more than filled, in one go.
            if write and address == ADDRESS["LOAD_DATA"] and not burst and rng.random() < 0.2:
                burst = [(address, int(v)) for v in rng.integers(0, 1 << 32, 250)]
            self.done += read or write is not None
            await edge
        self.rest()

    def rest(self) -> None:
        """No access."""
        self.dut.avs_csr_read.value = self.dut.avs_csr_write.value = 0


def while_running(address: int, value: int) -> int | None:
    """Anything but what legitimately stops or resets a core."""
    return value & ~_SOFT_RESET | _ENABLE if address == ADDRESS["CONTROL"] else value


def while_stopped(address: int, value: int) -> int | None:
    """Anything but a start; now and then a software reset."""
    return value & ~_ENABLE if address == ADDRESS["CONTROL"] else value


def while_coming_to_rest(address: int, value: int) -> int | None:
    """No configuration: when exactly the core allows it again depends on what is inside."""
    return value if address in (ADDRESS["ERROR"], ADDRESS["IRQ_STATUS"]) else None


def traffic(
    form: Format, malformed: int, rules: Packets, rest: Sequence[Beat]
) -> tuple[list[Beat], list[int]]:
    """Beats with at least so many malformed packets behind `rest`, and the good images in them.

    `rules`: as they stand before the first beat; they are used up. About half of the packets are
    malformed in a way that `Format` names, and it must name the same reasons as the rules; one of
    ten is noise.
    """
    rng, kinds = form.rng, form.kinds()
    beats: list[Beat] = []
    images: list[int] = []

    def take(packet: Iterable[Beat]) -> Fate:
        total = Fate()
        for beat in packet:
            fate = rules.beat(beat)
            total.errors |= fate.errors
            total.dropped += fate.dropped
            if fate.image is not None:
                images.append(fate.image[1])
            beats.append(beat)
        return total

    take(rest)
    dropped = 0
    while dropped < malformed:
        kind = rng.random()
        if kind < 0.1:
            count = int(rng.integers(1, 8))
            words = rng.integers(0, 1 << 62, count) & ((1 << form.width) - 1)
            starts, ends, flags = (rng.random(count) < p for p in (0.3, 0.3, 0.1))
            empties = rng.integers(0, form.symbols, count)
            noise = zip(words, starts, ends, empties, flags, strict=True)
            dropped += take(Beat(*(int(part) for part in beat)) for beat in noise).dropped
            continue
        packet = form.good() if kind < 0.4 else form.bad(kinds[rng.integers(0, len(kinds))])
        was_open, known = rules.open, len(images)
        fate = take(
            Beat(beat.data, int(beat.sop), int(beat.eop), beat.empty, int(beat.error))
            for beat in packet.beats
        )
        dropped += fate.dropped
        if packet.image is not None:
            assert images[known:] == [packet.image]
        elif not was_open:
            # That an end is missing shows with the next start.
            late = {"PACKET_FRAME"} if rules.open else set()
            want = {_STROBE[name] for name in packet.strobes}
            assert set(errors_in(fate.errors)) == want - late, (packet, fate)
    if rules.open:
        take([Beat(0, end=1, error=1)])
    return beats, images


async def send(dut: Any, beats: Sequence[Beat], rng: np.random.Generator) -> None:
    """Drive beats as they are, with gaps."""
    edge = RisingEdge(dut.clk)
    for beat in beats:
        while rng.random() < 0.1:
            dut.asi_image_valid.value = 0
            await edge
        dut.asi_image_valid.value = 1
        dut.asi_image_data.value = beat.data
        dut.asi_image_startofpacket.value = beat.start
        dut.asi_image_endofpacket.value = beat.end
        dut.asi_image_empty.value = beat.empty
        dut.asi_image_error.value = beat.error
        await edge
        while dut.asi_image_ready.value != 1:
            await edge
    dut.asi_image_valid.value = 0


async def progress(twin: Twin, beats: int, cycles: int) -> None:
    """Wait until so many beats have been taken, at most `cycles` without one."""
    waited, before = 0, twin.beats
    while twin.beats < beats:
        await ClockCycles(twin.dut.clk, 16)
        waited = waited + 16 if twin.beats == before else 0
        before = twin.beats
        assert waited <= cycles, f"no beat was taken for {cycles} cycles"


async def refused_start(twin: Twin) -> None:
    """Enable a core that must not start."""
    await twin.bench.write("CONTROL", _ENABLE)
    await ClockCycles(twin.dut.clk, 3 * twin.geometry.max_layers + 8)
    assert not twin.running, "what was written describes a network"
    for name in ("STATUS", "ERROR", "IRQ_STATUS"):
        await twin.bench.read(name)


async def counters(bench: Bench) -> dict[str, int]:
    """Every counter that a round is measured by."""
    names = (*_RISING, "BATCHES", "IMAGES", "DROPPED", "ERROR", "IRQ_STATUS")
    return {name: await bench.read(name) for name in names}


@cocotb.test(timeout_time=400, timeout_unit="ms")
async def flood(dut: Any) -> None:
    """Rounds of a random network each: registers flooded while stopped, a start that must be
    refused, the network loaded, images and registers flooded while running. Then the core is
    drained, or stopped or reset in the middle of it, and the counters are compared."""
    want = settings()
    geometry, seed = Geometry(**want["geometry"]), int(want["seed"])
    rounds, malformed, accesses = (int(want[k]) for k in ("rounds", "malformed", "accesses"))
    rng = np.random.default_rng(seed)
    bench = Bench(dut, geometry, full_rate=True)
    twin, host = Twin(dut, bench), Host(dut, geometry.max_layers, seed)
    await bench.reset()
    rest: list[Beat] = []  # of a packet that a stop has cut in two
    for number in range(rounds):
        await host.flood(while_stopped, 500)
        await refused_start(twin)

        widths = random_widths(rng, geometry, int(rng.integers(1, geometry.max_layers + 1)))
        network = random_network(rng, widths)
        timeout, grey = int(rng.integers(0, 40)), bool(rng.integers(0, 2))
        form = Format(geometry.image_width, widths[0], grey, network.pixel_threshold, seed + number)
        rules = deepcopy(twin.packets)
        rules.configure(widths[0], grey, network.pixel_threshold)
        # More than its share: those that are cut short send nine tenths of it.
        beats, images = traffic(form, malformed * 6 // (5 * rounds) + 1, rules, rest)
        await bench.load(pack(network, geometry))
        await bench.write("LOAD_SELECT", int(rng.integers(0, 2)))  # forgets what was loaded
        await refused_start(twin)
        await bench.load(pack(network, geometry))
        await bench.write("PARTIAL_TIMEOUT", timeout)
        bench.expect(network, np.array([[i >> j & 1 for j in range(widths[0])] for i in images],
                                       np.uint8))  # fmt: skip
        twin.begin({image: i for i, image in enumerate(images)})
        before = await counters(bench)
        await bench.start(pixel_8bit=grey)

        bench.set_backpressure_generator(bursts(rng, 10))
        ending = ("drained", "stopped", "reset")[number % 3]
        quiet = patience(geometry, widths, timeout)
        sent = twin.beats
        cut = sent + (len(beats) if ending == "drained" else len(beats) * 9 // 10)
        flooding = cocotb.start_soon(host.flood(while_running))
        sending = cocotb.start_soon(send(dut, beats, rng))
        await progress(twin, cut, quiet)
        if ending == "drained":
            await bench.drain(quiet)
        flooding.cancel()
        host.rest()

        if ending == "reset":
            bench.ignore_results()
            await bench.write("CONTROL", _SOFT_RESET)
            await ClockCycles(dut.clk, 4)
            del bench.results.pending[bench.results.head :]
            bench.watch_results()
        else:
            await bench.write("CONTROL", 0)
            await host.flood(while_coming_to_rest, 100)
            await bench.drain(quiet)
            await bench.stop()
        sending.cancel()
        dut.asi_image_valid.value = 0
        bench.ready.stop()
        dut.aso_result_ready.value = 1
        rest = list(takewhile(lambda beat: not beat.start, beats[twin.beats - sent :]))
        rest = rest if twin.packets.open else []

        assert not bench.failures.all, bench.failures.all[0].where
        assert bench.results.head == len(bench.results.pending)
        assert await bench.read("STATUS") == 0
        after = await counters(bench)
        if ending != "reset":
            batches = after["BATCHES"] - before["BATCHES"]
            assert batches == len(bench.passes.batches) > 0
            busy = after["BUSY_CYCLES"] - before["BUSY_CYCLES"]
            stalled = after["STALL_CYCLES"] - before["STALL_CYCLES"]
            assert busy - stalled == batches * geometry.pass_cycles(widths)
            steps = after["STEP_CYCLES"] - before["STEP_CYCLES"]
            assert steps == batches * geometry.steps(widths)
    dut._log.info(
        "%d malformed packets, %d images answered, %d accesses, %d of them refused; %s",
        twin.malformed, bench.results.head, twin.reads + twin.writes, twin.refused,
        dict(twin.reasons),
    )  # fmt: skip
    assert twin.malformed >= malformed
    assert host.done >= accesses
    assert bench.results.head >= malformed // 10
    # Every error that images and registers can raise has been raised, often.
    assert set(twin.reasons) == set(BIT["ERROR"]) - {"WEIGHT_FRAME"}


@cocotb.test(timeout_time=10, timeout_unit="ms")
async def locked_while_the_table_is_checked(dut: Any) -> None:
    """In whichever cycle after ENABLE it is written, configuration is refused."""
    geometry = Geometry(**settings()["geometry"])
    rng = np.random.default_rng(7)
    widths = random_widths(rng, geometry, 2)
    image = pack(random_network(rng, widths), geometry)
    bench = Bench(dut, geometry, full_rate=True)
    await bench.reset()
    await bench.load(image)
    accepted = []
    for wait in range(3 * len(image.table) + 8):
        await write_burst(dut, ADDRESS["CONTROL"], [_ENABLE])
        if wait:
            await ClockCycles(dut.clk, wait)
        await write_burst(dut, ADDRESS["LAYERS"], [0])
        await ClockCycles(dut.clk, 3 * len(image.table) + 8)
        refused = errors_in(await bench.read("ERROR")) == ["CONFIG_BUSY"]
        if not refused or await bench.read("LAYERS") != len(image.table):
            accepted.append(wait)
        assert await bench.read("STATUS") & 1
        await bench.write("CONTROL", _SOFT_RESET)
        await bench.write("LAYERS", len(image.table))
    assert not accepted, f"LAYERS could be written {accepted} cycles after ENABLE"
