# SPDX-License-Identifier: Apache-2.0
"""The notebooks of model/notebooks: kept without outputs, run from start to end in a fresh kernel,
silent but for what they print, and right in what they found."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from xnor_fcc.data import load_test_images
from xnor_fcc.geometry import Geometry
from xnor_fcc.integer import IntegerNetwork, find_network
from xnor_fcc.places import ROOT
from xnor_fcc.reference import evaluate
from xnor_fcc_sim.flip import plant_fault

FOLDER = ROOT / "model" / "notebooks"
BREVITAS, INSIDE = "brevitas_to_hardware.ipynb", "inside_the_core.ipynb"
NEEDS_TRAINING = pytest.mark.needs("brevitas", "matplotlib", "sklearn")
NEEDS_PLOTS = pytest.mark.needs("matplotlib")
# Seconds that a cell may take; a build among other tests takes longest.
PATIENCE = 600


def read(name: str) -> Any:
    return nbformat.read(FOLDER / name, as_version=4)


def run(notebook: Any, directory: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Execute in place, in a kernel of this Python; neither what the user has set up for Jupyter
    nor the checkout is where it runs."""
    for variable in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR"):
        monkeypatch.setenv(variable, str(directory / "jupyter"))
    for variable in ("JUPYTER_PATH", "MPLBACKEND", "PYTHONWARNINGS"):
        monkeypatch.delenv(variable, raising=False)
    where = {"metadata": {"path": str(directory)}}
    NotebookClient(notebook, timeout=PATIENCE, kernel_name="python3", resources=where).execute()
    return notebook


def printed(cell: Any) -> str:
    return "".join(each.text for each in cell.outputs if each.output_type == "stream")


def noise(notebook: Any) -> list[str]:
    """What cells put out that a reader should not see."""
    found = []
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            text = output.get("text", "")
            if output.output_type == "error" or output.get("name") == "stderr":
                found.append(f"{cell.id}: {text or output.evalue}")
            elif any(word in text for word in ("Warning", "warning", "Traceback", "Error")):
                found.append(f"{cell.id}: {text}")
    return found


def finished(name: str, directory: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Run a notebook; the figures that its last cell of code prints."""
    notebook = run(read(name), directory, monkeypatch)
    assert noise(notebook) == []
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    figures: dict[str, Any] = json.loads(printed(code[-1]).splitlines()[-1])
    return figures


# ---- as they are kept


def test_there_are_these_notebooks() -> None:
    assert sorted(path.name for path in FOLDER.iterdir() if path.is_file()) == [BREVITAS, INSIDE]


@pytest.mark.parametrize("name", [BREVITAS, INSIDE])
def test_a_notebook_is_kept_without_outputs(name: str) -> None:
    """As Jupyter writes it, so that a change is all that a diff shows; and with its licence."""
    notebook = read(name)
    nbformat.validate(notebook)
    assert (FOLDER / name).read_text(encoding="utf-8") == nbformat.writes(notebook) + "\n"
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    assert "SPDX-License-Identifier: Apache-2.0" in notebook.cells[0].source.splitlines()[0]
    for cell in notebook.cells:
        assert cell.id.replace("-", "").isalpha(), "an id that a diff can be read by"
        assert cell.metadata == {} and cell.source.strip()
        if cell.cell_type == "code":
            assert cell.outputs == [] and cell.execution_count is None
    for target in [word.partition(")")[0] for cell in notebook.cells
                   for word in cell.source.split("](")[1:]]:  # fmt: skip
        assert target.startswith("https:") or (FOLDER / target).exists(), target


def test_ten_cells_are_ten() -> None:
    notebook = read(BREVITAS)
    assert "in ten cells" in notebook.cells[0].source
    assert sum(cell.cell_type == "code" for cell in notebook.cells) == 10


# ---- run


@pytest.mark.slow
@NEEDS_TRAINING
def test_from_brevitas_to_hardware(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it found holds for the network that it wrote, on this project's own test images."""
    figures = finished(BREVITAS, tmp_path, monkeypatch)
    network = IntegerNetwork.load(tmp_path / "my_digits.npz")
    images, labels = load_test_images("digits")
    expected = evaluate(network, network.inputs_from(images))
    geometry = Geometry.for_widths(network.shape, 16, 32, 2)
    right = int((expected.classes == labels).sum())
    assert right > 0.75 * len(images), "it has learnt something"
    assert figures == {
        "right": right,
        "scores": expected.scores.size,
        "wrong_scores": 0,
        "wrong_classes": 0,
        "hidden_bits": 50 * (128 + 96),
        "wrong_bits": 0,
        "latency": geometry.latency_cycles(network.shape, 256),
        "cycles_per_image": geometry.period_cycles(network.shape) / 2,
    }


@pytest.mark.slow
@NEEDS_PLOTS
def test_inside_the_core(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every figure as the reference and the cycle model have it."""
    figures = finished(INSIDE, tmp_path, monkeypatch)
    network = IntegerNetwork.load(find_network("digits"))
    bits = network.inputs_from(load_test_images("digits")[0][[figures["image"]]])
    expected = evaluate(network, bits)
    assert figures["answer"] == expected.classes[0] and figures["wrong"] == 0
    assert figures["scores"] == expected.scores[0].tolist()
    given, close = bits[0], []
    for layer, answered in zip(network.hidden, expected.hidden, strict=True):
        counted = (layer.weights == given).sum(axis=1)
        close.append(int(np.isin(counted - layer.thresholds, (-1, 0)).sum()))
        given = answered[0]
    assert figures["close"] == close

    two = Geometry.for_widths(network.shape, 16, 32, 2)
    assert figures["latencies"] == {
        str(wait): two.latency_cycles(network.shape, wait) for wait in (256, 100, 10, 0)
    }
    assert figures["steps"] == [2 * 8, 4 * 6, 3 * 1]
    assert figures["cycles_per_image"] == {
        str(lanes): Geometry.for_widths(network.shape, 16, 32, lanes).period_cycles(network.shape)
        / lanes
        for lanes in (1, 2, 4)
    }
    for fault in figures["faults"].values():
        broken = evaluate(plant_fault(network, fault["place"]), bits)
        assert fault["scores"] == broken.scores[0].tolist()
        assert fault["turned"] == [
            np.flatnonzero(before[0] != after[0]).tolist()
            for before, after in zip(expected.hidden, broken.hidden, strict=True)
        ]


# ---- that they can fail

# For each notebook: cells that may be left out, the start of the core, the same with a fault in the
# network that is loaded, and the cell that must find it.
TWINS = (
    pytest.param(
        *(BREVITAS, ("train", "explore"), "SimulatedCore(network, geometry)", "simulate"),
        marks=NEEDS_TRAINING,
    ),
    pytest.param(*(INSIDE, (), "SimulatedCore(network, geometry)", "trace"), marks=NEEDS_PLOTS),
)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "without", "start", "finds"), TWINS)
def test_a_wrong_core_stops_a_notebook(
    name: str,
    without: tuple[str, ...],
    start: str,
    finds: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A score that is one too great: the cell that compares stops, and its output is noise."""
    notebook = read(name)
    notebook.cells = [cell for cell in notebook.cells if cell.id not in without]
    places = [cell for cell in notebook.cells if start in cell.source]
    assert len(places) == 1
    places[0].source = "from xnor_fcc_sim.flip import plant_fault\n" + places[0].source.replace(
        start, 'SimulatedCore(plant_fault(network, "threshold:2:4"), geometry)'
    )
    with pytest.raises(CellExecutionError, match="AssertionError"):
        run(notebook, tmp_path, monkeypatch)
    assert [each.partition(":")[0] for each in noise(notebook)] == [finds]
