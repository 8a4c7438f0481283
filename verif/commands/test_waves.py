# SPDX-License-Identifier: Apache-2.0
"""`--waves`: both simulators leave one FST file and lists of signals that are all in it."""

from __future__ import annotations

import json
import re
import resource
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from commands.made import run
from xnor_fcc.random_network import random_network
from xnor_fcc_sim import waves

# Neither has a wheel for every machine; without them nothing is written that could be tested.
pytestmark = pytest.mark.needs("pywellen", "pylibfst")

LANES, IMAGES = 3, 7

VCD = b"""$version made up $end
$timescale 1ps $end
 $scope module $rootio $end
  $var wire 1 ! clk $end
 $upscope $end
 $scope module xnor_fcc $end
  $var wire 1 ! clk $end
  $scope module inner[0] $end
   $var wire 70 " wide [69:0] $end
   $var wire 1 # one [0:0] $end
   $var wire 1 ! alias $end
  $upscope $end
 $upscope $end
$enddefinitions $end
#0
0!
bx "
x#
#10
1!
b101 "
b1 #
#1234567890123
0!
b1z "
"""


def read(path: Path) -> dict[str, Any]:
    """The variables of a file, by the library that Surfer reads it with."""
    import pywellen

    return {variable.full_name: variable for variable in pywellen.Waveform(str(path)).all_vars()}


def test_a_vcd_file_becomes_an_fst_file(tmp_path: Path) -> None:
    """Names, ranges, times; values of every width, unknown ones, two names for one net."""
    (tmp_path / "dump.vcd").write_bytes(VCD)
    waves.convert(tmp_path / "dump.vcd", tmp_path / "dump.fst")
    inner = "xnor_fcc.inner[0]"
    assert waves.variables(tmp_path / "dump.fst") == {
        "xnor_fcc.clk": "", f"{inner}.wide": "[69:0]", f"{inner}.one": "[0:0]",
        f"{inner}.alias": "",
    }  # fmt: skip
    found = read(tmp_path / "dump.fst")
    end = 1234567890123
    for name in ("xnor_fcc.clk", f"{inner}.alias"):
        assert [(time, int(value)) for time, value in found[name].tv] == [(0, 0), (10, 1), (end, 0)]
    (_, first), (_, second), (last, third) = found[f"{inner}.wide"].tv
    assert str(first) == 70 * "x" and int(second) == 5 and last == end
    assert str(third) == 68 * "0" + "1z"
    assert [str(value) for _, value in found[f"{inner}.one"].tv] == ["x", "1"]


def test_no_room_for_an_fst_file(tmp_path: Path) -> None:
    """The library would leave half of one, and say nothing."""
    (tmp_path / "dump.vcd").write_bytes(VCD)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64, before[1]))
    try:
        with pytest.raises(OSError, match=r"No space left on device: .*dump\.fst"):
            waves.convert(tmp_path / "dump.vcd", tmp_path / "dump.fst")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not (tmp_path / "dump.fst").exists()
    with pytest.raises(PermissionError, match=r"dump\.fst"):
        waves.convert(tmp_path / "dump.vcd", tmp_path / "dump.vcd" / "dump.fst")


@pytest.mark.parametrize(
    "simulator",
    [
        pytest.param("icarus", marks=pytest.mark.needs("iverilog")),
        pytest.param("verilator", marks=pytest.mark.slow),
    ],
)
def test_lists_name_signals_that_are_there(tmp_path: Path, simulator: str) -> None:
    random_network(np.random.default_rng(6), (20, 12, 5)).save(tmp_path / "net.npz")
    out = tmp_path / "my waves"
    result = run(
        *(out, "--network", str(tmp_path / "net.npz"), "--inputs", "random", "--waves"),
        *("--images", str(IMAGES), "--lanes", str(LANES), "--pe", "5", "--simd", "6"),
        SIM=simulator,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    said = next(line for line in result.stdout.splitlines() if line.startswith("waveforms: "))
    gtkwave, surfer = said.removeprefix("waveforms: ").split(", or ")
    assert shlex.split(gtkwave) == ["gtkwave", str(out / waves.GTKWAVE)]
    assert shlex.split(surfer)[2:] == [str(out / waves.SURFER), str(out / "dump.fst")]
    assert not (out / "dump.vcd").exists()
    found = read(out / "dump.fst")
    listed = [name for _, _, signals in waves.groups(LANES) for name, _ in signals]
    assert len(listed) == len(set(listed)) and set(listed) <= found.keys()
    hidden = [name for name in listed if name.endswith(".lane.hidden")]
    assert [name.split(".")[-3] for name in hidden] == [f"g_lane[{i}]" for i in range(LANES)]

    commands = (out / waves.SURFER).read_text().splitlines()
    assert [line.split()[1] for line in commands if line.startswith("variable_add")] == listed
    headings = [line.split(" ", 1)[1] for line in commands if line.startswith("divider_add")]
    assert headings == [name for name, *_ in waves.groups(LANES)]

    lines = (out / waves.GTKWAVE).read_text().splitlines()
    assert lines[0] == f'[dumpfile] "{out / "dump.fst"}"'
    shown = [line for line in lines if line.startswith("xnor_fcc.")]
    for name, line in zip(listed, shown, strict=True):
        span = re.fullmatch(rf"{re.escape(name)}(?:\[(\d+)(?::0)?\])?", line)
        assert span is not None, line
        assert int(span[1] or 0) + 1 == found[name].bitwidth, line
    assert lines.count("@1000200") == len(headings)
    numbers = {name for _, _, signals in waves.groups(LANES) for name, number in signals if number}
    for name, line in zip(listed, shown, strict=True):
        flag = ("@24" if name in numbers else "@22") if line.endswith("]") else "@28"
        assert lines[lines.index(line) - 1] == flag, line

    # The values are those of the run, and it opens where the images come.
    report = json.loads((out / "report.json").read_text())
    loads = [time for time, value in found["xnor_fcc.g_legal.core.load_image"].tv if value == 1]
    assert len(loads) == report["counters"]["BATCHES"] + 1 == 4
    start, end = map(int, commands[-1].split()[1:])
    assert loads[0] < start < loads[1] < end
    cursor = int(commands[-2].removeprefix("cursor_set "))
    beat = next(time for time, value in found["xnor_fcc.asi_image_valid"].tv
                if value == 1 and time > loads[0])  # fmt: skip
    assert start < cursor <= beat < end
    assert [line for line in lines if line.startswith("[timestart]")] == [f"[timestart] {start}"]


def test_without_the_library_the_simulators_file_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "dump.vcd").write_bytes(VCD)
    monkeypatch.setattr(waves, "_library", lambda: None)
    assert waves.finish(tmp_path, 1, 0, 10).startswith(str(tmp_path / "dump.vcd"))
    assert [path.name for path in tmp_path.iterdir()] == ["dump.vcd"]
