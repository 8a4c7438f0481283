# SPDX-License-Identifier: Apache-2.0
"""The ULX3S demo with a network that is quickly simulated, and how tests of ulx3s_tests.py run."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np

from board.uart_port import DIVIDER, TIMEOUT
from xnor_fcc.board.ulx3s import Ulx3s
from xnor_fcc.geometry import Geometry
from xnor_fcc.random_network import random_network
from xnor_fcc.reference import evaluate
from xnor_fcc_sim import simulator

PLL = Path(__file__).with_name("EHXPLLL.v")


def tiny(images: int = 8) -> Ulx3s:
    """A network of two layers; some labels are not its answers."""
    rng = np.random.default_rng(2)
    network = random_network(rng, (24, 17, 10))
    bits = rng.integers(0, 2, (images, 24)).astype(np.uint8)
    labels = evaluate(network, bits).classes.astype(np.uint8)
    labels[1::3] = (labels[1::3] + 1) % 10
    return Ulx3s(Geometry.for_widths(network.widths, 5, 12, 2, 16), network, bits, labels)


def parameters(board: Ulx3s, second: int) -> dict[str, object]:
    """Of a board whose line has `DIVIDER` cycles a bit."""
    baud = 1_000_000 * board.clock_mhz // DIVIDER
    return {**board.parameters(), "SECOND": second, "TIMEOUT": TIMEOUT, "BAUD": baud}


def simulate(
    board: Ulx3s,
    model: simulator.Model,
    name: str,
    tests: list[str],
    second: int,
    netlist: bool = False,
) -> None:
    """Run tests with a model of the board."""
    directory = simulator.run_directory(name)
    board.write(directory)
    settings = {
        "geometry": asdict(board.geometry),
        "found": evaluate(board.network, board.bits).classes.tolist(),
        "labels": board.labels.tolist(),
        # As text: settings are an environment variable, which may not be long.
        "bits": [np.packbits(row).tobytes().hex() for row in board.bits],
        "widths": board.network.widths,
        "second": second,
        "period": board.geometry.period_cycles(board.network.widths),
        "netlist": netlist,
    }
    for test in tests:
        model.run("board.ulx3s_tests", directory, testcase=test, settings=settings)
