# SPDX-License-Identifier: Apache-2.0
"""`make bench`: every figure the project claims, measured again, and printed beside other systems.

Logic by Yosys for the Cyclone V, cycles and simulation speed by running images through the
simulated core (every bit checked on the way), the clock by nextpnr for the ECP5.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, TypedDict

import numpy as np

from measure import area, synthesis
from measure import route as route_report
from xnor_fcc.devices import devices
from xnor_fcc.errors import CommandLine, UserError, run_main
from xnor_fcc.files import write_json
from xnor_fcc.geometry import MAPS, NAMED, Geometry
from xnor_fcc.integer import IntegerNetwork, find_network
from xnor_fcc.random_network import cnv_network
from xnor_fcc.tables import markdown
from xnor_fcc_sim import page, simulator
from xnor_fcc_sim.provenance import source
from xnor_fcc_sim.reports import Simulation, Source

ANCHORS = Path(page.__file__).with_name("anchors.json")
OUTPUT = simulator.BUILD / "bench"

# Images through each simulated core.
IMAGES = {"throughput": 10_000, "latency": 1_000, "default": 1_000, "original": 200}
# CNV, whose weights and images are random, and the same layers with activations of two bits, in a
# core that the DE1-SoC has room for.
CNV_IMAGES, SEED = 20, 1
ORDER2_SIZES = (16, 192, 8)
# The law of the lanes: a port of 64 bits, a small core behind it, six batches.
PORT_BITS, PORT_PE, PORT_SIMD, PORT_BATCHES = 64, 16, 64, 6
PORT_LANES = (1, 2, 4, 8)
# Clock of the DE1-SoC.
BOARD_MHZ = devices()["de1-soc"].clock_mhz


def parser() -> CommandLine:
    """The command line."""
    return CommandLine(
        prog="make bench",
        description=__doc__,
        epilog="It takes half an hour on two cores; what has not changed since the last "
        "time is not synthesised again. The figures go into build/bench/report.json.",
    )


class Whole(TypedDict):
    """What is measured of any whole core."""

    geometry: dict[str, Any]
    images: int
    wrong_bits: int
    cycles_per_image: float
    model_cycles_per_image: float
    busy: float
    counters: dict[str, int]
    alm: float
    m10k: int
    dsp: int
    flip_flops: int


class Core(Whole):
    """Cycles and area of a whole core; `cycles` is the latency."""

    accuracy: float
    cycles: int
    model_cycles: int
    images_per_second: float
    simulated_cycles_per_second: float


class Convolutions(Whole):
    """The same of a core for convolutions; its images are random."""

    network: str
    hidden_bits_checked: int
    latency_cycles: int
    model_latency_cycles: int


class Learning(TypedDict):
    """What learning adds to a core; ten classes learn."""

    alm: float
    m10k: int
    alm_added: float
    m10k_added: int


class Port(TypedDict):
    """A core whose weights all come through one port: cycles per image."""

    lanes: int
    measured: float
    modelled: float
    weight_stall_cycles: int
    wrong_bits: int


class Benchmark(TypedDict):
    """Every figure."""

    xnor_per_cycle_per_alm: float
    busy: float
    throughput: Core
    latency: Core
    default: Core
    original: Core
    cnv: Convolutions
    cnv_order2: Convolutions
    learning: dict[str, Learning]
    lanes_scaling: list[Port]
    ecp5: route_report.Report
    images_per_second: float
    anchors: list[dict[str, Any]]
    yosys: str


class Report(Benchmark):
    """What report.json holds."""

    source: Source


def simulate(name: str, arguments: Sequence[str]) -> Simulation:
    """Report of one run of `make sim` with `arguments`, in build/bench/`name`."""
    print(f"bench: simulating {name}", flush=True)
    result = _run(name, ["xnor_fcc_sim.simulate", *arguments, "--output", str(OUTPUT / name)])
    report: Simulation = json.loads((OUTPUT / name / "report.json").read_text())
    if result or report["wrong_bits"]:
        raise UserError(f"The simulation {name} ended with {report['wrong_bits']} wrong bits.")
    return report


def _run(name: str, command: Sequence[str]) -> int:
    """Run a module with its output in build/bench/`name`.log."""
    log = OUTPUT / f"{name}.log"
    with log.open("w") as file:
        code = subprocess.run([sys.executable, "-m", *command], stdout=file, stderr=file).returncode
    if code:
        last = (log.read_text().strip().splitlines() or ["no output"])[-1]
        raise UserError(f"{name} failed ({last}); see {log}.")
    return code


def whole(name: str, geometry: Geometry, run: Simulation) -> Whole:
    """What a simulated core has in common with all others, and its area."""
    print(f"bench: synthesising {name}", flush=True)
    cost = synthesis.intel("xnor_fcc", geometry.parameters())
    return {
        "geometry": asdict(geometry),
        "images": run["images"],
        "wrong_bits": run["wrong_bits"],
        "cycles_per_image": _known(run["cycles_per_image"]),
        "model_cycles_per_image": run["model_cycles_per_image"],
        "busy": run["busy"],
        "counters": run["counters"],
        "alm": cost.alm,
        "m10k": cost.m10k,
        "dsp": cost.dsp,
        "flip_flops": cost.flip_flops,
    }


def core(name: str, network: IntegerNetwork) -> Core:
    """Cycles and area of a named geometry, whole core."""
    run = simulate(name, ["--geometry", name, "--images", str(IMAGES[name])])
    return {
        **whole(name, Geometry.for_widths(network.widths, *NAMED[name]), run),
        "accuracy": _known(run["accuracy"]),
        "cycles": run["latency_cycles"],
        "model_cycles": run["model_latency_cycles"],
        "images_per_second": run["images_per_second"],
        "simulated_cycles_per_second": run["simulated_cycles_per_second"],
    }


def convolutions(name: str, path: Path, sizes: Sequence[int]) -> Convolutions:
    """Cycles and area of the whole core of PE, SIMD and LANES for a network with convolutions."""
    network = IntegerNetwork.load(path)
    pe, simd, lanes = sizes
    run = simulate(
        name,
        ["--network", str(path), "--inputs", "random", "--images", str(CNV_IMAGES),
         "--pe", str(pe), "--simd", str(simd), "--lanes", str(lanes)],
    )  # fmt: skip
    return {
        **whole(name, Geometry.for_widths(network.shape, pe, simd, lanes), run),
        "network": network.name,
        "hidden_bits_checked": run["hidden_bits_checked"],
        "latency_cycles": run["latency_cycles"],
        "model_latency_cycles": run["model_latency_cycles"],
    }


def learning(name: str, network: IntegerNetwork, without: Core) -> Learning:
    """The cost of learning in a named geometry that is known without it."""
    print(f"bench: synthesising {name} that learns", flush=True)
    geometry = Geometry.for_widths(network.widths, *NAMED[name])
    cost = synthesis.intel(
        "xnor_fcc", replace(geometry, learn=network.classes).parameters()
    )
    return {
        "alm": cost.alm,
        "m10k": cost.m10k,
        "alm_added": cost.alm - without["alm"],
        "m10k_added": cost.m10k - without["m10k"],
    }


def lanes_scaling() -> list[Port]:
    """Cycles per image against LANES where all weights come through one port."""
    rows: list[Port] = []
    for lanes in PORT_LANES:
        run = simulate(
            f"port-{lanes}",
            ["--pe", str(PORT_PE), "--simd", str(PORT_SIMD), "--lanes", str(lanes),
             "--weight-stream", str(PORT_BITS), "--images", str(PORT_BATCHES * lanes)],
        )
        rows.append(
            {
                "lanes": lanes,
                "measured": _known(run["cycles_per_image"]),
                "modelled": run["model_cycles_per_image"],
                "weight_stall_cycles": run["counters"]["WEIGHT_STALL_CYCLES"],
                "wrong_bits": run["wrong_bits"],
            }
        )
    return rows


def route() -> route_report.Report:
    """Routed clock of a mid-size core, from `make route`."""
    print("bench: placing and routing for the ECP5", flush=True)
    _run("route", ["measure.route"])
    path = simulator.BUILD / "route" / "report.json"
    report: route_report.Report = json.loads(path.read_text())
    return report


def measure() -> Benchmark:
    """Everything; the keys are those of build/bench/report.json."""
    network = IntegerNetwork.load(find_network("mnist"))
    print("bench: synthesising the PE array", flush=True)
    array = area.TABLE["rtl"].cost(128)
    throughput, default = core("throughput", network), core("default", network)
    cnv = OUTPUT / "cnv.npz"
    cnv_network(np.random.default_rng(SEED)).save(cnv)
    return {
        "xnor_per_cycle_per_alm": area.PE * 128 / array.alm,
        "busy": throughput["busy"],
        "throughput": throughput,
        "latency": core("latency", network),
        "default": default,
        "original": core("original", network),
        "cnv": convolutions("cnv", cnv, MAPS),
        "cnv_order2": convolutions("cnv_order2", find_network("cifar10_order2"), ORDER2_SIZES),
        "learning": {
            "throughput": learning("throughput", network, throughput),
            "default": learning("default", network, default),
        },
        "lanes_scaling": lanes_scaling(),
        "ecp5": route(),
        "images_per_second": throughput["images_per_second"],
        "anchors": json.loads(ANCHORS.read_text())["systems"],
        "yosys": synthesis.yosys_version(),
    }


def show(report: Benchmark) -> None:
    """Print what a reader wants to compare."""
    head = ("design", "network", "accuracy", "cycles/image", "latency", "area", "source")
    rows = []
    for anchor in report["anchors"]:
        rows.append(
            (anchor["design"], anchor["network"], f"{anchor['accuracy']:.2%}",
             _or_dash(anchor["cycles_per_image"]), _or_dash(anchor["latency_cycles"]),
             _or_dash(anchor["area"]), anchor["source"])
        )
    cores = {
        "throughput": report["throughput"],
        "latency": report["latency"],
        "default": report["default"],
        "original": report["original"],
    }
    for name, ours in cores.items():
        g = ours["geometry"]
        rows.append(
            (f"xnor-fcc {name}, PE={g['pe']} SIMD={g['simd']} LANES={g['lanes']}",
             "784-1024-1024-1024-10, 1-bit", f"{ours['accuracy']:.2%}",
             f"{ours['cycles_per_image']:g}", f"{ours['cycles']}",
             f"{ours['alm']:,.0f} ALM, {ours['m10k']} M10K (Yosys)", f"{ours['images']:,} images")
        )
    kinds = {"1-bit, random weights": report["cnv"], "2-bit": report["cnv_order2"]}
    for kind, cnv in kinds.items():
        g = cnv["geometry"]
        rows.append(
            (f"xnor-fcc, PE={g['pe']} SIMD={g['simd']} LANES={g['lanes']}",
             f"CNV: 64-64-P-128-128-P-256-256-512-512-10, {kind}", "-",
             f"{cnv['cycles_per_image']:g}", f"{cnv['latency_cycles']}",
             f"{cnv['alm']:,.0f} ALM, {cnv['m10k']} M10K (Yosys)", f"{cnv['images']:,} images")
        )
    print("\n" + markdown(head, rows))
    images = BOARD_MHZ * 1e6 / report["throughput"]["cycles_per_image"]
    answer = report["latency"]["cycles"] / BOARD_MHZ
    print(f"\nAt the board's {BOARD_MHZ} MHz: {images:,.0f} images a second, or an answer after "
          f"{answer:.2f} us")
    print(f"PE array at SIMD=128: {report['xnor_per_cycle_per_alm']:.2f} XNOR per cycle per ALM")
    for name, ours in cores.items():
        counters = ours["counters"]
        print(
            f"{name}: {counters['STEP_CYCLES']:,} of {counters['CYCLES']:,} cycles were steps of "
            f"all PEs ({ours['busy']:.1%}), {counters['STALL_CYCLES']:,} stalls"
        )
    for name, added in report["learning"].items():
        print(
            f"{name} with learning: {added['alm_added']:,.0f} ALM and {added['m10k_added']} M10K "
            f"more, {added['alm']:,.0f} ALM and {added['m10k']} M10K together"
        )
    print(f"weights through a port of {PORT_BITS} bits, cycles per image (model):")
    for row in report["lanes_scaling"]:
        print(f"  LANES={row['lanes']}: {row['measured']:g} ({row['modelled']:g})")
    print(f"ECP5: {report['ecp5']['fmax_mhz']:.1f} MHz, "
          f"{report['ecp5']['xnor_per_cycle']:,} XNORs a cycle")
    print(f"simulation: {report['images_per_second']:.0f} images a second, "
          "throughput geometry, testbench and loading included")


def _known(figure: float | None) -> float:
    """A figure that a run of labelled images, two full batches and more, always has."""
    assert figure is not None
    return figure


def _or_dash(value: object) -> str:
    return "-" if value is None else str(value)


def main() -> int:
    """Measure, write, print."""
    parser().parse_args()
    OUTPUT.mkdir(parents=True, exist_ok=True)
    target = OUTPUT / "report.json"
    target.unlink(missing_ok=True)
    measured_on = source()
    report: Report = {**measure(), "source": measured_on}
    write_json(target, report)
    show(report)
    return 0


if __name__ == "__main__":
    sys.exit(run_main(main))
