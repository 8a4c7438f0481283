# SPDX-License-Identifier: Apache-2.0
"""The forms of verif/forms count right, so that what `make area` says of them is fair; and what it
says of weights of powers of two."""

from __future__ import annotations

from pathlib import Path

import pytest

from measure import area
from xnor_fcc_sim import simulator


@pytest.mark.slow
def test_forms(tmp_path: Path) -> None:
    """Counts and sums of random words of several sizes, and their latency."""
    forms = [path for path in Path(__file__).parent.glob("forms/*.v") if path.name != "form_shim.v"]
    sources = [*sorted(forms), simulator.RTL / "fcc_accumulators.v"]
    sources.append(Path(__file__).with_name("forms_sizes.v"))
    model = simulator.build("forms_sizes", sources=sources)
    model.run("measure.forms_tests", tmp_path)


def test_the_account_of_powers_of_two() -> None:
    """Its figures follow from the ALMs of a synapse; a cheap enough one would be called so."""
    alm = {"xnor": 0.5, "1": 8.0, "2": 9.0, "4": 15.0, "8": 20.0}
    costs = area.shift_costs(alm)
    full, tenth = costs["at_xnor_rate"], costs["at_a_tenth_of_a_lane"]
    assert costs["synapses"] == 784 * 1024 and full["synapses_per_cycle"] == 69 * 205
    assert full["alm"] == 20 * 69 * 205 == pytest.approx(full["lanes"] * costs["lane_alm"])
    assert tenth["cycles_per_image"] * tenth["alm"] / 20 == pytest.approx(784 * 1024)
    # Sixty words of 4 bits for each synapse, blocks of at most 40 bits and 256 words.
    assert full["blocks"] == -(-4 * 69 * 205 // 40)
    assert tenth["blocks"] * 10240 >= 4 * 784 * 1024 > (tenth["blocks"] - 1) * 10240
    assert costs["steps"] == 15 * 4 and costs["bit_serial_steps"] == 60 * 8 * 8 * 2
    text = area.shift_text(costs, "1.2")
    assert "far more than a tenth" in text and "Yosys 1.2" in text
    assert "| 4 | 20.0 | 40 |" in " ".join(text.split())
    cheap = area.shift_costs({**alm, "8": costs["lane_alm"] / 10 / (69 * 205)})
    assert "cost less than a tenth" in area.shift_text(cheap, "1.2")


@pytest.mark.slow
def test_a_product_costs_many_times_an_xnor() -> None:
    """Yosys on the form itself, where it is smallest."""
    sources = [simulator.RTL / "fcc_accumulators.v", area.FORMS / "form_shift.v"]
    parameters = {"PE": 1, "SIMD": 16, "ACC_BITS": 27}
    costs = [
        area.synthesis.intel("form_shift", {**parameters, "EXPONENTS": count}, sources).alm / 16
        for count in (1, 8)
    ]
    assert 8 < costs[0] < costs[1] / 2
