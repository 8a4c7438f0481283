# SPDX-License-Identifier: Apache-2.0
"""The whole core between the Avalon models of another author, in both simulators, and cores that
break a rule of the bus, which the foreign models must notice."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest

from core.corners import CORNERS
from faults import Fault
from xnor_fcc.geometry import Geometry
from xnor_fcc_sim import simulator

# The models of the other author are not made for every Python that cocotb is.
pytestmark = pytest.mark.needs("cocotbext.avalon")

# Beats of one byte and of several, weights from memory and from a stream.
GEOMETRIES = ("odd", "streamed")

FAULTS = {
    "a start with every beat": Fault(
        "fcc_result_source.v",
        "aso_startofpacket <= (class_reg == 0);",
        "aso_startofpacket <= 1'b1;",
        "duplicate startofpacket",
    ),
    "bytes in the wrong order": Fault(
        "fcc_image_sink.v",
        "asi_data[WIDTH-1-8*s-:8]",
        "asi_data[8*s+:8]",
        "image 0: ",
    ),
    "a late answer": Fault(
        "fcc_csr.v",
        "if (avs_read) avs_readdata <= value;",
        "if (avs_readdatavalid) avs_readdata <= value;",
        "non-0/1 values",
    ),
    "beats are taken that are not valid": Fault(
        "fcc_image_sink.v",
        "accept = asi_valid && asi_ready;",
        "accept = asi_ready;",
        "Avalon-ST data is X/Z",
    ),
}


def run(geometry: Geometry, sources: list[Path] | None, name: str, idle: str) -> None:
    """One run in the simulator that SIM names."""
    model = simulator.build("xnor_fcc", geometry.parameters(), sources=sources)
    model.run(
        "core.peer_tests",
        simulator.run_directory(f"peer-{name}"),
        settings={"geometry": asdict(geometry), "seed": 3, "idle": idle},
        seed=3,
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", GEOMETRIES)
def test_peer(name: str) -> None:
    """Random values on idle streams: Verilator knows no X."""
    run(Geometry(**CORNERS[name]), None, name, idle="random")


@pytest.mark.slow
@pytest.mark.needs("iverilog")
@pytest.mark.parametrize("name", GEOMETRIES)
def test_peer_in_four_states(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """X on idle streams."""
    monkeypatch.setenv("SIM", "icarus")
    run(Geometry(**CORNERS[name]), None, f"icarus-{name}", idle="x")


@pytest.mark.slow
@pytest.mark.needs("iverilog")
@pytest.mark.parametrize("fault", FAULTS)
def test_peer_notices(fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIM", "icarus")
    geometry = Geometry(**CORNERS["streamed"])
    sources = FAULTS[fault].sources(tmp_path)
    with pytest.raises(AssertionError, match=FAULTS[fault].complaint):
        run(geometry, sources, fault, idle="x")
