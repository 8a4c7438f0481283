# SPDX-License-Identifier: Apache-2.0
"""The runner of the proofs: it fails when a proof or its twin does not do what it has to."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from formal import prove as formal
from xnor_fcc.errors import UserError, run_main
from xnor_fcc_sim.page.reports import Proof, structure
from xnor_fcc_sim.sources import ROOT

BY_NAME = {proof.name: proof for proof in formal.PROOFS}
ARGMAX = BY_NAME["argmax"]


def test_every_twin_fits_and_changes_something() -> None:
    for proof in formal.PROOFS:
        source = (ROOT / "rtl" / proof.twin.file).read_text()
        assert formal.mutated(proof.twin, source) != source


@pytest.mark.parametrize(("old", "times"), [("no such text", 0), ("wire", 6)])
def test_a_twin_that_does_not_fit_once_is_refused(old: str, times: int) -> None:
    source = "wire " * times
    with pytest.raises(UserError, match=f"fits {times} times"):
        formal.mutated(replace(ARGMAX.twin, old=old), source)


def test_names_and_property_modules() -> None:
    """Names are unique, every property module is used, and the README tells of every proof."""
    assert len(BY_NAME) == len(formal.PROOFS)
    modules = {proof.top or proof.name for proof in formal.PROOFS}
    assert modules == {path.stem for path in formal.PROPERTIES.glob("*.v")}
    readme = (formal.PROPERTIES / "README.md").read_text()
    for proof in formal.PROOFS:
        assert f"| `{proof.name}` |" in readme, proof.name
        assert f" | {'all' if proof.mode == formal.PROVE else proof.depth} |" in readme


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--only", "nothing"], "There is no proof 'nothing'"),
        (["--only", "argmax,"], "There is no proof ''"),
        (["--jobs", "0"], "at least 1 job"),
        (["--jobs", "many"], "invalid int value"),
    ],
)
def test_wrong_arguments_are_one_sentence(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_main(lambda: formal.main(arguments)) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1


def test_missing_tools_are_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    formal.tools.cache_clear()
    monkeypatch.setattr(formal, "_TOOLS", ("no-such-solver",))
    with pytest.raises(UserError, match="no-such-solver is missing"):
        formal.main(["--only", "argmax"])


def test_the_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert formal.main(["--list"]) == 0
    assert capsys.readouterr().out.count("\n") == len(formal.PROOFS)


@pytest.mark.slow
def test_quick_proofs_and_their_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Two inductive proofs, of the register map among them, and a bounded one."""
    names = "registers,argmax,table_check"
    assert formal.main(["--only", names, "--output", str(tmp_path)]) == 0
    assert "3 proofs hold" in capsys.readouterr().out
    assert not (tmp_path / "report.json").exists()
    reports = json.loads((tmp_path / "report-part.json").read_text())
    assert [report["name"] for report in reports] == names.split(",")
    assert [report["depth"] for report in reports] == ["unbounded", "unbounded", 15]
    assert [proof.name for proof in structure(reports, list[Proof])] == names.split(",")
    for report in reports:
        assert report["status"] == "PASS" and report["seconds"] > 0
        assert report["claim"] == BY_NAME[report["name"]].claim
        assert report["twin"]["status"] == "FAIL"
        assert BY_NAME[report["name"]].twin.new in report["twin"]["mutation"].replace("\\'", "'")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("old", "new", "status"),
    [
        ("other < highest", "other == highest", "FAIL"),
        # True, but induction cannot show it without this.
        ("assert (\\dut.best_score_reg == highest);", ";", "UNKNOWN"),
        # A name that the RTL does not have.
        ("best_score_reg", "best_score", "ERROR"),
    ],
)
def test_a_proof_that_fails(
    old: str,
    new: str,
    status: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    source = (formal.PROPERTIES / "argmax.v").read_text()
    assert old in source
    (tmp_path / "argmax.v").write_text(source.replace(old, new))
    monkeypatch.setattr(formal, "PROPERTIES", tmp_path)
    assert run_main(lambda: formal.main(["--output", str(tmp_path)], [ARGMAX])) == 2
    error = capsys.readouterr().err
    assert "Not proven, or proven with a fault in it: argmax;" in error
    assert json.loads((tmp_path / "report.json").read_text())[0]["status"] == status


@pytest.mark.slow
def test_a_twin_that_passes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A fault that is none."""
    harmless = replace(ARGMAX.twin, old="Scores in, class out", new="Scores in, classes out")
    proof = replace(ARGMAX, twin=harmless)
    assert run_main(lambda: formal.main(["--output", str(tmp_path)], [proof])) == 2
    assert "proven with a fault in it: argmax;" in capsys.readouterr().err
    report = json.loads((tmp_path / "report.json").read_text())[0]
    assert report["status"] == "PASS" and report["twin"]["status"] == "PASS"
