# SPDX-License-Identifier: Apache-2.0
"""`make activity`: switching activity of one image, counted in the waveforms of the running core.

Two cores are built with the default network in preset memories, fed MNIST test digits without
a pause, and traced over whole batches in the steady state: no reset, no loading, no first fill.
Counted is every bit of every register and of every named net of logic, once, at the place that
drives it (nets.py). Not counted, because a simulation of the source does not have it: glitches
within a cycle, the clock network, the inside of block RAM, nets that only synthesis makes.

The window is also written as a VCD file, the input of Quartus' power analyser (quartus/power.tcl):
the counted nets and the ports, with times from 0. A toggle is no unit of power; what a toggle costs
is for that tool to say.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import sys
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypedDict

from tqdm import tqdm

from measure import nets
from xnor_fcc.errors import CommandLine, UserError, run_main
from xnor_fcc.files import write_json
from xnor_fcc.geometry import NAMED, Geometry
from xnor_fcc.integer import IntegerNetwork, find_network
from xnor_fcc.pack import pack
from xnor_fcc.renamed import current
from xnor_fcc.tables import columns
from xnor_fcc_sim import simulator, vcd

NETWORK = find_network("mnist")
TOPLEVEL = "xnor_fcc"
# Rises once a batch, when its images enter the rings.
MARKER = f"{TOPLEVEL}.g_legal.core.engine.lanes.load_image_s2"
# Batches before the window: the first fills the pipeline, the second still has an empty batcher.
FILL = 2
# Instances that only join others, and levels of instances below the core and these that the report
# tells apart.
JOINTS = ("engine", "lanes")
LEVELS = 3


@dataclass(frozen=True)
class Case:
    """A core to look at, the batches to count, and how many of them fit into a VCD file."""

    sizes: tuple[int, int, int]
    """PE, SIMD, LANES."""
    batches: int
    kept: int

    def geometry(self, network: IntegerNetwork) -> Geometry:
        """The smallest such core that runs `network`."""
        return Geometry.for_widths(network.widths, *self.sizes)


# Both count the same four digits. One batch of the second takes as many cycles as 17 of the first,
# and 270 MB.
CASES = {
    "throughput": Case(NAMED["throughput"], batches=2, kept=2),
    "original": Case(NAMED["original"], batches=2, kept=1),
}


def place_of(path: tuple[str, ...]) -> str:
    """What the report calls the place of a net: instances below the core, the lanes in one; "core"
    for what stands between them."""
    below = [name for name in path[2:] if name not in JOINTS]
    return ".".join(below[:LEVELS]) or "core"


class _Reader(threading.Thread):
    """Reads the trace of a running simulation from a pipe: it would be gigabytes as a file."""

    def __init__(
        self, pipe: Path, case: Case, named: Mapping[str, nets.Net], output: Path
    ) -> None:
        super().__init__(daemon=True)
        self.pipe = pipe
        self.case = case
        self.named = named
        self.output = output
        # One step more than batches: the first begins.
        self.bar = tqdm(total=FILL + case.batches + 1, unit="batch", desc="counting")
        self.failure: Exception | None = None
        self.count = vcd.Count()
        # (kind, place, bits) of each counted code.
        self.counted: dict[bytes, tuple[str, str, int]] = {}
        pipe.unlink(missing_ok=True)
        os.mkfifo(pipe)

    def run(self) -> None:
        with self.pipe.open("rb", buffering=1 << 20) as stream:
            # The simulator polls while the pipe is full.
            with contextlib.suppress(AttributeError, OSError):
                fcntl.fcntl(stream, fcntl.F_SETPIPE_SZ, 1 << 20)
            try:
                self._read(stream)
            except Exception as error:
                self.failure = error
            while stream.read(1 << 20):
                pass  # or the simulator would wait for ever

    def stop(self) -> None:
        """Wait for the end; wake up a reader to whom no simulator ever wrote."""
        self.join(timeout=1)
        while self.is_alive():
            with contextlib.suppress(OSError):
                os.close(os.open(self.pipe, os.O_WRONLY | os.O_NONBLOCK))
            self.join(timeout=1)
        self.bar.close()
        self.pipe.unlink(missing_ok=True)

    def _net(self, variable: vcd.Variable) -> nets.Net | None:
        """The net of a variable; elements of an array are declared one by one."""
        return self.named.get(variable.name) or self.named.get(
            re.sub(r"\[\d+\]$", "", variable.name)
        )

    def _read(self, stream: Any) -> None:
        header = vcd.read_header(stream)
        marker = b""
        for variable in header.variables:
            net = self._net(variable)
            if net is None and re.match(rf"{TOPLEVEL}\.(?!.*__V)", variable.name):
                # All but what Verilator adds: the locals of functions.
                raise UserError(f"{variable.name} is in the trace but not in the source.")
            if net is not None and net.kind != nets.WIRE:
                earlier = self.counted.get(variable.code)
                if earlier is None or (earlier[0], net.kind) == (nets.LOGIC, nets.REGISTER):
                    self.counted[variable.code] = (net.kind, place_of(net.path), variable.width)
            if variable.name == MARKER:
                marker = variable.code

        def keep(variable: vcd.Variable) -> bool:
            net = self._net(variable)
            return net is not None and (net.kind != nets.WIRE or len(net.path) == 1)

        with self.output.open("wb") as output:
            self.count = vcd.count_toggles(
                stream,
                header,
                self.counted,
                marker,
                FILL,
                FILL + self.case.batches,
                output,
                header.only(keep),
                FILL + self.case.kept,
                self.bar.update,
            )


class Toggles(TypedDict):
    """Of one image."""

    registers: float
    logic: float


class Activity(TypedDict):
    """The figures of one case."""

    geometry: dict[str, Any]
    images: int
    cycles: int
    cycles_per_image: float
    toggles_per_image: float
    register_toggles_per_image: float
    logic_toggles_per_image: float
    register_bits: int
    logic_bits: int
    toggles_per_register_bit_and_cycle: float
    by_module: dict[str, Toggles]
    vcd: str
    vcd_images: int
    vcd_megabytes: float


def measure(name: str, case: Case, network_path: Path, output: Path) -> Activity:
    """Build, run and count one case; the report of it."""
    network = IntegerNetwork.load(network_path)
    geometry = case.geometry(network)
    output.mkdir(parents=True, exist_ok=True)
    for stale in output.glob("*.vcd"):
        stale.unlink()
    prefix, measured = output / "preset", output / "measured.json"
    pack(network, geometry).write_preset(prefix)
    parameters = {**geometry.parameters(), "PRESET": prefix}
    print(f"{name}: PE={geometry.pe} SIMD={geometry.simd} LANES={geometry.lanes}: building takes a "
          "minute or two, once", flush=True)
    model = simulator.build(TOPLEVEL, parameters, waves=True, every_net=True)
    path = output / "activity.vcd"
    reader = _Reader(output / "dump.vcd", case, nets.nets_of(TOPLEVEL, parameters), path)
    reader.start()
    try:
        model.run(
            "measure.activity_tests",
            output,
            settings={
                "geometry": asdict(geometry),
                "network": str(network_path),
                "fill": FILL,
                "batches": case.batches,
                "report": str(measured),
            },
            waves=True,
        )
    finally:
        reader.stop()
    if reader.failure is not None:
        raise UserError(f"The trace of {name} cannot be read: {reader.failure}")
    return report_of(reader, json.loads(measured.read_text()), geometry, path)


def report_of(
    reader: _Reader, bench: Mapping[str, int], geometry: Geometry, path: Path
) -> Activity:
    """The figures of one case, per image; `bench` is what the testbench measured."""
    count, images, cycles = reader.count, bench["images"], bench["cycles"]
    window = (1000 * bench["start_ns"], 1000 * bench["end_ns"])  # the trace is in ps
    if (count.begin, count.end) != window:
        raise UserError(f"The trace has its batches from {count.begin} to {count.end} ps, the "
                        f"testbench from {window[0]} to {window[1]} ps.")
    if count.unknown:
        raise UserError(f"{count.unknown} bits of the trace change to or from x or z.")
    places: dict[str, dict[str, float]] = {}
    totals = {nets.REGISTER: 0, nets.LOGIC: 0}
    bits = {nets.REGISTER: 0, nets.LOGIC: 0}
    for code, (kind, place, width) in reader.counted.items():
        entry = places.setdefault(place, {nets.REGISTER: 0.0, nets.LOGIC: 0.0})
        entry[kind] += count.toggles[code] / images
        totals[kind] += count.toggles[code]
        bits[kind] += width
    ranked = sorted(places.items(), key=lambda item: -sum(item[1].values()))
    return {
        "geometry": asdict(geometry),
        "images": images,
        "cycles": cycles,
        "cycles_per_image": cycles / images,
        "toggles_per_image": sum(totals.values()) / images,
        "register_toggles_per_image": totals[nets.REGISTER] / images,
        "logic_toggles_per_image": totals[nets.LOGIC] / images,
        "register_bits": bits[nets.REGISTER],
        "logic_bits": bits[nets.LOGIC],
        "toggles_per_register_bit_and_cycle": totals[nets.REGISTER] / bits[nets.REGISTER] / cycles,
        "by_module": {
            place: {
                "registers": round(entry[nets.REGISTER], 2),
                "logic": round(entry[nets.LOGIC], 2),
            }
            for place, entry in ranked
            if sum(entry.values())
        },
        "vcd": os.path.relpath(path, simulator.ROOT),
        "vcd_images": reader.case.kept * geometry.lanes,
        "vcd_megabytes": round(path.stat().st_size / 1e6, 1),
    }


def show(report: Mapping[str, Any]) -> None:
    """Print the table: toggles per image, a line for each module, the cases beside each other."""
    cases = [name for name in CASES if name in report]
    places = sorted(
        {place for name in cases for place in report[name]["by_module"]},
        key=lambda place: -sum(
            sum(report[name]["by_module"].get(place, {}).values()) for name in cases
        ),
    )
    kinds = ("registers", "logic")
    rows = [
        [place, *(f"{report[name]['by_module'].get(place, {}).get(kind, 0):,.0f}"
                  for name in cases for kind in kinds)]
        for place in places
    ]  # fmt: skip
    rows.append(["in all", *(f"{report[name][key]:,.0f}" for name in cases
                             for key in ("register_toggles_per_image",
                                         "logic_toggles_per_image"))])  # fmt: skip
    head = ["toggles per image", *(f"{name},\n{kind}" for name in cases for kind in kinds)]
    print("\n" + columns(head, rows, left=[0]) + "\n")
    facts = [
        [label, *(f"{report[name][key]:{form}}" for name in cases)]
        for label, key, form in (
            ("toggles per image", "toggles_per_image", ",.0f"),
            ("cycles per image", "cycles_per_image", ",.2f"),
            ("toggles per register bit and cycle", "toggles_per_register_bit_and_cycle", ".3f"),
            ("images counted", "images", "d"),
            ("images in the VCD file", "vcd_images", "d"),
        )
    ]
    print(columns(["", *cases], facts, left=[0]))
    for name in cases:
        print(f"{report[name]['vcd']}: {report[name]['vcd_megabytes']:,.0f} MB")


def parser() -> CommandLine:
    """The command line."""
    result = CommandLine(
        prog="make activity",
        description="Count how many bits switch for one image, by module, and write the waveforms "
        "that Quartus' power analyser reads.",
    )
    result.add_argument(
        "--only", type=current, choices=CASES, help="one of the cores instead of all"
    )
    result.add_argument(
        "--output",
        type=Path,
        default=simulator.BUILD / "activity",
        help="directory for report.json and the waveforms (default: build/activity)",
    )
    return result


def main() -> int:
    """Measure, report."""
    options = parser().parse_args()
    if simulator.chosen() != "verilator":
        raise UserError("Activity is counted with Verilator: leave out SIM or set SIM=verilator.")
    output = options.output.resolve()
    report_path = output / "report.json"
    report_path.unlink(missing_ok=True)
    names = [options.only] if options.only else list(CASES)
    report = {name: measure(name, CASES[name], NETWORK, output / name) for name in names}
    write_json(report_path, report)
    show(report)
    return 0


if __name__ == "__main__":
    sys.exit(run_main(main))
