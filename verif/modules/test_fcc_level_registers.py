# SPDX-License-Identifier: Apache-2.0
"""`fcc_level_registers` alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from xnor_fcc_sim import simulator


# As many as a pixel of three colours has, with and without a preset; one, and as many as there may
# be.
@pytest.mark.one_quick
@pytest.mark.parametrize(("count", "preset"), [(21, True), (21, False), (1, False), (256, True)])
def test_fcc_level_registers(count: int, preset: bool, tmp_path: Path) -> None:
    """Writes, resets, contents at power-up."""
    parameters: dict[str, object] = {"COUNT": count}
    values = [(37 * i + 5) % 256 if preset else 0 for i in range(count)]
    if preset:
        # The simulation runs in `tmp_path`, where it finds the file.
        (tmp_path / "levels.hex").write_text("".join(f"{value:02x}\n" for value in values))
        parameters["PRESET"] = "levels.hex"
    model = simulator.build("fcc_level_registers", parameters)
    settings = {"count": count, "preset": values}
    model.run("modules.fcc_level_registers_tests", tmp_path, settings=settings)
