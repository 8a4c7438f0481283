# SPDX-License-Identifier: Apache-2.0
"""Ten thousand malformed packets and ten thousand random register accesses in one simulation, and
cores with a fault that a shorter run of the same must find."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest

from core.corners import FLOODED
from faults import Fault
from xnor_fcc_sim import simulator

FAULTS = {
    "two drops at once are not counted": Fault(
        "fcc_csr.v",
        "dropped_reg + {30'd0, packets_dropped}",
        "dropped_reg + {31'd0, packets_dropped[0]}",
        r"register 38: \S+, not",
    ),
    "a flagged packet is accepted": Fault(
        "fcc_image_sink.v",
        "was_bad || lost_start || asi_error || too_short",
        "was_bad || lost_start || too_short",
        "ready|a result nobody asked for|register",
    ),
    "configuration can be written while running": Fault(
        "fcc_csr.v",
        "configure = avs_write && !locked;",
        "configure = avs_write;",
        r"register \d+: \S+, not|ready without room|_watch_hidden",
    ),
    "an error that comes while it is cleared is lost": Fault(
        "fcc_csr.v",
        "error_reg <= (error_reg & ~error_clear) | error_event[ERRORS-1:0];",
        "error_reg <= (error_reg | error_event) & ~error_clear;",
        r"register 18: \S+, not",
    ),
    "a packet without an end takes no id": Fault(
        "fcc_image_sink.v",
        "id_reg + {15'd0, lost_end} + {15'd0, asi_endofpacket}",
        "id_reg + {15'd0, asi_endofpacket}",
        "answered with id",
    ),
}


def flood(model: simulator.Model, name: str, rounds: int, count: int) -> None:
    """A run with at least `count` malformed packets and as many accesses."""
    model.run(
        "core.flood_tests",
        simulator.run_directory(f"flood-{name}"),
        testcase="flood",
        settings={"geometry": asdict(FLOODED), "seed": 1, "rounds": rounds, "malformed": count,
                  "accesses": count},
        seed=1,
    )  # fmt: skip


@pytest.mark.slow
def test_flood() -> None:
    """Every good image is answered, every bad packet and every bad access is counted."""
    flood(simulator.build("xnor_fcc", FLOODED.parameters()), "large", rounds=15, count=10_000)


@pytest.mark.slow
@pytest.mark.needs("iverilog")
def test_small_flood_in_four_states(monkeypatch: pytest.MonkeyPatch) -> None:
    """The run that finds the faults below, without a fault."""
    monkeypatch.setenv("SIM", "icarus")
    flood(simulator.build("xnor_fcc", FLOODED.parameters()), "small", rounds=3, count=300)


@pytest.mark.slow
@pytest.mark.needs("iverilog")
@pytest.mark.parametrize("fault", FAULTS)
def test_flood_finds(fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIM", "icarus")
    sources = FAULTS[fault].sources(tmp_path)
    model = simulator.build("xnor_fcc", FLOODED.parameters(), sources=sources)
    with pytest.raises(AssertionError, match=FAULTS[fault].complaint):
        # It ends with the first difference; until one is met it may take long.
        flood(model, fault, rounds=10, count=1000)


@pytest.mark.needs("iverilog")
@pytest.mark.parametrize("case", ["locked_while_the_table_is_checked", "waiting"])
def test_locked_while_the_table_is_checked(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """And that a wait is as long as it says, by which other tests time what they do."""
    monkeypatch.setenv("SIM", "icarus")
    simulator.build("xnor_fcc", FLOODED.parameters()).run(
        "core.flood_tests",
        simulator.run_directory(f"flood-{case}"),
        testcase=case,
        settings={"geometry": asdict(FLOODED)},
    )
