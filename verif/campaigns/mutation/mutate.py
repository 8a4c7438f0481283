# SPDX-License-Identifier: Apache-2.0
"""`make mutate`: plants faults in the RTL, one at a time, and counts how many the tests find.

A mutant (see mutants.py) is judged by the tests of its own module. What they let pass is compared
with the original by Yosys (see equivalence.py): where that proves that the two do the same, there
is nothing to find. The rest is judged by the tests of the modules above, then by small whole cores.
The first test that fails has killed a mutant; what survives them all is listed.

Icarus Verilog runs nearly all of it: it builds a module in a moment, which counts most here.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import multiprocessing
import os
import re
import resource
import shutil
import signal
import sys
import textwrap
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

import pytest
from tqdm import tqdm

from campaigns.mutation import equivalence
from campaigns.mutation.mutants import Mutant, mutants
from xnor_fcc.errors import CommandLine, UserError, run_main
from xnor_fcc.files import write_json
from xnor_fcc.generated import fill
from xnor_fcc.places import BUILD
from xnor_fcc.tables import columns, markdown
from xnor_fcc_sim import simulator
from xnor_fcc_sim.provenance import source
from xnor_fcc_sim.sources import ROOT, RTL, rtl_sources

OUTPUT = BUILD / "mutate"
HERE = Path(__file__).resolve().parent
PAGE = HERE / "MUTATION.md"
REASONS = HERE / "reasons.json"
VERIF = ROOT / "verif"
MODULES = VERIF / "modules"

MUTANTS = 510
SEED = 1
# However small a module is.
_FEWEST = 5
# Modules whose tests take a moment: those of a sample.
CHEAP = (
    "fcc_argmax",
    "fcc_csr",
    "fcc_margin_memory",
    "fcc_pair",
    "fcc_threshold_memory",
    "fcc_weight_memory",
)
# Verdicts.
KILLED, SURVIVED, EQUIVALENT, INVALID = "killed", "survived", "equivalent", "invalid"

# A test may take so many times what it takes with the original, and at least so many seconds.
_PATIENCE, _LEAST_SECONDS = 8, 60
# Bytes of memory that a test may take: a mutant may ask for a memory of 2^32 words.
_MEMORY = 4 << 30
# Tests start from a process that has read what takes longest to read.
_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["pytest", "numpy", "cocotb_tools.config", "xnor_fcc.pack"])


def _pytest(arguments: list[str], environment: dict[str, str], log: Path) -> None:
    """The process in which tests run: a session of its own, everything printed into `log`."""
    os.setsid()
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    os.environ.update(environment)
    os.chdir(ROOT)
    with log.open("w") as file:
        for stream in (1, 2):
            os.dup2(file.fileno(), stream)
    # What was read before the environment was set.
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", "")).startswith(str(VERIF)) and name != "__main__":
            del sys.modules[name]
    sys.exit(int(pytest.main(arguments)))


@dataclass(frozen=True)
class Stage:
    """Tests that run together, in one pytest."""

    tests: tuple[str, ...]
    """As pytest takes them, from the top of the repository."""
    select: str = ""
    """Argument -k of pytest."""

    @property
    def files(self) -> list[Path]:
        """What the tests are made of, their wrapper in Verilog included."""
        result = []
        for test in self.tests:
            path = ROOT / test.split("::")[0]
            dut = path.stem.removeprefix("test_")
            beside = path.with_name(f"{dut}_tests.py")
            result += [p for p in (path, beside) if p.exists()]
            result += [MODULES / name for name in re.findall(r"\w+_sizes\.v", path.read_text())]
        return sorted(set(result))


# Whole cores, small enough for Icarus; the second one takes its weights from outside, the third one
# has lanes that work in pairs and ternary weights.
_CORE = "verif/core/test_core.py::test_"
CORE = Stage((f"{_CORE}corner_geometry[odd]", f"{_CORE}preset_memory_images"))
STREAMED = Stage((f"{_CORE}corner_geometry[streamed-in-part]",))
KINDS = Stage((f"{_CORE}corner_geometry[order-2-ternary]",))
# Cores that learn: with several groups of classes, and with PEs that fill a chunk.
_LEARN = "verif/core/test_learn_core.py::test_learning"
LEARNING = Stage((f"{_LEARN}[odd]", f"{_LEARN}[chunk]"))
# Modules that only these have, and others of which something concerns only these.
_LEARNING_ONLY = (
    "fcc_label_splitter", "fcc_latents", "fcc_learn_moves", "fcc_learn_registers",
    "fcc_learn_walk", "fcc_learner", "fcc_sign_coder",
)  # fmt: skip
_LEARNING_TOO = ("fcc_engine", "fcc_image_input", "fcc_word_loader")
# For convolutions, the quick ones first, and the core that has them: the corner with more PEs takes
# ten times as long.
_MAPS = "verif/core/test_map_core.py::test_"
MAPS = (
    Stage(
        (f"{_MAPS}preset_memory_images_of_convolutions", f"{_MAPS}corner_of_convolutions[one-pe]")
    ),
    Stage((f"{_MAPS}corner_of_convolutions[odd]",)),
)
_MAP_CORE = "fcc_map_core"
_STREAMED_MODULES = ("fcc_weight_stream", "fcc_weight_source", "fcc_engine", "fcc_core", "xnor_fcc")
PARAMETERS = Stage(("verif/core/test_parameters.py",), "iverilog")
# Counters of many sizes take long to build: most faults show sooner in a lane.
_POPCOUNT_TEST = "verif/modules/test_xnor_popcount.py"
_SOONER = ("verif/modules/test_fcc_lane.py", "verif/modules/test_fcc_pe_array.py", _POPCOUNT_TEST)

_POPCOUNTS = tuple({"PE": 2, "SIMD": simd} for simd in (1, 2, 3, 8, 13, 24, 33, 50))
# Small parameters for the proofs, several where a module has several forms.
PROOFS: dict[str, tuple[dict[str, int], ...]] = {
    "fcc_accumulators": ({"PE": 3, "COUNT_BITS": 3, "ACC_BITS": 6},),
    "fcc_argmax": ({"SCORE_BITS": 7, "INDEX_BITS": 4},),
    "fcc_batcher": (
        {"LANES": 1, "CAPACITY": 5},
        {"LANES": 3, "CAPACITY": 4},
        {"LANES": 4, "CAPACITY": 3, "ORDER": 2},
    ),
    "fcc_chunk_shifter": ({"CHUNK": 8, "WIDTH": 29}, {"CHUNK": 8, "WIDTH": 5}),
    "fcc_counter_5to3": ({"WIDTH": 3},),
    "fcc_csr": tuple(
        {
            "PE": 32, "SIMD": 128, "LANES": 4, "TAPS": 4, "MAX_WIDTH": 1024, "MAX_LAYERS": layers,
            "MAX_CLASSES": 16, "WEIGHT_DEPTH": 744, "THRESHOLD_DEPTH": 128, "SCORE_BITS": 13,
            "IMAGE_WIDTH": 64, "LEARN": learn,
        }
        for layers, learn in ((3, 0), (16, 10))
    ),
    "fcc_engine": tuple(
        {
            "PE": 3, "SIMD": 4, "RING": 3, "TAPS": taps, "SCORE_BITS": 7, "GROUPS": 4,
            "GROUP_BITS": 2, "MAX_WIDTH": 11, "MAX_LAYERS": 2, "MAX_CLASSES": 4,
            "WEIGHT_DEPTH": 6, "BANK_DEPTH": 3, "THRESHOLD_DEPTH": 5, "WEIGHT_STREAM": stream,
            "LANES": 2, "ORDER": order, "TERNARY": order - 1, "LEARN": learn,
        }
        for stream, order, taps, learn in ((0, 1, 2, 0), (8, 2, 2, 0), (0, 1, 1, 4))
    ),
    "fcc_label_splitter": ({"WIDTH": 8}, {"WIDTH": 32}),
    "fcc_image_input": tuple(
        {"WIDTH": 16, "LANES": 2, "CAPACITY": 19, "LEARN": learn} for learn in (0, 1)
    ),
    "fcc_latents": ({"LANES": 3, "CLASSES": 2, "DEPTH": 5, "ROW_BITS": 3},),
    "fcc_learn_moves": (
        {"LANES": 3, "CLASSES": 4, "MAX_CLASSES": 5, "SCORE_BITS": 5},
        {"LANES": 1, "CLASSES": 1, "MAX_CLASSES": 1, "SCORE_BITS": 11},
    ),
    "fcc_learn_registers": ({"CLASSES": 5, "ROW_BITS": 3}, {"CLASSES": 4, "ROW_BITS": 1}),
    "fcc_learn_walk": tuple(
        {"PE": pe, "SIMD": 5, "RING": 3, "ROW_BITS": 4, "BIT_BITS": 3, "GROUP_BITS": 1}
        for pe in (12, 40)
    ),
    "fcc_learner": (
        {
            "LANES": 2, "PE": 3, "SIMD": 4, "RING": 3, "CLASSES": 4, "SCORE_BITS": 6,
            "MAX_WIDTH": 11, "MAX_LAYERS": 3, "MAX_CLASSES": 5, "WEIGHT_DEPTH": 20,
        },
    ),
    "fcc_sign_coder": (
        {"PE": 5, "CLASSES": 7, "GROUP_BITS": 1},
        {"PE": 32, "CLASSES": 4, "GROUP_BITS": 1},
    ),
    "fcc_hidden_block": (
        {"PE": 5, "GROUPS": 3, "WIDTH": 13},
        {"PE": 4, "GROUPS": 3, "WIDTH": 12},
    ),
    "fcc_image_sink": (
        {"WIDTH": 8, "CAPACITY": 13},
        {"WIDTH": 16, "CAPACITY": 21},
        {"WIDTH": 64, "CAPACITY": 70},
        {"WIDTH": 16, "CAPACITY": 21, "ORDER": 2},
    ),
    "fcc_lane": tuple(
        {
            "PE": pe, "SIMD": simd, "RING": ring, "TAPS": taps, "ACC_BITS": 6,
            "GROUPS": groups, "GROUP_BITS": 2, "ORDER": order,
        }
        for pe, simd, ring, taps, groups, order in (
            (3, 4, 3, 2, 4, 1), (5, 2, 4, 3, 2, 1), (4, 4, 3, 1, 3, 1), (3, 4, 3, 2, 4, 2)
        )
    ),
    "fcc_lanes": tuple(
        {
            "LANES": lanes, "PE": pe, "SIMD": 4, "RING": 3, "TAPS": 2, "ACC_BITS": 6, "GROUPS": 4,
            "GROUP_BITS": 2, "DRAIN": 7 if order == 1 else 9, "ORDER": order,
        }
        for lanes, pe, order in ((3, 3, 1), (2, 3, 2), (4, 17, 2))
    ),
    "fcc_map_engine": (
        {
            "PE": 2, "SLOT": 2, "RING": 3, "SCORE_BITS": 7, "GROUPS": 2, "MAX_LAYERS": 2,
            "MAX_CLASSES": 4, "WEIGHT_DEPTH": 6, "BANK_DEPTH": 3, "THRESHOLD_DEPTH": 5,
            "MAP_INPUT": 2, "MAP_EVEN": 2, "PLACE": 3, "ORDER": 2, "TERNARY": 1,
        },
    ),
    "fcc_map_lane": tuple(
        {"PE": pe, "SLOT": slot, "ACC_BITS": 5, "GROUP_BITS": 2, "ORDER": order}
        for pe, slot, order in ((2, 2, 1), (1, 3, 2), (17, 1, 1))
    ),
    "fcc_map_lanes": tuple(
        {"PE": pe, "SLOT": slot, "ACC_BITS": 5, "GROUP_BITS": 2, "ORDER": order}
        for pe, slot, order in ((2, 2, 1), (1, 3, 2))
    ),
    "fcc_map_memory": ({"WIDTH": 2, "DEPTH": 3},),
    "fcc_map_registers": tuple(
        {
            "MAP_INPUT": 289, "MAP_EVEN": 225, "MAP_ODD": 4321,
            "PIXEL_CHANNELS": channels, "PIXEL_LEVELS": levels,
        }
        for channels, levels in ((3, 2), (1, 1))
    ),
    "fcc_map_sequencer": tuple(
        {
            "PE": 2, "SLOT": slot, "MAX_LAYERS": layers, "GROUP_BITS": bits, "WEIGHT_DEPTH": 40,
            "THRESHOLD_DEPTH": 12, "ADDRESS_BITS": 6, "IMAGE_DEPTH": 6, "ODD": 30, "DRAIN": drain,
            "TERNARY": ternary,
        }
        for slot, layers, bits, drain, ternary in ((4, 5, 3, 11, 0), (2, 2, 8, 13, 1))
    ),
    "fcc_map_table_check": tuple(
        {
            "PE": 3, "SLOT": slot, "RING": 9, "GROUPS": 5, "MAX_LAYERS": layers, "MAX_CLASSES": 7,
            "WEIGHT_DEPTH": 71, "THRESHOLD_DEPTH": 23, "MAP_INPUT": 12, "MAP_EVEN": 23,
            "MAP_ODD": 11, "ORDER": order, "TERNARY": order - 1,
        }
        for slot, layers, order in ((6, 3, 1), (3, 4, 2))
    ),
    "fcc_map_writer": tuple(
        {"PE": 2, "SLOT": slot, "ORDER": order, "ADDRESS_BITS": 5, "ODD": 12}
        for slot, order in ((6, 1), (2, 2))
    ),
    "fcc_margin_memory": ({"PE": 2, "MARGIN_BITS": 3, "DEPTH": 5},),
    "fcc_memory": ({"WIDTH": 3, "DEPTH": 5}, {"WIDTH": 3, "DEPTH": 1}),
    "fcc_memory_bank": (
        {"WIDTH": 3, "DEPTH": 2, "SLICE": 4}, {"WIDTH": 8, "DEPTH": 2, "SLICE": 4},
        {"WIDTH": 9, "DEPTH": 2, "SLICE": 4},
    ),
    "fcc_memory_slice": ({"WIDTH": 3, "DEPTH": 5}, {"WIDTH": 3, "DEPTH": 1}),
    "fcc_pair": ({"PE": 2, "ACC_BITS": 4},),
    "fcc_parity_coder": tuple({"WIDTH": width} for width in (1, 8, 21, 37)),
    "fcc_parity_prefix": tuple({"WIDTH": width} for width in (1, 2, 7, 16)),
    "fcc_pe_array": (
        {"PE": 5, "SIMD": 5, "TAPS": 2, "ACC_BITS": 6, "TAG_BITS": 2},
        {"PE": 1, "SIMD": 1, "TAPS": 1, "ACC_BITS": 4, "TAG_BITS": 1},
        {"PE": 37, "SIMD": 3, "TAPS": 2, "ACC_BITS": 5, "TAG_BITS": 1},
    ),
    "fcc_pixel_sink": tuple(
        {"WIDTH": width, "CHANNELS": channels, "LEVELS": levels, "DEPTH": depth}
        for width, channels, levels, depth in ((8, 1, 1, 6), (32, 2, 2, 5))
    ),
    "fcc_result_source": (
        {"LANES": 3, "PE": 4, "MAX_CLASSES": 6, "SCORE_BITS": 5, "GROUP_BITS": 4},
        {"LANES": 1, "PE": 5, "MAX_CLASSES": 3, "SCORE_BITS": 32, "GROUP_BITS": 1},
    ),
    "fcc_ring": tuple(
        {"SIMD": simd, "RING": ring, "TAPS": taps}
        for simd, ring, taps in ((3, 5, 1), (2, 7, 3), (2, 4, 4), (33, 4, 2))
    ),
    "fcc_ring_block": tuple(
        {"SIMD": 2, "RING": ring, "TAPS": taps, "FIRST": first, "POSITIONS": positions}
        for ring, taps, first, positions in (
            (5, 1, 0, 5), (7, 3, 0, 4), (7, 3, 4, 3), (4, 4, 2, 2), (1, 1, 0, 1)
        )
    ),
    "fcc_sequencer": tuple(
        {
            "PE": pe, "SIMD": simd, "RING": ring, "TAPS": taps, "MAX_LAYERS": 3, "GROUPS": groups,
            "GROUP_BITS": 2, "WEIGHT_DEPTH": 40, "THRESHOLD_DEPTH": 12, "DRAIN": drain,
            "TERNARY": ternary,
        }
        for pe, simd, ring, taps, groups, drain, ternary in (
            *((5, 3, 5, 3, 3, 7, 0), (3, 4, 5, 1, 4, 7, 0), (2, 3, 4, 2, 4, 3, 0)),
            (3, 4, 5, 1, 4, 9, 1),
        )
    ),
    "fcc_table_check": tuple(
        {
            "PE": pe, "SIMD": simd, "RING": 6, "GROUPS": 5, "MAX_WIDTH": 29, "MAX_LAYERS": 5,
            "MAX_CLASSES": 7, "WEIGHT_DEPTH": 71, "THRESHOLD_DEPTH": 23, "ORDER": order,
            "TERNARY": ternary,
        }
        for pe, simd, order, ternary in ((3, 5, 1, 0), (11, 2, 1, 0), (3, 5, 2, 1))
    ),
    "fcc_threshold_memory": ({"PE": 3, "SCORE_BITS": 4, "DEPTH": 5},),
    "fcc_threshold_source": tuple(
        {"PE": 3, "SCORE_BITS": 4, "DEPTH": 5, "ORDER": order} for order in (1, 2)
    ),
    "fcc_weight_memory": (
        {"WIDTH": 3, "DEPTH": 11, "BANK_DEPTH": 4, "SLICE": 2},
        {"WIDTH": 2, "DEPTH": 5, "BANK_DEPTH": 1},
        {"WIDTH": 2, "DEPTH": 5, "BANK_DEPTH": 8},
    ),
    "fcc_weight_source": tuple(
        {"WIDTH": 13, "DEPTH": 5, "BANK_DEPTH": 2, "BEAT": beat} for beat in (0, 8)
    ),
    "fcc_weight_stream": (
        {"WIDTH": 13, "BEAT": 8},
        {"WIDTH": 8, "BEAT": 8},
        {"WIDTH": 24, "BEAT": 8},
    ),
    "fcc_window_feeder": tuple(
        {"SLOT": 2, "ORDER": order, "ADDRESS_BITS": 4} for order in (1, 2)
    ),
    "fcc_word_loader": (
        {"CHUNK": 8, "WIDTH": 29, "SLICE": 29, "DEPTH": 5},
        {"CHUNK": 8, "WIDTH": 29, "SLICE": 16, "DEPTH": 5},
        {"CHUNK": 8, "WIDTH": 37, "SLICE": 16, "DEPTH": 5},
        {"CHUNK": 8, "WIDTH": 8, "SLICE": 8, "DEPTH": 8, "PRESET_WORDS": 8},
        {"CHUNK": 8, "WIDTH": 29, "SLICE": 29, "DEPTH": 5, "PATCH": 1},
    ),
    "xnor_popcount": _POPCOUNTS,
    # In its only place.
    "fcc_plane_counter": _POPCOUNTS,
}
_PROOF_TOPS = {"fcc_plane_counter": "xnor_popcount"}


def parents() -> dict[str, list[str]]:
    """For every module of the core those that contain it, wrappers with many sizes included."""
    names = [path.stem for path in rtl_sources()]
    result: dict[str, list[str]] = {name: [] for name in names}
    for path in [*rtl_sources(), *sorted(MODULES.glob("*_sizes.v"))]:
        text = re.sub(r"//.*", "", path.read_text())
        for name in names:
            if name != path.stem and re.search(rf"^\s*{name}\s+(#\s*\(|\w+\s*\()", text, re.M):
                result[name].append(path.stem)
    return result


def only_in_maps(module: str, above: dict[str, list[str]]) -> bool:
    """Whether a core for dense layers has no such module."""
    if module in ("fcc_core", "xnor_fcc"):
        return False
    cores = [name for name in above[module] if not name.endswith("_sizes")]
    return module == _MAP_CORE or all(only_in_maps(name, above) for name in cores)


def own_tests(module: str, above: dict[str, list[str]]) -> list[str]:
    """The test of a module's name, and those whose wrapper contains it."""
    wrappers = [name for name in above[module] if name.endswith("_sizes")]
    return [
        f"verif/modules/{path.name}"
        for path in sorted(MODULES.glob("test_*.py"))
        if path.stem == f"test_{module}"
        or any(f'"{wrapper}.v"' in path.read_text() for wrapper in wrappers)
    ]


def stages(module: str) -> list[Stage]:
    """The tests that judge a module: its own, those above it level by level, whole cores."""
    above = parents()
    if module not in above:
        raise UserError(f"There is no module {module}; rtl/sources.f lists those there are.")
    result: list[Stage] = []
    level, seen = [module], {module}
    run: set[str] = set()
    # Wrappers are nobody's part; whole cores follow below.
    parts = set(above) - {"fcc_core", _MAP_CORE, "xnor_fcc"}
    while level:
        tests = {test for name in level for test in own_tests(name, above)} - run
        if tests:
            result.append(Stage(tuple(sorted(tests))))
        run |= tests
        level = sorted({name for below in level for name in above[below]} & parts - seen)
        seen |= set(level)
    if result[:1] == [Stage((_POPCOUNT_TEST,))]:
        result = [Stage(_SOONER), *result[-1:]]
    if module in _LEARNING_ONLY:
        return [*result, LEARNING]
    result += MAPS if only_in_maps(module, above) else (CORE, KINDS)
    if module in _LEARNING_TOO:
        result.append(LEARNING)
    if module in _STREAMED_MODULES:
        result.append(STREAMED)
    if module == "xnor_fcc":
        result[1:1] = [PARAMETERS, Stage(("verif/core/test_fcc_core.py",))]
    return result


def quotas(total: int, modules: Sequence[str]) -> dict[str, int]:
    """How many mutants each module gets: in proportion to the places where one can be planted, and
    at least five or as many as there are."""
    planted = {name: mutants(RTL / f"{name}.v") for name in modules}
    size = {name: len({m.start for m in found}) for name, found in planted.items()}
    fewest = min(_FEWEST, total // len(modules))
    result = {name: min(fewest, len(planted[name])) for name in modules}
    # The next one goes where it is most lacking.
    while sum(result.values()) < total:
        open_ones = [name for name in modules if result[name] < len(planted[name])]
        if not open_ones:
            break
        result[min(open_ones, key=lambda name: (result[name] + 1) / size[name])] += 1
    return result


# ---- one mutant


@dataclass
class Verdict:
    """What became of a mutant; as JSON, a line of results.jsonl."""

    key: str
    mutant: str
    """Its name; `digest` is what identifies it."""
    digest: str
    text: str
    verdict: str
    by: str
    """The test that failed, or the method of the proof."""
    seconds: float


def _sha(*parts: bytes) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(hashlib.sha256(part).digest())
    return digest.hexdigest()[:16]


class Campaign:
    """Judges mutants, several at a time, and remembers the verdicts.

    With `reads_only` it knows verdicts and cannot judge; else it is the only one of its directory,
    or `UserError`.
    """

    def __init__(self, output: Path, rtl: Path = RTL, reads_only: bool = False) -> None:
        self.output = output
        self.rtl = rtl
        if not reads_only:
            output.mkdir(parents=True, exist_ok=True)
            self._lock = simulator.claim(
                output, f"Another campaign is at work in {output}; wait for it, or give --output."
            )
            # A copy: a campaign is long, and somebody may be at work on the RTL.
            self.rtl = output / "rtl"
            shutil.rmtree(self.rtl, ignore_errors=True)
            self.rtl.mkdir()
            for path in [*rtl.glob("*.v"), *rtl.glob("*.vh")]:
                shutil.copy(path, self.rtl)
        self.results = output / "results.jsonl"
        self.known: dict[str, dict[str, Any]] = {}
        self.lock = threading.Lock()
        self.baseline_lock = threading.Lock()
        self.processes: set[ForkServerProcess] = set()
        if self.results.exists():
            for line in self.results.read_text().splitlines():
                try:
                    row = json.loads(line)
                    self.known[row["key"]] = row
                except (ValueError, KeyError, TypeError):
                    continue  # the line that was being written when the run was killed

    def judge(self, mutant: Mutant, levels: Sequence[Stage] | None = None) -> Verdict:
        """Run the tests until one fails; `levels` are those of its module unless given."""
        levels = stages(mutant.module) if levels is None else levels
        keys = self._keys(mutant, levels)
        for key in keys:
            # A verdict of earlier stages counts only if it ended there.
            row = self.known.get(key)
            if row is not None:
                return Verdict(**{**row, "mutant": mutant.name, "text": str(mutant)})
        begin = time.monotonic()
        work = self.output / "work" / mutant.digest
        shutil.rmtree(work, ignore_errors=True)
        copy = work / "rtl"
        shutil.copytree(self.rtl, copy)
        target = copy / f"{mutant.module}.v"
        target.write_text(mutant.apply(target.read_text()))
        verdict, by = SURVIVED, ""
        step = 0
        while verdict == SURVIVED and step < len(keys):
            if step == 1:
                verdict, by = self._compare(mutant, copy, work)
            else:
                level = levels[max(0, step - 1)]
                verdict, by = self._run(level, copy, work, self.limit(level))
            step += 1
        shutil.rmtree(work, ignore_errors=True)
        seconds = round(time.monotonic() - begin, 1)
        result = Verdict(
            keys[step - 1], mutant.name, mutant.digest, str(mutant), verdict, by, seconds
        )
        self._remember(vars(result))
        return result

    def close(self) -> None:
        """Let another campaign have the directory."""
        self._lock.release()

    def stop(self) -> None:
        """Kill the tests that are running."""
        with self.lock:
            for process in self.processes:
                _kill(process)

    def limit(self, stage: Stage) -> float:
        """Seconds that a stage may take, from what it takes with the original, which must pass."""
        with self.baseline_lock:
            files = [*stage.files, *sorted(self.rtl.glob("*.v"))]
            key = "original-" + _sha(repr(stage).encode(), *(p.read_bytes() for p in files))
            if key not in self.known:
                work = self.output / "work" / key
                shutil.rmtree(work, ignore_errors=True)
                begin = time.monotonic()
                verdict, by = self._run(stage, self.rtl, work, 1800)
                if verdict != SURVIVED:
                    raise UserError(f"The original fails {by or stage.tests[0]}; mend that first.")
                shutil.rmtree(work, ignore_errors=True)
                seconds = round(time.monotonic() - begin, 1)
                self._remember({"key": key, "tests": stage.tests, "seconds": seconds})
            return max(_LEAST_SECONDS, _PATIENCE * float(self.known[key]["seconds"]))

    def _keys(self, mutant: Mutant, levels: Sequence[Stage]) -> list[str]:
        """For every step a key of all that a verdict reached there depends on: the first stage, the
        proofs, the other stages."""
        source = (self.rtl / f"{mutant.module}.v").read_bytes()
        parts = [source, mutant.digest.encode()]
        result = []
        for number, level in enumerate(levels):
            parts += [repr(level).encode(), *(path.read_bytes() for path in level.files)]
            result.append(_sha(*parts))
            if number == 0:
                parts.append(repr(PROOFS.get(mutant.module)).encode())
                parts.append(Path(equivalence.__file__).read_bytes())
                result.append(_sha(*parts))
        return result

    def _remember(self, row: dict[str, Any]) -> None:
        with self.lock:
            self.known[row["key"]] = row
            with self.results.open("a") as file:
                file.write(json.dumps(row) + "\n")

    def _run(self, stage: Stage, rtl: Path, work: Path, limit: float) -> tuple[str, str]:
        """Verdict of a stage over the sources in `rtl`, and the test that gave it."""
        work.mkdir(parents=True, exist_ok=True)
        environment = {
            "SIM": "icarus",
            "XNOR_FCC_RTL": str(rtl),
            "XNOR_FCC_BUILD": str(work / "build"),
            "XNOR_FCC_MAX_FAILURES": "1",
        }
        arguments = ["-x", "-q", "-p", "no:cacheprovider", "--basetemp", str(work / "tmp")]
        arguments += [*stage.tests, *(("-k", stage.select) if stage.select else ())]
        log = work / "pytest.log"
        process = _FORKS.Process(target=_pytest, args=(arguments, environment, log))
        with self.lock:
            process.start()
            self.processes.add(process)
        try:
            process.join(limit)
            code = process.exitcode
        finally:
            _kill(process)
            with self.lock:
                self.processes.discard(process)
        text = log.read_text(errors="replace")
        if code == 0:
            return SURVIVED, ""
        if code is None:
            return KILLED, f"time-out in {stage.tests[0]}"
        if code != 1:
            raise UserError(f"pytest {' '.join(arguments)} did not run ({_last(text)}).")
        if "does not build (" in text:
            return INVALID, ""
        failed = re.search(r"^(?:FAILED|ERROR) (\S+)", text, re.MULTILINE)
        return KILLED, failed[1] if failed else stage.tests[0]

    def _compare(self, mutant: Mutant, changed: Path, work: Path) -> tuple[str, str]:
        """The verdict of Yosys, for all PROOFS of the module, and the method."""
        top = _PROOF_TOPS.get(mutant.module, mutant.module)
        original, other = (sorted(where.glob("*.v")) for where in (self.rtl, changed))
        verdict, by = SURVIVED, ""
        for parameters in PROOFS.get(mutant.module, ()):
            found = equivalence.compare(top, parameters, original, other, self.rtl, work / "proof")
            if found == equivalence.REFUSED:
                return INVALID, "Yosys"
            if found == equivalence.OPEN:
                return SURVIVED, ""
            verdict, by = EQUIVALENT, equivalence.METHOD
        return verdict, by


def _last(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing"


def _kill(process: ForkServerProcess) -> None:
    """Kill a process and all that it has started."""
    assert process.pid is not None, "it has been started"
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.join()


# ---- a campaign


@dataclass
class _Line:
    """A module on its way through its mutants."""

    quota: int
    waiting: Iterator[Mutant]
    running: int = 0
    done: list[Verdict] = field(default_factory=list)

    def valid(self) -> int:
        return sum(verdict.verdict != INVALID for verdict in self.done)

    def open(self) -> int:
        return self.quota - self.valid() - self.running


def run(
    campaign: Campaign, quota: dict[str, int], jobs: int, progress: bool = True
) -> list[Verdict]:
    """Judge mutants until every module has as many valid ones as its quota asks for."""
    lines = {
        name: _Line(count, iter(mutants(campaign.rtl / f"{name}.v", SEED)))
        for name, count in quota.items()
    }
    running: dict[Future[Verdict], str] = {}
    counts: Counter[str] = Counter()
    bar = tqdm(total=sum(quota.values()), unit=" mutants", disable=not progress)
    with ThreadPoolExecutor(jobs) as pool, bar:
        try:
            while True:
                while len(running) < jobs:
                    # All modules advance together, so that an interrupted campaign is a fair one.
                    lacking = [name for name, line in lines.items() if line.open() > 0]
                    if not lacking:
                        break
                    name = max(lacking, key=lambda n: lines[n].open() / lines[n].quota)
                    mutant = next(lines[name].waiting, None)
                    if mutant is None:
                        lines[name].quota = lines[name].valid() + lines[name].running
                        continue
                    lines[name].running += 1
                    running[pool.submit(campaign.judge, mutant)] = name
                if not running:
                    break
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    name = running.pop(future)
                    verdict = future.result()
                    lines[name].running -= 1
                    lines[name].done.append(verdict)
                    counts[verdict.verdict] += 1
                    if verdict.verdict != INVALID:
                        bar.update()
                    if verdict.verdict == SURVIVED:
                        bar.write(f"survived: {verdict.text}", file=sys.stderr)
                    bar.set_postfix(killed=counts[KILLED], survived=counts[SURVIVED])
        finally:
            for future in running:
                future.cancel()
            campaign.stop()
    return [verdict for line in lines.values() for verdict in line.done]


def score(killed: int, mutants: int, equivalent: int) -> float:
    """Share of the mutants that are faults which the tests find; 1 where there is none."""
    faults = mutants - equivalent
    return killed / faults if faults else 1.0


def report(
    verdicts: Sequence[Verdict], seconds: float, quota: Mapping[str, int]
) -> dict[str, Any]:
    """What report.json holds; `quota`: how many of which modules were asked for."""

    def counted(some: Sequence[Verdict]) -> dict[str, Any]:
        counts = Counter(verdict.verdict for verdict in some)
        valid = len(some) - counts[INVALID]
        return {
            "mutants": valid,
            **{name: counts[name] for name in (KILLED, SURVIVED, EQUIVALENT, INVALID)},
            "score": round(score(counts[KILLED], valid, counts[EQUIVALENT]), 4),
        }

    modules: dict[str, list[Verdict]] = {}
    for verdict in verdicts:
        modules.setdefault(verdict.mutant.rsplit("-", 1)[0], []).append(verdict)
    why = reasons()
    return {
        **counted(verdicts),
        # Modules without a verdict: they or their tests have changed since.
        "open": sorted(name for name, count in quota.items() if count and name not in modules),
        "killed_by_time_out": sum(v.by.startswith("time-out") for v in verdicts),
        "per_module": {name: counted(modules[name]) for name in sorted(modules)},
        "survivors": [
            {
                "mutant": v.mutant,
                "digest": v.digest,
                "text": v.text,
                "reason": why.get(v.digest, {}).get("reason", ""),
            }
            for v in sorted(verdicts, key=lambda v: v.text)
            if v.verdict == SURVIVED
        ],
        "proven": [
            {"mutant": v.mutant, "text": v.text, "method": v.by}
            for v in sorted(verdicts, key=lambda v: v.text)
            if v.verdict == EQUIVALENT
        ],
        "seconds": round(seconds, 1),
    }


def reasons() -> dict[str, dict[str, str]]:
    """Why a survivor survives, by the mutant's digest."""
    return dict(json.loads(REASONS.read_text())) if REASONS.exists() else {}


def summary(result: dict[str, Any]) -> str:
    """A report as text."""
    rows = [_figures(name, row) for name, row in [*result["per_module"].items(), ("all", result)]]
    return columns(("module", "mutants", "killed", "survived", "equivalent", "score"), rows, [0])


def _figures(name: str, row: Mapping[str, Any]) -> tuple[object, ...]:
    """A row of either table."""
    counts = (row[key] for key in ("mutants", "killed", "survived", "equivalent"))
    return (name, *counts, f"{100 * row['score']:.1f} %")


def page(result: dict[str, Any]) -> str:
    """The part of MUTATION.md that is generated."""
    rows = [_figures(f"`{name}`", row) for name, row in result["per_module"].items()]
    rows.append(_figures("**all**", result))
    head = ("module", "mutants", "killed", "survived", "proven equivalent", "score")
    lines = [
        markdown(head, rows),
        "",
        f"{result['invalid']} more did not elaborate and were replaced; "
        f"{result['killed_by_time_out']} of those killed were killed by the time limit.",
        "",
        *_open(result["open"]),
        "### Survivors",
        "",
    ]
    lines += [f"- {row['text']}\n  {row['reason'] or 'Open.'}" for row in result["survivors"]]
    if not result["survivors"]:
        lines.append("None.")
    lines += ["", "### Proven equivalent", ""]
    lines += [f"- {row['text']}" for row in result["proven"]] or ["None."]
    return "\n".join(lines)


def _open(names: Sequence[str]) -> list[str]:
    """What the page says of modules that have no verdict."""
    if not names:
        return []
    listed = textwrap.fill(", ".join(f"`{name}`" for name in names), 100)
    return ["Not judged as they are now, with the tests that there are now:", "", listed, ""]


def write_page(result: dict[str, Any], path: Path = PAGE) -> None:
    """Put the result into MUTATION.md."""
    fill(path, page(result))


def parser() -> argparse.ArgumentParser:
    """The command line."""
    result = CommandLine(
        prog="make mutate",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="With make, write options in ARGS: make mutate ARGS='--sample 25'. Verdicts are "
        "kept in results.jsonl of the output directory: a second run goes on where the first one "
        "was, and judges again what depends on a changed file. The report, report.json, is beside "
        "it.",
    )
    result.add_argument(
        "--mutants", type=int, default=MUTANTS, help=f"how many, over all modules ({MUTANTS})"
    )
    result.add_argument(
        "--sample",
        type=int,
        metavar="N",
        help="only N mutants, the first ones of modules whose tests are quick",
    )
    result.add_argument("--module", action="append", help="only mutants of this module; repeatable")
    result.add_argument("--only", metavar="NAME", help="one mutant, for example fcc_argmax-3")
    result.add_argument("--list", action="store_true", help="list the mutants and run nothing")
    result.add_argument("--show", action="store_true", help="report what is known and run nothing")
    result.add_argument(
        "--jobs", type=int, default=os.cpu_count() or 1, help="at a time (all processor cores)"
    )
    result.add_argument("--write", action="store_true", help="put the result into MUTATION.md")
    result.add_argument(
        "--output", type=Path, default=OUTPUT, help="directory of the results (build/mutate)"
    )
    return result


def _quota(arguments: argparse.Namespace) -> dict[str, int]:
    """How many mutants of which modules are asked for."""
    names = [path.stem for path in rtl_sources()]
    for name in arguments.module or ():
        if name not in names:
            raise UserError(f"There is no module {name}; rtl/sources.f lists those there are.")
    if arguments.sample is not None:
        if arguments.sample < 1:
            raise UserError("--sample asks for at least one mutant.")
        return quotas(arguments.sample, arguments.module or CHEAP)
    if arguments.mutants < 1:
        raise UserError("--mutants asks for at least one mutant.")
    quota = quotas(arguments.mutants, names)
    return {name: quota[name] for name in arguments.module or names}


def _one(name: str, output: Path) -> int:
    module, _, number = name.rpartition("-")
    if not (RTL / f"{module}.v").exists() or not number.isdigit():
        raise UserError(f"{name} is not a mutant's name, which is a module, a dash and a number.")
    campaign = Campaign(output)
    found = mutants(campaign.rtl / f"{module}.v", SEED)
    if int(number) >= len(found):
        raise UserError(f"{module} has mutants 0 to {len(found) - 1}.")
    verdict = campaign.judge(found[int(number)])
    print(f"{verdict.text}\n{verdict.verdict}{f' by {verdict.by}' if verdict.by else ''}")
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; `UserError` if a mutant survived a sample."""
    arguments = parser().parse_args(argv)
    if arguments.jobs < 1:
        raise UserError("--jobs asks for at least one.")
    if arguments.only:
        return _one(arguments.only, arguments.output)
    quota = _quota(arguments)
    if arguments.list:
        for name, count in quota.items():
            for mutant in mutants(RTL / f"{name}.v", SEED)[:count]:
                print(f"{mutant.name:24}{mutant.digest}  {mutant}")
        return 0
    if arguments.show and not (arguments.output / "results.jsonl").exists():
        raise UserError(f"There are no results in {arguments.output} yet; run make mutate.")
    for program in ("iverilog",):
        if shutil.which(program) is None:
            raise UserError(f"{program} is needed: install it (Debian: apt install {program}).")
    # A shell that starts it in the background has it ignore Ctrl-C.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    campaign = Campaign(arguments.output, reads_only=arguments.show)
    begin = time.monotonic()
    measured_on = source()
    verdicts = known(campaign, quota) if arguments.show else run(campaign, quota, arguments.jobs)
    # Of all mutants, whenever they were judged.
    seconds = sum(verdict.seconds for verdict in verdicts)
    result = report(verdicts, seconds, quota)
    result["wall_seconds"] = round(time.monotonic() - begin, 1)
    result["source"] = measured_on
    print(summary(result))
    for row in result["survivors"]:
        print(f"survived: {row['mutant']} {row['digest']} {row['text']}")
    if arguments.sample is None and not arguments.module:
        write_json(arguments.output / "report.json", result)
        if arguments.write:
            write_page(result)
    if arguments.sample is not None and result["survivors"]:
        raise UserError(f"{len(result['survivors'])} of the sample survived: add tests for them.")
    return 0


def known(campaign: Campaign, quota: dict[str, int]) -> list[Verdict]:
    """The verdicts that there are already."""
    result = []
    for name, count in quota.items():
        levels = stages(name)
        valid = 0
        for mutant in mutants(campaign.rtl / f"{name}.v", SEED):
            rows = [campaign.known.get(key) for key in campaign._keys(mutant, levels)]
            row = next((row for row in rows if row), None)
            if row and valid < count:
                verdict = Verdict(**{**row, "mutant": mutant.name, "text": str(mutant)})
                valid += verdict.verdict != INVALID
                result.append(verdict)
    return result


if __name__ == "__main__":
    sys.exit(run_main(main))
