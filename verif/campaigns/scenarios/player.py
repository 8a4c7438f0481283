# SPDX-License-Identifier: Apache-2.0
"""Plays scenarios in a simulator: one run each, in this process or in one of its own."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path

from campaigns.scenarios.scenario import Saved, Scenario
from xnor_fcc.errors import ToolError
from xnor_fcc.files import write_json
from xnor_fcc_sim import simulator

COUNTS = ("episodes", "images", "malformed_packets", "register_accesses", "hidden_bits", "cycles")


@dataclass
class Outcome:
    """What came of a scenario: what failed, or nothing, and what was counted until then."""

    failure: str = ""
    log: str = ""
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COUNTS, 0))


def play(scenario: Scenario, directory: Path) -> Outcome:
    """Build and run with the simulator that SIM names; files of the run are left in `directory`.
    `UserError` where the core cannot be built."""
    directory.mkdir(parents=True, exist_ok=True)
    report = directory / "counts.json"
    report.unlink(missing_ok=True)
    model = simulator.build("xnor_fcc", scenario.core.parameters())
    outcome = Outcome()
    try:
        kind = "map_" if scenario.core.map_input else "learn_" if scenario.core.learn else ""
        model.run(
            f"campaigns.scenarios.{kind}scenario_tests",
            directory,
            settings={
                "scenario": scenario.facts(),
                "geometry": asdict(scenario.core),
                "report": str(report.resolve()),
            },
            seed=scenario.seed,
        )
    except (AssertionError, ToolError) as error:
        outcome.log = str(error)
        outcome.failure = simulator.reason(outcome.log)
    if report.exists():
        outcome.counts = json.loads(report.read_text())
    return outcome


def main(saved: str, directory: str) -> int:
    """Play a saved scenario and write DIRECTORY/outcome.json."""
    place = Path(directory)
    shutil.rmtree(place, ignore_errors=True)
    outcome = play(Saved.load(Path(saved)).scenario, place)
    write_json(place / "outcome.json", vars(outcome))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
