# SPDX-License-Identifier: Apache-2.0
"""`fcc_weight_memory` and its `fcc_memory_bank`, several sizes in one build."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from xnor_fcc.geometry import SLICE, Geometry
from xnor_fcc.pack import pack
from xnor_fcc.random_network import random_network
from xnor_fcc_sim import simulator

_TESTS = ["preset_contents", "every_word", "one_write_one_word"]


def built(tmp_path: Path) -> tuple[simulator.Model, dict[str, object]]:
    """The memories, and what the one with a preset holds: three slices in each of three banks.
    Their files are in `tmp_path`, where the simulation runs."""
    geometry = Geometry(
        pe=3,
        simd=114,
        lanes=1,
        max_width=342,
        max_classes=4,
        max_layers=2,
        weight_depth=17,
        bank_depth=8,
        threshold_depth=7,
    )
    memory = pack(random_network(np.random.default_rng(1), (342, 13, 4)), geometry)
    written = memory.write_preset(tmp_path / "preset")
    assert sum("weights" in path.name for path in written) == 9
    rows = np.packbits(memory.weights, axis=1, bitorder="little")
    words = [int.from_bytes(row.tobytes(), "little") for row in rows]
    assert len(words) == 17
    sources = [*simulator.rtl_sources(), Path(__file__).with_name("memory_sizes.v")]
    model = simulator.build("memory_sizes", sources=sources)
    return model, {"preset": words, "preset_size": [342, 17, 8]}


def test_fcc_weight_memory(tmp_path: Path) -> None:
    """Banks, slices, latency, contents at power-up."""
    model, settings = built(tmp_path)
    model.run("modules.fcc_weight_memory_tests", tmp_path, _TESTS, settings)


# The last bank in part; as many as there can be.
@pytest.mark.slow
@pytest.mark.parametrize(("depth", "bank"), [(100, 1), (43, 2)])
def test_every_bank_has_its_file(depth: int, bank: int, tmp_path: Path) -> None:
    """Up to bank 99."""
    parameters = {"WIDTH": 13, "DEPTH": depth, "BANK_DEPTH": bank, "SLICE": SLICE}
    words = np.random.default_rng(1).integers(0, 1 << 13, depth).tolist()
    for number, first in enumerate(range(0, depth, bank)):
        lines = "".join(f"{word:x}\n" for word in words[first : first + bank])
        (tmp_path / f"preset_{number:02d}_000.hex").write_text(lines)
    model = simulator.build("fcc_weight_memory", {**parameters, "PRESET": "preset"})
    settings = {"parameters": parameters, "preset": words}
    model.run("modules.fcc_weight_memory_tests", tmp_path, ["many_banks"], settings)


@pytest.mark.one_quick
@pytest.mark.parametrize("other", ["00_001", "01_000"])
def test_a_slice_in_the_place_of_another_is_seen(other: str, tmp_path: Path) -> None:
    model, settings = built(tmp_path)
    files = [tmp_path / f"preset_weights_{name}.hex" for name in ("00_000", other)]
    texts = [path.read_text() for path in files]
    for path, text in zip(files, reversed(texts), strict=True):
        path.write_text(text)
    with pytest.raises(AssertionError, match="1 of 1 cocotb tests failed"):
        model.run(
            "modules.fcc_weight_memory_tests", tmp_path, testcase="preset_contents",
            settings=settings,
        )


def test_model_and_hardware_have_slices_of_one_width() -> None:
    text = (simulator.RTL / "fcc_slice.vh").read_text()
    assert re.findall(r"localparam SLICE = (\d+);", text) == [str(SLICE)]
    sizes = Path(__file__).with_name("memory_sizes.v").read_text()
    for width in (SLICE - 1, SLICE, SLICE + 1, 2 * SLICE):
        assert f"16'd{width}}}" in sizes, f"no memory of {width} bits"
