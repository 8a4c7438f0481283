# SPDX-License-Identifier: Apache-2.0
"""Stand-ins for Platform Designer, and what it would have to say about a component or a system.

`read_component` runs a _hw.tcl file with its callbacks, `system_script` a script of qsys-script;
both note all commands. `check_component` compares the interfaces with the ports that Yosys finds in
the Verilog with the same parameters; `check_system` looks up every instance, parameter, interface
and connection in the table of components below. Both raise `AssertionError` with what is wrong.

The table holds what the vendor's components offer, as their own _hw.tcl files have it; it is the
one thing here that rests on documents instead of a tool.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from board.tclsh import Script, quoted
from xnor_fcc_sim.sources import ROOT, RTL, rtl_sources

HPS = ROOT / "quartus" / "hps"

# A call a line, its words apart by a character that no word has.
_NOTE = """
proc note {args} {
  set stream [open %s a]
  puts $stream [join $args \\x1f]
  close $stream
}
"""


class VendorScript(Script):
    """A script whose noted calls are lists of words."""

    def words(self) -> list[list[str]]:
        """The calls of the last run."""
        return [line.split("\x1f") for line in self.calls]

    def run(self, *arguments: object, more: str = "") -> subprocess.CompletedProcess[str]:
        """As `Script.run`."""
        return super().run(*arguments, more=_NOTE % quoted(self.calls_path) + more)


# ---- a component

_COMPONENT_COMMANDS = (
    "set_module_property", "add_fileset", "set_fileset_property", "add_fileset_file",
    "set_parameter_property", "add_interface", "set_interface_property",
    "set_port_property", "send_message",
)  # fmt: skip


@dataclass
class Port:
    """A port of an interface; `role` is its Avalon signal type."""

    interface: str
    role: str
    direction: str
    width: int
    terminated: bool = False


@dataclass
class Component:
    """What a _hw.tcl file tells for given parameter values."""

    parameters: dict[str, str] = field(default_factory=dict)  # name: default
    hdl: set[str] = field(default_factory=set)
    ranges: dict[str, str] = field(default_factory=dict)  # name: low:high or values
    interfaces: dict[str, tuple[str, str]] = field(default_factory=dict)  # name: type, direction
    properties: dict[tuple[str, str], str] = field(default_factory=dict)
    ports: dict[str, list[Port]] = field(default_factory=dict)
    files: list[Path] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)

    def allows(self, name: str, value: int) -> bool:
        """Whether the value lies in the range of a parameter."""
        low, colon, high = self.ranges[name].partition(":")
        return int(low) <= value <= int(high) if colon else str(value) in low.split()

    def enabled(self) -> dict[str, tuple[str, str]]:
        """Interfaces that a system sees."""
        return {
            name: kind
            for name, kind in self.interfaces.items()
            if self.properties.get((name, "ENABLED")) != "false"
        }

    def width(self, interface: str, role: str) -> int | None:
        """Bits of a signal of an interface, if it has it."""
        for ports in self.ports.values():
            for port in ports:
                if (port.interface, port.role) == (interface, role) and not port.terminated:
                    return port.width
        return None


def read_component(path: Path, directory: Path, values: dict[str, int]) -> Component:
    """Run a _hw.tcl file and its callbacks with these parameter values (else the defaults)."""
    wrapper = directory / "callbacks.tcl"
    lines = [f"source {quoted(path)}", "validate", "elaborate", "add_files xnor_fcc"]
    wrapper.write_text("\n".join(lines) + "\n")
    chosen = " ".join(f"{name} {value}" for name, value in values.items())
    # Those that must answer keep what they were told.
    stand_ins = f"""
package provide qsys 16.1
array set chosen {{{chosen}}}
proc add_parameter {{name type {{default ""}} args}} {{
  note add_parameter $name $type $default {{*}}$args
  if {{![info exists ::chosen($name)]}} {{set ::chosen($name) $default}}
}}
proc get_parameter_value {{name}} {{return $::chosen($name)}}
proc add_interface_port {{interface port role direction width}} {{
  note add_interface_port $interface $port $role $direction $width
  set ::directions($port) $direction
}}
proc get_port_property {{port property}} {{
  if {{$property ne "DIRECTION"}} {{error "no stand-in for $property"}}
  return $::directions($port)
}}
proc get_module_property {{name}} {{
  if {{$name ne "MODULE_DIRECTORY"}} {{error "no stand-in for $name"}}
  return {quoted(path.parent)}
}}
"""
    script = VendorScript(wrapper, directory, (), _COMPONENT_COMMANDS, stand_ins)
    done = script.run()
    assert done.returncode == 0, done.stderr
    return _component(script.words())


def _component(calls: list[list[str]]) -> Component:
    result = Component()
    for command, *words in calls:
        if command == "add_parameter":
            result.parameters[words[0]] = words[2]
        elif command == "set_parameter_property":
            assert words[0] in result.parameters, f"{words[0]} is no parameter"
            if words[1:] == ["HDL_PARAMETER", "true"]:
                result.hdl.add(words[0])
            elif words[1] == "ALLOWED_RANGES":
                result.ranges[words[0]] = words[2]
        elif command == "add_interface":
            result.interfaces[words[0]] = (words[1], words[2])
        elif command == "set_interface_property":
            assert words[0] in result.interfaces, f"{words[0]} is no interface"
            result.properties[words[0], words[1]] = words[2]
        elif command == "add_interface_port":
            interface, name, role, direction, width = words
            assert interface in result.interfaces, f"{interface} is no interface"
            port = Port(interface, role, direction, int(width))
            result.ports.setdefault(name, []).append(port)
        elif command == "set_port_property":
            assert words[0] in result.ports, f"{words[0]} is no port"
            for port in result.ports[words[0]]:
                if words[1] == "WIDTH_EXPR":
                    port.width = int(words[2])
                elif words[1] == "TERMINATION":
                    port.terminated = words[2] == "true"
        elif command == "add_fileset_file":
            assert words[2] == "PATH" and words[0] == Path(words[3]).name
            result.files.append(Path(words[3]).resolve())
        elif command == "send_message":
            result.messages.append(words[1])
    return result


_PORTS = """
from pyosys import libyosys as ys
d = ys.Design()
for command in {commands!r}:
    ys.run_pass(command, d)
"""


def verilog_ports(values: dict[str, int], directory: Path) -> dict[str, tuple[str, int]]:
    """(direction, width) of every port of `xnor_fcc` with these parameters, as Yosys sees them."""
    netlist = directory / "ports.json"
    chosen = " ".join(f"-set {name} {value}" for name, value in values.items())
    commands = [
        f"read_verilog -defer -I{RTL} " + " ".join(map(str, rtl_sources())),
        f"chparam {chosen} xnor_fcc",
        "hierarchy -top xnor_fcc",
        "select xnor_fcc",
        f"write_json -selected {netlist}",
    ]
    script = _PORTS.format(commands=commands)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (module,) = json.loads(netlist.read_text())["modules"].values()
    names = {"input": "Input", "output": "Output"}
    return {
        name: (names[port["direction"]], len(port["bits"]))
        for name, port in module["ports"].items()
    }


# Signals that each type of interface needs, for the directions used here.
_ROLES = {
    "clock": {"clk"},
    "reset": {"reset"},
    "interrupt": {"irq"},
    "avalon": {"address", "read", "write", "writedata", "readdata", "readdatavalid"},
    "avalon_streaming": {"valid", "ready", "data", "startofpacket", "endofpacket"},
}


def check_component(
    component: Component, ports: dict[str, tuple[str, int]], parameters: set[str]
) -> None:
    """Every port and parameter of the Verilog once, with the right direction and width."""
    missing = ports.keys() - component.ports.keys()
    assert not missing, f"ports in no interface: {sorted(missing)}"
    unknown = component.ports.keys() - ports.keys()
    assert not unknown, f"not ports of the core: {sorted(unknown)}"
    for name, told in component.ports.items():
        assert len(told) == 1, f"{name} is in {len(told)} interfaces"
        assert (told[0].direction, told[0].width) == ports[name], (
            f"{name} is {ports[name]}, not {(told[0].direction, told[0].width)}"
        )
    assert component.parameters.keys() == parameters, (
        f"parameters: {sorted(component.parameters.keys() ^ parameters)}"
    )
    assert component.hdl == parameters, f"not passed on: {sorted(parameters - component.hdl)}"
    for name, (kind, _) in component.enabled().items():
        roles = [
            port.role
            for told in component.ports.values()
            for port in told
            if port.interface == name and not port.terminated
        ]
        assert len(set(roles)) == len(roles), f"{name} has a signal twice: {roles}"
        assert _ROLES[kind] <= set(roles), f"{name} lacks {sorted(_ROLES[kind] - set(roles))}"
        if kind in ("avalon", "avalon_streaming", "reset"):
            assert (name, "associatedClock") in component.properties, f"{name} has no clock"
        if kind == "avalon_streaming":
            # The rule of Avalon-ST for packets: more symbols than one need `empty`.
            width = component.width(name, "data") or 0
            symbols = width // int(component.properties[name, "dataBitsPerSymbol"])
            empty = component.width(name, "empty")
            assert (empty is None) == (symbols == 1), f"{name}: {symbols} symbols, empty {empty}"
    assert set(component.files) == {*rtl_sources(), *RTL.glob("*.vh")}, "files"


# ---- a system

# Interfaces by name: what they are; `>` begins a connection and `<` ends one.
_CLOCKED = {"clock": "<clock", "reset_n": "<reset"}
_ENGINE = {**_CLOCKED, "csr": "<memory", "descriptor_slave": "<memory", "csr_irq": "<irq"}
_KINDS: dict[str, dict[str, str]] = {
    "clock_source": {
        "clk_in": "<clock", "clk_in_reset": "<reset", "clk": ">clock", "clk_reset": ">reset",
    },
    "altera_msgdma 1": {**_ENGINE, "mm_read": ">memory", "st_source": ">stream"},
    "altera_msgdma 2": {**_ENGINE, "mm_write": ">memory", "st_sink": "<stream"},
    "altera_avalon_onchip_memory2": {"clk1": "<clock", "reset1": "<reset", "s1": "<memory"},
    "altera_jtag_avalon_master": {
        "clk": "<clock", "clk_reset": "<reset", "master": ">memory", "master_reset": ">reset",
    },
    "altera_hps": {
        "memory": "<conduit", "h2f_reset": ">reset",
        "h2f_axi_clock": "<clock", "h2f_axi_master": ">memory",
        "h2f_lw_axi_clock": "<clock", "h2f_lw_axi_master": ">memory",
        "f2h_irq0": ">irq", "f2h_irq1": ">irq",
    },
}  # fmt: skip
# What may be left open.
_OPTIONAL = {
    "csr_irq", "f2h_irq1", "master_reset", "h2f_reset", "weight",
}  # fmt: skip
_SPANS = {"descriptor_slave": 16, "csr": 32}
_PARAMETERS: dict[str, set[str]] = {
    "clock_source": {"clockFrequency", "clockFrequencyKnown", "resetSynchronousEdges"},
    "altera_msgdma": {
        "MODE", "DATA_WIDTH", "DATA_FIFO_DEPTH", "DESCRIPTOR_FIFO_DEPTH", "RESPONSE_PORT",
        "MAX_BYTE", "TRANSFER_TYPE", "BURST_ENABLE", "MAX_BURST_COUNT", "BURST_WRAPPING_SUPPORT",
        "ENHANCED_FEATURES", "STRIDE_ENABLE", "MAX_STRIDE", "PROGRAMMABLE_BURST_ENABLE",
        "PACKET_ENABLE", "ERROR_ENABLE", "ERROR_WIDTH", "CHANNEL_ENABLE", "CHANNEL_WIDTH",
    },
    "altera_avalon_onchip_memory2": {
        "memorySize", "dataWidth", "writable", "dualPort", "initMemContent",
    },
    "altera_jtag_avalon_master": {"USE_PLI", "PLI_PORT", "FAST_VER", "FIFO_DEPTHS"},
    "altera_hps": {
        "S2F_Width", "F2S_Width", "LWH2F_Enable", "F2SDRAM_Type", "F2SDRAM_Width",
        "F2SINTERRUPT_Enable", "MPU_EVENTS_Enable", "HPS_PROTOCOL", "MEM_VOLTAGE", "MEM_CLK_FREQ",
        "MEM_CLK_FREQ_MAX", "MEM_DQ_WIDTH", "MEM_ROW_ADDR_WIDTH", "MEM_COL_ADDR_WIDTH",
        "MEM_BANKADDR_WIDTH", "MEM_TCL", "MEM_WTCL", "MEM_DRV_STR", "MEM_RTT_NOM", "MEM_RTT_WR",
        "MEM_TINIT_US", "MEM_TMRD_CK", "MEM_TRAS_NS", "MEM_TRCD_NS", "MEM_TRP_NS", "MEM_TREFI_US",
        "MEM_TRFC_NS", "MEM_TWR_NS", "MEM_TWTR", "MEM_TFAW_NS", "MEM_TRRD_NS", "MEM_TRTP_NS",
        "TIMING_TIS", "TIMING_TIH", "TIMING_TDS", "TIMING_TDH", "TIMING_TDQSQ", "TIMING_TQH",
        "TIMING_TDQSCK", "TIMING_TDQSS", "TIMING_TQSH", "TIMING_TDSH", "TIMING_TDSS",
        "TIMING_BOARD_MAX_CK_DELAY", "TIMING_BOARD_MAX_DQS_DELAY",
        "TIMING_BOARD_SKEW_CKDQS_DIMM_MIN", "TIMING_BOARD_SKEW_CKDQS_DIMM_MAX",
        "TIMING_BOARD_SKEW_WITHIN_DQS", "TIMING_BOARD_SKEW_BETWEEN_DQS",
        "TIMING_BOARD_DQ_TO_DQS_SKEW", "TIMING_BOARD_AC_SKEW", "TIMING_BOARD_AC_TO_CK_SKEW",
    },
}  # fmt: skip
# The values that a parameter may have, where they are few.
_VALUES: dict[str, dict[str, set[str]]] = {
    "altera_msgdma": {
        "MODE": {"0", "1", "2"},
        "DATA_WIDTH": {str(8 << i) for i in range(8)},
        "DATA_FIFO_DEPTH": {str(16 << i) for i in range(9)},
        "DESCRIPTOR_FIFO_DEPTH": {str(8 << i) for i in range(8)},
        "RESPONSE_PORT": {"0", "1", "2"},
        "MAX_BYTE": {str(1024 << i) for i in range(18)},
        "TRANSFER_TYPE": {"Full Word Accesses Only", "Aligned Accesses", "Unaligned Accesses"},
        "ERROR_WIDTH": {str(i) for i in range(1, 9)},
    },
    "altera_hps": {
        "S2F_Width": {"0", "1", "2", "3"},
        "F2S_Width": {"0", "1", "2", "3"},
        "LWH2F_Enable": {"true", "false"},
    },
    "clock_source": {"resetSynchronousEdges": {"NONE", "DEASSERT", "BOTH"}},
    "altera_avalon_onchip_memory2": {"dataWidth": {str(8 << i) for i in range(8)}},
}
_SYSTEM_COMMANDS = (
    "create_system", "set_project_property", "add_interface", "set_interface_property",
    "add_connection", "set_connection_parameter_value", "save_system",
)  # fmt: skip


@dataclass
class System:
    """What a script of qsys-script makes."""

    name: str = ""
    saved: str = ""
    instances: dict[str, str] = field(default_factory=dict)  # name: component
    values: dict[str, dict[str, str]] = field(default_factory=dict)
    exports: dict[str, str] = field(default_factory=dict)  # name: instance.interface
    connections: list[tuple[str, str]] = field(default_factory=list)
    addresses: dict[tuple[str, str], int] = field(default_factory=dict)
    interrupts: dict[tuple[str, str], int] = field(default_factory=dict)


def system_script(
    path: Path, directory: Path, component: Component, parameters: str | None = None
) -> VendorScript:
    """A script of qsys-script, ready to run; `parameters` as --cmd would set it."""
    defaults = " ".join(f"{name} {value or '{}'}" for name, value in component.parameters.items())
    stand_ins = f"""
package provide qsys 16.1
array set core {{{defaults}}}
proc add_instance {{name kind}} {{
  note add_instance $name $kind
  set ::kinds($name) $kind
}}
proc set_instance_parameter_value {{name parameter value}} {{
  note set_instance_parameter_value $name $parameter $value
  if {{$::kinds($name) eq "xnor_fcc"}} {{set ::core($parameter) $value}}
}}
proc get_instance_parameters {{name}} {{return [array names ::core]}}
proc get_instance_parameter_value {{name parameter}} {{return $::core($parameter)}}
"""
    if parameters is not None:
        stand_ins += f"set parameters {{{parameters}}}\n"
    return VendorScript(path, directory, (), _SYSTEM_COMMANDS, stand_ins)


def read_system(script: VendorScript) -> System:
    """The system of a script that has been run."""
    result = System()
    for command, *words in script.words():
        if command == "create_system":
            result.name = words[0]
        elif command == "save_system":
            result.saved = words[0]
        elif command == "add_instance":
            assert words[0] not in result.instances, f"two instances {words[0]}"
            result.instances[words[0]] = words[1]
            result.values[words[0]] = {}
        elif command == "set_instance_parameter_value":
            result.values[words[0]][words[1]] = words[2]
        elif command == "set_interface_property":
            assert words[1] == "EXPORT_OF"
            result.exports[words[0]] = words[2]
        elif command == "add_connection":
            result.connections.append((words[0], words[1]))
        elif command == "set_connection_parameter_value":
            start, _, end = words[0].partition("/")
            assert (start, end) in result.connections, f"there is no connection {words[0]}"
            table = {"baseAddress": result.addresses, "irqNumber": result.interrupts}[words[1]]
            table[start, end] = int(words[2], 0)
    return result


def _interfaces(system: System, component: Component) -> dict[str, str]:
    """What every interface of every instance is, by instance.interface."""
    ours = {
        ("clock", "end"): "<clock",
        ("reset", "end"): "<reset",
        ("avalon", "end"): "<memory",
        ("interrupt", "end"): "<irq",
        ("avalon_streaming", "end"): "<stream",
        ("avalon_streaming", "start"): ">stream",
    }
    result = {}
    for name, kind in system.instances.items():
        if kind == "xnor_fcc":
            table = {port: ours[what] for port, what in component.enabled().items()}
        else:
            if kind == "altera_msgdma":
                kind += f" {system.values[name]['MODE']}"
            assert kind in _KINDS, f"{name}: there is no component {kind}"
            table = _KINDS[kind]
        result.update({f"{name}.{port}": what for port, what in table.items()})
    return result


def check_system(system: System, component: Component) -> None:
    """Instances, parameters, interfaces, connections and addresses exist and belong together."""
    for name, kind in system.instances.items():
        known = set(component.parameters) if kind == "xnor_fcc" else _PARAMETERS[kind]
        unknown = system.values[name].keys() - known
        assert not unknown, f"{kind} has no parameter {sorted(unknown)}"
        for parameter, legal in _VALUES.get(kind, {}).items():
            value = system.values[name].get(parameter)
            assert value is None or value in legal, f"{parameter} of {name} cannot be {value}"
    interfaces = _interfaces(system, component)
    for start, end in system.connections:
        for place in (start, end):
            assert place in interfaces, f"there is no interface {place}"
        assert interfaces[start][0] == ">" and interfaces[end][0] == "<", f"{start} to {end}"
        assert interfaces[start][1:] == interfaces[end][1:], f"{start} does not fit {end}"
        if interfaces[start] == ">memory":
            assert (start, end) in system.addresses, f"{start} to {end} has no address"
    for name, place in system.exports.items():
        assert place in interfaces, f"{name} exports {place}, which there is not"

    used = {place for pair in system.connections for place in pair} | set(system.exports.values())
    for place in interfaces.keys() - used:
        assert place.partition(".")[2] in _OPTIONAL, f"{place} is not connected"
    assert len(set(system.interrupts.values())) == len(system.interrupts), "interrupts collide"
    _check_addresses(system)
    _check_streams(system, component)
    assert system.saved == f"{system.name}.qsys", f"saved as {system.saved}"


def _check_addresses(system: System) -> None:
    for master in {start for start, _ in system.addresses}:
        taken = []
        for (start, end), address in system.addresses.items():
            if start == master:
                instance, _, port = end.partition(".")
                kind = system.instances[instance]
                if port == "s1":
                    span = int(system.values[instance]["memorySize"])
                else:
                    span = 256 if kind == "xnor_fcc" else _SPANS[port]
                assert address % span == 0, f"{end} is not at a multiple of its span"
                taken.append((address, address + span, end))
        taken.sort()
        for (_, stop, first), (begin, _, second) in pairwise(taken):
            assert stop <= begin, f"{first} and {second} overlap for {master}"


def _check_streams(system: System, component: Component) -> None:
    """Both ends of a stream have the same signals, so that no adapter comes between them."""

    def signals(place: str) -> tuple[int, int]:
        instance, _, port = place.partition(".")
        if system.instances[instance] == "xnor_fcc":
            return component.width(port, "data") or 0, component.width(port, "error") or 0
        values = system.values[instance]
        assert values["PACKET_ENABLE"] == "1", f"{instance} knows no packets"
        error = int(values["ERROR_WIDTH"]) if values.get("ERROR_ENABLE") == "1" else 0
        return int(values["DATA_WIDTH"]), error

    for start, end in system.connections:
        if start.endswith(("st_source", "core.result")):
            assert signals(start) == signals(end), f"{start} and {end} have other signals"
