# SPDX-License-Identifier: Apache-2.0
"""Files that are given to the import and hold no whole network: a sentence says what is amiss."""

from __future__ import annotations

import builtins
import bz2
import gzip
import lzma
import subprocess
import sys
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from package.graphs import graph, node, signs
from xnor_fcc.errors import run_main
from xnor_fcc.importing.command import import_network, main
from xnor_fcc.importing.qonnx import load_qonnx

RNG = np.random.default_rng(3)


def model() -> onnx.ModelProto:
    """Of 64 inputs, so that its weights are worth a file of their own."""
    nodes = [node("Sign", "x", "a"), node("MatMul", "a w0", "b"), node("Add", "b m", "b1"),
             node("Sign", "b1", "c"), node("MatMul", "c w1", "y")]  # fmt: skip
    constants = {"w0": signs(RNG, 64, 32), "w1": signs(RNG, 32, 4), "m": [0.5] * 32}
    return graph(nodes, constants, (1, 64), 4).model


def apart(folder: Path) -> Path:
    """The model with its data in net.data beside it."""
    onnx.save(model(), str(folder / "net.onnx"), save_as_external_data=True, location="net.data",
              size_threshold=64)  # fmt: skip
    return folder / "net.onnx"


def refused(path: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """The one line on stderr, without the path of the folder."""
    out = path.parent / "out.npz"
    assert run_main(partial(main, [str(path), "--out", str(out), "--grey", "-1", "1"])) == 2
    printed = capsys.readouterr().err
    assert printed.startswith("error: ") and printed.count("\n") == 1 and not out.exists()
    return printed[7:-1].replace(f"{path.parent}/", "")


def test_data_in_a_file_of_its_own(tmp_path: Path) -> None:
    whole = tmp_path / "whole.onnx"
    onnx.save(onnx.load(str(apart(tmp_path))), str(whole))
    networks = [import_network(load_qonnx(path), grey=(-1, 1)) for path in
                (whole, tmp_path / "net.onnx")]  # fmt: skip
    assert networks[0][0] == networks[1][0] and networks[1][1]["differing_bits"] == 0


def _missing(folder: Path) -> None:
    (folder / "net.data").unlink()


def _folder(folder: Path) -> None:
    (folder / "net.data").unlink()
    (folder / "net.data").mkdir()


def _short(folder: Path) -> None:
    (folder / "net.data").write_bytes((folder / "net.data").read_bytes()[:100])


def _moved(where: str) -> Callable[[Path], None]:
    def move(folder: Path) -> None:
        changed = onnx.load(str(folder / "net.onnx"), load_external_data=False)
        for tensor in changed.graph.initializer:
            for entry in tensor.external_data:
                if entry.key == "location":
                    entry.value = where
        (folder / "net.onnx").write_bytes(changed.SerializeToString())

    return move


KEEPS = "net.onnx keeps its constant w0 in the file "


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (_missing, "net.data, which is missing: put net.data there, or save all in one file."),
        (_folder, "net.data, which cannot be read (Is a directory)."),
        (_short, "net.data, which ends too early: copy or make it again."),
        (_moved("../net.data"), "../net.data, which is not beside it: save it with its data in one "
         "folder."),
        (_moved("/net.data"), "/net.data, which is not beside it: save it with its data in one "
         "folder."),
        (_moved("sub/w.bin"), "sub/w.bin, which is missing: put sub/w.bin there, or save all in "
         "one file."),
    ],
)  # fmt: skip
def test_data_that_is_not_there(
    spoil: Callable[[Path], None], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = apart(tmp_path)
    spoil(tmp_path)
    assert refused(path, capsys) == KEEPS + says


def test_data_of_a_constant_node_that_is_not_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not only of the graph's own list of constants."""
    made = model()
    tensor = numpy_helper.from_array(signs(RNG, 64, 32).astype(np.float32), "v")
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="none.data")
    del made.graph.initializer[0]
    made.graph.node.insert(0, helper.make_node("Constant", [], ["w0"], value=tensor))
    path = tmp_path / "net.onnx"
    path.write_bytes(made.SerializeToString())
    assert "net.onnx keeps its constant v in the file none.data, which" in refused(path, capsys)


def _zipped(contents: bytes, folder: Path) -> bytes:
    with zipfile.ZipFile(folder / "zip", "w") as archive:
        archive.writestr("net.onnx", contents)
    return (folder / "zip").read_bytes()


@pytest.mark.parametrize(
    ("pack", "says"),
    [
        (lambda whole, _: gzip.compress(whole), "is compressed by gzip: unpack it first."),
        (lambda whole, _: bz2.compress(whole), "is compressed by bzip2: unpack it first."),
        (lambda whole, _: lzma.compress(whole), "is compressed by xz: unpack it first."),
        (_zipped, "is a zip archive, not an ONNX file: unpack it first, or give it its own ending "
         "(.npz for arrays)."),
        (lambda *_: b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n",
         "is a pointer of Git LFS, not the file itself: git lfs pull fetches it."),
        (lambda *_: b"<!DOCTYPE html><html></html>",
         "is a page of the web, not an ONNX file: download the raw file."),
        (lambda *_: b"", "is not an ONNX file: it is empty."),
        (lambda whole, _: whole[:-200], "is not an ONNX file, or not all of one."),
        (lambda whole, _: whole[: len(whole) // 2], "is not an ONNX file, or not all of one."),
        (lambda *_: b"\x08\x08", "is not an ONNX file: it holds no graph."),
    ],
)  # fmt: skip
def test_files_of_other_contents(
    pack: Callable[[bytes, Path], bytes], says: str, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    for name in ("net.onnx", "net.onnx.gz"):
        path = tmp_path / name
        path.write_bytes(pack(model().SerializeToString(), tmp_path))
        assert refused(path, capsys) == f"{name} {says}"


@pytest.mark.parametrize("name", ["net.onnx", "net.npz", "net.pt"])
def test_files_that_cannot_be_opened(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root may read all, so the refusal is that of `open`."""
    path = tmp_path / name
    assert refused(path, capsys) == f"There is no file {name}."
    path.mkdir()
    assert refused(path, capsys) == f"{name} is a folder, not a file."
    path.rmdir()
    path.write_bytes(model().SerializeToString())
    real = builtins.open

    def locked(file: Any, *rest: Any, **options: Any) -> Any:
        if Path(file) == path:
            raise PermissionError(13, "Permission denied", file)
        return real(file, *rest, **options)

    monkeypatch.setattr(builtins, "open", locked)
    assert refused(path, capsys) == f"{name} cannot be read (Permission denied)."


# A node that qonnx warns of, one that onnxruntime logs of in colours, and one of an old domain.
LOUD = {
    "Trunc": ([node("Trunc", "x w0", "y")], "(Trunc) cannot be mapped"),
    "MatMul": ([node("Sign", "x", "a"), node("MatMul", "a m", "y")], "has 32 inputs, but 64"),
    "Add": ([node("Add", "x m", "y")], "(Add) cannot be mapped: it cannot be run on float32"),
    "Quant": ([node("Quant", "x zero zero two", "a", signed=1, narrow=1, rounding_mode="ROUND"),
               node("MatMul", "a w0", "y")], "not finite"),
    "old domain": ([helper.make_node("BipolarQuant", ["x", "m"], ["y"], domain="finn")],
                   "(BipolarQuant) cannot"),
}


@pytest.mark.one_quick
@pytest.mark.parametrize("kind", LOUD)
def test_nothing_but_the_sentence_on_stderr(kind: str, tmp_path: Path) -> None:
    """Of the whole process: onnxruntime writes its log past Python."""
    nodes, says = LOUD[kind]
    made = model()
    del made.graph.node[:]
    made.graph.node.extend(nodes)
    for name, value in (("zero", 0.0), ("two", 2.0)):
        made.graph.initializer.append(numpy_helper.from_array(np.array(value, "f"), name))
    path = tmp_path / "net.onnx"
    path.write_bytes(made.SerializeToString())
    command = [sys.executable, "-m", "xnor_fcc", "import", str(path)]
    run = subprocess.run([*command, "--out", str(tmp_path / "out.npz")], capture_output=True,
                         text=True, check=False)  # fmt: skip
    assert run.returncode == 2 and run.stdout == ""
    assert run.stderr.startswith("error: ") and run.stderr.count("\n") == 1
    assert says in run.stderr and "\x1b" not in run.stderr
