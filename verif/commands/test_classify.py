# SPDX-License-Identifier: Apache-2.0
"""`xnor-fcc classify`: pictures of every kind, files of images, what is drawn, what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from xnor_fcc import classify
from xnor_fcc.data import DATASETS, class_names, load_test_images, make_idx
from xnor_fcc.errors import run_main
from xnor_fcc.images import ImageFileError, as_grey, flat, read_images, read_picture, side_of
from xnor_fcc.integer import IntegerNetwork, find_network
from xnor_fcc.random_network import random_network
from xnor_fcc.reference import evaluate

IMAGES, LABELS = load_test_images()
DIGIT = IMAGES[0].reshape(28, 28)  # a 7


@pytest.fixture(scope="module")
def mnist() -> IntegerNetwork:
    return IntegerNetwork.load(find_network("mnist"))


# ---- pictures


def test_a_picture_is_its_grey_values(tmp_path: Path) -> None:
    Image.fromarray(DIGIT).save(tmp_path / "grey.png")
    np.testing.assert_array_equal(read_picture(tmp_path / "grey.png"), DIGIT)
    colour = np.dstack([DIGIT, 255 - DIGIT, DIGIT // 2])
    Image.fromarray(colour).save(tmp_path / "colour.png")
    wanted = np.array(Image.fromarray(colour).convert("L"))
    np.testing.assert_array_equal(read_picture(tmp_path / "colour.png"), wanted)
    images, labels = read_images([tmp_path / "grey.png", tmp_path / "colour.png"])
    assert images.shape == (2, 28, 28) and labels is None
    np.testing.assert_array_equal(images[1], wanted)


def test_depths_and_palettes(tmp_path: Path) -> None:
    """Of one bit, of 16 bits, of a palette: all the same shades as far as they can have them."""
    bits = DIGIT >= 128
    Image.fromarray(bits).save(tmp_path / "bits.png")
    np.testing.assert_array_equal(read_picture(tmp_path / "bits.png"), bits * np.uint8(255))
    deep = DIGIT.astype(np.uint16) * 256 + 77
    Image.fromarray(deep).save(tmp_path / "deep.png")
    np.testing.assert_array_equal(read_picture(tmp_path / "deep.png"), DIGIT)
    palette = Image.fromarray(DIGIT).convert("P")
    palette.save(tmp_path / "palette.png")
    np.testing.assert_array_equal(read_picture(tmp_path / "palette.png"), DIGIT)


def test_what_is_transparent_lies_over_black(tmp_path: Path) -> None:
    """Or over white, where black and white are to be exchanged."""
    ink = np.zeros((28, 28, 4), np.uint8)
    ink[..., 3] = DIGIT  # black ink on nothing
    Image.fromarray(ink).save(tmp_path / "ink.png")
    assert read_picture(tmp_path / "ink.png").max() == 0
    np.testing.assert_array_equal(read_picture(tmp_path / "ink.png", paper=255), 255 - DIGIT)
    light = np.dstack([np.full((28, 28), 255, np.uint8), DIGIT])
    Image.fromarray(light, "LA").save(tmp_path / "light.png")
    np.testing.assert_array_equal(read_picture(tmp_path / "light.png"), DIGIT)
    Image.fromarray(DIGIT).save(tmp_path / "key.png", transparency=0)  # a grey is transparent
    keyed = np.where(DIGIT == 0, 255, DIGIT)
    np.testing.assert_array_equal(read_picture(tmp_path / "key.png", paper=255), keyed)


def test_a_camera_says_which_side_is_up(tmp_path: Path) -> None:
    turned = Image.Exif()
    turned[0x0112] = 6  # a quarter turn clockwise shows it upright
    Image.fromarray(DIGIT).save(tmp_path / "turned.png", exif=turned)
    np.testing.assert_array_equal(read_picture(tmp_path / "turned.png"), np.rot90(DIGIT, -1))


def test_scaling_keeps_the_ratio(tmp_path: Path) -> None:
    Image.fromarray(np.full((50, 100), 200, np.uint8)).save(tmp_path / "wide.png")
    fitted = read_picture(tmp_path / "wide.png", fit=(28, 28))
    assert fitted.shape == (28, 28)
    np.testing.assert_array_equal(fitted[7:21], np.full((14, 28), 200))
    assert not fitted[:7].any() and not fitted[21:].any()
    assert (read_picture(tmp_path / "wide.png", fit=(28, 28), paper=255)[:7] == 255).all()
    large = Image.fromarray(DIGIT).resize((280, 280), Image.Resampling.NEAREST)
    large.save(tmp_path / "large.png")
    near = read_picture(tmp_path / "large.png", fit=(28, 28))
    assert np.abs(near.astype(int) - DIGIT).mean() < 8


@pytest.mark.parametrize(
    "name", ["text.png", "cut.png", "empty", "folder", "none.png", "float.tiff"]
)
def test_files_that_are_no_pictures(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    Image.fromarray(DIGIT).save(tmp_path / "whole.png")
    if name == "text.png":
        path.write_text("no picture\n")
    elif name == "cut.png":
        path.write_bytes((tmp_path / "whole.png").read_bytes()[:-60])
    elif name == "empty":
        path.touch()
    elif name == "folder":
        path.mkdir()
    elif name == "float.tiff":
        Image.fromarray(DIGIT.astype(np.float32)).save(path)
    with pytest.raises(ImageFileError, match=r"no image file|cannot be read|no file"):
        read_images(path)


# ---- files of images


def test_batches_need_one_size(tmp_path: Path) -> None:
    Image.fromarray(DIGIT).save(tmp_path / "a.png")
    Image.fromarray(DIGIT[:20]).save(tmp_path / "b.png")
    with pytest.raises(ImageFileError, match=r"a.png has images of 28x28 pixels, but .* of 28x20"):
        read_images([tmp_path / "a.png", tmp_path / "b.png"])


def test_labels_of_several_files(tmp_path: Path) -> None:
    for name, some in (("a", slice(0, 3)), ("b", slice(3, 5))):
        np.savez(tmp_path / f"{name}.npz", images=IMAGES[some], labels=LABELS[some])
    images, labels = read_images([tmp_path / "a.npz", tmp_path / "b.npz"])
    np.testing.assert_array_equal(images, IMAGES[:5])
    np.testing.assert_array_equal(labels, LABELS[:5])
    np.save(tmp_path / "c.npy", IMAGES[5:6])
    assert read_images([tmp_path / "a.npz", tmp_path / "c.npy"])[1] is None
    np.savez(tmp_path / "wrong.npz", images=IMAGES[:3], labels=LABELS[:2])
    with pytest.raises(ImageFileError, match="3 images, but labels of shape"):
        read_images(tmp_path / "wrong.npz")


def test_truth_values_are_black_and_white() -> None:
    bits = np.array([[0, 1, 1]], np.uint8)
    np.testing.assert_array_equal(as_grey(bits), [[0, 255, 255]])
    assert as_grey(bits * np.uint8(2)).max() == 2 and not as_grey(bits * np.uint8(0)).any()


def test_sizes() -> None:
    assert (side_of(784), side_of(64), side_of(40)) == (28, 8, None)
    assert flat(np.zeros((3, 4, 9), np.uint8), 36).shape == (3, 36)
    with pytest.raises(ImageFileError, match="have 9x4 pixels, but the network takes 6x6"):
        flat(np.zeros((3, 4, 9), np.uint8), 36, square=True)
    assert flat(np.zeros((3, 4, 10), np.uint8), 40, square=True).shape == (3, 40)


# ---- the command


def call(
    capsys: pytest.CaptureFixture[str], *arguments: str | Path, code: int = 0
) -> tuple[str, str]:
    """What it prints on stdout and on stderr."""
    assert run_main(lambda: classify.main([str(each) for each in arguments])) == code
    captured = capsys.readouterr()
    return captured.out, captured.err


def test_one_picture(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], mnist: IntegerNetwork
) -> None:
    path = tmp_path / "digit.png"
    Image.fromarray(DIGIT).save(path)
    out, err = call(capsys, path)
    lines = out.splitlines()
    assert lines[0] == f"{path}: 7" and err == ""
    # The drawing, as the core's bits: two rows of pixels a line.
    drawn = [line.ljust(28) for line in lines[1:15]]
    bits = np.zeros((28, 28), np.uint8)
    for row, line in enumerate(drawn):
        for column, character in enumerate(line):
            bits[2 * row, column] = character in "▀█"
            bits[2 * row + 1, column] = character in "▄█"
    np.testing.assert_array_equal(bits, mnist.pixel_threshold <= DIGIT)
    scores = evaluate(mnist, bits.reshape(1, -1)).scores[0].tolist()
    assert [int(line.split()[1]) for line in lines[15:]] == scores
    longest = max(lines[15:], key=lambda line: line.count("█"))
    assert longest.startswith("7 ")
    report = json.loads(call(capsys, path, "--json")[0])
    assert report["images"] == [
        {"image": str(path), "class": 7, "name": "7", "label": None, "scores": scores}
    ]
    assert report["accuracy"] is None and report["dataset"] == "mnist"


def test_dark_ink_on_white(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "scan.png"
    Image.fromarray(255 - DIGIT).resize((84, 84)).save(path)
    out, err = call(capsys, path, code=2)
    assert out == "" and err == f"error: {path} has 84x84 pixels, but the network takes 28x28.\n"
    _, err = call(capsys, path, "--resize")
    assert err.startswith("note: bright at all corners, scan.png: --invert")
    stained = DIGIT.copy()
    stained[0, 0] = 255
    Image.fromarray(stained).save(tmp_path / "stained.png")
    assert call(capsys, tmp_path / "stained.png")[1] == ""
    out, err = call(capsys, path, "--resize", "--invert")
    assert out.startswith(f"{path}: 7\n") and err == ""


def test_dark_ink_on_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is transparent counts as paper, so that --invert turns it black."""
    ink = np.zeros((28, 28, 4), np.uint8)
    ink[..., 3] = DIGIT
    Image.fromarray(ink).save(tmp_path / "ink.png")
    Image.fromarray(DIGIT).save(tmp_path / "grey.png")
    inverted = json.loads(call(capsys, tmp_path / "ink.png", "--invert", "--json")[0])
    plain = json.loads(call(capsys, tmp_path / "grey.png", "--json")[0])
    assert inverted["images"][0]["scores"] == plain["images"][0]["scores"]


def test_many_images_and_labels(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], mnist: IntegerNetwork
) -> None:
    (tmp_path / "images").write_bytes(make_idx(IMAGES[:300].reshape(-1, 28, 28)))
    (tmp_path / "labels").write_bytes(make_idx(LABELS[:300]))
    classes = evaluate(mnist, mnist.inputs_from(IMAGES[:300])).classes
    wrong = np.flatnonzero(classes != LABELS[:300])
    assert len(wrong)  # one of the first 300 is misread
    out, _ = call(capsys, tmp_path / "images", "--labels", tmp_path / "labels")
    lines = out.splitlines()
    assert len(lines) == 301
    for number in (0, 299):
        assert lines[number] == f"{tmp_path / 'images'}:{number}: {classes[number]}"
    for number in wrong.tolist():
        assert lines[number].endswith(f": {classes[number]}, not {LABELS[number]}")
    accuracy = 1 - len(wrong) / 300
    assert lines[-1] == f"{len(wrong)} of 300 wrong: accuracy {accuracy:.4f}"
    chosen = ("--first", int(wrong[0]), "--count", 2, "--json")
    out, _ = call(capsys, tmp_path / "images", "--labels", tmp_path / "labels",
                  *map(str, chosen))  # fmt: skip
    report = json.loads(out)
    assert report["wrong"] == 1 and report["accuracy"] == 0.5
    assert [row["class"] for row in report["images"]] == classes[wrong[0] :][:2].tolist()
    assert report["images"][0]["label"] == LABELS[wrong[0]]
    # Labels of some of the files are no labels.
    np.savez(tmp_path / "known.npz", images=IMAGES[:2], labels=LABELS[:2])
    report = json.loads(call(capsys, tmp_path / "known.npz", tmp_path / "images", "--json")[0])
    assert len(report["images"]) == 302 and report["images"][0]["label"] is report["wrong"] is None


def test_a_network_of_named_classes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Which the data set knows; with two-bit inputs, which are drawn as shades."""
    random_network(np.random.default_rng(0), (784, 20, 10), [2, 1]).save(tmp_path / "plain.npz")
    plain = IntegerNetwork.load(tmp_path / "plain.npz")
    assert class_names(plain.dataset, 10) == list("0123456789")
    named = type(plain)(plain.hidden, plain.output, plain.pixel_threshold, "fashion",
                        {"dataset": "fashion"}, plain.pixel_residual)  # fmt: skip
    named.save(tmp_path / "named.npz")
    names = DATASETS["fashion"].classes
    np.save(tmp_path / "one.npy", IMAGES[:1])
    out, _ = call(capsys, tmp_path / "one.npy", "--network", tmp_path / "named.npz")
    found = int(evaluate(named, named.inputs_from(IMAGES[:1])).classes[0])
    lines = out.splitlines()
    assert lines[0].endswith(f":0: {found} {names[found]}")
    assert len(lines) == 1 + 28 + 10 and names[3] in lines[1 + 28 + 3]
    np.save(tmp_path / "dark.npy", 255 - IMAGES[:1])
    out, _ = call(capsys, tmp_path / "dark.npy", "--network", tmp_path / "named.npz", "--invert",
                  "--json")  # fmt: skip
    report = json.loads(out)
    assert (report["network"], report["images"][0]["class"]) == ("fashion", found)
    levels = named.inputs_from(IMAGES[:1]).reshape(28, 28)
    for row, line in zip(levels, lines[1:29], strict=True):
        assert [" ░▒█".index(each) for each in line[::2]] == row.tolist()


def test_ascii_where_the_terminal_has_no_blocks() -> None:
    bits = np.eye(3, dtype=np.uint8)
    assert classify.drawing(bits, 1) == "▀▄ \n  ▀"
    assert classify.drawing(bits, 1, blocks=False) == "##    \n  ##  \n    ##"
    levels = np.array([[0, 1], [2, 3]], np.uint8)
    assert classify.drawing(levels, 3, blocks=False).isascii()


@pytest.mark.parametrize("side", [1, 2, 90])
def test_drawn_only_where_it_fits(
    side: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    random_network(np.random.default_rng(0), (side * side, 3)).save(tmp_path / "net.npz")
    Image.fromarray(np.full((side, side), 255, np.uint8)).save(tmp_path / "all.png")
    out, _ = call(capsys, tmp_path / "all.png", "--network", tmp_path / "net.npz", "--invert")
    assert len(out.splitlines()) == 4 + (side < 80)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["one.npy", "--first", "1"], "--first 1 is outside 0 to 0"),
        (["one.npy", "--first", "-1"], "--first -1 is outside"),
        (["one.npy", "--count", "0"], "--count 0 is outside 1 to 1"),
        (["one.npy", "--count", "2"], "--count 2 is outside 1 to 1"),
        (["one.npy", "--labels", "two"], "1 images, but labels of shape (2,)"),
        (["one.npy", "--network", "nothing"], "There is no network nothing"),
        (["one.npy", "--network", "odd.npz"], "has 784 pixels, but the network takes 40"),
        (["one.npy", "--network", "odd.npz", "--resize"], "make no square"),
        (["small.png"], "has 20x28 pixels, but the network takes 28x28"),
        (["flat.png"], "has 56x14 pixels, but the network takes 28x28"),
        (["none"], "holds no images: its shape is (0, 28, 28)"),
        (["two"], "images are uint8 or bool of shape"),
        (["text"], "is no image file"),
        (["words.npz"], "labels of <U1; classes are whole numbers"),
        (["one.npy", "--labels", "half.npy"], "labels of float64; classes are whole numbers"),
        (["nowhere.png"], "There is no file nowhere.png"),
    ],
)
def test_one_sentence(
    arguments: list[str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    np.save("one.npy", IMAGES[:1])
    random_network(np.random.default_rng(0), (40, 10)).save("odd.npz")
    Image.fromarray(DIGIT[:, :20]).save("small.png")
    Image.fromarray(DIGIT.reshape(14, 56)).save("flat.png")
    Path("none").write_bytes(make_idx(np.zeros((0, 28, 28), np.uint8)))
    Path("two").write_bytes(make_idx(LABELS[:2]))
    Path("text").write_text("no images\n")
    np.savez("words.npz", images=IMAGES[:1], labels=np.array(["a"]))
    np.save("half.npy", np.array([0.5]))
    out, err = call(capsys, *arguments, code=2)
    assert out == "" and err.startswith("error: ") and err.count("\n") == 1 and says in err
