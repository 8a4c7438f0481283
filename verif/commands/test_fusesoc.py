# SPDX-License-Identifier: Apache-2.0
"""The core file: in step with the RTL, and what its targets say is so."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from faults import plant
from xnor_fcc import __version__, rtl
from xnor_fcc.places import ROOT, RTL
from xnor_fcc_sim.toolchain import verilator_environment

CORE = yaml.safe_load((RTL / "xnor_fcc.core").read_text())
BENCH = ROOT / "verif" / "fusesoc"
NAME = "xnor-fcc:core:xnor_fcc"
WORDS = len((BENCH / "vectors" / "results.hex").read_text().split())
SMALL = ["--PE=4", "--SIMD=8", "--LANES=1", "--MAX_WIDTH=24"]


def test_the_files_are_those_of_the_list() -> None:
    files = CORE["filesets"]["rtl"]["files"]
    sources = [file for file in files if isinstance(file, str)]
    assert sources == [path.name for path in rtl.sources()]
    included = [file for file in files if not isinstance(file, str)]
    assert included == [{path.name: {"is_include_file": True}} for path in rtl.headers()]


def test_the_parameters_are_those_of_the_module() -> None:
    assert CORE["parameters"] == rtl.edam()["parameters"]
    for target in ("default", "lint"):
        names = [f"is_toplevel ? ({name})" for name in CORE["parameters"]]
        assert CORE["targets"][target]["parameters"] == names


def test_the_version_is_that_of_the_package() -> None:
    assert CORE["name"] == f"{NAME}:{__version__}"
    bench = yaml.safe_load((BENCH / "xnor_fcc_tb.core").read_text())
    assert bench["name"] == f"xnor-fcc:verif:xnor_fcc_tb:{__version__}"


def test_the_vectors_are_what_the_script_writes(tmp_path: Path) -> None:
    command = [sys.executable, str(BENCH / "make_vectors.py"), "--output", str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "model")}
    subprocess.run(command, env=environment, check=True)
    committed = {path.name: path.read_text() for path in (BENCH / "vectors").iterdir()}
    written = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert written == committed, "run python verif/fusesoc/make_vectors.py"
    # As many as the testbench counts on.
    text = (BENCH / "xnor_fcc_tb.v").read_text()
    count = {name: int(n) for name, n in re.findall(r"localparam (\w+) = (\d+);", text)}
    assert len(committed["images.hex"].splitlines()) == count["IMAGES"] * count["BEATS"]
    assert len(committed["results.hex"].splitlines()) == count["IMAGES"] * (count["CLASSES"] + 1)


# ---- targets


def fusesoc(tree: Path, *arguments: str) -> tuple[int, str]:
    """Exit code and output of `fusesoc --cores-root . run ...` in `tree`, with a configuration of
    its own."""
    command = [sys.executable, "-m", "fusesoc.main", "--cores-root", ".", "run", *arguments]
    home = {f"XDG_{kind}_HOME": str(tree / kind) for kind in ("CACHE", "CONFIG", "DATA")}
    environment = {**os.environ, **verilator_environment(), **home}
    result = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True)
    return result.returncode, result.stdout + result.stderr


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of what belongs to the core, which a test may spoil."""
    rtl.copy(tmp_path / "tree")
    return tmp_path / "tree"


def spoil(file: Path, good: str, bad: str) -> None:
    file.write_text(plant(file.name, file.read_text(), good, bad))


def spoil_words(tree: Path, count: int) -> None:
    """The last bit of the first `count` words that are expected."""
    results = tree / "verif" / "fusesoc" / "vectors" / "results.hex"
    words = results.read_text().split()
    words[:count] = [f"{int(word, 16) ^ 1:08x}" for word in words[:count]]
    results.write_text("\n".join(words) + "\n")


@pytest.mark.slow
def test_lint(tree: Path) -> None:
    code, log = fusesoc(tree, "--target=lint", NAME, *SMALL)
    assert code == 0, log
    spoil(tree / "rtl" / "xnor_fcc.v", "\nendmodule", "\n  wire loose = clk;\nendmodule")
    code, log = fusesoc(tree, "--target=lint", NAME, *SMALL)
    assert code != 0
    assert "%Warning-UNUSEDSIGNAL" in log


def test_lint_takes_parameters(tree: Path) -> None:
    code, log = fusesoc(tree, "--target=lint", NAME, "--PE=0")
    assert code != 0
    assert "PE_must_be_at_least_1" in log


@pytest.mark.needs("iverilog")
def test_sim_with_icarus(tree: Path) -> None:
    code, log = fusesoc(tree, "--target=sim", NAME)
    assert code == 0, log
    assert re.search(r"^PASS: \d+ images", log, re.M)


# That a testbench that finds something fails, the next two say too.
@pytest.mark.slow
@pytest.mark.needs("iverilog")
def test_sim_sees_a_fault_in_the_rtl(tree: Path) -> None:
    spoil(tree / "rtl" / "fcc_argmax.v", "> $signed(best_score_reg)", "< $signed(best_score_reg)")
    code, log = fusesoc(tree, "--target=sim", NAME)
    assert code != 0
    assert re.search(r"^FAIL: ", log, re.M)


@pytest.mark.slow
@pytest.mark.needs("iverilog")
def test_sim_compares_every_word(tree: Path) -> None:
    spoil_words(tree, WORDS)
    code, log = fusesoc(tree, "--target=sim", NAME)
    assert code != 0
    assert re.search(rf"^FAIL: {WORDS} of {WORDS} words came, {WORDS} of them wrong", log, re.M)


@pytest.mark.slow
@pytest.mark.needs("iverilog")
@pytest.mark.parametrize(
    ("file", "good", "bad", "said"),
    [
        ("verif/fusesoc/xnor_fcc_tb.v", "(result_startofpacket)", "()", f"{WORDS} of them wrong"),
        ("verif/fusesoc/xnor_fcc_tb.v", "(result_endofpacket)", "()", f"{WORDS} of them wrong"),
        ("rtl/fcc_csr.v", "| error_event[ERRORS-1:0];", "| 9'd4;", "ERROR is 00000004"),
    ],
    ids=["no startofpacket", "no endofpacket", "an error"],
)
def test_sim_sees_more_than_the_words(
    file: str, good: str, bad: str, said: str, tree: Path
) -> None:
    """A core that says nothing of the packets, or that reports an error beside right answers."""
    spoil(tree / file, good, bad)
    code, log = fusesoc(tree, "--target=sim", NAME)
    assert code != 0
    assert re.search(rf"^FAIL: {WORDS} of {WORDS} words came, .*{said}", log, re.M)


@pytest.mark.slow
def test_sim_with_verilator(tree: Path) -> None:
    code, log = fusesoc(tree, "--target=sim", NAME, "--tool=verilator")
    assert code == 0, log
    assert re.search(r"^PASS: \d+ images", log, re.M)
    spoil_words(tree, 1)
    code, log = fusesoc(tree, "--target=sim", NAME, "--tool=verilator")
    assert code != 0
    assert re.search(r"^FAIL: .* 1 of them wrong", log, re.M)


@pytest.mark.slow
def test_another_core_can_depend_on_this_one(tree: Path) -> None:
    """Its files come along; its parameters are not taken for those of the other top level."""
    (tree / "top.core").write_text(
        "CAPI=2:\n"
        "name: somebody:else:top:1.0.0\n"
        "filesets:\n"
        f"  rtl: {{files: [top.v], file_type: verilogSource, depend: ['>={CORE['name']}']}}\n"
        "targets:\n"
        "  default:\n"
        "    filesets: [rtl]\n"
        "    toplevel: top\n"
        "    flow: lint\n"
        "    flow_options: {tool: verilator, verilator_options: [-Wno-PINMISSING]}\n"
    )
    (tree / "top.v").write_text(
        "module top(input clk, input reset, output irq);\n"
        "  xnor_fcc #(.PE(4), .SIMD(8), .LANES(1), .MAX_WIDTH(24)) core(\n"
        "      .clk(clk), .reset(reset), .ins_csr_irq(irq));\n"
        "endmodule\n"
    )
    code, log = fusesoc(tree, "somebody:else:top")
    assert code == 0, log
    spoil(tree / "top.v", "ins_csr_irq", "no_such_port")
    code, log = fusesoc(tree, "somebody:else:top")
    assert code != 0
    assert "no_such_port" in log
