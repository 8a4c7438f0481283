# SPDX-License-Identifier: Apache-2.0
"""What the documents show is what the repository holds."""

from __future__ import annotations

import re

import pytest

from xnor_fcc.devices import devices
from xnor_fcc.geometry import NAMED, Geometry
from xnor_fcc.integer import IntegerNetwork
from xnor_fcc.places import ROOT, RTL
from xnor_fcc_sim.page import timeline as pictures

README = (ROOT / "README.md").read_text()


def test_the_timeline_is_up_to_date() -> None:
    assert (RTL / "doc" / "timeline.svg").read_text() == pictures.timeline(), "run `make pictures`"


def test_links_in_documents_lead_somewhere() -> None:
    folders = (RTL, ROOT / "verif", ROOT / "quartus", ROOT / "model")
    for document in (ROOT / "README.md", *(d for f in folders for d in f.rglob("*.md"))):
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", document.read_text()):
            assert (document.parent / target).exists(), f"{document.name}: {target}"


def test_make_targets_in_the_readme_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in set(re.findall(r"(?:^|`)make ([a-z]+)", README, re.M)):
        assert re.search(rf"^{target}:", makefile, re.M), target


def test_the_help_of_make_names_what_there_is() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for variable, known in (("GEOMETRY", NAMED), ("DEVICE", devices())):
        found = re.search(rf" {variable}=(\S+)", makefile)
        assert found is not None and found[1].split("|") == list(known), variable


SOURCES = sorted(
    path
    for folder in (RTL, ROOT / "verif", ROOT / "model")
    for path in folder.rglob("*")
    if path.suffix in (".v", ".vh", ".vlt", ".py")
)


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: p.name)
def test_every_source_file_names_its_licence(path) -> None:  # type: ignore[no-untyped-def]
    assert "SPDX-License-Identifier: Apache-2.0" in path.read_text()[:200]


def test_figures_in_the_readme_are_those_of_the_repository() -> None:
    network = IntegerNetwork.load(ROOT / "model" / "networks" / "mnist.npz")
    for name, sizes in NAMED.items():
        g = Geometry.for_widths(network.widths, *sizes)
        cycles = g.period_cycles(network.widths) / g.lanes
        row = f"| {', '.join(map(str, sizes))} | {cycles} | "
        assert row + f"{g.latency_cycles(network.widths, 0)} cycles |" in README, name
    # Every committed network has its row, but for what it is in words.
    for path in (ROOT / "model" / "networks").glob("*.npz"):
        if "_trained" in path.stem:
            continue
        other = IntegerNetwork.load(path)
        g = Geometry.for_widths(other.shape, *NAMED["throughput"])
        cycles = g.period_cycles(other.shape) / g.images_per_batch(other.shape)
        right = 100 * other.info["test_accuracy"]
        row = rf"\| `{path.stem}` \| [^|]+ \| {right:.2f} % \| {cycles} \|"
        assert re.search(row, README), row
    accuracy = re.search(r"([\d.]+) % of the 10,000", README)
    assert accuracy is not None
    # test_sim and test_parity hold the network to what it says of itself.
    assert float(accuracy[1]) == pytest.approx(100 * network.info["test_accuracy"])
