# SPDX-License-Identifier: Apache-2.0
"""The data sets: parsing, hash checks, fetching, and the committed test sets."""

from __future__ import annotations

import gzip
import hashlib
import socket
import sys
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from xnor_fcc import container, data
from xnor_fcc.data import make_idx as idx
from xnor_fcc.errors import UserError, run_main


@pytest.fixture
def originals(monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """A small stand-in for MNIST, whose hashes count as the original ones."""
    rng = np.random.default_rng(0)
    contents = {}
    for name in data.DATASETS["mnist"].files:
        shape = (6, 28, 28) if "images" in name else (6,)
        high = 256 if "images" in name else 10
        contents[name] = idx(rng.integers(0, high, shape, dtype=np.uint8))
    hashes = {name: hashlib.md5(body).hexdigest() for name, body in contents.items()}
    change(monkeypatch, files=hashes)
    return contents


def change(monkeypatch: pytest.MonkeyPatch, name: str = "mnist", **changes: Any) -> None:
    """Change what is known of a data set."""
    monkeypatch.setitem(data.DATASETS, name, replace(data.DATASETS[name], **changes))


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The download cache, in a place of the test's own."""
    monkeypatch.setattr(data, "BUILD", tmp_path)
    return tmp_path / "mnist"


def write_all(directory: Path, contents: dict[str, bytes]) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    for name, body in contents.items():
        (directory / name).write_bytes(body)


def refuse(scratch: Path) -> dict[str, bytes]:
    """A way of fetching that is closed."""
    raise OSError("no route to host")


def bring(contents: Mapping[str, bytes], scratch: Path) -> Mapping[str, bytes]:
    """A way of fetching that brings `contents`."""
    return contents


def test_parse_idx_returns_the_array() -> None:
    array = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    assert np.array_equal(data.parse_idx(idx(array), "x"), array)


@pytest.mark.parametrize(
    ("contents", "word"),
    [(b"", "not an IDX"), (b"PK\x03\x04", "not an IDX"), (b"\0\0\x08\x03\0\0", "header")],
)
def test_parse_idx_refuses_other_files(contents: bytes, word: str) -> None:
    with pytest.raises(UserError, match=word):
        data.parse_idx(contents, "x")


def test_parse_idx_refuses_a_truncated_file() -> None:
    with pytest.raises(UserError, match="as many bytes"):
        data.parse_idx(idx(np.zeros((3, 3), np.uint8))[:-1], "x")


def test_binarise_compares_with_at_least() -> None:
    grey = np.array([[[0, 99], [100, 255]]], np.uint8)
    assert data.binarise(grey, 100).tolist() == [[0, 0, 1, 1]]
    assert data.binarise(grey, 100).dtype == np.uint8


@pytest.mark.parametrize("threshold", [0, 256, -1])
def test_binarise_refuses_a_threshold_that_is_no_pixel(threshold: int) -> None:
    with pytest.raises(UserError, match="1 to 255"):
        data.binarise(np.zeros((1, 2, 2), np.uint8), threshold)


def test_data_dir_with_plain_and_compressed_files(
    tmp_path: Path, originals: dict[str, bytes]
) -> None:
    """Whatever their names say of that."""
    first, second, third, fourth = originals
    (tmp_path / f"{first}.gz").write_bytes(gzip.compress(originals[first]))
    (tmp_path / f"{second}.gz").write_bytes(originals[second])
    (tmp_path / third).write_bytes(gzip.compress(originals[third]))
    (tmp_path / fourth).write_bytes(originals[fourth])
    mnist = data.load_images("mnist", tmp_path)
    assert mnist.train_images.shape == (6, 28, 28)
    assert mnist.test_labels.shape == (6,)


def test_data_dir_with_a_missing_file_names_it(tmp_path: Path, originals: dict[str, bytes]) -> None:
    write_all(tmp_path, originals)
    (tmp_path / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(UserError, match=r"t10k-labels-idx1-ubyte is missing.*--data-dir"):
        data.load_images("mnist", tmp_path)


def test_data_dir_with_a_folder_in_place_of_a_file(
    tmp_path: Path, originals: dict[str, bytes]
) -> None:
    write_all(tmp_path, originals)
    (tmp_path / "t10k-labels-idx1-ubyte").unlink()
    (tmp_path / "t10k-labels-idx1-ubyte").mkdir()
    with pytest.raises(UserError, match="t10k-labels-idx1-ubyte is a folder, not a file"):
        data.load_images("mnist", tmp_path)


def test_data_dir_with_a_changed_file_names_it(tmp_path: Path, originals: dict[str, bytes]) -> None:
    write_all(tmp_path, originals)
    body = bytearray(originals["train-images-idx3-ubyte"])
    body[-1] ^= 1
    (tmp_path / "train-images-idx3-ubyte").write_bytes(body)
    with pytest.raises(UserError, match="MD5 differs"):
        data.load_images("mnist", tmp_path)


def test_fetching_fills_the_cache(
    cache: Path, originals: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    change(monkeypatch, way=("one", partial(bring, originals)))
    assert len(data.load_images().train_images) == 6
    assert sorted(path.name for path in cache.iterdir()) == sorted(originals)
    change(monkeypatch, way=("none", refuse))
    assert len(data.load_images().train_images) == 6  # from the cache


def test_wrong_contents_never_reach_the_cache(
    cache: Path, originals: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    halved = {name: body[: len(body) // 2] for name, body in originals.items()}
    change(monkeypatch, way=("a way", partial(bring, halved)))
    with pytest.raises(UserError) as caught:
        data.load_images()
    assert str(caught.value).startswith(
        "MNIST could not be fetched by a way (wrong MD5 of train-images-idx3-ubyte); put the "
        "raw files (train-images-idx3-ubyte, "
    )
    assert str(caught.value).endswith("in a directory and name it with --data-dir.")
    assert list(cache.iterdir()) == []


def test_a_way_that_is_closed_is_named(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of every data set, with the package that is missing."""
    monkeypatch.setitem(sys.modules, "torchvision.datasets", None)
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    reasons = {
        "mnist": r"torchvision's download \(.+\); put",
        "fashion": r"torchvision's download \(.+\); put",
        "cifar10": r"torchvision's download \(.+\); put",
        "digits": r"load_digits \(scikit-learn is missing: pip install '\.\[train\]'\)",
    }
    for name, reason in reasons.items():
        with pytest.raises(UserError, match=reason) as caught:
            data.load_images(name)
        assert str(caught.value).startswith(data.DATASETS[name].title)


@pytest.mark.needs("torchvision")
@pytest.mark.parametrize("name", ["mnist", "fashion"])
def test_torchvision_brings_the_raw_files(
    name: str, tmp_path: Path, originals: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its class of that name, which waits no more than 30 seconds for an answer."""
    from torchvision import datasets

    timeouts = []

    def download(root: str, download: bool) -> None:
        timeouts.append(socket.getdefaulttimeout())
        assert download
        write_all(Path(root) / kind / "raw", originals)

    kind = {"mnist": "MNIST", "fashion": "FashionMNIST"}[name]
    monkeypatch.setattr(datasets, kind, download)
    assert data.DATASETS[name].way[1](tmp_path) == originals
    assert timeouts == [30] and socket.getdefaulttimeout() is None


@pytest.mark.parametrize("name", [name for name, each in data.DATASETS.items() if each.committed])
def test_committed_test_sets(name: str) -> None:
    """Pixels and labels of the raw files, of which the MD5s are known."""
    known = data.DATASETS[name]
    images, labels = data.load_test_images(name)
    assert images.shape == (known.test_images, known.pixels) and images.dtype == np.uint8
    assert labels.shape == (known.test_images,) and labels.dtype == np.uint8
    pictures = images.reshape(-1, known.side, known.side)
    for array, file in ((pictures, "images-idx3"), (labels, "labels-idx1")):
        assert hashlib.md5(idx(array)).hexdigest() == known.files[f"t10k-{file}-ubyte"]
    assert len(np.unique(labels)) == len(known.classes) == 10


def test_facts_about_the_test_sets() -> None:
    """First labels, and how often each class occurs."""
    images, labels = data.load_test_images()
    assert labels[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]
    assert np.bincount(labels).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    bits, same = data.load_test_bits()
    assert np.array_equal(bits, images >= 128) and bits.dtype == np.uint8
    assert np.array_equal(labels, same)
    images, labels = data.load_test_images("fashion")
    assert [data.DATASETS["fashion"].classes[label] for label in labels[:4]] == [
        "ankle boot", "pullover", "trouser", "trouser"
    ]  # fmt: skip
    assert np.bincount(labels).tolist() == [1000] * 10
    images, labels = data.load_test_images("digits")
    # A form begins with 0 to 9, three times over; grey has 17 levels.
    assert labels[:30].tolist() == 3 * list(range(10))
    assert np.unique(images).tolist() == np.rint(np.arange(17) * 255 / 16).tolist()


@pytest.mark.needs("sklearn")
def test_digits_are_those_of_scikit_learn() -> None:
    from sklearn.datasets import load_digits

    found = load_digits()
    contents = data._from_sklearn(Path("nowhere"))
    hashes = {name: hashlib.md5(body).hexdigest() for name, body in contents.items()}
    assert hashes == data.DATASETS["digits"].files
    images, labels = data.load_test_images("digits")
    assert np.array_equal(labels, found.target[-len(labels) :])
    assert np.array_equal(images, np.rint(found.data[-len(labels) :] / 16 * 255))


def test_an_unknown_data_set() -> None:
    with pytest.raises(UserError, match=r"no data set 'cifar', only mnist, fashion, .*, cifar10"):
        data.load_test_images("cifar")


@pytest.fixture
def batches(monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """A small stand-in for CIFAR-10, three images a batch, whose hashes count as the original's."""
    rng = np.random.default_rng(0)
    contents = {
        name: rng.integers(0, 10, (3, 1 + 3072), dtype=np.uint8).tobytes()
        for name in data.DATASETS["cifar10"].files
    }
    hashes = {name: hashlib.md5(body).hexdigest() for name, body in contents.items()}
    change(monkeypatch, "cifar10", files=hashes, test_images=3)
    return contents


def test_batches_are_read_by_colour_row_and_column(
    tmp_path: Path, batches: dict[str, bytes]
) -> None:
    body = bytearray(batches["data_batch_2.bin"])
    write_all(tmp_path, batches)
    found = data.load_images("cifar10", tmp_path)
    assert found.train_images.shape == (15, 32, 32, 3) and found.test_images.shape == (3, 32, 32, 3)
    # Of the second image of the second batch, behind the label: blue of row 4, column 5.
    place = 3073 + 1 + 2 * 1024 + 4 * 32 + 5
    assert found.train_images[4, 4, 5, 2] == body[place] and found.train_labels[4] == body[3073]
    assert data.make_batch(found.test_images, found.test_labels) == batches["test_batch.bin"]


def test_test_images_that_are_not_committed_come_from_the_users_directory(
    tmp_path: Path, batches: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data, "BUILD", tmp_path / "build")
    monkeypatch.delenv("XNOR_FCC_DATA", raising=False)
    with pytest.raises(UserError, match=r"cifar10 has no original test_batch.bin; set .*_DATA to"):
        data.load_test_images("cifar10")
    write_all(tmp_path, batches)
    monkeypatch.setenv("XNOR_FCC_DATA", str(tmp_path))
    images, labels = data.load_test_images("cifar10")
    whole = data.load_images("cifar10", tmp_path)
    assert np.array_equal(images.reshape(3, 32, 32, 3), whole.test_images)
    assert np.array_equal(labels, whole.test_labels)
    (tmp_path / "test_batch.bin").write_bytes(batches["data_batch_1.bin"])
    with pytest.raises(UserError, match="has no original"):
        data.load_test_images("cifar10")


@pytest.mark.needs("torchvision")
def test_torchvision_brings_the_batches(
    tmp_path: Path, batches: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has them as pickles; what comes of it is the binary version, ten thousand to a batch."""
    from torchvision import datasets

    monkeypatch.setattr(data, "PER_BATCH", 3)
    write_all(tmp_path, batches)
    whole = data.load_images("cifar10", tmp_path)

    class Stand:
        def __init__(self, root: str, train: bool, download: bool) -> None:
            assert download
            self.data = whole.train_images if train else whole.test_images
            self.targets = (whole.train_labels if train else whole.test_labels).tolist()

    monkeypatch.setattr(datasets, "CIFAR10", Stand)
    assert data.DATASETS["cifar10"].way[1](tmp_path) == batches


def test_committed_test_set_shows_upright_digits() -> None:
    # The first digit is a 7: its bar lies in rows 8 and 9, its foot at the bottom left.  Were
    # rows or columns reversed, this would not hold.
    bits, _ = data.load_test_bits()
    picture = bits[0].reshape(28, 28)
    assert np.flatnonzero(picture[8]).tolist() == list(range(6, 21))
    assert np.flatnonzero(picture[26]).tolist() == [11, 12]
    assert not picture[27].any() and not picture[:7].any()


def test_save_and_load_test_images(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    images = rng.integers(0, 256, (382, 8, 8), dtype=np.uint8)
    labels = rng.integers(0, 10, 382, dtype=np.uint8)
    path = tmp_path / "t.npz"
    data.save_test_images(images, labels, "digits", path)
    for loaded, found in (data.load_test_images("digits", path), data.read_test_images(path)):
        assert np.array_equal(loaded, images.reshape(382, 64))
        assert np.array_equal(found, labels)


def _write(path: Path, images: np.ndarray, labels: np.ndarray) -> None:
    container.write(path, "xnor-fcc-test-images", 1, {"images": images, "labels": labels}, {})


def test_bad_test_sets_each_have_their_sentence(tmp_path: Path) -> None:
    images, labels = np.zeros((382, 64), np.uint8), np.zeros(382, np.uint8)
    path = tmp_path / "t.npz"

    def fails(match: str) -> None:
        with pytest.raises(UserError, match=match) as caught:
            data.load_test_images("digits", path)
        assert str(caught.value).endswith(".") and str(path) in str(caught.value)

    fails("does not exist")
    for wrong in (images.astype(np.int16), images[0], images[:0]):
        _write(path, wrong, labels)
        fails("`images`")
    for wrong in (labels[:-1], labels.astype(np.int16)):
        _write(path, images, wrong)
        fails("`labels`")
    _write(path, images[:, :-1], labels)
    fails("382 images of 63 pixels, but scikit-learn's digits has 382 of 64")
    _write(path, images[1:], labels[1:])
    fails("381 images of 64 pixels")
    _write(path, images, labels + np.uint8(10))
    fails("above 9")
    whole = data.DATASETS["digits"].test_file.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    fails("truncated")
    container.write(path, "something", 1, {"images": images}, {})
    fails("kind")


def test_command_writes_the_file(
    tmp_path: Path, originals: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    change(monkeypatch, test_images=6)
    write_all(tmp_path, originals)
    out = tmp_path / "sub" / "images.npz"
    assert data.main(["--data-dir", str(tmp_path), "--out", str(out)]) == 0
    images, labels = data.load_test_images("mnist", out)
    for array, name in ((images.reshape(-1, 28, 28), "images-idx3"), (labels, "labels-idx1")):
        assert idx(array) == originals[f"t10k-{name}-ubyte"]


def test_command_fails_in_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "images.npz"
    code = run_main(lambda: data.main(["--data-dir", str(tmp_path), "--out", str(out)]))
    assert code == 2 and not out.exists()
    error = capsys.readouterr().err
    assert error.startswith("error: The MNIST file") and error.count("\n") == 1


def test_run_main_reports_an_interrupt(capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted() -> int:
        raise KeyboardInterrupt

    assert run_main(interrupted) == 130
    assert capsys.readouterr().err.count("\n") == 1
