# SPDX-License-Identifier: Apache-2.0
"""Commands with networks that begin with convolutions: `xnor-fcc info` and `classify`."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from xnor_fcc import classify, explore, info, packing
from xnor_fcc.devices import devices
from xnor_fcc.errors import run_main
from xnor_fcc.geometry import MAPS, Geometry, MapShape
from xnor_fcc.integer import IntegerNetwork
from xnor_fcc.map_geometry import default_sizes
from xnor_fcc.pack import pack
from xnor_fcc.random_network import Convolution, cnv_network, random_map_network
from xnor_fcc.reference import evaluate
from xnor_fcc.register_script import register_script
from xnor_fcc.space import Space, pick


@pytest.fixture
def colour(tmp_path: Path) -> IntegerNetwork:
    """A network of images of 8x8 in three colours, in the file colour.npz."""
    layers = [Convolution(70), Convolution(30, 1, True)]
    network = random_map_network(np.random.default_rng(3), 8, layers, [20, 5], 3, 4, 1)
    network.save(tmp_path / "colour.npz")
    return network


@pytest.fixture
def grey(tmp_path: Path) -> IntegerNetwork:
    """A network of grey images of 6x6, in the file grey.npz."""
    network = random_map_network(np.random.default_rng(4), 6, [Convolution(9)], [10], 1, 3, 0)
    network.save(tmp_path / "grey.npz")
    return network


def test_info_tells_maps(
    colour: IntegerNetwork, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert info.main([str(tmp_path / "colour.npz"), "--device", "de1-soc"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith(": 192-70-30-20-5, convolutions")
    assert colour.pixels is not None
    reds = " ".join(str(level) for level in colour.pixels.levels[0] if level)
    assert lines[2].endswith(
        f"8x8, 3 colours, 1 black around them; bits are 1 from {reds}; "
        + "; ".join(" ".join(str(v) for v in each if v) for each in colour.pixels.levels[1:])
        + " on"
    )
    assert "3x3 of 12 1-bit channels, 70 neurons at 8x8 positions, binary" in lines[4]
    assert "1x1 of 70 1-bit channels, 30 neurons at 8x8 positions, max-pool 2x2," in lines[5]
    assert "480 1-bit inputs, 20 neurons, binary" in lines[6]
    assert lines[8].startswith("  core         PE=32 SIMD=192 LANES=4, ")
    assert lines[9].startswith("  de1-soc      PE=") and len(lines) == 10


def test_info_reports_maps(
    colour: IntegerNetwork, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert info.main([str(tmp_path / "colour.npz"), "--json", "--device", "de1-soc"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert isinstance(colour.shape, MapShape)
    assert default_sizes(colour.shape) == MAPS
    g = Geometry.for_widths(colour.shape, *MAPS)
    assert report["core"]["words"] == g.weight_depth < g.steps(colour.shape)
    assert report["core"]["period"] == report["core"]["cycles_per_image"]
    assert all(fit["fits"] for fit in report["devices"].values())
    assert report["kinds"] == ["convolutions"]
    assert [layer["convolution"] for layer in report["layers"]] == [
        {"kernel": 3, "channels": 12, "positions": 8, "pool": False},
        {"kernel": 1, "channels": 70, "positions": 8, "pool": True},
        None,
        None,
    ]
    assert colour.pixels is not None
    assert report["pixels"] == {"side": 8, "border": 1, "levels": colour.pixels.levels.tolist()}
    assert report["layers"][0]["weight_bits"] == 108 * 70


def test_a_small_network_has_a_small_core(
    grey: IntegerNetwork, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Slots for its nine channels, and the nine bits of its pixels."""
    arguments = [str(tmp_path / "grey.npz"), "--json", "--device", "none"]
    assert info.main(arguments) == 0
    core = json.loads(capsys.readouterr().out)["core"]
    assert (core["pe"], core["simd"], core["lanes"]) == (8, 48, 4)


def test_a_core_that_cannot_be_is_refused(
    colour: IntegerNetwork, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [str(tmp_path / "colour.npz"), "--geometry", "throughput"]
    assert run_main(lambda: info.main(arguments)) == 2
    assert "PE=69 SIMD=205 is no core for convolutions" in capsys.readouterr().err


def test_the_explorer_finds_cores(colour: IntegerNetwork) -> None:
    """Each of them runs the network, in the cycles that it says."""
    report = explore.explore(devices()["de1-soc"], colour.shape)
    assert report["fit"] >= len(report["front"]) >= len(report["table"]) > 1
    rows = [*report["table"], *report["named"].values()]
    for row in rows:
        g = Geometry.for_widths(colour.shape, row["pe"], row["simd"], row["lanes"])
        assert row["parameters"] == g.parameters()
        assert row["period"] == row["cycles_per_image"] == g.period_cycles(colour.shape)
        assert sum(row["parts"].values()) == pytest.approx(row["alm"], abs=1)
    best = report["picks"]["throughput"]
    assert list(report["named"]) == ["maps"]
    assert best["period"] == min(row["period"] for row in rows)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--max-lanes", "3"], "--max-lanes 3 is too few: 4 lanes carry the positions of a conv"),
        (["--streamed"], "A core for convolutions has its weights in a memory: none are streamed."),
        (["--fill", "0.03"], "Nor can a core for convolutions stream its weights."),
    ],
)
def test_what_the_explorer_cannot_find(
    arguments: list[str], says: str, colour: IntegerNetwork, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    network = ["--network", str(tmp_path / "colour.npz"), "--output", str(tmp_path / "out")]
    assert run_main(lambda: explore.main([*network, *arguments])) == 2
    assert says in capsys.readouterr().err


def test_the_best_core_for_cnv() -> None:
    """On a DE1-SoC: a slot for 64 channels, two groups to a slot; every next size is too large."""
    shape = cnv_network(np.random.default_rng(1)).shape
    space = Space(devices()["de1-soc"], shape)
    found = pick(space.explore())["throughput"]
    assert found.sizes == (32, 192, 4) and found.area.alm <= 28_000 and found.area.blocks <= 385
    assert found.period == found.geometry.period_cycles(shape) <= 3200
    bounds = space.bounds(found)
    assert bounds == {"pe": "logic", "simd": "logic", "lanes": "size"}


def test_a_picture_in_colours(
    colour: IntegerNetwork, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(5)
    images = rng.integers(0, 256, (3, 8, 8, 3), dtype=np.uint8)
    for i, image in enumerate(images):
        Image.fromarray(image).save(tmp_path / f"{i}.png")
    np.save(tmp_path / "all.npy", images)
    classes = evaluate(colour, colour.inputs_from(images)).classes.tolist()
    network = ["--network", str(tmp_path / "colour.npz"), "--json"]
    for files in (["0.png", "1.png", "2.png"], ["all.npy"]):
        assert classify.main([*(str(tmp_path / name) for name in files), *network]) == 0
        report = json.loads(capsys.readouterr().out)
        assert [row["class"] for row in report["images"]] == classes
    # Scaled, inverted, and drawn: border and all, black where nothing fires.
    Image.fromarray(255 - np.kron(images[0], np.ones((2, 2, 1), np.uint8))).save(tmp_path / "2.png")
    assert classify.main([str(tmp_path / "2.png"), "--resize", "--invert", *network[:2]]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1 + 10 + 5 and not lines[1].strip() and lines[5].strip()


def test_a_grey_picture(
    grey: IntegerNetwork, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image = np.random.default_rng(6).integers(0, 256, (6, 6), dtype=np.uint8)
    Image.fromarray(np.dstack([image] * 3)).save(tmp_path / "grey.png")
    assert classify.main([str(tmp_path / "grey.png"), "--network", str(tmp_path / "grey.npz")]) == 0
    lines = capsys.readouterr().out.splitlines()
    levels = grey.inputs_from(image[None])[0].sum(axis=2)
    for row, line in zip(levels, lines[1:7], strict=True):
        assert [" ░▒▓█".index(each) for each in line[::2]] == (row * 4 // 3).tolist()


def test_pack_takes_pictures_in_colours(
    colour: IntegerNetwork, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """For the core that it says, with files for its memories and a script for hosts."""
    image = np.random.default_rng(5).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    Image.fromarray(image).save(tmp_path / "picture.png")
    arguments = ["--network", str(tmp_path / "colour.npz"), "--output", str(tmp_path / "files"),
                 "--out", str(tmp_path / "script.txt"), "--images", str(tmp_path / "picture.png"),
                 "--json"]  # fmt: skip
    assert packing.main(arguments) == 0
    report = json.loads(capsys.readouterr().out)
    g = Geometry.for_widths(colour.shape, *MAPS)
    assert report["parameters"] == g.parameters() and report["images"] == 1
    assert report["layer_table"] == list(pack(colour, g).entries)
    wanted = register_script(colour, g, image[None])
    assert (tmp_path / "script.txt").read_text() == wanted
    assert str(tmp_path / "files" / "preset_levels.hex") in report["files"]
    # The sizes that it says make the same core.
    sizes = ",".join(f"{name}={value}" for name, value in report["parameters"].items())
    again = ["--parameters", sizes, *arguments[:2], "--out", str(tmp_path / "again.txt")]
    assert packing.main(again) == 0
    assert (tmp_path / "again.txt").read_text() == register_script(colour, g)


def test_an_image_of_one_shade_is_told(
    colour: IntegerNetwork, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever its levels are, and though there is a black border around it."""
    images = np.full((2, 8, 8, 3), 100, np.uint8)
    images[1, 0, 0, 0] = 255
    np.save(tmp_path / "all.npy", images)
    file = str(tmp_path / "all.npy")
    assert classify.main([file, "--network", str(tmp_path / "colour.npz")]) == 0
    assert capsys.readouterr().err.startswith(f"note: of one shade to the network, {file}:0: it")


@pytest.mark.parametrize(
    ("name", "network", "says"),
    [
        ("grey.png", "colour", "of shape (6, 6, 3), but the network takes (8, 8, 3)"),
        ("first.npy", "colour", "of shape (3, 8, 8), but the network takes (8, 8, 3)"),
        ("grey.png", "pair", "a picture, grey or of 3 colours, but the network takes 2 colours"),
        ("large.png", "grey", "has 8x8 pixels, but the network takes 6x6"),
    ],
)
def test_images_that_do_not_fit(
    name: str, network: str, says: str, colour: IntegerNetwork, grey: IntegerNetwork,
    tmp_path: Path, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    Image.fromarray(np.zeros((6, 6), np.uint8)).save(tmp_path / "grey.png")
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(tmp_path / "large.png")
    np.save(tmp_path / "first.npy", np.zeros((2, 3, 8, 8), np.uint8))
    random_map_network(np.random.default_rng(4), 6, [Convolution(9)], [3], 2, 3).save(
        tmp_path / "pair.npz"
    )
    arguments = [str(tmp_path / name), "--network", str(tmp_path / f"{network}.npz")]
    assert run_main(lambda: classify.main(arguments)) == 2
    assert says in capsys.readouterr().err
