# SPDX-License-Identifier: Apache-2.0
"""Scenarios as files, and every saved one played against the reference."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from campaigns.scenarios import player as scenario_player
from campaigns.scenarios.scenario import (
    BAD,
    BAD_WEIGHTS,
    ENDINGS,
    GOOD,
    PRELUDES,
    SAVED,
    Saved,
    Scenario,
)
from campaigns.scenarios.strategies import learn_scenarios, map_scenarios, scenarios
from xnor_fcc.errors import UserError
from xnor_fcc_sim.simulator import run_directory

FILES = sorted(SAVED.glob("*.json"))
ALL = [Saved.load(path).scenario for path in FILES]
DENSE = next(s for s in ALL if not s.core.map_input and not s.core.learn)


def facts() -> dict[str, Any]:
    """A small scenario as JSON holds it."""
    result: dict[str, Any] = DENSE.facts()
    return result


@pytest.mark.slow
@settings(max_examples=40, deadline=None, derandomize=True, database=None,
          suppress_health_check=list(HealthCheck))  # fmt: skip
@given(scenarios() | map_scenarios() | learn_scenarios())
def test_a_file_holds_all_of_a_scenario(given: Scenario) -> None:
    again = Scenario.of(json.loads(json.dumps(given.facts())))
    assert again == given
    assert again.digest == given.digest


def test_a_scenario_is_saved_under_its_digest(tmp_path: Path) -> None:
    saved = Saved(DENSE, "icarus", "because")
    path = saved.save(tmp_path / "new")
    assert Saved.load(path) == saved
    assert path.stem == saved.scenario.digest
    changed = facts()
    changed["seed"] = 99
    assert Scenario.of(changed).digest != saved.scenario.digest


def test_the_saved_ones_have_something_of_everything() -> None:
    """Every kind of packet, prelude and ending, and every packet of weights out of step."""
    episodes = [episode for scenario in ALL for episode in scenario.episodes]
    assert {p.kind for e in episodes for p in e.packets} >= {*GOOD, *BAD}
    assert {name for e in episodes for name in e.prelude} >= set(PRELUDES)
    assert {e.bad_weights for e in episodes} >= set(BAD_WEIGHTS)
    assert {e.ending for e in episodes} >= set(ENDINGS)


@pytest.mark.slow
@pytest.mark.needs("iverilog")
@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_saved_scenario(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved = Saved.load(path)
    monkeypatch.setenv("SIM", saved.simulator)
    outcome = scenario_player.play(saved.scenario, run_directory(f"scenario-{path.stem}"))
    assert not outcome.failure, outcome.log
    assert outcome.counts["episodes"] == len(saved.scenario.episodes)


# ---- files that are none


def _changed(where: list[str | int], value: Any) -> dict[str, Any]:
    """A scenario as JSON with one value changed."""
    result = facts()
    place: Any = result
    for step in where[:-1]:
        place = place[step]
    place[where[-1]] = value
    return result


@pytest.mark.parametrize(
    ("where", "value", "complaint"),
    [
        (["episodes"], [], "The first episode of a scenario needs a network."),
        (["episodes", 0, "network"], None, "The first episode of a scenario needs a network."),
        (["episodes", 0, "network", "widths"], [5], "The widths of a network are"),
        (["episodes", 0, "network", "widths"], [0, 5], "The widths of a network are"),
        (["episodes", 0, "network", "widths"], ["a", 5], "This is not a scenario"),
        (["episodes", 0, "network", "widths"], [99, 5], "this core has room for"),
        (["episodes", 0, "network", "biases"], "odd", "A scenario knows no 'odd', only lively"),
        (["episodes", 0, "network", "seed"], -1, "In a scenario seed cannot be -1."),
        (["episodes", 0, "packets"], [{"kind": "blue"}], "A scenario knows no 'blue', only good"),
        (["episodes", 0, "packets"], [{"gap": "x"}], "In a scenario gap cannot be 'x'."),
        (["episodes", 0, "packets"], [{"colour": 1}], "This is not a scenario"),
        (["episodes", 0, "accesses"], [{"address": 64}], "In a scenario address cannot be 64."),
        (["episodes", 0, "backpressure"], [[0, 5]], "Backpressure and gaps are pairs of cycles"),
        (["episodes", 0, "ending"], "never", "A scenario knows no 'never', only drained"),
        (["episodes", 0, "cut"], 101, "In a scenario cut cannot be 101."),
        (["geometry", "pe"], 0, "PE=0 is outside"),
        (["geometry", "colour"], 1, "This is not a scenario"),
    ],
)
def test_what_is_no_scenario(where: list[str | int], value: Any, complaint: str) -> None:
    with pytest.raises(UserError) as error:
        Scenario.of(_changed(where, value))
    text = str(error.value)
    assert complaint in text
    assert "\n" not in text and text.endswith(".")


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"scenario": {}}', "\udcff"])
def test_what_is_no_file_of_one(text: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.json"
    path.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(UserError, match="not a s"):
        Saved.load(path)
    with pytest.raises(UserError, match=r"nowhere\.json cannot be read"):
        Saved.load(tmp_path / "nowhere.json")
