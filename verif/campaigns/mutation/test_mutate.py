# SPDX-License-Identifier: Apache-2.0
"""Planting faults, judging them, and a sample of the campaign."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from campaigns.mutation import equivalence, mutate
from campaigns.mutation.mutants import Mutant, mutants
from xnor_fcc.errors import UserError, run_main
from xnor_fcc_sim import simulator
from xnor_fcc_sim.page.reports import Mutation, structure

TOY = """// SPDX-License-Identifier: Apache-2.0
// Not a && b here.
module toy #(parameter WIDTH = 2) (
    input  wire             clk,
    input  wire             a,
    input  wire             b,
    input  wire [WIDTH-1:0] c,
    output reg              y,
    output wire             z,
    output wire             w
);
  (* keep *) wire [WIDTH-1:0] d = c;
  always @(posedge clk) y <= a && b;
  assign z = (d > 2'd3) || a;
  assign w = b ^ d[0];
  wire unused = &{1'b0, d};
endmodule
"""
# The output w is never looked at.
TOY_TESTS = """
import cocotb
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge, Timer

@cocotb.test()
async def truth_table(dut):
    Clock(dut.clk, 10, unit="ns").start()
    for n in range(16):
        dut.a.value, dut.b.value, dut.c.value = n & 1, n >> 1 & 1, n >> 2
        await RisingEdge(dut.clk)
        await Timer(1, "ns")
        assert int(dut.y.value) == (n & 3 == 3)
        assert int(dut.z.value) == n & 1
"""
TEST_TOY = """
import os, sys
sys.path.insert(0, os.path.dirname(__file__))
from xnor_fcc_sim import simulator
from xnor_fcc_sim.sources import RTL

def test_toy(tmp_path):
    simulator.build("toy", sources=[RTL / "toy.v"]).run("toy_tests", tmp_path)
"""


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> mutate.Campaign:
    """A campaign over the toy module; its test is in tmp_path/toy/test_toy.py."""
    folder = tmp_path / "toy"
    (folder / "rtl").mkdir(parents=True)
    (folder / "rtl" / "toy.v").write_text(TOY)
    (folder / "toy_tests.py").write_text(TOY_TESTS)
    (folder / "test_toy.py").write_text(TEST_TOY)
    # Where the tests of the core find their modules.
    monkeypatch.setenv("PYTHONPATH", str(simulator.ROOT / "verif"))
    monkeypatch.setitem(mutate.PROOFS, "toy", ({"WIDTH": 2},))
    return mutate.Campaign(tmp_path / "out", rtl=folder / "rtl")


def home(campaign: mutate.Campaign) -> Path:
    """Where the toy and its tests are."""
    return campaign.output.parent / "toy"


def stage(campaign: mutate.Campaign) -> list[mutate.Stage]:
    return [mutate.Stage((str(home(campaign) / "test_toy.py"),))]


def the(campaign: mutate.Campaign, old: str, new: str) -> Mutant:
    """The toy's mutant that puts `new` in the place of `old`."""
    found = [m for m in mutants(campaign.rtl / "toy.v") if (m.old, m.new) == (old, new)]
    assert len(found) == 1, found
    return found[0]


# ---- planting


@pytest.mark.slow
def test_mutants_are_distinct_and_the_same_again() -> None:
    for path in mutate.RTL.glob("*.v"):
        source = path.read_text()
        found = mutants(path)
        assert len({m.apply(source) for m in found} | {source}) == len(found) + 1, path
        assert [m.number for m in found] == list(range(len(found)))
        assert len({m.digest for m in found}) == len(found)
        assert found == mutants(path)
        if len(found) > 20:
            assert found != mutants(path, seed=2)


def test_what_is_planted_in_a_line(tmp_path: Path) -> None:
    path = tmp_path / "t.v"
    path.write_text(
        "module t (input wire clk);\n"
        "  // if (a && b) x <= 1;\n"
        "  always @(posedge clk) begin\n"
        "    if (a && !b) x <= p ? {q, r[i+:4]} : 2'd3;\n"
        "    if (reset) begin x <= 0; end\n"
        "  end\n"
        "endmodule\n"
    )
    assert {(m.kind, m.old, m.new) for m in mutants(path)} == {
        ("condition negated", "a && !b", "!(a && !b)"),
        ("operator", "&&", "||"),
        ("term dropped", "a && !b", "a"),
        ("term dropped", "a && !b", "!b"),
        ("inversion dropped", "!", ""),
        ("assignment dropped", "x <= p ? {q, r[i+:4]} : 2'd3;", ";"),
        ("choices swapped", "{q, r[i+:4]} : 2'd3", "2'd3 : {q, r[i+:4]}"),
        ("bits swapped", "q, r[i+:4]", "r[i+:4], q"),
        ("constant", "2'd3", "2'd2"),
        ("constant", "2'd3", "2'd0"),
        ("condition negated", "reset", "!(reset)"),
        ("reset dropped", "x <= 0;", ";"),
        ("constant", "0", "1"),
    }


def test_wires_are_crossed_between_neighbours_of_a_kind(tmp_path: Path) -> None:
    path = tmp_path / "t.v"
    path.write_text(
        "module t (input wire clk, input wire a);\n"
        "  wire b;\n  wire [3:0] c;\n  wire [3:0] d;\n"
        "  u u (\n      .clk(clk),\n      .a(a),\n      .b(b),\n      .c(c),\n      .d(d)\n  );\n"
        "endmodule\n"
    )
    assert {" ".join(m.new.split()) for m in mutants(path)} == {".a(b), .b(a),", ".c(d), .d(c)"}


def test_registers_are_narrowed_but_for_ports(tmp_path: Path) -> None:
    path = tmp_path / "t.v"
    path.write_text(
        "module t (input wire clk, output reg [7:0] a);\n"
        "  reg b;\n  reg [31:0] c;\n  wire [31:0] d;\n  reg [BITS-1:0] e[0:3];\n  reg [4:1] f;\n"
        "endmodule\n"
    )
    found = {(m.kind, m.old, m.new) for m in mutants(path)}
    assert found == {
        ("register narrowed", "31", "15"), ("register narrowed", "BITS-1", "(BITS-1)/2")
    }  # fmt: skip


@pytest.mark.slow
@pytest.mark.needs("iverilog")
def test_mutants_are_verilog(tmp_path: Path) -> None:
    """All of a module elaborate, but for those that give a vector no bits."""
    for module in ("fcc_argmax", "fcc_batcher", "fcc_threshold_memory"):
        path = mutate.RTL / f"{module}.v"
        # As a library, of which it reads what the module needs.
        others = [f"-I{mutate.RTL}", "-y", str(mutate.RTL)]
        refused = []
        for mutant in mutants(path)[:25]:
            copy = tmp_path / path.name
            copy.write_text(mutant.apply(path.read_text()))
            command = ["iverilog", "-g2005", "-t", "null", "-s", module, str(copy), *others]
            if subprocess.run(command, capture_output=True).returncode:
                refused.append(str(mutant))
        assert len(refused) <= 3, refused


@pytest.mark.slow
def test_every_module_has_its_share() -> None:
    names = [path.stem for path in mutate.rtl_sources()]
    quota = mutate.quotas(mutate.MUTANTS, names)
    assert sum(quota.values()) == mutate.MUTANTS >= 500
    assert min(quota.values()) >= 5
    sample = mutate.quotas(12, mutate.CHEAP)
    assert sum(sample.values()) == 12 and min(sample.values()) >= 2
    assert sum(mutate.quotas(3, mutate.CHEAP).values()) == 3
    assert quota["fcc_csr"] > quota["fcc_batcher"] > quota["fcc_argmax"]
    assert mutate.quotas(1_000_000, names) == {
        name: len(mutants(mutate.RTL / f"{name}.v")) for name in names
    }


# ---- judging


@pytest.mark.slow
def test_a_module_is_judged_from_its_own_tests_upwards() -> None:
    tests = [stage.tests for stage in mutate.stages("fcc_ring_block")]
    assert tests[:2] == [("verif/modules/test_fcc_ring.py",), ("verif/modules/test_fcc_lane.py",)]
    assert mutate.stages("fcc_chunk_shifter")[0].tests == (
        "verif/modules/test_fcc_weight_stream.py", "verif/modules/test_fcc_word_loader.py"
    )
    for stage, name in zip(mutate.stages("fcc_map_writer"), ("writer", "engine"), strict=False):
        assert stage.tests == (f"verif/modules/test_fcc_map_{name}.py",)
    for path in mutate.rtl_sources():
        levels = mutate.stages(path.stem)
        # Cores of one kind, or, where only a core that learns has the module, such a core alone.
        cores = (mutate.CORE in levels, mutate.MAPS[0] in levels)
        assert sum(cores) == 1 or (levels[-1] == mutate.LEARNING and sum(cores) == 0)
        assert all(file.exists() for level in levels for file in level.files)


@pytest.mark.slow
@pytest.mark.needs("iverilog")
@pytest.mark.parametrize(
    ("old", "new", "verdict", "by"),
    [
        ("&&", "||", mutate.KILLED, "::test_toy"),
        ("^", "|", mutate.SURVIVED, ""),
        ("(d > 2'd3) || a", "a", mutate.EQUIVALENT, equivalence.METHOD),
    ],
)
def test_a_verdict(toy: mutate.Campaign, old: str, new: str, verdict: str, by: str) -> None:
    result = toy.judge(the(toy, old, new), stage(toy))
    assert result.verdict == verdict
    assert result.by.endswith(by)
    assert not list((toy.output / "work").iterdir())


@pytest.mark.slow
@pytest.mark.needs("iverilog")
def test_what_does_not_elaborate_is_not_killed(toy: mutate.Campaign) -> None:
    broken = the(toy, "&&", "||")
    broken = Mutant(**{**vars(broken), "new": "&& &&"})
    assert toy.judge(broken, stage(toy)).verdict == mutate.INVALID


@pytest.mark.slow
@pytest.mark.needs("iverilog")
def test_what_hangs_is_killed(toy: mutate.Campaign, monkeypatch: pytest.MonkeyPatch) -> None:
    test = home(toy) / "test_toy.py"
    test.write_text("import time\n\ndef test_toy():\n    time.sleep(600)\n")
    monkeypatch.setattr(toy, "limit", lambda stage: 1.0)
    result = toy.judge(the(toy, "&&", "||"), stage(toy))
    assert (result.verdict, result.by[:8]) == (mutate.KILLED, "time-out")


@pytest.mark.slow
@pytest.mark.needs("iverilog")
def test_the_original_has_to_pass(toy: mutate.Campaign) -> None:
    test = home(toy) / "toy_tests.py"
    test.write_text(TOY_TESTS.replace("n & 1\n", "n & 2\n"))
    with pytest.raises(UserError, match=r"The original fails .*test_toy; mend that first\."):
        toy.judge(the(toy, "&&", "||"), stage(toy))


def test_one_campaign_at_a_time(toy: mutate.Campaign) -> None:
    """A second one would take the sources of the first away; reading what is known does not."""
    begun = toy.rtl / "left_by_the_first"
    begun.touch()
    with pytest.raises(UserError, match="Another campaign is at work in"):
        mutate.Campaign(toy.output)
    assert mutate.Campaign(toy.output, reads_only=True).rtl == mutate.RTL
    assert begun.exists()
    toy.close()
    mutate.Campaign(toy.output)
    assert not begun.exists()


@pytest.mark.slow
@pytest.mark.needs("iverilog")
def test_it_goes_on_where_it_was(toy: mutate.Campaign) -> None:
    mutant, levels = the(toy, "^", "|"), stage(toy)
    first = toy.judge(mutant, levels)
    with toy.results.open("a") as file:
        file.write('{"key": "the rest was never wri')
    latest = toy

    def again() -> mutate.Campaign:
        nonlocal latest
        latest.close()
        latest = campaign = mutate.Campaign(toy.output, rtl=home(toy) / "rtl")
        campaign._run = refuse  # type: ignore[assignment, method-assign]
        return campaign

    def refuse(*_: object) -> tuple[str, str]:
        raise AssertionError("judged again")

    assert again().judge(mutant, levels) == first
    # Another fault, another test, another source: judged again.
    with pytest.raises(AssertionError, match="judged again"):
        again().judge(the(toy, "^", "&"), levels)
    test = home(toy) / "test_toy.py"
    test.write_text(TEST_TOY + "\n# Looks closer now.\n")
    with pytest.raises(AssertionError, match="judged again"):
        again().judge(mutant, levels)
    test.write_text(TEST_TOY)
    assert again().judge(mutant, levels) == first
    (home(toy) / "rtl" / "toy.v").write_text(TOY + "\n")
    with pytest.raises(AssertionError, match="judged again"):
        again().judge(mutant, levels)


def verdict(mutant: Mutant, what: str) -> mutate.Verdict:
    return mutate.Verdict(str(mutant.number), mutant.name, mutant.digest, str(mutant), what, "", 1)


def stub(campaign: mutate.Campaign, judge: Callable[[Mutant], mutate.Verdict]) -> None:
    campaign.judge = judge  # type: ignore[assignment, method-assign]


def test_invalid_mutants_are_replaced(toy: mutate.Campaign) -> None:
    whats = [mutate.INVALID, mutate.KILLED, mutate.SURVIVED, mutate.INVALID, mutate.EQUIVALENT]
    stub(toy, lambda m: verdict(m, whats[m.number] if m.number < 5 else mutate.KILLED))
    result = mutate.report(mutate.run(toy, {"toy": 6}, jobs=2, progress=False), 8.0, {"toy": 6})
    assert (result["mutants"], result["killed"], result["invalid"]) == (6, 4, 2)
    assert (result["survived"], result["equivalent"]) == (1, 1)
    assert result["score"] == 4 / 5
    assert result["per_module"]["toy"]["score"] == 4 / 5
    assert [row["mutant"] for row in result["survivors"]] == ["toy-2"]
    assert result["seconds"] == 8.0
    read = structure(json.loads(json.dumps(result)), Mutation)  # as the report page does
    assert (read.score, read.survivors[0].mutant) == (4 / 5, "toy-2")
    # More are asked for than there are.
    many = mutate.run(toy, {"toy": 1000}, jobs=1, progress=False)
    assert len(many) == len(mutants(toy.rtl / "toy.v"))


def test_the_page_has_the_report(toy: mutate.Campaign, tmp_path: Path) -> None:
    stub(toy, lambda m: verdict(m, mutate.SURVIVED if m.number == 1 else mutate.KILLED))
    quota = {"toy": 4, "fcc_later": 5}
    result = mutate.report(mutate.run(toy, {"toy": 4}, jobs=1, progress=False), 4.0, quota)
    path = tmp_path / "PAGE.md"
    path.write_text("before\n<!-- generated: begin -->\nold\n<!-- generated: end -->\nafter\n")
    mutate.write_page(result, path)
    text = path.read_text()
    assert text.startswith("before\n") and text.endswith("\nafter\n") and "old" not in text
    assert "| `toy` | 4 | 3 | 1 | 0 | 75.0 % |" in " ".join(text.split())
    assert result["survivors"][0]["text"] in text
    assert "Not judged as they are now" in text and "\n`fcc_later`\n" in text
    mutate.write_page({**result, "open": []}, path)
    assert "Not judged" not in path.read_text()


# ---- the proofs


@pytest.mark.parametrize(("old", "new"), [("||", "&&"), ("2'd3", "2'd2"), ("^", "|")])
def test_yosys_tells_a_fault(
    toy: mutate.Campaign, tmp_path: Path, old: str, new: str
) -> None:
    path = tmp_path / "toy.v"
    path.write_text(the(toy, old, new).apply(TOY))
    original, proof = [toy.rtl / "toy.v"], tmp_path / "proof"
    assert equivalence.compare("toy", {}, original, [path], toy.rtl, proof) == equivalence.OPEN
    same = equivalence.compare("toy", {}, original, original, toy.rtl, proof)
    assert same == equivalence.EQUAL


def compared(directory: Path, source: str, old: str, new: str) -> str:
    """The verdict on the module t of `source` with `new` in the place of `old`."""
    assert old in source
    original, other = directory / "original.v", directory / "other.v"
    original.write_text(source)
    other.write_text(source.replace(old, new))
    proof = directory / "proof"
    return equivalence.compare("t", {}, [original], [other], directory, proof)


def test_a_register_that_nothing_depends_on_may_differ(tmp_path: Path) -> None:
    """But not one that an output depends on, however late."""
    source = (
        "module t (input wire clk, input wire a, output reg y);\n"
        "  reg p, q, r;\n"
        "  always @(posedge clk) begin p <= a; q <= p; y <= q; r <= p ^ q ^ r; end\n"
        "endmodule\n"
    )
    assert compared(tmp_path, source, "p ^ q ^ r", "p ^ q ^ r") == "equal"
    assert compared(tmp_path, source, "p ^ q ^ r", "p & q") == "equal"
    assert compared(tmp_path, source, "q <= p;", "q <= !p;") == "open"


def test_a_module_that_synthesis_leaves_whole_is_looked_into(tmp_path: Path) -> None:
    source = (
        '(* keep_hierarchy = "yes" *)\n'
        "module u (input wire clk, input wire a, output reg y);\n"
        "  always @(posedge clk) y <= a;\n"
        "endmodule\n"
        "module t (input wire clk, input wire a, output wire y);\n"
        "  reg r;\n"
        "  u inner (.clk(clk), .a(a), .y(y));\n"
        "  always @(posedge clk) r <= y ^ r;\n"
        "endmodule\n"
    )
    assert compared(tmp_path, source, "y ^ r", "y & r") == "equal"
    assert compared(tmp_path, source, "y <= a", "y <= !a") == "open"


def test_yosys_may_refuse_a_mutant(tmp_path: Path) -> None:
    """And nothing is said of an original that it refuses."""
    files = [tmp_path / f"{name}.v" for name in ("good", "bad")]
    files[0].write_text("module t (input wire a, output wire y);\n  assign y = a;\nendmodule\n")
    files[1].write_text(files[0].read_text().replace("= a;", "= a +;"))
    for sides, verdict in ((files, "refused"), (files[::-1], "open")):
        found = equivalence.compare("t", {}, sides[:1], sides[1:], tmp_path, tmp_path / "proof")
        assert found == verdict


# ---- the command line


@pytest.mark.one_quick
@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        (["--module", "fcc_oven"], "There is no module fcc_oven"),
        (["--mutants", "0"], "--mutants asks for at least one"),
        (["--sample", "0"], "--sample asks for at least one"),
        (["--jobs", "0"], "--jobs asks for at least one"),
        (["--only", "fcc_argmax"], "fcc_argmax is not a mutant's name"),
        (["--only", "fcc_argmax-1000"], "fcc_argmax has mutants 0 to "),
        (["--show", "--output", "nowhere"], "There are no results in nowhere yet"),
        (["--mutant"], "make mutate --help explains it"),
        (["--mutants", "many"], "make mutate --help explains it"),
    ],
)
def test_a_wrong_command_line_is_one_sentence(
    line: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_main(lambda: mutate.main(line)) == 2
    error = capsys.readouterr().err
    assert complaint in error
    assert len(error.splitlines()) == 1


@pytest.mark.slow
def test_the_list_is_that_of_the_campaign(capsys: pytest.CaptureFixture[str]) -> None:
    assert mutate.main(["--list", "--module", "fcc_argmax"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == mutate.quotas(mutate.MUTANTS, [p.stem for p in mutate.rtl_sources()])[
        "fcc_argmax"
    ]
    assert all(re.match(r"fcc_argmax-\d+ +[0-9a-f]{12}  fcc_argmax\.v:\d+: ", s) for s in lines)


@pytest.mark.needs("iverilog")
@pytest.mark.slow
def test_a_sample_is_killed(tmp_path: Path) -> None:
    """Judged again, whatever is known of them: nothing but faults found and proven equivalents."""
    quota = mutate.quotas(12, mutate.CHEAP)
    campaign = mutate.Campaign(tmp_path)
    verdicts = mutate.run(campaign, quota, jobs=os.cpu_count() or 1, progress=False)
    result = mutate.report(verdicts, 0.0, quota)
    assert result["survivors"] == []
    assert result["mutants"] == 12
    assert result["killed"] >= 10
    assert sum(row["killed"] > 0 for row in result["per_module"].values()) >= 6
