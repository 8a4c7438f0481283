# SPDX-License-Identifier: Apache-2.0
"""Every illegal parameter stops elaboration, and the message names what is wrong."""

from __future__ import annotations

import pytest

from core.elaboration import elaborate
from core.illegal import ILLEGAL, ILLEGAL_MAPS, MAPS
from xnor_fcc.geometry import Geometry, GeometryError
from xnor_fcc.parameters import PARAMETERS, most

TOOLS = ["verilator", pytest.param("iverilog", marks=pytest.mark.needs("iverilog"))]


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize(
    ("parameters", "message"),
    [*ILLEGAL, *(({**MAPS, **values}, message) for values, message in ILLEGAL_MAPS)],
)
def test_illegal_parameters_are_refused(
    tool: str, parameters: dict[str, int], message: str
) -> None:
    result = elaborate(tool, parameters)
    assert result.returncode != 0
    assert message in result.stderr + result.stdout


@pytest.mark.one_quick
@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize(
    "parameters",
    [
        *({}, *({"WEIGHT_STREAM": bits} for bits in (8, 24, 512))),
        *({"ORDER": 2}, {"TERNARY": 1}, {"ORDER": 2, "TERNARY": 1}, {"LANES": 3, "TERNARY": 1}),
        *({"LEARN": 1}, {"LEARN": 16}, {"LEARN": 32, "MAX_CLASSES": 32}),
    ],
)
def test_these_are_legal(tool: str, parameters: dict[str, int]) -> None:
    assert elaborate(tool, parameters).returncode == 0


# The least and the most that such a core may have; wide words take minutes to elaborate.
@pytest.mark.one_quick
@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"ORDER": 2, "LANES": 8, "TERNARY": 1},
        {"PE": 18, "MAP_INPUT": 1, "MAP_EVEN": 1, "MAP_ODD": 1},
        {"PE": 1, "SIMD": 9, "PIXEL_CHANNELS": 1, "PIXEL_LEVELS": 1, "IMAGE_WIDTH": 8},
        {"PE": 1, "SIMD": 36, "PIXEL_CHANNELS": 4, "PIXEL_LEVELS": 1},
        {"PE": 1, "SIMD": 36, "PIXEL_CHANNELS": 4, "PIXEL_LEVELS": 0},
        {"MAP_INPUT": 8192, "MAP_EVEN": 8192, "MAP_ODD": 8192, "IMAGE_WIDTH": 512},
    ],
)
def test_these_cores_for_convolutions_are_legal(tool: str, parameters: dict[str, int]) -> None:
    assert elaborate(tool, {**MAPS, **parameters}).returncode == 0


def test_every_limit_of_the_parameters_is_tried() -> None:
    """What is just outside the limits of parameters.json is among what the Verilog refuses."""
    tried = [values for values, _ in ILLEGAL]
    tried_maps = [
        {name: value} for values, _ in ILLEGAL_MAPS for name, value in values.items()
    ]
    for name, parameter in PARAMETERS.items():
        if not parameter.number:
            continue
        beyond = [parameter.low - (8 if name == "WEIGHT_STREAM" else 1)]
        if parameter.values:
            beyond = [0, 2 * parameter.values[-1]]
        elif parameter.high is not None and not parameter.open and not parameter.legal:
            beyond.append(parameter.high + 1)
        if parameter.maps and name != "MAP_INPUT":
            beyond = [parameter.smallest_in(maps=True) - 1, most(name) + 1]
        for value in beyond:
            assert {name: value} in (*tried, *tried_maps), f"{name}={value}"


@pytest.mark.parametrize(
    "values",
    [
        *(values for values, _ in ILLEGAL if values != {"TAPS": 0}),  # there: choose one
        *({**MAPS, **values} for values, _ in ILLEGAL_MAPS),
    ],
)
def test_the_package_refuses_the_same(values: dict[str, int]) -> None:
    with pytest.raises(GeometryError):
        Geometry(**{name.lower(): value for name, value in values.items()})
