# SPDX-License-Identifier: Apache-2.0
"""The plan of a convolutional network: channels, sides, and what does not fit."""

from __future__ import annotations

from dataclasses import replace

import pytest

from xnor_fcc.errors import UserError
from xnor_fcc.training.plan import Plan, even_levels

CNV = Plan(32, 3, 0, (even_levels(7),) * 3, "64,64p,128,128p,256,256", (512, 512), 10)


def test_channels_sides_and_widths_of_cnv() -> None:
    assert CNV.channels == (21, 64, 64, 128, 128, 256, 256)
    assert CNV.sides == (32, 30, 14, 12, 5, 3, 1)
    assert CNV.widths == (256, 512, 512, 10)


def test_a_border_widens_the_first_map_and_1x1_windows_keep_it() -> None:
    plan = replace(CNV, side=8, border=2, maps="16p, 7x1, 32x1", hidden=())
    assert plan.sides == (12, 5, 5, 5) and plan.widths == (800, 10)


def test_even_levels() -> None:
    assert even_levels(7) == (32, 64, 96, 128, 160, 192, 224)
    assert even_levels(1) == (128,)
    assert len(set(even_levels(255))) == 255


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"maps": ""}, "not a list like"),
        ({"maps": "64,,64"}, "not a list like"),
        ({"maps": "0p"}, "not a list like"),
        ({"maps": "64px1"}, "not a list like"),
        ({"maps": "64p,64p,64p"}, "A map of 13x13 cannot be pooled by 2x2: its side is odd"),
        ({"maps": "64,64p,64,64p,64,64,64"}, "Map 6 does not hold a window of 3x3"),
        ({"levels": ((1, 2), (1, 2), (3,))}, "as many levels"),
        ({"maps": "64x1,64p"}, "first convolution must be a 3x3"),
        ({"levels": ((1, 2),)}, "as many levels"),
    ],
)
def test_what_does_not_fit_is_told(change: dict, match: str) -> None:
    with pytest.raises(UserError, match=match):
        replace(CNV, **change)
