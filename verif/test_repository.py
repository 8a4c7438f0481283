# SPDX-License-Identifier: Apache-2.0
"""What the documents show is what the repository holds, lists of sources name every file there is,
and files stand where the layout of verif/README.md has them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from measure.benchmark import ORDER2_SIZES
from xnor_fcc.devices import devices
from xnor_fcc.geometry import MAPS, NAMED, Geometry
from xnor_fcc.integer import IntegerNetwork
from xnor_fcc.places import ROOT, RTL
from xnor_fcc_sim.page import timeline as pictures
from xnor_fcc_sim.sources import listed

README = (ROOT / "README.md").read_text()
NETWORKS = (ROOT / "model" / "README.md").read_text()


def test_the_timeline_is_up_to_date() -> None:
    assert (RTL / "doc" / "timeline.svg").read_text() == pictures.timeline(), "run `make pictures`"


def test_links_in_documents_lead_somewhere() -> None:
    folders = (RTL, ROOT / "verif", ROOT / "quartus", ROOT / "model")
    for document in (ROOT / "README.md", *(d for f in folders for d in f.rglob("*.md"))):
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", document.read_text()):
            assert (document.parent / target).exists(), f"{document.name}: {target}"


def test_make_targets_in_the_readme_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in set(re.findall(r"(?:^|`)make ([a-z0-9]+)", README, re.M)):
        assert re.search(rf"^{target}:", makefile, re.M), target


def test_the_help_of_make_names_what_there_is() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for variable, known in (("GEOMETRY", NAMED), ("DEVICE", devices())):
        found = re.search(rf" {variable}=(\S+)", makefile)
        assert found is not None and found[1].split("|") == list(known), variable


SOURCES = sorted(
    path
    for folder in (RTL, ROOT / "verif", ROOT / "model")
    for path in folder.rglob("*")
    if path.suffix in (".v", ".vh", ".vlt", ".py")
)


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: p.name)
def test_every_source_file_names_its_licence(path) -> None:  # type: ignore[no-untyped-def]
    assert "SPDX-License-Identifier: Apache-2.0" in path.read_text()[:200]


def test_figures_in_the_readme_are_those_of_the_repository() -> None:
    network = IntegerNetwork.load(ROOT / "model" / "networks" / "mnist.npz")
    for name, sizes in NAMED.items():
        g = Geometry.for_widths(network.widths, *sizes)
        cycles = g.period_cycles(network.widths) / g.lanes
        row = f"| `{name}` | {', '.join(map(str, sizes))} | {cycles} | "
        assert row + f"{g.latency_cycles(network.widths, 0)} |" in README, name
    for name, sizes in (("cifar10", MAPS), ("cifar10_order2", ORDER2_SIZES)):
        colours = IntegerNetwork.load(ROOT / "model" / "networks" / f"{name}.npz")
        g = Geometry.for_widths(colours.shape, *sizes)
        cycles, latency = g.period_cycles(colours.shape), g.latency_cycles(colours.shape, 0)
        row = f"| {100 * colours.info['test_accuracy']:.2f} % | {cycles:,} (latency {latency:,}) | "
        assert row + f"{50e6 / cycles:,.0f} at 50 MHz |" in README
    # Every committed network has its row, but for what it is in words.
    for path in (ROOT / "model" / "networks").glob("*.npz"):
        if "_trained" in path.stem:
            continue
        other = IntegerNetwork.load(path)
        g = Geometry.for_widths(other.shape, *(MAPS if other.pixels else NAMED["throughput"]))
        cycles = g.period_cycles(other.shape) / g.images_per_batch(other.shape)
        right = 100 * other.info["test_accuracy"]
        row = rf"\| `{path.stem}` \| [^|]+ \| {right:.2f} % \| {cycles} \|"
        assert re.search(row, NETWORKS), row
    accuracy = re.search(r"\*\*([\d.]+) %\*\* of the 10,000", README)
    assert accuracy is not None
    # test_sim and test_parity hold the network to what it says of itself.
    assert float(accuracy[1]) == pytest.approx(100 * network.info["test_accuracy"])


# ---- lists of sources

LISTS = {
    "rtl/sources.f": ["rtl/*.v"],
    "rtl/uart/sources.f": ["rtl/uart/*.v"],
    "quartus/sources.f": [
        "quartus/de1_soc.v", "quartus/demo/*.v", "rtl/boards/demo_*.v", "rtl/boards/*synchroniser.v"
    ],
    "rtl/boards/ulx3s/sources.f": ["rtl/boards/ulx3s/*.v", "rtl/boards/*.v"],
}


def difference(named: Iterable[Path], present: Iterable[Path]) -> list[str]:
    """What is missing from a list of sources, and what is too much in it."""
    named, present = list(named), set(present)
    complaints = [f"{path} is not in the list" for path in sorted(present - set(named))]
    complaints += [f"{path} does not exist" for path in named if path not in present]
    complaints += [f"{path} is there twice" for path in set(named) if named.count(path) > 1]
    return complaints


@pytest.mark.parametrize("name", LISTS)
def test_the_list_is_that_of_the_files(name: str) -> None:
    present = [path for pattern in LISTS[name] for path in ROOT.glob(pattern)]
    assert present
    assert difference(listed(ROOT / name), present) == []


def test_a_difference_is_seen() -> None:
    a, b, c = Path("a.v"), Path("b.v"), Path("c.v")
    assert difference([a, b], [b, a]) == []
    assert difference([a, b, a], [a, c]) == [
        "c.v is not in the list", "b.v does not exist", "a.v is there twice"
    ]


def test_comments_and_empty_lines_are_no_files(tmp_path: Path) -> None:
    path = tmp_path / "sources.f"
    path.write_text("// a comment\n\nrtl/xnor_fcc.v\n")
    assert listed(path) == [ROOT / "rtl" / "xnor_fcc.v"]


# ---- the layout

# Lines of a file of the product at most; a reader holds no more in mind.
LONGEST, LONGEST_CORE = 450, 400


def test_no_file_is_too_long_for_a_reader() -> None:
    folders = (ROOT / "model" / "xnor_fcc", ROOT / "verif" / "xnor_fcc_sim")
    limits = {path: LONGEST for folder in folders for path in folder.rglob("*.py")}
    assert len(limits) > 50
    limits[RTL / "fcc_core.v"] = LONGEST_CORE
    for path, limit in limits.items():
        assert len(path.read_text().splitlines()) <= limit, path


def test_the_readme_is_read_in_two_minutes() -> None:
    """Nor does it lack a cell: a table of results is complete or says nothing."""
    assert len(README.splitlines()) <= 140
    cells = [cell.strip() for row in re.findall(r"^\| .*\|$", README, re.M)
             for cell in row[1:-1].split("|")]  # fmt: skip
    assert len(cells) > 100 and all(cells)


def test_verif_is_folders() -> None:
    """What a file of tests is about says where it stands."""
    verif = ROOT / "verif"
    entries = [path for path in verif.iterdir() if path.name != "__pycache__"]
    assert len(entries) <= 20
    assert [path.name for path in verif.glob("test_*.py")] == ["test_repository.py"]
    readme = (verif / "README.md").read_text()
    for folder in filter(Path.is_dir, entries):
        assert f"`{folder.name}/`" in readme, folder.name


def but_python(folder: str, names: list[str]) -> list[str]:
    """For `shutil.copytree`: the names of files that are not Python."""
    return [name for name in names if "." in name and not name.endswith(".py")]


def contracts(tree: Path) -> subprocess.CompletedProcess[str]:
    """import-linter in a copy of the repository."""
    command = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    return subprocess.run(
        [sys.executable, "-c", command, "--no-cache"],
        cwd=tree,
        env={**os.environ, "PYTHONPATH": f"{tree / 'model'}{os.pathsep}{tree / 'verif'}"},
        capture_output=True,
        text=True,
    )


# An import that each contract of pyproject.toml must find: the file, and what it imports.
PLANTED = {
    "The package needs no simulator": ("model/xnor_fcc/pack.py", "cocotb"),
    "Each folder stands on those below it": (
        "verif/xnor_fcc_sim/bench.py", "campaigns.coverage.monitor"
    ),
    "The report page reads JSON": ("verif/xnor_fcc_sim/page/drawings.py", "measure.area"),
    "Nobody imports a file of tests": ("verif/xnor_fcc_sim/trace.py", "core.test_core"),
    "torch for training and for importing Brevitas models alone": (
        "model/xnor_fcc/data.py", "torch"
    ),
    "Nothing but training stands on training": (
        "model/xnor_fcc/explore.py", "xnor_fcc.training.recipes"
    ),
}  # fmt: skip


@pytest.mark.needs("importlinter")
def test_imports_that_the_layout_forbids_are_found(tmp_path: Path) -> None:
    """All kept in a copy of the repository, all broken where each has an import of its own."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for folder in ("model/xnor_fcc", "verif"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=but_python)
    found = contracts(tmp_path)
    assert found.returncode == 0, found.stdout
    assert f"Contracts: {len(PLANTED)} kept, 0 broken." in found.stdout
    for file, module in PLANTED.values():
        with (tmp_path / file).open("a") as stream:
            stream.write(f"\nimport {module}\n")
    found = contracts(tmp_path)
    assert found.returncode == 1
    for name, (file, module) in PLANTED.items():
        assert f"{name} BROKEN" in found.stdout
        importer = ".".join(Path(file).with_suffix("").parts[1:])
        assert f"{importer} -> {module}" in found.stdout


@pytest.mark.slow
@pytest.mark.parametrize("workers", ["0", "2"])
def test_tests_left_out_are_counted(tmp_path: Path, workers: str) -> None:
    """By what they need, in the process of pytest and from its workers."""
    shutil.copy(ROOT / "verif" / "conftest.py", tmp_path)
    (tmp_path / "test_it.py").write_text(
        "import pytest\n"
        "@pytest.mark.needs('tclsh')\n"
        "@pytest.mark.parametrize('n', range(3))\n"
        "def test_tcl(n): assert False\n"
        "@pytest.mark.needs('iverilog')\n"
        "def test_icarus(): assert False\n"
        "def test_neither(): pass\n"
    )
    command = [sys.executable, "-m", "pytest", "-n", workers, "-p", "no:cacheprovider"]
    result = subprocess.run(
        [*command, "-c", str(ROOT / "pyproject.toml"), "--rootdir", str(tmp_path), str(tmp_path)],
        cwd=tmp_path, env={**os.environ, "PATH": "/nowhere"}, capture_output=True, text=True,
    )  # fmt: skip
    assert result.returncode == 0, result.stdout + result.stderr
    assert "1 passed, 4 skipped" in result.stdout
    left_out = [line for line in result.stdout.splitlines() if line.startswith("left out")]
    assert left_out == [
        "left out: 3 tests: tclsh is not installed (Debian: apt install tcl)",
        "left out: 1 test: iverilog is not installed (Debian: apt install iverilog)",
    ]


@pytest.mark.slow
def test_a_need_nobody_knows_is_an_error(tmp_path: Path) -> None:
    """A word misspelt would leave a test in, or out, for ever."""
    shutil.copy(ROOT / "verif" / "conftest.py", tmp_path)
    (tmp_path / "test_it.py").write_text(
        "import pytest\n@pytest.mark.needs('icarus')\ndef test_it(): pass\n"
    )
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-c", str(ROOT / "pyproject.toml"), str(tmp_path)],
        cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert result.returncode == 4 and "needs icarus, which NEEDED lacks" in result.stderr


@pytest.mark.slow
def test_one_of_many_parameters_is_quick(tmp_path: Path) -> None:
    shutil.copy(ROOT / "verif" / "conftest.py", tmp_path)
    (tmp_path / "test_it.py").write_text(
        "import pytest\n"
        "@pytest.mark.one_quick\n"
        "@pytest.mark.parametrize('n', range(3))\n"
        "def test_many(n): pass\n"
        "def test_one(): pass\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", "-c", str(ROOT / "pyproject.toml")]
    for select, count in (("not slow", 2), ("slow", 2), ("slow or not slow", 4)):
        result = subprocess.run(
            [*command, "-m", select, str(tmp_path)], cwd=tmp_path, capture_output=True, text=True
        )
        assert f"{count} passed" in result.stdout, result.stdout + result.stderr
