# SPDX-License-Identifier: Apache-2.0
"""`fcc_load_crc` alone."""

from __future__ import annotations

from pathlib import Path

from xnor_fcc_sim import simulator


def test_fcc_load_crc(tmp_path: Path) -> None:
    """CRC-32 of what is loaded, chunk by chunk."""
    simulator.build("fcc_load_crc").run("modules.fcc_load_crc_tests", tmp_path)
