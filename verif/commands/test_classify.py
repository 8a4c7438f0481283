# SPDX-License-Identifier: Apache-2.0
"""`xnor-fcc classify`: pictures of every kind, files of images, what is drawn, what is refused."""

from __future__ import annotations

import gzip
import io
import json
import os
import struct
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from xnor_fcc import classify
from xnor_fcc.data import DATASETS, class_names, load_test_images, make_idx
from xnor_fcc.errors import UserError, run_main
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


_DEEP = {
    "int32": (DIGIT.astype(np.int32), DIGIT),
    "uint16 of 8 bits": (DIGIT.astype(np.uint16), DIGIT),
    "uint16": (DIGIT.astype(np.uint16) * 257, DIGIT),
    "int32 of 16 bits": (DIGIT.astype(np.int32) * 256 + 255, DIGIT),
    "truth": ((DIGIT >= 128).astype(np.int32), (DIGIT >= 128).astype(np.uint8)),
    "float to 1": (DIGIT.astype(np.float32) / 255, DIGIT),
    "float to 255": (DIGIT.astype(np.float32), DIGIT),
    "half a step": (np.full((28, 28), 0.499, np.float32), np.full((28, 28), 127, np.uint8)),
}


@pytest.mark.parametrize("name", _DEEP)
def test_more_than_8_bits(name: str, tmp_path: Path) -> None:
    """The range is what the values are of, and not what their type could hold."""
    values, wanted = _DEEP[name]
    Image.fromarray(values).save(tmp_path / "deep.tif")
    np.testing.assert_array_equal(read_picture(tmp_path / "deep.tif"), wanted)


def tiff(values: np.ndarray, photometric: int = 1) -> bytes:
    """A plain TIFF of numbers (height, width): Pillow does not write all that it reads."""
    kind = {"u": 1, "i": 2, "f": 3}[values.dtype.kind]
    height, width = values.shape
    tags = [(256, width), (257, height), (258, 8 * values.itemsize), (259, 1), (262, photometric),
            (273, 134), (277, 1), (278, height), (279, values.nbytes), (339, kind)]  # fmt: skip
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    head = b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4)
    return head.ljust(134, b"\0") + values.astype(values.dtype.newbyteorder("<")).tobytes()


@pytest.mark.parametrize(
    ("values", "photometric", "wanted"),
    [
        (DIGIT.astype(np.uint32), 1, DIGIT),
        (DIGIT.astype(np.int16), 1, DIGIT),
        (DIGIT.astype(np.int16) * 128, 1, DIGIT),
        (DIGIT.astype(np.uint16) * 257, 0, 255 - DIGIT),
        (DIGIT.astype(np.float32) / 255, 0, 255 - DIGIT),
    ],
    ids=["uint32", "int16", "int16 of 15 bits", "white is zero", "white is zero in float"],
)
def test_kinds_of_tiff(
    values: np.ndarray, photometric: int, wanted: np.ndarray, tmp_path: Path
) -> None:
    (tmp_path / "it.tif").write_bytes(tiff(values, photometric))
    np.testing.assert_array_equal(read_picture(tmp_path / "it.tif"), wanted)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        (DIGIT.astype(np.int32) - 1, "its values go down to -1, and grey begins at 0"),
        (DIGIT.astype(np.int32) * 1000, "its values reach 255000, and grey has at most 16 bits"),
        (np.full((28, 28), 3_000_000_000, np.uint32), "its values reach 3000000000"),
        (DIGIT.astype(np.float32) * 2, "from 0 to 510, and grey is from 0 to 1 or from 0 to 255"),
        (DIGIT.astype(np.float32) - 0.5, "its values are from -0.5 to 254.5"),
        (np.full((28, 28), np.nan, np.float32), "some of its values are no numbers"),
        (DIGIT.astype(np.float16), r"cannot be read \(TIFF: "),
    ],
    ids=["below 0", "17 bits", "32 bits", "float", "float below 0", "no number", "half float"],
)
def test_ranges_that_are_no_grey(values: np.ndarray, says: str, tmp_path: Path) -> None:
    (tmp_path / "odd.tif").write_bytes(tiff(values))
    with pytest.raises(ImageFileError, match=says):
        read_picture(tmp_path / "odd.tif")


def _transparent(name: str) -> tuple[Image.Image, dict[str, Any]]:
    """A picture of that kind whose paper is transparent, and how it is saved."""
    nothing = np.zeros((28, 28), np.uint8)
    ink = np.where(DIGIT == 255, 255, 0).astype(np.uint8)
    if name == "black, RGBA":
        return Image.fromarray(np.dstack([nothing] * 3 + [DIGIT])), {}
    if name == "black, LA":
        return Image.fromarray(np.dstack([nothing, DIGIT])), {}
    if name == "white, LA":
        return Image.fromarray(np.dstack([nothing + 255, DIGIT])), {}
    palette = Image.fromarray(np.where(ink, 1, 0).astype(np.uint8), "P")
    shade = 0 if "black" in name else 255
    palette.putpalette([128, 128, 128, shade, shade, shade])
    return palette, {"transparency": 0}


@pytest.mark.parametrize("paper", [0, 255])
@pytest.mark.parametrize(
    "name", ["black, RGBA", "black, LA", "white, LA", "black, palette", "white, palette"]
)
def test_ink_on_transparent_paper(name: str, paper: int, tmp_path: Path) -> None:
    """Is read, of whatever shade: transparent paper has none of its own."""
    picture, how = _transparent(name)
    picture.save(tmp_path / "ink.png", **how)
    shades = np.where(DIGIT == 255, 255, 0).astype(np.uint8) if "palette" in name else DIGIT
    wanted = 255 - shades if paper else shades
    np.testing.assert_array_equal(read_picture(tmp_path / "ink.png", paper=paper), wanted)


def test_what_is_transparent_is_paper(tmp_path: Path) -> None:
    """And a picture that can be seen on it stays as it is, whatever surrounds it."""
    Image.fromarray(DIGIT).save(tmp_path / "key.png", transparency=0)  # a grey is transparent
    keyed = np.where(DIGIT == 0, 255, DIGIT)
    np.testing.assert_array_equal(read_picture(tmp_path / "key.png", paper=255), keyed)
    np.testing.assert_array_equal(read_picture(tmp_path / "key.png"), DIGIT)
    framed = np.full((28, 28), 255, np.uint8)
    framed[:4] = 0  # white on black, below a transparent strip
    Image.fromarray(np.dstack([DIGIT, framed])).save(tmp_path / "framed.png")
    np.testing.assert_array_equal(read_picture(tmp_path / "framed.png"), DIGIT * (framed > 0))
    dark = np.dstack([DIGIT // 4, np.full((28, 28), 255, np.uint8)])  # nothing is transparent
    Image.fromarray(dark).save(tmp_path / "dark.png")
    np.testing.assert_array_equal(read_picture(tmp_path / "dark.png"), DIGIT // 4)


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
    "name", ["text.png", "cut.png", "empty", "folder", "none.png", "gzip.gz"]
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
    elif name == "gzip.gz":
        path.write_bytes(gzip.compress(make_idx(IMAGES[:2]))[:-20])
    says = r"no image file|cannot be read|no file|is empty|damaged gzip"
    with pytest.raises(UserError, match=says):
        read_images(path)


# ---- files of images


@pytest.mark.parametrize("name", ["images", "images.gz", "images.npz", "7.png"])
def test_contents_say_what_a_file_is(name: str, tmp_path: Path) -> None:
    """And not its name: plain or compressed, under any of these names, or out of a pipe."""
    path = tmp_path / name
    some = IMAGES[:2].reshape(-1, 28, 28)
    array, picture, npz = io.BytesIO(), io.BytesIO(), io.BytesIO()
    np.save(array, some)
    np.savez(npz, images=some)
    Image.fromarray(DIGIT).save(picture, "PNG")
    for contents in (make_idx(some), array.getvalue(), npz.getvalue(), picture.getvalue()):
        wanted = DIGIT[None] if contents == picture.getvalue() else some
        for packed in (contents, gzip.compress(contents)):
            path.write_bytes(packed)
            np.testing.assert_array_equal(read_images(path)[0], wanted)


def test_idx_of_other_types(tmp_path: Path) -> None:
    (tmp_path / "floats").write_bytes(b"\0\0\x0d\x01\0\0\0\x01" + bytes(4))
    with pytest.raises(UserError, match="floats holds floats, not bytes"):
        read_images(tmp_path / "floats")


def test_a_pipe(tmp_path: Path) -> None:
    """As of `xnor-fcc classify <(zcat images.gz)`: read once, to its end."""
    reader, writer = os.pipe()
    with ThreadPoolExecutor() as pool, open(writer, "wb") as file:
        found = pool.submit(read_images, Path(f"/dev/fd/{reader}"))
        file.write(make_idx(IMAGES[:100]))
        file.close()
        np.testing.assert_array_equal(found.result(60)[0], IMAGES[:100])
    os.close(reader)


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


def test_truth_values_beside_grey_images_are_black_and_white(tmp_path: Path) -> None:
    """Alone they stay as they are."""
    bits = np.array([[[0, 1]], [[1, 1]]], np.bool_)
    grey = np.array([[[0, 200]]], np.uint8)
    np.save(tmp_path / "bits.npy", bits)
    np.save(tmp_path / "grey.npy", grey)
    both, _ = read_images([tmp_path / "bits.npy", tmp_path / "grey.npy"])
    np.testing.assert_array_equal(both, [[[0, 255]], [[255, 255]], [[0, 200]]])
    np.testing.assert_array_equal(read_images(tmp_path / "bits.npy")[0], bits)


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
    """Is the digit that it shows, with --invert and without."""
    ink = np.zeros((28, 28, 4), np.uint8)
    ink[..., 3] = DIGIT
    Image.fromarray(ink).save(tmp_path / "ink.png")
    Image.fromarray(DIGIT).save(tmp_path / "grey.png")
    plain = json.loads(call(capsys, tmp_path / "grey.png", "--json")[0])
    for options in ((), ("--invert",), ("--resize",)):
        out, err = call(capsys, tmp_path / "ink.png", "--json", *options)
        assert json.loads(out)["images"][0]["scores"] == plain["images"][0]["scores"]
        assert err == ""


def test_one_shade_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of what the network sees: a digit below its threshold is not there either."""
    nothing = np.zeros((28, 28), np.uint8)
    faint = DIGIT // 4
    blank = np.dstack([nothing, nothing])  # all of it transparent
    for name, picture in (("black", nothing), ("grey", nothing + 200), ("faint", faint),
                          ("blank", blank)):  # fmt: skip
        path = tmp_path / f"{name}.png"
        Image.fromarray(picture).save(path)
        out, err = call(capsys, path)
        assert f"note: of one shade to the network, {path}: it sees no ink there.\n" in err, name
        assert out.startswith(f"{path}: ")
    np.save(tmp_path / "some.npy", np.stack([DIGIT, nothing, DIGIT]))
    out, err = call(capsys, tmp_path / "some.npy")
    where = f"{tmp_path / 'some.npy'}:1"
    assert err == f"note: of one shade to the network, {where}: it sees no ink there.\n"


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
