# SPDX-License-Identifier: Apache-2.0
"""The rules of fcc_csr, cycle by cycle: what its outputs are in a cycle with these inputs, and what
they are in the next one. REGISTERS.md and the header of the module are where they are from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from xnor_fcc.registers import ADDRESS, BIT, BITS, MAP, OF_LEARNING, OF_MAPS, RESET, mask, word

_ONES = 0xFFFF_FFFF
# Register, and the input that is added to it in every cycle.
COUNTERS = {
    "IMAGES": "image_sent",
    "BATCHES": "results_sent",
    "BUSY_CYCLES": "sequencer_busy",
    "STALL_CYCLES": "sequencer_stall",
    "STEP_CYCLES": "sequencer_step",
    "WEIGHT_STALL_CYCLES": "weight_stall",
    "DROPPED": "packets_dropped",
}
# Errors that an input sets; those of the check only in the cycle in which it ends, LABEL only in a
# core that learns.
ERRORS = {
    "BAD_TABLE": "check_bad_table",
    "NOT_LOADED": "check_not_loaded",
    "LOAD_OVERFLOW": "load_overflow",
    "PACKET_SHORT": "packet_short",
    "PACKET_LONG": "packet_long",
    "PACKET_FRAME": "packet_frame",
    "PACKET_FLAGGED": "packet_flagged",
    "WEIGHT_FRAME": "weight_fault",
    "LABEL": "bad_label",
}
# Registers that read what an input is.
SHOWN = (
    "WEIGHTS_LOADED", "THRESHOLDS_LOADED", "WEIGHTS_CRC", "THRESHOLDS_CRC", "LATENCY"
)  # fmt: skip
_NAMES = {
    r["address"]: r["name"]
    for r in MAP["registers"]
    if "count" not in r and r["name"] not in OF_MAPS | OF_LEARNING
}


@dataclass
class RegisterFile:
    """The registers as a cycle finds them. `parameters`: those that can be read, by name;
    `described`: what a hardware reset makes of the network's description, by name, with LAYER_TABLE
    last; `control`: and of CONTROL; `learns`: whether labels can be wrong."""

    parameters: Mapping[str, int]
    described: Mapping[str, int]
    table: tuple[int, ...]
    control: int = 0
    learns: bool = False
    # ---- state
    stored: dict[str, int] = field(default_factory=dict)
    entries: list[int] = field(default_factory=list)
    counters: dict[str, int] = field(default_factory=dict)
    cycles: int = 0
    cycles_high: int = 0
    error: int = 0
    irq_enable: int = 0
    irq_status: int = 0
    running: bool = False
    grey: bool = False
    # The core is being reset; the table check starts; nobody has stopped what is being started; a
    # preset asks for a start; in the cycle before, the core ran or was busy.
    resetting: bool = False
    starting: bool = False
    wanted: bool = False
    autostart: bool = False
    occupied: bool = False
    # What was read in the cycle before.
    answer: int | None = None

    def __post_init__(self) -> None:
        self._reset()

    def _reset(self) -> None:
        """What a hardware reset leaves."""
        self.stored, self.entries = dict(self.described), list(self.table)
        self._core_reset()
        self.running = self.starting = self.wanted = self.resetting = self.occupied = False
        self.irq_enable = 0
        self.autostart = bool(self.control & mask("CONTROL", "ENABLE"))
        self.grey = bool(self.control & mask("CONTROL", "PIXEL_8BIT"))

    def _core_reset(self) -> None:
        """What the core has reported is forgotten."""
        self.error = self.irq_status = self.cycles = self.cycles_high = 0
        self.counters = dict.fromkeys(COUNTERS, 0)

    def _value(self, address: int, inputs: Mapping[str, int], busy: bool) -> int:
        """What a register reads in this cycle."""
        entry = address - ADDRESS["LAYER_TABLE"]
        if 0 <= entry < len(self.entries):
            return self.entries[entry]
        name = _NAMES.get(address, "")
        if name in self.parameters:
            return self.parameters[name]
        if name in SHOWN:
            return inputs[name.lower()]
        known = {
            **self.stored,
            **self.counters,
            "ID": RESET["ID"],
            "VERSION": RESET["VERSION"],
            "CONTROL": word("CONTROL", ENABLE=self.running, PIXEL_8BIT=self.grey),
            "STATUS": word("STATUS", RUNNING=self.running, BUSY=busy),
            "ERROR": self.error,
            "IRQ_ENABLE": self.irq_enable,
            "IRQ_STATUS": self.irq_status,
            "CYCLES": self.cycles & _ONES,
            "CYCLES_HIGH": self.cycles_high,
        }
        return known.get(name, 0)

    def cycle(self, inputs: Mapping[str, int]) -> dict[str, int]:
        """What every output is in a cycle with these inputs, by name (`table_entries` as a list is
        in `entries`); afterwards the registers are as the next cycle finds them."""
        reset, write, address, value = (
            inputs[name] for name in ("reset", "avs_write", "avs_address", "avs_writedata")
        )
        name = _NAMES.get(address, "")
        entry = address - ADDRESS["LAYER_TABLE"]
        is_entry = 0 <= entry < len(self.entries)
        checking = self.starting or inputs["check_busy"] or inputs["check_done"]
        busy = bool((inputs["core_busy"] or checking) and not self.resetting)
        locked = self.running or self.starting or self.occupied
        free = bool(write and not locked)

        selected = self.stored["LOAD_SELECT"]
        outputs = {
            "avs_readdatavalid": int(self.answer is not None),
            "irq": int(bool(self.irq_status & self.irq_enable)),
            "core_reset": int(bool(reset or self.resetting)),
            "running": int(self.running),
            "locked": int(locked),
            "pixel_mode": int(self.grey),
            "now": self.cycles & _ONES,
            "check_start": int(self.starting),
            "chunk": value,
            "chunk_valid": int(free and name == "LOAD_DATA"),
            "chunk_threshold": selected,
            **{port.lower(): self.stored[port] for port in BITS if port != "LOAD_SELECT"},
        }
        for index, memory in enumerate(("weight", "threshold")):
            outputs[f"{memory}_restart"] = free and name == "LOAD_SELECT" and value & 1 == index
        if self.answer is not None:
            outputs["avs_readdata"] = self.answer

        control = value if write and name == "CONTROL" else None
        enable = self.autostart or bool(control and control & mask("CONTROL", "ENABLE"))
        soft = bool(control and control & mask("CONTROL", "SOFT_RESET"))
        grey = bool(value & mask("CONTROL", "PIXEL_8BIT"))
        is_configuration = is_entry or name in BITS or name == "LOAD_DATA"

        events = 0
        for error, port in ERRORS.items():
            ends = inputs["check_done"] or not port.startswith("check_")
            if error == "LABEL" and not self.learns:
                continue
            events |= (1 << BIT["ERROR"][error]) * bool(inputs[port] and ends)
        unheard = enable and not (self.running and grey == self.grey)
        if write and locked and not soft and (is_configuration or unheard):
            events |= 1 << BIT["ERROR"]["CONFIG_BUSY"]

        # ---- the next cycle
        answer = None
        if inputs["avs_read"]:
            answer = self._value(address, inputs, busy)
            if name == "CYCLES":
                self.cycles_high = self.cycles >> 32
        self.error = self.error & ~(value if write and name == "ERROR" else 0) | events
        self.irq_status &= ~(value if write and name == "IRQ_STATUS" else 0)
        self.irq_status |= word("IRQ_STATUS", RESULT=inputs["results_sent"], ERROR=bool(events))
        if write and name == "IRQ_ENABLE":
            self.irq_enable = value & mask("IRQ_ENABLE")
        if free and is_entry:
            self.entries[entry] = value
        if free and name in BITS:
            self.stored[name] = value & (1 << BITS[name]) - 1
        for counter, port in COUNTERS.items():
            self.counters[counter] = self.counters[counter] + inputs[port] & _ONES
        self.cycles = self.cycles + 1 & (1 << 64) - 1

        self.occupied = (self.running or busy) and not soft
        begins = enable and not locked and not soft
        if begins and control and control & mask("CONTROL", "ENABLE"):
            self.grey = grey
        if inputs["check_done"] and inputs["check_ok"] and self.wanted:
            self.running = True
        self.wanted |= enable and not locked
        if soft or (control is not None and not control & mask("CONTROL", "ENABLE")):
            self.running = self.wanted = False
        if soft:
            self.irq_enable = 0
        if self.resetting:
            self._core_reset()
        self.starting, self.resetting, self.autostart = begins, soft, False
        self.answer = answer
        if reset:
            self._reset()
            self.answer = None
        return outputs
