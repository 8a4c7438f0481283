# SPDX-License-Identifier: Apache-2.0
"""No X comes out of the core in four-state logic, and of cores that lack a reset one does."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest

from core.corners import CORNERS
from faults import Fault
from xnor_fcc.geometry import Geometry
from xnor_fcc_sim import simulator

# Whatever SIM says: Verilator has no X.
pytestmark = [
    pytest.mark.slow,
    # The models of the other author are not made for every Python that cocotb is.
    pytest.mark.needs("iverilog", "cocotbext.avalon"),
]

# Two lanes; as many taps as PEs; one lane, taps, and weights from a stream.
GEOMETRIES = ("odd", "all-taps", "streamed-slowly")

# Each lacks one reset.
FAULTS = {
    "valid": Fault(
        "fcc_result_source.v", "aso_valid   <= 1'b0;", "", "aso_result_valid is X in cycle 1\\n"
    ),
    "interrupt": Fault(
        "fcc_csr.v", "irq_enable_reg <= 2'd0;", "", "ins_csr_irq is X|avs_csr_readdata is .*X"
    ),
    "latency": Fault(
        "fcc_result_source.v", "latency     <= 32'd0;", "", "avs_csr_readdata is X+ in cycle"
    ),
    "staged image": Fault(
        "fcc_image_sink.v",
        "staged_valid <= 1'b0;\n      in_packet_reg <= 1'b0;",
        "in_packet_reg <= 1'b0;",
        "avs_csr_readdata is .*X|asi_image_ready is X",
    ),
    "lanes filled": Fault(
        "fcc_batcher.v",
        "if (reset) begin\n      count_reg <= {COUNT_BITS{1'b0}};",
        "if (reset) begin",
        "avs_csr_readdata is .*X|asi_image_ready is X",
    ),
    "sequencer": Fault(
        "fcc_sequencer.v",
        "next_layer_reg <= {LAYER_BITS{1'b0}};\n      results_pending_reg",
        "results_pending_reg",
        "avs_csr_readdata is .*X",
    ),
}


def run(geometry: Geometry, sources: list[Path] | None, name: str) -> None:
    """One run in Icarus."""
    model = simulator.build("xnor_fcc", geometry.parameters(), sources=sources)
    model.run(
        "core.xclean_tests",
        simulator.run_directory(f"xclean-{name}"),
        settings={"geometry": asdict(geometry), "seed": 4},
        seed=4,
    )


@pytest.mark.parametrize("name", GEOMETRIES)
def test_no_x_comes_out(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIM", "icarus")
    run(Geometry(**CORNERS[name]), None, name)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_missing_reset_is_found(
    fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIM", "icarus")
    with pytest.raises(AssertionError, match=FAULTS[fault].complaint):
        run(Geometry(**CORNERS["odd"]), FAULTS[fault].sources(tmp_path), fault)
