# SPDX-License-Identifier: Apache-2.0
"""`fcc_map_registers` alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from xnor_fcc.registers import word
from xnor_fcc_sim import simulator


# Colours and levels as CIFAR-10 has them, with and without a preset; one, and as many as there may
# be; none; sizes of the memories at both ends.
@pytest.mark.one_quick
@pytest.mark.parametrize(
    ("colours", "levels", "sizes", "preset"),
    [
        (3, 7, (289, 225, 4321), True),
        (3, 7, (8192, 8192, 8192), False),
        (1, 1, (1, 1, 1), False),
        (4, 64, (77, 1, 8192), True),
        (2, 0, (5, 6, 7), True),
    ],
)
def test_fcc_map_registers(
    colours: int, levels: int, sizes: tuple[int, int, int], preset: bool, tmp_path: Path
) -> None:
    """Reads, writes, resets, contents at power-up."""
    memories = dict(zip(("MAP_INPUT", "MAP_EVEN", "MAP_ODD"), sizes, strict=True))
    parameters: dict[str, object] = {
        **memories,
        "PIXEL_CHANNELS": colours,
        "PIXEL_LEVELS": levels,
    }
    count = colours * levels
    values = [(37 * i + 5) % 256 if preset else 0 for i in range(count)]
    if preset:
        # The simulation runs in `tmp_path`, where it finds the file.
        (tmp_path / "levels.hex").write_text("".join(f"{value:02x}\n" for value in values))
        parameters["PRESET"] = "levels.hex"
    model = simulator.build("fcc_map_registers", parameters)
    pixel = word("PIXEL", CHANNELS=colours, LEVELS=levels)
    settings = {"count": count, "preset": values, "values": {**memories, "PIXEL": pixel}}
    model.run("modules.fcc_map_registers_tests", tmp_path, settings=settings)
