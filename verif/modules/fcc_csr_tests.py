# SPDX-License-Identifier: Apache-2.0
"""Every register, as the map in `xnor_fcc.registers` describes it."""

from __future__ import annotations

from typing import Any

import cocotb
import numpy as np

from golden.register_file import COUNTERS, ERRORS, RegisterFile
from modules.unit import drive, edge, fields, join, settings, start
from xnor_fcc.registers import ADDRESS, BIT, BITS, MAP, OF_LEARNING, OF_MAPS, PRESET, RESET

# What the core is shown of the network, but for the table.
_BITS = {name: bits for name, bits in BITS.items() if name != "LOAD_SELECT"}
_DESCRIPTION = [*_BITS, "LOAD_SELECT", "LAYER_TABLE"]
_ONES = 0xFFFF_FFFF
_ENABLE = 1 << BIT["CONTROL"]["ENABLE"]
_PIXEL_8BIT = 1 << BIT["CONTROL"]["PIXEL_8BIT"]
_SOFT_RESET = 1 << BIT["CONTROL"]["SOFT_RESET"]
_RUNNING = 1 << BIT["STATUS"]["RUNNING"]
_BUSY = 1 << BIT["STATUS"]["BUSY"]
# Input port of each error; those of the table check go with `check_done`.
_EVENTS = {
    "BAD_TABLE": {"check_done": 1, "check_bad_table": 1},
    "NOT_LOADED": {"check_done": 1, "check_not_loaded": 1},
    "LOAD_OVERFLOW": {"load_overflow": 1},
    "PACKET_SHORT": {"packet_short": 1},
    "PACKET_LONG": {"packet_long": 1},
    "PACKET_FRAME": {"packet_frame": 1},
    "PACKET_FLAGGED": {"packet_flagged": 1},
    "WEIGHT_FRAME": {"weight_fault": 1},
    "LABEL": {"bad_label": 1},
}
# Registers of modules in front of this one.
_OTHERS = OF_MAPS | OF_LEARNING
_INPUTS = [
    *("avs_address", "avs_read", "avs_write", "avs_writedata"),
    *("check_busy", "check_done", "check_ok", "check_bad_table", "check_not_loaded"),
    *("weights_loaded", "thresholds_loaded", "weights_crc", "thresholds_crc", "load_overflow"),
    *("core_busy", "packets_dropped"),
    *("packet_short", "packet_long", "packet_frame", "packet_flagged"),
    *("sequencer_busy", "sequencer_step", "sequencer_stall", "weight_stall", "weight_fault"),
    *("bad_label", "image_sent", "results_sent", "latency"),
]
_LOAD_PORTS = ("weight_restart", "threshold_restart", "chunk_valid")


class Host:
    """Software on the Avalon side."""

    def __init__(self, dut: Any) -> None:
        self.dut = dut
        self.layers: int = settings()["parameters"]["MAX_LAYERS"]
        self.addresses = {
            f"{r['name']}{index}": (r, r["address"] + index)
            for r in MAP["registers"]
            if r["name"] not in _OTHERS
            for index in range(self.layers if "count" in r else 1)
        }

    async def reset(self) -> None:
        """Hardware reset with nothing going on."""
        await start(self.dut, **dict.fromkeys(_INPUTS, 0))

    async def write(self, name: str, value: int, index: int = 0) -> dict[str, int]:
        """Write a register; the load ports in that cycle."""
        return await self.poke(ADDRESS[name] + index, value)

    async def poke(self, address: int, value: int) -> dict[str, int]:
        """Write an address; the load ports in that cycle."""
        drive(self.dut, avs_write=1, avs_address=address, avs_writedata=value)
        await edge(self.dut)
        ports = {name: 1 for name in _LOAD_PORTS if getattr(self.dut, name).value}
        if ports:
            assert int(self.dut.chunk.value) == value
        drive(self.dut, avs_write=0, avs_writedata=_ONES)
        return ports

    async def read(self, name: str, index: int = 0) -> int:
        """Read a register."""
        return await self.peek(ADDRESS[name] + index)

    async def peek(self, address: int) -> int:
        """Read an address; the answer comes one cycle later, and only then."""
        drive(self.dut, avs_read=1, avs_address=address)
        await edge(self.dut)
        assert not self.dut.avs_readdatavalid.value
        drive(self.dut, avs_read=0)
        await edge(self.dut)
        assert self.dut.avs_readdatavalid.value
        return int(self.dut.avs_readdata.value)

    async def all(self) -> list[int]:
        """Every address, read in a row without a gap; free-running CYCLES reads as 0."""
        values = []
        for address in range(65):
            drive(self.dut, avs_read=address < 64, avs_address=address % 64)
            await edge(self.dut)
            if address:
                assert self.dut.avs_readdatavalid.value
                values.append(int(self.dut.avs_readdata.value))
        values[ADDRESS["CYCLES"]] = values[ADDRESS["CYCLES_HIGH"]] = 0
        return values

    async def event(self, **inputs: int) -> None:
        """Inputs for one cycle."""
        drive(self.dut, **inputs)
        await edge(self.dut)
        drive(self.dut, **dict.fromkeys(inputs, 0))

    async def enable(self, control: int = _ENABLE) -> None:
        """Enable with a table check that says yes."""
        await self.write("CONTROL", control)
        await self.event()
        await self.event(check_busy=1)
        await self.event(check_done=1, check_ok=1)
        assert await self.read("STATUS") == _RUNNING

    async def disable(self, control: int = 0) -> None:
        """Stop, and wait until nothing is locked."""
        await self.write("CONTROL", control)
        await self.event()

    async def describe(self, rng: np.random.Generator) -> dict[str, list[int]]:
        """Write a random network description; its values."""
        values = {name: [int(rng.integers(1, 1 << bits))] for name, bits in _BITS.items()}
        values["LOAD_SELECT"] = [1]
        values["LAYER_TABLE"] = rng.integers(1, 1 << 32, self.layers).tolist()
        for name, entries in values.items():
            for index, value in enumerate(entries):
                await self.write(name, value, index)
        return values

    async def check(self, values: dict[str, list[int]]) -> None:
        """The network description is this, in the registers and on the ports."""
        for name, entries in values.items():
            for index, value in enumerate(entries):
                assert await self.read(name, index) == value, name
        dut = self.dut
        for name in _BITS:
            assert int(getattr(dut, name.lower()).value) == values[name][0]
        assert fields(int(dut.table_entries.value), 32, self.layers) == values["LAYER_TABLE"]

    def after_reset(self) -> list[int]:
        """What every address reads after a reset."""
        values = [0] * 64
        for register, address in self.addresses.values():
            name = register["name"]
            values[address] = RESET[name] if name in RESET else settings()["parameters"][name]
        return values


@cocotb.test(timeout_time=100, timeout_unit="us")
async def reset_values(dut: Any) -> None:
    """After a hardware reset every address reads what the map says, unlisted ones 0."""
    if settings()["preset"]:
        return
    host = Host(dut)
    await host.reset()
    assert await host.all() == host.after_reset()
    # Once more, from a state in which everything is different.
    await host.describe(np.random.default_rng(1))
    await host.write("IRQ_ENABLE", 3)
    await host.enable(_ENABLE | _PIXEL_8BIT)
    for inputs in (*_EVENTS.values(), *({port: 1} for port in COUNTERS.values())):
        await host.event(**inputs)
    drive(dut, reset=1)
    await edge(dut, 2)
    drive(dut, reset=0)
    assert await host.all() == host.after_reset()
    assert not dut.irq.value and not dut.running.value and not dut.pixel_mode.value


@cocotb.test(timeout_time=100, timeout_unit="us")
async def read_only_and_unlisted(dut: Any) -> None:
    """Writing a read-only register or an unlisted address does nothing and is no error."""
    host = Host(dut)
    await host.reset()
    await edge(dut, 5)
    shown = {
        "WEIGHTS_LOADED": 12345,
        "THRESHOLDS_LOADED": 678,
        "WEIGHTS_CRC": 0xCBF4_3926,
        "THRESHOLDS_CRC": 0x8000_0001,
        "LATENCY": 0x8765_4321,
    }
    drive(dut, **{name.lower(): value for name, value in shown.items()})
    before = await host.all()
    for name, value in shown.items():
        assert before[ADDRESS[name]] == value, name
    writable = {address for r, address in host.addresses.values() if r["access"] != "ro"}
    for address in sorted(set(range(64)) - writable):
        assert not await host.poke(address, _ONES)
        assert not dut.core_reset.value and not dut.check_start.value
    assert await host.all() == before


@cocotb.test(timeout_time=100, timeout_unit="us")
async def description(dut: Any) -> None:
    """The network's description is kept and shown to the core, one register at a time."""
    host = Host(dut)
    await host.reset()
    await edge(dut, 5)
    for seed in range(3):
        values = await host.describe(np.random.default_rng(20 + seed))
        await host.check(values)
        for name in _BITS:  # a change of one changes no other
            values[name] = [values[name][0] ^ 1]
            await host.write(name, values[name][0])
            await host.check(values)


@cocotb.test(timeout_time=100, timeout_unit="us")
async def loading(dut: Any) -> None:
    """LOAD_SELECT restarts the memory it names, LOAD_DATA feeds the selected one."""
    host = Host(dut)
    await host.reset()
    await edge(dut, 5)
    for target, memory in ((0, "weight"), (1, "threshold"), (0, "weight")):
        assert await host.write("LOAD_SELECT", target) == {f"{memory}_restart": 1}
        assert await host.read("LOAD_SELECT") == target
        for value in (0, _ONES, 0x1234_5678):
            assert await host.write("LOAD_DATA", value) == {"chunk_valid": 1}
            assert dut.chunk_threshold.value == target
        assert await host.read("LOAD_DATA") == 0
    assert await host.read("ERROR") == 0


@cocotb.test(timeout_time=100, timeout_unit="us")
async def numbers_of_the_core(dut: Any) -> None:
    """What the modules report reads as it is, every bit of it."""
    host = Host(dut)
    await host.reset()
    rng = np.random.default_rng(4)
    names = ("weights_loaded", "thresholds_loaded", "latency")
    for value in (0, _ONES, *rng.integers(0, 1 << 32, 6).tolist(), 0):
        values = {name: value ^ number for number, name in enumerate(names)}
        drive(dut, **values)
        await edge(dut)
        for name, want in values.items():
            assert await host.read(name.upper()) == want, name


@cocotb.test(timeout_time=100, timeout_unit="us")
async def errors_stick(dut: Any) -> None:
    """Every error sets its own bit, stays, and goes when 1 is written to it, unless it is back."""
    host = Host(dut)
    await host.reset()
    await edge(dut, 5)
    events = dict(_EVENTS)
    if not settings()["parameters"]["LEARN"]:
        # There is no label.
        await host.event(**events.pop("LABEL"))
        assert await host.read("ERROR") == await host.read("IRQ_STATUS") == 0
    every = 0
    for name, inputs in events.items():
        bit = 1 << BIT["ERROR"][name]
        await host.event(**inputs)
        every |= bit
        assert await host.read("ERROR") == every, name
        assert await host.read("IRQ_STATUS") == 1 << BIT["IRQ_STATUS"]["ERROR"]
        await host.write("IRQ_STATUS", _ONES)
    for name, inputs in events.items():
        bit = 1 << BIT["ERROR"][name]
        await host.write("ERROR", _ONES & ~every)
        drive(dut, **inputs)
        await host.write("ERROR", bit)
        drive(dut, **dict.fromkeys(inputs, 0))
        assert await host.read("ERROR") == every, "an error that came while clearing got lost"
        await host.write("ERROR", bit)
        every &= ~bit
        assert await host.read("ERROR") == every
    # A fault that lasts comes back after every clearing.
    fault = 1 << BIT["ERROR"]["WEIGHT_FRAME"]
    drive(dut, weight_fault=1)
    for _ in range(2):
        await host.write("ERROR", _ONES)
        assert await host.read("ERROR") == fault
    drive(dut, weight_fault=0)
    await host.write("ERROR", _ONES)
    assert await host.read("ERROR") == 0
    # Nothing without the event: the reasons of the check count only with its end.
    await host.event(check_bad_table=1, check_not_loaded=1)
    assert await host.read("ERROR") == 0


@cocotb.test(timeout_time=100, timeout_unit="us")
async def interrupt(dut: Any) -> None:
    """irq is the OR of the events that are both enabled and not yet cleared."""
    host = Host(dut)
    await host.reset()
    await edge(dut, 5)
    result, error = (1 << BIT["IRQ_STATUS"][name] for name in ("RESULT", "ERROR"))
    for enabled in range(4):
        await host.write("IRQ_ENABLE", enabled)
        assert await host.read("IRQ_ENABLE") == enabled
        for inputs, bit in (({"results_sent": 1}, result), ({"packet_short": 1}, error)):
            assert not dut.irq.value
            await host.event(**inputs)
            await host.event()
            assert dut.irq.value == bool(enabled & bit)
            assert await host.read("IRQ_STATUS") == bit
            await host.write("IRQ_STATUS", bit ^ 3)
            assert await host.read("IRQ_STATUS") == bit, "the other bit was cleared"
            drive(dut, **inputs)
            await host.write("IRQ_STATUS", bit)
            drive(dut, **dict.fromkeys(inputs, 0))
            assert await host.read("IRQ_STATUS") == bit, "an event while clearing got lost"
            await host.write("IRQ_STATUS", bit)
            assert await host.read("IRQ_STATUS") == 0
            assert not dut.irq.value
        await host.write("ERROR", _ONES)
    # An interrupt that is enabled after its event is raised then.
    await host.write("IRQ_ENABLE", 0)
    await host.event(results_sent=1)
    await host.write("IRQ_ENABLE", result)
    await host.event()
    assert dut.irq.value


@cocotb.test(timeout_time=100, timeout_unit="us")
async def enable_and_disable(dut: Any) -> None:
    """ENABLE checks the table once and starts only if the check says so; 0 stops at once."""
    host = Host(dut)
    await host.reset()
    await edge(dut, 5)
    if not settings()["preset"]:
        # A verdict that nobody asked for starts nothing.
        await host.event(check_done=1, check_ok=1)
        assert await host.read("STATUS") == 0
    verdicts: list[tuple[dict[str, int], int]] = [
        ({"check_bad_table": 1}, 1 << BIT["ERROR"]["BAD_TABLE"]),
        ({"check_not_loaded": 1}, 1 << BIT["ERROR"]["NOT_LOADED"]),
        ({"check_ok": 1}, 0),
    ]
    for verdict, error in verdicts:
        await host.write("CONTROL", _ENABLE)
        await host.event()
        assert dut.check_start.value
        for _ in range(5):
            await host.event(check_busy=1)
            assert not dut.check_start.value and not dut.running.value
        drive(dut, check_busy=1)
        assert await host.read("STATUS") == _BUSY
        assert await host.read("CONTROL") == 0
        drive(dut, check_busy=0)
        await host.event(check_done=1, **verdict)
        assert await host.read("ERROR") == error
        await host.write("ERROR", error)
        assert await host.read("STATUS") == (0 if error else _RUNNING)
    # Enabled again: nothing happens.
    await host.write("CONTROL", _ENABLE)
    for _ in range(3):
        await host.event()
        assert not dut.check_start.value and dut.running.value
    drive(dut, core_busy=1)
    assert await host.read("STATUS") == _RUNNING | _BUSY
    await host.write("CONTROL", 0)
    await host.event()
    assert not dut.running.value
    drive(dut, core_busy=1)
    assert await host.read("STATUS") == _BUSY
    drive(dut, core_busy=0)
    assert await host.read("STATUS") == 0
    assert await host.read("ERROR") == 0


@cocotb.test(timeout_time=100, timeout_unit="us")
async def disabled_during_the_check(dut: Any) -> None:
    """0 written to ENABLE while the table is still being checked is not forgotten."""
    host = Host(dut)
    await host.reset()
    await edge(dut, 5)
    for wait in range(4):  # cycles from one write to the other
        await host.write("CONTROL", _ENABLE)
        for cycle in range(6):
            drive(dut, check_busy=1 <= cycle < 4, check_done=cycle == 4, check_ok=cycle == 4)
            if cycle == wait:
                await host.write("CONTROL", 0)
            else:
                await host.event()
        drive(dut, check_done=0, check_ok=0)
        assert await host.read("STATUS") == 0, f"disabled {wait} cycles after"
    # Nor does a second 1, refused while checking, bring it back.
    await host.write("CONTROL", _ENABLE)
    await host.event()
    drive(dut, check_busy=1)
    await host.write("CONTROL", 0)
    await host.write("CONTROL", _ENABLE)
    drive(dut, check_busy=0)
    await host.event(check_done=1, check_ok=1)
    assert await host.read("STATUS") == 0
    assert await host.read("ERROR") == 1 << BIT["ERROR"]["CONFIG_BUSY"]
    await host.write("ERROR", _ONES)
    await host.enable()


@cocotb.test(timeout_time=200, timeout_unit="us")
async def locked(dut: Any) -> None:
    """Configuration is refused with CONFIG_BUSY while running, computing or checking, and one cycle
    longer: nothing computes or checks that has not been started before."""
    host = Host(dut)
    await host.reset()
    await edge(dut, 5)
    await host.enable()
    await host.disable()
    before = await host.describe(np.random.default_rng(30))
    refused = 1 << BIT["ERROR"]["CONFIG_BUSY"]
    for state in ("running", "core_busy", "check_busy"):
        if state == "running":
            await host.enable()
        else:
            drive(dut, **{state: 1})
            await edge(dut)
        for name, entries in {**before, "LOAD_DATA": [0]}.items():
            for index, value in enumerate(entries):
                assert not await host.write(name, value ^ 1, index), name
                assert await host.read("ERROR") == refused, f"{name} while {state}"
                await host.write("ERROR", refused)
        control = _ENABLE if state == "running" else 0
        # Another pixel mode, and where nothing runs any enabling.
        for request in (_ENABLE | _PIXEL_8BIT, _ENABLE)[: 1 if control else 2]:
            await host.write("CONTROL", request)
            await host.event()
            assert not dut.check_start.value
            assert await host.read("ERROR") == refused
            assert await host.read("CONTROL") == control
            await host.write("ERROR", refused)
        # These are not configuration.
        for name, value in (("IRQ_ENABLE", 3), ("IRQ_STATUS", 3), ("CONTROL", control), ("ID", 1)):
            await host.write(name, value)
        if host.layers < 16:
            await host.poke(ADDRESS["LAYER_TABLE"] + host.layers, 1)
        await host.poke(ADDRESS["LATENCY"] + 1, 1)
        for name in _OTHERS:
            await host.poke(ADDRESS[name], 1)
        assert await host.read("ERROR") == 0
        await host.check(before)
        if state == "running":
            await host.write("CONTROL", 0)
        else:
            drive(dut, **{state: 0})
        assert not await host.write("LOAD_DATA", 0)
        assert await host.write("LOAD_DATA", 0) == {"chunk_valid": 1}
        assert await host.read("ERROR") == refused
        await host.write("ERROR", refused)
    # Free again.
    await host.check(await host.describe(np.random.default_rng(31)))
    assert await host.read("ERROR") == 0


@cocotb.test(timeout_time=100, timeout_unit="us")
async def pixel_mode(dut: Any) -> None:
    """PIXEL_8BIT is taken over by the write that enables, and by no other."""
    host = Host(dut)
    await host.reset()
    await edge(dut, 5)
    for mode in (_PIXEL_8BIT, 0, _PIXEL_8BIT):
        await host.enable(_ENABLE | mode)
        assert await host.read("CONTROL") == _ENABLE | mode
        assert dut.pixel_mode.value == bool(mode)
        await host.write("CONTROL", mode ^ _PIXEL_8BIT)
        assert await host.read("CONTROL") == mode
        await host.write("CONTROL", (mode ^ _PIXEL_8BIT) | _ENABLE | _SOFT_RESET)
        assert await host.read("CONTROL") == mode
        assert await host.read("ERROR") == 0


@cocotb.test(timeout_time=200, timeout_unit="us")
async def counters(dut: Any) -> None:
    """Every counter counts its event and no other, several in one cycle too."""
    host = Host(dut)
    await host.reset()
    await edge(dut, 5)
    rng = np.random.default_rng(40)
    totals = dict.fromkeys(COUNTERS, 0)
    for name, port in COUNTERS.items():
        await host.event(**{port: 1})
        totals[name] += 1
        assert {n: await host.read(n) for n in COUNTERS} == totals
    for _ in range(100):
        events = {name: int(rng.integers(0, 2)) for name in COUNTERS}
        events["DROPPED"] = int(rng.integers(0, 3))
        await host.event(**{port: events[name] for name, port in COUNTERS.items()})
        totals = {name: totals[name] + events[name] for name in COUNTERS}
    assert {name: await host.read(name) for name in COUNTERS} == totals


@cocotb.test(timeout_time=100, timeout_unit="us")
async def cycle_counter(dut: Any) -> None:
    """CYCLES counts every cycle; reading it fixes CYCLES_HIGH to the same moment."""
    host = Host(dut)
    await host.reset()
    assert await host.read("CYCLES") == 0  # the first cycle out of reset
    assert await host.read("CYCLES") == 2
    await edge(dut, 10)
    assert await host.read("CYCLES") == 14
    # 2 before the low half wraps.
    dut.cycles_reg.value = (7 << 32) - 2
    await edge(dut)  # takes the place of one count
    low = await host.read("CYCLES")
    assert (low - (1 << 32)) in (-2, -1)
    await edge(dut, 9)
    assert await host.read("CYCLES_HIGH") == 6
    assert await host.read("CYCLES_HIGH") == 6
    assert await host.read("CYCLES") == low + 15 - (1 << 32)
    assert await host.read("CYCLES_HIGH") == 7
    drive(dut, avs_read=0)
    await edge(dut)
    now = int(dut.now.value)
    assert await host.read("CYCLES") == now + 1


@cocotb.test(timeout_time=100, timeout_unit="us")
async def soft_reset(dut: Any) -> None:
    """SOFT_RESET resets the core for a cycle and clears all but the network's description."""
    host = Host(dut)
    for busy in (0, 1):
        await host.reset()
        await edge(dut, 5)
        await host.enable(_ENABLE | _PIXEL_8BIT)
        await host.disable()
        values = await host.describe(np.random.default_rng(50))
        await host.write("IRQ_ENABLE", 3)
        if busy:
            await host.enable(_ENABLE | _PIXEL_8BIT)
        for inputs in (*_EVENTS.values(), *({port: 1} for port in COUNTERS.values())):
            await host.event(**inputs)
        drive(dut, core_busy=busy)
        assert not dut.core_reset.value
        # Whatever else is in the same write is void.
        await host.write("CONTROL", _SOFT_RESET | _ENABLE * busy)
        # The core's last events before its reset, which count no more.
        await host.event(packet_short=1, packets_dropped=2, image_sent=1, results_sent=1)
        assert dut.core_reset.value
        drive(dut, core_busy=0)
        await host.event()
        assert not dut.core_reset.value and not dut.check_start.value
        want = host.after_reset()
        for name, entries in values.items():
            for index, value in enumerate(entries):
                want[ADDRESS[name] + index] = value
        want[ADDRESS["CONTROL"]] = _PIXEL_8BIT
        assert await host.all() == want
        assert not dut.irq.value
        assert await host.read("CYCLES") < 80
        await host.enable(_ENABLE | _PIXEL_8BIT)


@cocotb.test(timeout_time=100, timeout_unit="us")
async def writes_behind_a_soft_reset(dut: Any) -> None:
    """The write in the cycle after SOFT_RESET is obeyed like any other."""
    host = Host(dut)
    for name, value in (("INPUTS", 77), ("IRQ_ENABLE", 3), ("CONTROL", _ENABLE)):
        await host.reset()
        await edge(dut, 5)
        await host.enable()
        drive(dut, core_busy=1)
        await host.write("CONTROL", _SOFT_RESET)
        await host.write(name, value)
        drive(dut, core_busy=0)
        await host.event()
        assert dut.check_start.value == (name == "CONTROL")
        if name == "CONTROL":
            await host.event(check_busy=1)
            await host.event(check_done=1, check_ok=1)
        assert await host.read(name) == value
        assert await host.read("ERROR") == 0


@cocotb.test(timeout_time=100, timeout_unit="us")
async def accesses_during_a_reset(dut: Any) -> None:
    """What is written or read in the last cycle of a hardware reset is void."""
    if settings()["preset"]:
        return
    host = Host(dut)
    await host.reset()
    writes = {name: _ONES for name in ("ERROR", "IRQ_ENABLE", *_DESCRIPTION)}
    for name, value in [*writes.items(), ("CONTROL", _ENABLE), ("CONTROL", _SOFT_RESET)]:
        drive(dut, reset=1, avs_write=1, avs_read=1, avs_address=ADDRESS[name], avs_writedata=value)
        await edge(dut)
        assert dut.core_reset.value
        drive(dut, reset=0, avs_write=0, avs_read=0)
        for _ in range(3):
            await edge(dut)
            assert not dut.avs_readdatavalid.value
            assert not dut.core_reset.value and not dut.check_start.value, name
        assert await host.all() == host.after_reset(), name
        assert not dut.running.value and not dut.pixel_mode.value


@cocotb.test(timeout_time=100, timeout_unit="us")
async def soft_reset_during_the_check(dut: Any) -> None:
    """A check that ends while the core is being reset starts nothing."""
    host = Host(dut)
    await host.reset()
    await edge(dut, 5)
    await host.write("CONTROL", _ENABLE)
    await host.event()
    await host.event(check_busy=1)
    drive(dut, check_busy=1)
    await host.write("CONTROL", _SOFT_RESET)
    drive(dut, check_busy=0)
    await host.event(check_done=1, check_ok=1)
    assert await host.read("STATUS") == 0


@cocotb.test(timeout_time=100, timeout_unit="us")
async def preset(dut: Any) -> None:
    """With a preset file, a hardware reset loads it and enables; a soft reset does neither."""
    want = settings()["preset"]
    if not want:
        return
    host = Host(dut)
    for _ in range(2):
        await start(dut, **dict.fromkeys(_INPUTS, 0))
        starts = 0
        for _ in range(10):
            await host.event()
            starts += int(dut.check_start.value)
        assert starts == 1
        await host.check(want)
        assert dut.pixel_mode.value
        await host.event(check_done=1, check_ok=1)
        assert await host.read("STATUS") == _RUNNING
        await host.disable(_PIXEL_8BIT)
        values = await host.describe(np.random.default_rng(60))
    await host.write("CONTROL", _SOFT_RESET)
    for _ in range(10):
        await host.event()
        assert not dut.check_start.value
    await host.check(values)


# ---- every output in every cycle, beside the rules


class Beside:
    """The registers beside their rules; a table check that takes `check_cycles` and says `verdict`
    answers every start of one."""

    def __init__(self, dut: Any, seed: int) -> None:
        built, preset = settings()["parameters"], settings()["preset"]
        self.dut = dut
        self.rng = np.random.default_rng(seed)
        described = {name: (preset[name][0] if preset and name in preset else RESET[name])
                     for name in BITS}  # fmt: skip
        table = [*preset["LAYER_TABLE"]] if preset else []
        table += [0] * (built["MAX_LAYERS"] - len(table))
        control = (_ENABLE | _PIXEL_8BIT) if preset else 0
        assert not preset or set(PRESET) == {*preset, "CONTROL"}
        learns = bool(built["LEARN"])
        self.rules = RegisterFile(built, described, tuple(table), control, learns)
        self.check_cycles, self.verdict = 4, "check_ok"
        self.left = 0  # cycles of the check, its last one included

    async def begin(self) -> None:
        """Clock running, at the end of a reset."""
        await start(self.dut, **dict.fromkeys(_INPUTS, 0))
        drive(self.dut, reset=1)
        await edge(self.dut)

    async def cycle(self, **given: int) -> dict[str, int]:
        """One cycle with the inputs given, all others 0 but the check's; what the outputs were."""
        dut = self.dut
        inputs = {**dict.fromkeys(_INPUTS, 0), "reset": 0}
        if self.left:
            inputs["check_busy"] = int(self.left > 1)
            if self.left == 1:
                inputs |= {"check_done": 1, self.verdict: 1}
        inputs |= given
        drive(dut, **inputs)
        entries = list(self.rules.entries)
        want = self.rules.cycle(inputs)
        await edge(dut)
        for name, value in want.items():
            got = int(getattr(dut, name).value)
            assert got == value, f"{name} is {got:#x}, not {value:#x}, with {given}"
        assert int(dut.table_entries.value) == join(entries, 32)
        self.left = max(0, self.left - 1)
        if want["check_start"]:
            self.left = self.check_cycles
        if want["core_reset"]:
            self.left = 0
        return want

    async def idle(self, cycles: int) -> None:
        """Nothing but the check."""
        for _ in range(cycles):
            await self.cycle()

    async def write(self, name: str, value: int, index: int = 0) -> dict[str, int]:
        """One write."""
        address = ADDRESS[name] + index
        return await self.cycle(avs_write=1, avs_address=address, avs_writedata=value)

    async def read(self, *names: str) -> None:
        """Reads without a gap, each compared in the cycle after it."""
        for name in names:
            await self.cycle(avs_read=1, avs_address=ADDRESS[name])
        await self.cycle()

    def deposit(self, values: dict[str, int]) -> None:
        """What counters are in the next cycle."""
        for name, value in values.items():
            getattr(self.dut, f"{name.lower()}_reg").value = value
            if name == "CYCLES":
                self.rules.cycles = value
            else:
                self.rules.counters[name] = value


def accesses(layers: int) -> list[tuple[str, int, int]]:
    """Everything that can be written: register, value, index."""
    controls = (0, _ENABLE, _ENABLE | _PIXEL_8BIT, _SOFT_RESET, _SOFT_RESET | _ENABLE, _PIXEL_8BIT)
    return [
        *(("CONTROL", value, 0) for value in controls),
        *((name, 0x5A5A_A5A5, 0) for name in BITS if name != "LOAD_SELECT"),
        *((name, value, 0) for name in ("LOAD_SELECT", "LOAD_DATA") for value in (0, 1)),
        *(("LAYER_TABLE", 0x1234_5678, index) for index in {0, layers - 1}),
        *(("ERROR", _ONES, 0), ("IRQ_STATUS", _ONES, 0), ("IRQ_ENABLE", 3, 0), ("STATUS", 3, 0)),
    ]


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def writes_in_every_cycle_of_a_check(dut: Any) -> None:
    """Each register, written in each cycle from before the one that enables to after the verdict,
    whatever that is: obeyed or refused, told, and the core starts or does not."""
    bench = Beside(dut, seed=70)
    await bench.begin()
    await bench.idle(10)
    opened = 0
    for verdict in ("check_ok", "check_bad_table", "check_not_loaded"):
        bench.verdict = verdict
        for name, value, index in accesses(settings()["parameters"]["MAX_LAYERS"]):
            if verdict == "check_not_loaded" and name not in ("CONTROL", "LOAD_DATA"):
                continue  # as with the other one that starts nothing
            for moment in range(bench.check_cycles + 5):
                # From a core at rest.
                await bench.write("CONTROL", _SOFT_RESET)
                await bench.write("LOAD_SELECT", moment % 2)
                await bench.write("IRQ_ENABLE", 2)
                for cycle in range(bench.check_cycles + 5):
                    if cycle == moment:
                        outputs = await bench.write(name, value, index)
                        opened += outputs["chunk_valid"]
                    elif cycle == 1:
                        await bench.write("CONTROL", _ENABLE)
                    else:
                        await bench.cycle()
                await bench.read("STATUS", "CONTROL", "ERROR", "IRQ_STATUS", "IRQ_ENABLE", name)
                await bench.idle(bench.check_cycles)
    assert opened, "the load port never opened"


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def resets_in_every_cycle_of_a_check(dut: Any) -> None:
    """The same with a hardware reset, alone or with a write in the same cycle."""
    bench = Beside(dut, seed=71)
    await bench.begin()
    await bench.idle(12)
    for writes in (False, True):
        for moment in range(bench.check_cycles + 5):
            await bench.write("CONTROL", _SOFT_RESET)
            for cycle in range(bench.check_cycles + 5):
                control = {"avs_address": ADDRESS["CONTROL"], "avs_writedata": _ENABLE}
                written = {**control, "avs_write": int(cycle == 1 or (writes and cycle == moment))}
                await bench.cycle(reset=int(cycle == moment), **written)
            await bench.read("STATUS", "CONTROL", "ERROR", "INPUTS", "LAYER_TABLE")
            await bench.idle(bench.check_cycles + 5)  # where a preset starts it again


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def anything_at_any_time(dut: Any) -> None:
    """Random accesses and events in every cycle, with counters around 2^8, 2^16, 2^24 and 2^32, and
    CYCLES around 2^32, 2^40, 2^48 and 2^64: every output in every cycle."""
    bench = Beside(dut, seed=72)
    rng = bench.rng
    await bench.begin()
    busy = 0
    crossed = set()
    for segment in range(48):
        bits = (8, 16, 24, 32)[segment % 4]
        wide = (32, 40, 48, 64)[segment % 4]
        values = {name: (1 << bits) - 1 - int(rng.integers(0, 12)) for name in COUNTERS}
        bench.deposit({**values, "CYCLES": (1 << wide) - 1 - int(rng.integers(0, 40))})
        before = dict(bench.rules.counters)
        # A segment with many software resets, and three with none.
        resets = segment % 4 == segment // 4 % 4
        bench.verdict = str(rng.choice(["check_ok", "check_ok", "check_bad_table"]))
        bench.check_cycles = int(rng.integers(2, 9))
        for _ in range(60):
            given = {port: int(rng.random() < 0.3) for port in COUNTERS.values()}
            given["packets_dropped"] = int(rng.integers(0, 3))
            for port in ERRORS.values():
                if not port.startswith("check_"):
                    given[port] = int(rng.random() < 0.1)
            for port in ("weights_loaded", "thresholds_loaded", "weights_crc", "thresholds_crc",
                         "latency"):  # fmt: skip
                given[port] = int(rng.integers(1 << 32))
            busy = busy if rng.random() < 0.8 else int(rng.random() < 0.3)
            given["core_busy"] = busy
            given["avs_address"] = int(rng.integers(64))
            given["avs_writedata"] = int(rng.integers(1 << 32)) >> int(rng.integers(32))
            given["avs_read"], given["avs_write"] = (int(rng.random() < p) for p in (0.7, 0.25))
            if rng.random() < 0.2:
                controls = [0, _ENABLE, _ENABLE | _PIXEL_8BIT, *([_SOFT_RESET] if resets else [])]
                given |= {"avs_write": 1, "avs_address": ADDRESS["CONTROL"]}
                given["avs_writedata"] = int(rng.choice(controls))
            elif given["avs_address"] == ADDRESS["CONTROL"] and not resets:
                given["avs_writedata"] &= ~_SOFT_RESET
            given["reset"] = int(resets and rng.random() < 0.01)
            await bench.cycle(**given)
        await bench.read(*COUNTERS, "CYCLES", "CYCLES_HIGH")
        for name, value in bench.rules.counters.items():
            if not resets and value >> 8 != before[name] >> 8:
                crossed.add((name, bits))
    assert crossed == {(name, bits) for name in COUNTERS for bits in (8, 16, 24, 32)}
