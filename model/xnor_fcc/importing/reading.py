# SPDX-License-Identifier: Apache-2.0
"""An ONNX file from the disk, whole: with its external data, or a sentence that says what is amiss.

The bytes are looked at before the name is believed: what is compressed, a page of the web or a
pointer of Git LFS is told as such, and not as a broken graph.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..errors import UserError
from .nodes import onnx

# How files begin that are given in place of an ONNX file.
_OTHERS = {
    b"\x1f\x8b": "is compressed by gzip: unpack it first",
    b"BZh": "is compressed by bzip2: unpack it first",
    b"\xfd7zXZ": "is compressed by xz: unpack it first",
    b"\x28\xb5\x2f\xfd": "is compressed by zstd: unpack it first",
    b"PK\x03\x04": "is a zip archive, not an ONNX file: unpack it first, or give it its own ending "
    "(.npz for arrays)",
    b"version https://git-lfs": "is a pointer of Git LFS, not the file itself: git lfs pull "
    "fetches it",
    b"<": "is a page of the web, not an ONNX file: download the raw file",
}


def read_model(path: Path) -> onnx.ModelProto:
    """The model in a file, its external data loaded; UserError says what is missing."""
    contents = path.read_bytes()
    if not contents:
        raise UserError(f"{path} is not an ONNX file: it is empty.")
    for start, what in _OTHERS.items():
        if contents.startswith(start):
            raise UserError(f"{path} {what}.")
    model = onnx.ModelProto()
    try:
        model.ParseFromString(contents)
    except Exception as cause:  # protobuf's own errors are not public
        raise UserError(f"{path} is not an ONNX file, or not all of one.") from cause
    if not model.graph.node or not model.graph.input:
        raise UserError(f"{path} is not an ONNX file: it holds no graph.")
    for tensor in _tensors(model.graph):
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            _load(path, tensor)
    return model


def _tensors(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    """Every constant of a graph, in attributes and graphs inside of it too."""
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors
            for inner in (attribute.g, *attribute.graphs):
                yield from _tensors(inner)


def _load(path: Path, tensor: onnx.TensorProto) -> None:
    """Put the bytes that a tensor keeps in another file into the tensor."""
    where = {entry.key: entry.value for entry in tensor.external_data}
    place = Path(where.get("location", ""))
    file = path.parent / place
    keeps = f"{path} keeps its constant {tensor.name} in the file {place}"
    if place.is_absolute() or ".." in place.parts or not place.name:
        raise UserError(f"{keeps}, which is not beside it: save it with its data in one folder.")
    if not file.exists():
        raise UserError(f"{keeps}, which is missing: put {file} there, or save all in one file.")
    try:
        offset, length = int(where.get("offset", 0)), int(where.get("length", -1))
        with open(file, "rb") as data:
            data.seek(offset)
            contents = data.read(length)
    except OSError as cause:
        raise UserError(f"{keeps}, which cannot be read ({cause.strerror}).") from cause
    except ValueError as cause:
        raise UserError(f"{keeps}, at an offset that is no number.") from cause
    if len(contents) < length:
        raise UserError(f"{keeps}, which ends too early: copy or make it again.")
    tensor.raw_data = contents
    tensor.data_location = onnx.TensorProto.DEFAULT
    del tensor.external_data[:]
