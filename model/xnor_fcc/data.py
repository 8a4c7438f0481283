# SPDX-License-Identifier: Apache-2.0
"""The data sets: grey images with their labels, and the bits that the core sees of them.

Each is four raw files in the format of MNIST, or the six batches of CIFAR-10's binary version. They
are downloaded, or made from what a package carries, and accepted by their MD5 only. The test sets
are part of the repository, so simulating and testing need no download; but that of CIFAR-10 comes
from its raw file, in the directory that the variable XNOR_FCC_DATA names, or in the cache.

`digits` is the set inside scikit-learn, 1,797 digits of UCI's in their order, grey 0 to 16 brought
to 0 to 255. It has no test set of its own. There every writer filled in the same form, which
starts with 0 to 9 three times over, so the labels show where one begins: the test set is the last
three forms, and none of its writers is among those trained on. A cut at random would be kinder.
"""

from __future__ import annotations

import hashlib
import math
import os
import socket
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from . import container, files
from .errors import CommandLine, UserError, check_readable, first_line, run_main
from .formats import gunzipped, make_batch, make_idx, parse_batch, parse_idx
from .places import BUILD, DATA
from .registers import PIXEL_THRESHOLD

DEFAULT = "mnist"
# The environment's variable that says where test images are that are not committed.
DATA_VARIABLE = "XNOR_FCC_DATA"

# Digits of scikit-learn before the last three forms.
_DIGITS_TO_TRAIN = 1415

_RAW_FILES = tuple(
    f"{part}-{what}-ubyte" for part in ("train", "t10k") for what in ("images-idx3", "labels-idx1")
)
_BATCHES = (*(f"data_batch_{k}.bin" for k in range(1, 6)), "test_batch.bin")
PER_BATCH = 10_000  # images
_DIGIT_CLASSES = tuple("0123456789")

_TEST_KIND = "xnor-fcc-test-images"
_TEST_VERSION = 1

# How raw files are come by: what it is called, and what brings them, given a directory to use.
Way = tuple[str, Callable[[Path], Mapping[str, bytes]]]


@dataclass(frozen=True)
class Images:
    """Images uint8 (N, side, side), or (N, side, side, colours), and labels uint8 (N,), for
    training and for the test."""

    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray


@dataclass(frozen=True)
class DataSet:
    """What is known of a data set without having it."""

    name: str
    title: str
    side: int  # pixels of an image, across and down
    classes: tuple[str, ...]
    test_images: int  # how many
    files: Mapping[str, str]  # MD5 of each raw file, uncompressed
    way: Way
    colours: int = 1

    @property
    def pixels(self) -> int:
        """Of an image, its colours counted one by one."""
        return self.side * self.side * self.colours

    @property
    def committed(self) -> bool:
        """Whether the test set is part of the repository."""
        return self.colours == 1

    @property
    def test_file(self) -> Path:
        """The committed test set."""
        return DATA / f"{self.name}_test.npz"

    @property
    def cache(self) -> Path:
        """Where the raw files are kept."""
        return BUILD / self.name


def binarise(images: np.ndarray, threshold: int) -> np.ndarray:
    """Bits uint8 (N, pixels) of 0/1 from grey uint8 images (N, ...): bit = pixel >= threshold."""
    if not 1 <= threshold <= 255:
        raise UserError(f"The pixel threshold must be from 1 to 255, not {threshold}.")
    pixels = math.prod(images.shape[1:])
    return (images.reshape(len(images), pixels) >= threshold).astype(np.uint8)


def dataset(name: str) -> DataSet:
    """The data set of that name; raises UserError if there is none."""
    if name not in DATASETS:
        raise UserError(f"There is no data set {name!r}, only {', '.join(DATASETS)}.")
    return DATASETS[name]


def class_names(name: str | None, classes: int) -> list[str]:
    """What so many classes of the data set of that name are called: 0, 1, ... if there is no such
    data set, or it has not so many."""
    known = DATASETS.get(name or "")
    if known is not None and len(known.classes) == classes:
        return list(known.classes)
    return [str(number) for number in range(classes)]


def load_images(name: str = DEFAULT, data_dir: Path | None = None) -> Images:
    """A whole data set from its raw files (plain or .gz) in `data_dir`.

    Without `data_dir` the cache `build/NAME` is used, and filled first if need be.  Raises
    UserError if a file is missing or has the wrong MD5 and cannot be fetched.
    """
    wanted = dataset(name)
    if data_dir is None:
        directory = wanted.cache
        missing = [file for file in wanted.files if _verified(directory, file, wanted) is None]
        if missing:
            _fetch(missing, wanted)
    else:
        directory = Path(data_dir)
    contents = {file: _require(directory, file, wanted) for file in wanted.files}
    if wanted.colours > 1:
        parts = [parse_batch(body, wanted.side, wanted.colours) for body in contents.values()]
        train_images, train_labels = map(np.concatenate, zip(*parts[:-1], strict=True))
        return Images(train_images, train_labels, *parts[-1])
    return Images(*(parse_idx(contents[file], file) for file in _RAW_FILES))


def _verified(directory: Path, name: str, wanted: DataSet) -> bytes | None:
    """The raw contents of one file if it is there, plain or .gz, with the right MD5."""
    for path in (directory / name, directory / f"{name}.gz"):
        try:
            contents = gunzipped(files.read_bytes(path), str(path))
        except (OSError, UserError):
            continue
        if hashlib.md5(contents).hexdigest() == wanted.files[name]:
            return contents
    return None


def _require(directory: Path, name: str, wanted: DataSet) -> bytes:
    contents = _verified(directory, name, wanted)
    if contents is not None:
        return contents
    there = [path for path in (directory / name, directory / f"{name}.gz") if path.exists()]
    for path in there:
        check_readable(path)
    if there:
        raise UserError(
            f"The file {there[0]} is not the original of {wanted.title} (its MD5 differs); "
            "replace it, or point --data-dir at a directory with the original files."
        )
    raise UserError(
        f"The {wanted.title} file {name} is missing in {directory}; put it there, or choose "
        "another --data-dir."
    )


def _fetch(names: Sequence[str], wanted: DataSet) -> None:
    """Bring `names` into the cache; a file appears there only once its MD5 has matched."""
    directory = wanted.cache
    directory.mkdir(parents=True, exist_ok=True)
    way, fetch = wanted.way
    with tempfile.TemporaryDirectory(dir=directory, prefix="fetch-") as scratch:
        try:
            contents = fetch(Path(scratch))
            failure = ""
        except Exception as cause:  # whatever goes wrong on the way
            failure = first_line(cause)
    if not failure:
        hashes = {name: hashlib.md5(contents.get(name, b"")).hexdigest() for name in names}
        wrong = [name for name in names if hashes[name] != wanted.files[name]]
        failure = f"wrong MD5 of {wrong[0]}" if wrong else ""
    if failure:
        raise UserError(
            f"{wanted.title} could not be fetched by {way} ({failure}); put the raw files "
            f"({', '.join(wanted.files)}) in a directory and name it with --data-dir."
        )
    for name in names:
        files.write_atomically(directory / name, contents[name])


def _from_torchvision(name: str, scratch: Path) -> dict[str, bytes]:
    """By the class of torchvision.datasets of that name."""
    import torchvision.datasets

    _patiently(getattr(torchvision.datasets, name), scratch)
    raw = scratch / name / "raw"
    return {file: (raw / file).read_bytes() for file in _RAW_FILES}


def _from_torchvision_batches(scratch: Path) -> dict[str, bytes]:
    """CIFAR-10, which torchvision has as pickles, in its binary form."""
    import torchvision.datasets

    contents = {}
    for train in (True, False):
        found = _patiently(torchvision.datasets.CIFAR10, scratch, train=train)
        labels = np.array(found.targets, np.uint8)
        names = _BATCHES[:-1] if train else _BATCHES[-1:]
        for k, file in enumerate(names):
            part = slice(PER_BATCH * k, PER_BATCH * (k + 1))
            contents[file] = make_batch(found.data[part], labels[part])
    return contents


def _patiently(kind: Callable[..., Any], scratch: Path, **options: Any) -> Any:
    """A data set of torchvision's, downloaded into `scratch`."""
    timeout = socket.getdefaulttimeout()
    socket.setdefaulttimeout(30)  # torchvision sets none and would wait forever
    try:
        return kind(str(scratch), download=True, **options)
    finally:
        socket.setdefaulttimeout(timeout)


def _from_sklearn(scratch: Path) -> dict[str, bytes]:
    try:
        from sklearn.datasets import load_digits
    except ImportError as cause:
        raise ImportError("scikit-learn is missing: pip install '.[train]'") from cause
    found = load_digits()
    images = np.rint(found.images * (255 / 16)).astype(np.uint8)
    arrays = [
        array[part]
        for part in (slice(None, _DIGITS_TO_TRAIN), slice(_DIGITS_TO_TRAIN, None))
        for array in (images, found.target.astype(np.uint8))
    ]
    return {name: make_idx(array) for name, array in zip(_RAW_FILES, arrays, strict=True)}


DATASETS = {
    each.name: each
    for each in (
        DataSet(
            "mnist",
            "MNIST",
            28,
            _DIGIT_CLASSES,
            10_000,
            {
                "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
                "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
                "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
                "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
            },
            ("torchvision's download", partial(_from_torchvision, "MNIST")),
        ),
        DataSet(
            "fashion",
            "Fashion-MNIST",
            28,
            (
                *("T-shirt/top", "trouser", "pullover", "dress", "coat"),
                *("sandal", "shirt", "sneaker", "bag", "ankle boot"),
            ),
            10_000,
            {
                "train-images-idx3-ubyte": "f4a8712d7a061bf5bd6d2ca38dc4d50a",
                "train-labels-idx1-ubyte": "9018921c3c673c538a1fc5bad174d6f9",
                "t10k-images-idx3-ubyte": "8181f5470baa50b63fa0f6fddb340f0a",
                "t10k-labels-idx1-ubyte": "15d484375f8d13e6eb1aabb0c3f46965",
            },
            ("torchvision's download", partial(_from_torchvision, "FashionMNIST")),
        ),
        DataSet(
            "digits",
            "scikit-learn's digits",
            8,
            _DIGIT_CLASSES,
            382,
            {
                "train-images-idx3-ubyte": "9f765fd161f61916126ea915e1c828aa",
                "train-labels-idx1-ubyte": "4c945046364f8b4a6dc9bccbb68ca667",
                "t10k-images-idx3-ubyte": "f882135f5a8ba7afd003651df4350512",
                "t10k-labels-idx1-ubyte": "2b02a0a3af13b5f2069eeb39e0fb2820",
            },
            ("scikit-learn's load_digits", _from_sklearn),
        ),
        DataSet(
            "cifar10",
            "CIFAR-10",
            32,
            (
                *("airplane", "automobile", "bird", "cat", "deer"),
                *("dog", "frog", "horse", "ship", "truck"),
            ),
            10_000,
            dict(
                zip(
                    _BATCHES,
                    (
                        "5dd7e06a14cb22eb9f671a540d1b7c25",
                        "5ea93a67294ea407fff1d09f752e9692",
                        "942cd6a4bcdd0dd3c604fbe906cb4421",
                        "ae636b3ba5c66a11e91e8cb52e771fcb",
                        "53f37980c15c3d472c316c40844f3f0d",
                        "803d5f7f4d78ea53de84dbe85f74fb6d",
                    ),
                    strict=True,
                )
            ),
            ("torchvision's download", _from_torchvision_batches),
            colours=3,
        ),
    )
}


def read_test_images(
    path: Path, contents: bytes | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """A test set file: grey images uint8 (N, pixels), labels uint8 (N,).

    `contents`: those of the file, where they have been read already.  Raises UserError
    if the file is missing, damaged, or holds something else.
    """
    arrays, _ = container.read(
        path, _TEST_KIND, _TEST_VERSION, "test set file", contents=contents
    )
    images, labels = arrays.get("images"), arrays.get("labels")
    if images is None or images.dtype != np.uint8 or images.ndim != 2 or not images.size:
        raise UserError(f"The test set file {path} must hold `images` as uint8 (N, pixels).")
    if labels is None or labels.dtype != np.uint8 or labels.shape != images.shape[:1]:
        raise UserError(
            f"The test set file {path} must hold `labels` as uint8 of shape ({len(images)},)."
        )
    return images, labels


def load_test_images(
    name: str = DEFAULT, path: Path | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """The test set of a data set, committed or not: images uint8 (N, pixels), labels uint8 (N,).

    Raises UserError if the file (`path`, if not the committed one) is not that, or if it is missing
    where it is not committed.
    """
    wanted = dataset(name)
    if path is None and not wanted.committed:
        images, labels = parse_batch(_own_test_batch(wanted), wanted.side, wanted.colours)
        return images.reshape(len(images), -1), labels
    path = wanted.test_file if path is None else Path(path)
    images, labels = read_test_images(path)
    if images.shape != (wanted.test_images, wanted.pixels):
        raise UserError(
            f"The test set file {path} holds {len(images)} images of {images.shape[1]} pixels, but "
            f"{wanted.title} has {wanted.test_images} of {wanted.pixels}."
        )
    if labels.max() >= len(wanted.classes):
        raise UserError(f"The test set file {path} has a label above {len(wanted.classes) - 1}.")
    return images, labels


def _own_test_batch(wanted: DataSet) -> bytes:
    """The raw test batch, from where the user has it."""
    *_, name = wanted.files
    directory = Path(os.environ.get(DATA_VARIABLE) or wanted.cache)
    contents = _verified(directory, name, wanted)
    if contents is None:
        raise UserError(
            f"The test images of {wanted.title} are not part of this project, and {directory} has "
            f"no original {name}; set the variable {DATA_VARIABLE} to a directory with the "
            "published binary version."
        )
    return contents


def load_test_bits() -> tuple[np.ndarray, np.ndarray]:
    """MNIST's test set at the default threshold: bits uint8 (10000, 784) of 0/1, labels."""
    images, labels = load_test_images()
    return binarise(images, PIXEL_THRESHOLD), labels


def save_test_images(images: np.ndarray, labels: np.ndarray, name: str, path: Path) -> None:
    """Write grey test images (N, side, side) and labels as the file of `load_test_images`."""
    wanted = dataset(name)
    container.write(
        path,
        _TEST_KIND,
        _TEST_VERSION,
        {"images": images.reshape(len(images), -1), "labels": labels},
        {
            "source": f"{wanted.title} test images",
            "source_md5": {
                n: md5 for n, md5 in wanted.files.items() if n.startswith(("t10k", "test"))
            },
        },
    )


def parser() -> CommandLine:
    """The command line."""
    result = CommandLine(
        prog="python -m xnor_fcc.data",
        description="Fetch a data set and write its test set as one file.",
    )
    add = result.add_argument
    add("--dataset", choices=list(DATASETS), default=DEFAULT, help="default: %(default)s")
    add(
        "--data-dir",
        type=Path,
        help="directory that already holds the raw files, plain or .gz (default: build/NAME, "
        "filled by a download)",
    )
    add(
        "--out",
        type=Path,
        help="file to write (default: build/NAME_test.npz; the committed ones are in model/data)",
    )
    return result


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of `python -m xnor_fcc.data`."""
    options = parser().parse_args(argv)
    images = load_images(options.dataset, options.data_dir)
    out = options.out or BUILD / f"{options.dataset}_test.npz"
    save_test_images(images.test_images, images.test_labels, options.dataset, out)
    print(f"wrote {out}: {len(images.test_images)} images of {images.test_images[0].size} pixels")
    return 0


if __name__ == "__main__":
    sys.exit(run_main(main))
