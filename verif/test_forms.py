# SPDX-License-Identifier: Apache-2.0
"""The forms of verif/forms count right, so that what `make area` says of them is fair."""

from __future__ import annotations

from pathlib import Path

import simulator


def test_forms(tmp_path: Path) -> None:
    """Counts of random words of several sizes, and their latency."""
    forms = [path for path in simulator.VERIF.glob("forms/*.v") if path.name != "form_shim.v"]
    sources = [*sorted(forms), simulator.VERIF / "forms_sizes.v"]
    model = simulator.build("forms_sizes", sources=sources)
    model.run("forms_tests", tmp_path)
