# SPDX-License-Identifier: Apache-2.0
"""The netlists that Yosys makes, simulated with models of an FPGA's cells: what is loaded into an
FPGA does what the Verilog does."""

from __future__ import annotations

import os
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from board.ecp5_cells import cells
from board.ulx3s_bench import PLL, parameters, simulate, tiny
from core.corners import CORNERS
from measure import synthesis, ulx3s
from xnor_fcc.geometry import Geometry
from xnor_fcc_sim import simulator
from xnor_fcc_sim.sources import ulx3s_sources

HERE = Path(__file__).parent
# The board's ports, which are all that a test sees of it.
PORTS = ["clk_25mhz", "btn", "led", "ftdi_rxd", "ftdi_txd", "wifi_gpio0"]


@pytest.mark.slow
def test_netlist_of_the_ulx3s(tmp_path: Path) -> None:
    """A tiny network in memories that take blocks of RAM: lamps, reset, a host on the line."""
    board = tiny()
    deep = replace(board.geometry, weight_depth=1024, bank_depth=1024, threshold_depth=512)
    board = replace(board, geometry=deep)
    prefix = os.path.relpath(ulx3s.kept_files(board, ulx3s.OUTPUT), synthesis.BUILD / "ulx3s")
    sizes = {**parameters(board, 1500), "PRESET": f'"{prefix}"'}
    files = synthesis.netlist("ecp5", "ulx3s", sizes, ulx3s_sources())
    text = files[0].read_text()
    assert text.count("DP16KD #") > 4 and "MULT18X18D" in text
    (tmp_path / "named_bits.v").write_text(cells())
    files += [HERE / "ecp5_cells.v", tmp_path / "named_bits.v", PLL]
    tests = ["every_image", "power_resets", "a_host_takes_over"]
    model = simulator.build("ulx3s", sources=files, nets=PORTS)
    simulate(board, model, "ulx3s-netlist", tests, 1500, netlist=True)


@pytest.mark.needs("cocotbext.avalon")
@pytest.mark.slow
def test_netlist_of_a_core_for_a_cyclone_v() -> None:
    """Between the bus models of another author, which look at nothing but ports."""
    geometry = Geometry(**CORNERS["odd"])
    files = synthesis.netlist("cyclonev", "xnor_fcc", geometry.parameters())
    assert "MISTRAL_M10K #" in files[0].read_text()
    model = simulator.build("xnor_fcc", sources=[*files, HERE / "cyclonev_cells.v"])
    settings = {"geometry": asdict(geometry), "seed": 3, "idle": "random"}
    directory = simulator.run_directory("xnor-fcc-netlist")
    model.run("core.peer_tests", directory, settings=settings, seed=3)
