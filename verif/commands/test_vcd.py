# SPDX-License-Identifier: Apache-2.0
"""The toggle counter on small files whose toggles can be counted by hand."""

from __future__ import annotations

import io

import numpy as np
import pytest

from xnor_fcc.errors import UserError
from xnor_fcc_sim import vcd

DECLARATIONS = b"""$version by hand $end
$timescale 1ns $end
$scope module $rootio $end
$var wire 1 ! go $end
$upscope $end
$scope module top $end
$var wire 1 ! go $end
$var wire 4 " word [3:0] $end
$scope module empty $end
$scope module room $end
$var wire 4 " same [3:0] $end
$var wire 1 # bit $end
$upscope $end
$upscope $end
$upscope $end
$enddefinitions $end
"""

# In the window (20, 60]: word 0011 -> 1100 (4) -> 0001 (3) -> 0x01 (0, 1 unknown) -> 0001 (unknown)
# -> zzzz (4 unknown); bit 0 -> 1 -> 0 (2) -> x -> 1 (2 unknown). Outside of it: plenty.
CHANGES = b"""#0
$dumpvars
0!
b1111 "
1#
$end
#10
1!
b0 "
0#
#15
0!
b1010 "
1#
#20
1!
b11 "
0#
#25
0!
b1100 "
1#
#40
1!
b1 "
0#
#45
0!
b0x01 "
x#
#50
b1 "
1#
#60
1!
bz "
#65
b0 "
0#
"""


def count(changes: bytes, first: int, last: int, codes: bytes = b"\"#") -> vcd.Count:
    stream = io.BytesIO(DECLARATIONS + changes)
    header = vcd.read_header(stream)
    counted = [codes[i : i + 1] for i in range(len(codes))]
    return vcd.count_toggles(stream, header, counted, b"!", first, last)


def test_declarations() -> None:
    header = vcd.read_header(io.BytesIO(DECLARATIONS + CHANGES))
    assert [(v.code, v.width, v.name) for v in header.variables] == [
        (b"!", 1, "$rootio.go"),
        (b"!", 1, "top.go"),
        (b'"', 4, "top.word"),
        (b'"', 4, "top.empty.room.same"),
        (b"#", 1, "top.empty.room.bit"),
    ]
    assert header.codes() == {b"!": 1, b'"': 4, b"#": 1}


def test_toggles_of_a_window() -> None:
    """An alias is counted once; leading zeros are implied; x and z are no toggles."""
    result = count(CHANGES, first=1, last=3)
    assert result.toggles == {b'"': 4 + 3, b"#": 2}
    assert result.unknown == 1 + 1 + 4 + 1 + 1
    assert (result.begin, result.end) == (20, 60)


def test_the_window_before_has_its_own_toggles() -> None:
    # (10, 20]: word 0000 -> 1010 -> 0011, bit 0 -> 1 -> 0.
    result = count(CHANGES, first=0, last=1)
    assert result.toggles == {b'"': 2 + 2, b"#": 2} and result.unknown == 0


def test_windows_add_up() -> None:
    whole = count(CHANGES, first=0, last=3)
    parts = [count(CHANGES, first=n, last=n + 1) for n in range(3)]
    for code in (b'"', b"#"):
        assert whole.toggles[code] == sum(part.toggles[code] for part in parts)
    assert whole.unknown == sum(part.unknown for part in parts)


@pytest.mark.parametrize(
    "value, width, full",
    [(b"1", 4, b"0001"), (b"01", 4, b"0001"), (b"x1", 4, b"xxx1"), (b"z", 3, b"zzz"),
     (b"1010", 4, b"1010")],
)
def test_leading_bits(value: bytes, width: int, full: bytes) -> None:
    assert vcd.extended(value, width) == full


@pytest.mark.parametrize("old", "01xz")
@pytest.mark.parametrize("new", "01xz")
def test_every_change_of_a_bit(old: str, new: str) -> None:
    """One bit alone and the same bit in a short or a long word are judged alike."""
    toggles = int({old, new} == {"0", "1"})
    unknown = int(old != new and not toggles)
    assert vcd.difference(old.encode(), new.encode(), 1) == (toggles, unknown)
    for above in (1, 1000):
        before, after = (f"{'1' * above}{bit}0".encode() for bit in (old, new))
        assert vcd.difference(before, after, above + 2) == (toggles, unknown)


def test_long_words_are_counted_like_short_ones() -> None:
    rng = np.random.default_rng(1)
    old, new = rng.integers(0, 2, (2, 2000), np.uint8)
    before, after = (("".join(map(str, bits)).lstrip("0") or "0").encode() for bits in (old, new))
    assert vcd.difference(before, after, 2000) == (int((old != new).sum()), 0)


def test_the_window_as_a_file_of_its_own() -> None:
    stream = io.BytesIO(DECLARATIONS + CHANGES)
    header = vcd.read_header(stream)
    kept = header.only(lambda v: v.name in ("top.go", "top.empty.room.bit"))
    output = io.BytesIO()
    vcd.count_toggles(stream, header, [b"#"], b"!", 1, 3, output, kept, kept_last=2)
    assert output.getvalue() == b"""$version by hand $end
$timescale 1ns $end
$scope module top $end
$var wire 1 ! go $end
$scope module empty $end
$scope module room $end
$var wire 1 # bit $end
$upscope $end
$upscope $end
$upscope $end
$enddefinitions $end
#0
$dumpvars
1!
0#
$end
#5
0!
1#
#20
1!
0#
"""


def test_a_file_that_ends_too_soon() -> None:
    with pytest.raises(UserError, match="ends after rise 3 of its marker, before 4"):
        count(CHANGES, first=1, last=4)
    with pytest.raises(UserError, match="before its declarations"):
        vcd.read_header(io.BytesIO(DECLARATIONS[:200]))
