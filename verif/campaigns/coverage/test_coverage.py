# SPDX-License-Identifier: Apache-2.0
"""`make coverage`: its plan, its parser and merger, its exclusions, and that what is not reached is
reported."""

from __future__ import annotations

import json
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path

import pytest

from campaigns.coverage import campaign
from campaigns.coverage.counts import LINE, TOGGLE, Counts, Point, lcov, parse
from campaigns.coverage.plan import groups, read_plan
from campaigns.coverage.runs import GEOMETRIES, OBSERVER
from faults import Fault
from xnor_fcc.errors import UserError
from xnor_fcc.geometry import Geometry
from xnor_fcc_sim import simulator
from xnor_fcc_sim.page.reports import Coverage, structure

pytestmark = pytest.mark.needs("cocotb_coverage")


def counter(count: int, **fields: str) -> str:
    """A line of Verilator's file."""
    return "C '" + "".join(f"\1{name}\2{value}" for name, value in fields.items()) + f"' {count}"


def write_counts(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(("# SystemC::Coverage-3", *lines)) + "\n", encoding="latin-1")
    return path


def line(count: int, number: int, side: str = "block", page: str = "m", **more: str) -> str:
    kind = "line" if side == "block" else "branch"
    fields = {"f": "/any/where/fcc_x.v", "l": str(number), "n": "3", "t": kind,
              "page": f"v_{kind}/{page}", "o": side, "h": "top.x"}  # fmt: skip
    return counter(count, **fields, **more)


def toggle(count: int, what: str, page: str = "m", number: int = 7) -> str:
    return counter(count, f="/any/where/fcc_x.v", l=str(number), n="9", t="toggle",
                   page=f"v_toggle/{page}", o=what, h="top.x")  # fmt: skip


def merge(tmp_path: Path, *files: tuple[str, ...]) -> Counts:
    counts = Counts()
    for number, lines in enumerate(files):
        counts.add(write_counts(tmp_path / f"{number}.dat", *lines), ["fcc_x.v"])
    return counts


# ---- plan


def test_every_group_of_the_plan_has_bins_and_reasons() -> None:
    plan = groups()
    assert len(plan) > 40
    assert sum(len(group.bins) for group in plan.values()) > 500
    for group in plan.values():
        assert group.bins, group.name
        assert group.see and group.why
        assert all(reason for reason in group.impossible.values())
        assert not set(group.impossible) & set(group.bins)
        names = [", ".join(bin_) for bin_ in group.bins]
        assert len(set(names)) == len(names), f"two bins of {group.name} have one name"


def test_the_page_has_the_plan() -> None:
    """COVERAGE.md is not older than coverage_plan.json and the register map."""
    assert campaign.plan_page() in campaign.PAGE.read_text(), "make coverage ARGS='--show --write'"


def test_a_plan_that_contradicts_itself_is_refused(tmp_path: Path) -> None:
    axes = {"x": ["1", "2"]}
    group: dict[str, object] = {"name": "a", "see": "", "why": "", "axes": axes}
    file = tmp_path / "plan.json"

    def read(*entries: dict[str, object]) -> None:
        sections = [{"name": "s", "when": "", "groups": list(entries)}]
        file.write_text(json.dumps({"sections": sections}))
        read_plan(file)

    read(group)
    with pytest.raises(UserError, match="two groups named 'a'"):
        read(group, group)
    with pytest.raises(UserError, match="no such bin"):
        read({**group, "impossible": [["3", "why"]]})


def test_the_monitor_refuses_what_the_plan_does_not_know(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from campaigns.coverage.monitor import Bins

    bins = Bins(tmp_path)
    bins.see("lanes", "3")
    bins.see("lanes", "3")
    bins.see("array", "PE < SIMD", "memory")
    (written,) = tmp_path.glob("*.json")
    seen = {name: values for name, values in json.loads(written.read_text()).items() if values}
    assert seen == {"lanes": ["3"], "array": ["PE < SIMD, memory"]}
    for group, values in (("lanes", ("6",)), ("threshold", ("n + 1, never 1", "1"))):
        with pytest.raises(AssertionError, match="not in the plan"):
            bins.see(group, *values)


@pytest.mark.slow
@pytest.mark.needs("iverilog")
@pytest.mark.parametrize("broken", [False, True])
def test_what_the_core_does_not_show_is_not_seen(
    broken: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A flagged packet counts only if the core says so; the others count as ever."""
    monkeypatch.setenv("SIM", "icarus")
    fault = Fault("fcc_image_sink.v", "error_flag <= asi_error;", "error_flag <= 1'b0;", "failed")
    geometry = Geometry(**GEOMETRIES["one-lane"])
    sources = fault.sources(tmp_path) if broken else None
    model = simulator.build("xnor_fcc", geometry.parameters(), sources=sources)
    with pytest.raises(AssertionError, match=fault.complaint) if broken else nullcontext():
        settings = {"geometry": asdict(geometry), "seed": 1, "observer": OBSERVER,
                    "bins": str(tmp_path)}  # fmt: skip
        model.run("campaigns.coverage.coverage_tests", tmp_path, "packets", settings)
    (written,) = tmp_path.glob("*.json")
    seen = json.loads(written.read_text())["packet"]
    assert "long by beats, 1 bit" in seen
    assert any(bin_.startswith("flagged") for bin_ in seen) == (not broken)


# ---- counters


def test_counters_are_read(tmp_path: Path) -> None:
    path = write_counts(
        tmp_path / "a.dat", line(5, 12, S="12-14,16"), line(0, 20, "else"),
        toggle(3, "data[4]:0->1"), toggle(2, "g_tap[3].word[4]:1->0"),
        counter(1, f="x.v", l="1", n="1", t="user", o="other"),
    )  # fmt: skip
    assert list(parse(path)) == [
        (Point("fcc_x.v", 12, 3, LINE, "block"), 5, {12, 13, 14, 16}),
        (Point("fcc_x.v", 20, 3, LINE, "else"), 0, set()),
        (Point("fcc_x.v", 7, 0, TOGGLE, "data[4]:0->1"), 3, set()),
        (Point("fcc_x.v", 7, 0, TOGGLE, "g_tap[].word[4]:1->0"), 2, set()),
    ]


def test_damaged_counters_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.dat"
    path.write_text("something else\n")
    with pytest.raises(UserError, match="not a coverage file"):
        list(parse(path))
    write_counts(path, line(1, 2), "C 'half a li")
    with pytest.raises(UserError, match="line 3: not a counter"):
        list(parse(path))


def test_places_are_merged_over_parameters_and_runs(tmp_path: Path) -> None:
    """A narrow build and a wide one: one point a place, the wide one's bits besides."""
    narrow = (line(0, 5, page="m__W2"), toggle(0, "d[1]:0->1", "m__W2"), toggle(4, "d[0]:0->1"))
    wide = (line(2, 5, page="m__W3"), toggle(7, "d[1]:0->1", "m__W3"),
            toggle(0, "d[2]:0->1", "m__W3"))  # fmt: skip
    counts = merge(tmp_path, narrow, wide)
    assert [counts.hits[p] for p in counts.points(LINE)] == [2]
    hits = {p.what: counts.hits[p] for p in counts.points(TOGGLE)}
    assert hits == {"d[0]:0->1": 4, "d[1]:0->1": 7, "d[2]:0->1": 0}
    assert counts.points(TOGGLE, "fcc_x") and not counts.points(TOGGLE, "fcc_y")


def test_other_files_do_not_count(tmp_path: Path) -> None:
    counts = Counts()
    counts.add(write_counts(tmp_path / "a.dat", line(1, 2)), ["fcc_y.v"])
    assert not counts.hits


def test_lcov_has_the_lines(tmp_path: Path) -> None:
    counts = merge(tmp_path, (line(5, 12, S="12-13"), line(0, 20, "else"), line(0, 21, S="21")))
    assert lcov(counts, Path("rtl")).splitlines() == [
        "TN:", "SF:rtl/fcc_x.v", "DA:12,5", "DA:13,5", "DA:20,0", "DA:21,0", "LF:4", "LH:2",
        "end_of_record",
    ]  # fmt: skip


# ---- exclusions

_SOURCE = "module fcc_x;\nif (a) b;\nelse c;\n"


def excluding(
    tmp_path: Path, entries: list[dict[str, object]], *lines: str
) -> tuple[dict[str, object], Counts]:
    (tmp_path / "fcc_x.v").write_text(_SOURCE)
    file = tmp_path / "exclusions.json"
    file.write_text(json.dumps(entries))
    counts = merge(tmp_path, lines)
    exclusions = campaign.read_exclusions(file)
    return campaign.report({}, counts, exclusions, tmp_path), counts


def test_exclusions_leave_points_out(tmp_path: Path) -> None:
    lines = (line(1, 2, "if"), line(0, 2, "else"), toggle(1, "d[0]:0->1"), toggle(0, "d[1]:0->1"),
             toggle(0, "d[2]:0->1"), toggle(0, "e:1->0"))  # fmt: skip
    result, _ = excluding(tmp_path, [], *lines)
    assert (result["line"], result["toggle"]) == (0.5, 0.25)
    assert result["missed_lines"] == ["fcc_x.v:2: else"]
    entries: list[dict[str, object]] = [
        {"file": "fcc_x.v", "source": "if (a) b;", "what": "else", "reason": "r"},
        {"file": "fcc_x.v", "signal": "d", "bits": [1, 2], "reason": "r"},
        {"file": "fcc_x.v", "signal": "e", "reason": "r"},
    ]
    result, _ = excluding(tmp_path, entries, *lines)
    assert (result["line"], result["toggle"], result["excluded_points"]) == (1.0, 1.0, 4)
    assert result["missed_lines"] == result["missed_bits"] == []


@pytest.mark.parametrize(
    ("entry", "complaint"),
    [
        ({"signal": "d", "bits": [0, 1], "reason": "r"}, r"a test reaches fcc_x.v:7: d\[0\]:0->1"),
        ({"signal": "gone", "reason": "r"}, "no such point"),
        ({"source": "else d;", "reason": "r"}, "no such point"),
        ({"source": "if (a) b;", "reason": "r"}, "a test reaches fcc_x.v:2: if"),
        ({"signal": "d", "reason": " "}, "no reason"),
    ],
)
def test_stale_exclusions_are_refused(
    entry: dict[str, object], complaint: str, tmp_path: Path
) -> None:
    lines = (line(1, 2, "if"), line(0, 2, "else"), toggle(1, "d[0]:0->1"), toggle(0, "d[1]:0->1"))
    with pytest.raises(UserError, match=complaint):
        excluding(tmp_path, [{"file": "fcc_x.v", **entry}], *lines)


def test_the_exclusions_of_the_project_fit_its_sources() -> None:
    """Each names a line or a signal that is there; that none is reached shows in a campaign."""
    for exclusion in campaign.read_exclusions():
        text = (campaign.RTL / exclusion.file).read_text()
        if exclusion.source:
            assert exclusion.source in map(str.strip, text.splitlines()), str(exclusion)
        else:
            assert exclusion.signal.split(".")[-1].split("[")[0] in text, str(exclusion)


# ---- result


def test_a_share_is_rounded_down() -> None:
    assert campaign.share(99_999, 100_000) == 0.9999
    assert campaign.share(7, 7) == 1.0
    assert campaign.share(0, 0) == 0.0


def test_one_unseen_bin_is_reported(tmp_path: Path) -> None:
    counts = merge(tmp_path, (line(1, 2), toggle(1, "d:0->1")))
    seen = {name: {", ".join(bin_) for bin_ in group.bins} for name, group in groups().items()}
    full = campaign.report(seen, counts, [])
    assert (full["functional"], full["missing"], campaign.complaint(full)) == (1.0, [], "")
    seen["lanes"].remove("3")
    result = campaign.report(seen, counts, [])
    assert result["missing"] == ["lanes: 3"]
    assert result["functional"] < 1
    assert result["bins_hit"] == result["bins"] - 1
    assert "not seen: lanes: 3" in campaign.complaint(result)
    read = structure(json.loads(json.dumps(result)), Coverage)  # as the report page does
    lanes = read.per_group["lanes"]
    assert read.missing == ["lanes: 3"] and lanes.hit == lanes.bins - 1


def test_missed_points_are_reported(tmp_path: Path) -> None:
    lines = [line(1, 2 + n) for n in range(18)] + [line(0, 30), line(0, 31)]
    counts = merge(tmp_path, (*lines, toggle(1, "d:0->1")))
    result = campaign.report({}, counts, [])
    assert result["line"] == 0.9
    assert result["missed_lines"] == ["fcc_x.v:30: block", "fcc_x.v:31: block"]
    assert "line coverage is 90.00 % instead of 95 %" in campaign.complaint(result)
    assert "toggle" not in campaign.complaint(result)


def test_the_page_can_be_written(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("a\n<!-- x: begin -->\nold\n<!-- x: end -->\nb\n")
    campaign.fill(page, "new", "x")
    assert page.read_text() == "a\n<!-- x: begin -->\nnew\n<!-- x: end -->\nb\n"


def test_nothing_measured_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"There are no counts in .*; run make coverage"):
        campaign.main(["--show", "--output", str(tmp_path)])


@pytest.mark.slow
def test_a_reduced_run_reports_what_it_does_not_reach(tmp_path: Path) -> None:
    """Two of the campaign's tests, really run: what they see is seen, the rest is missing."""
    arguments = ["--output", str(tmp_path), "--select", "test_fcc_argmax or test_tables"]
    with pytest.raises(UserError, match=r"functional coverage is .*line coverage is"):
        campaign.main(arguments)
    result = json.loads((tmp_path / "report.json").read_text())
    assert 0 < result["bins_hit"] < result["bins"] == result["bins_hit"] + len(result["missing"])
    missing = set(result["missing"])
    # Every table that is wrong in one way, and no reset of a computing core.
    assert not any(name.startswith("bad table:") for name in missing)
    assert "reset: hardware, computing a hidden layer, more" in missing
    assert result["per_module"]["fcc_argmax"]["line"] == 1.0
    assert "fcc_weight_stream" not in result["per_module"]
    assert 0.2 < result["toggle"] < 0.95
    assert (tmp_path / "lines.info").read_text().startswith("TN:\nSF:")


@pytest.mark.slow
def test_a_failing_test_leaves_no_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="failed or none was selected"):
        campaign.measure(tmp_path, "no_such_test_anywhere")
