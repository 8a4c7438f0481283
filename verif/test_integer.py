# SPDX-License-Identifier: Apache-2.0
"""The integer network: its rules, its file, and one sentence for each way a file can be wrong."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from xnor_fcc import container
from xnor_fcc.integer import (
    IntegerNetwork,
    Layer,
    NetworkFormatError,
    OutputLayer,
    random_network,
)

WIDTHS = (13, 9, 17, 4)


@pytest.fixture
def network() -> IntegerNetwork:
    return random_network(np.random.default_rng(5), WIDTHS)


def parts(network: IntegerNetwork) -> tuple[dict[str, np.ndarray], dict[str, object]]:
    """The arrays and the manifest that `save` writes."""
    manifest = {
        "widths": list(network.widths),
        "pixel_threshold": network.pixel_threshold,
        "name": network.name,
        "info": {},
    }
    return network._arrays(), manifest


def bits(*shape: int) -> np.ndarray:
    return np.zeros(shape, np.uint8)


def ints(*values: int) -> np.ndarray:
    return np.array(values, np.int32)


@pytest.mark.parametrize("widths", [(1, 1), (5, 3), (784, 10), (8, 8, 8), WIDTHS, (3, 1, 1, 1, 2)])
def test_save_and_load(tmp_path: Path, widths: tuple[int, ...]) -> None:
    network = random_network(np.random.default_rng(sum(widths)), widths)
    path = tmp_path / "sub" / "n.npz"
    network.save(path)
    loaded = IntegerNetwork.load(path)
    assert loaded == network
    assert loaded.widths == widths == network.widths
    assert (loaded.inputs, loaded.classes) == (widths[0], widths[-1])
    assert loaded.name == network.name and loaded.pixel_threshold == network.pixel_threshold
    for mine, theirs in zip(network.weights, loaded.weights, strict=True):
        assert np.array_equal(mine, theirs) and theirs.dtype == np.uint8
    assert [p.name for p in path.parent.iterdir()] == ["n.npz"]


def test_equal_networks_give_equal_bytes(tmp_path: Path, network: IntegerNetwork) -> None:
    network.save(tmp_path / "a.npz")
    IntegerNetwork.load(tmp_path / "a.npz").save(tmp_path / "b.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_numpy_opens_the_file(tmp_path: Path, network: IntegerNetwork) -> None:
    network.save(tmp_path / "a.npz")
    with np.load(tmp_path / "a.npz") as file:
        assert json.loads(file["manifest"].tobytes())["widths"] == list(WIDTHS)
        packed = file["weights0"]
    neuron, k = 3, 10
    assert (packed[neuron, k // 8] >> (k % 8)) & 1 == network.weights[0][neuron, k]


def test_equality_sees_every_part(network: IntegerNetwork) -> None:
    def changed(array: np.ndarray, by: int) -> np.ndarray:
        copy = array.copy()
        copy.flat[0] = copy.flat[0] ^ 1 if by == 0 else copy.flat[0] + by
        return copy

    first, rest = network.hidden[0], network.hidden[1:]
    step = -1 if first.thresholds[0] > 0 else 1
    others = [
        IntegerNetwork(
            (Layer(changed(first.weights, 0), first.thresholds), *rest),
            network.output,
            network.pixel_threshold,
        ),
        IntegerNetwork(
            (Layer(first.weights, changed(first.thresholds, step)), *rest),
            network.output,
            network.pixel_threshold,
        ),
        IntegerNetwork(
            network.hidden,
            OutputLayer(network.output.weights, changed(network.output.bias, 1)),
            network.pixel_threshold,
        ),
        IntegerNetwork(network.hidden, network.output, network.pixel_threshold % 255 + 1),
    ]
    for other in others:
        assert other != network
    same = IntegerNetwork(network.hidden, network.output, network.pixel_threshold, "other name")
    assert same == network and network != "network"


def test_random_network_is_lively() -> None:
    network = random_network(np.random.default_rng(0), (100, 400, 400, 10))
    for layer in network.hidden:
        assert (layer.thresholds == 0).any() and (layer.thresholds == layer.inputs + 1).any()
    assert network.output.bias.min() < 0 < network.output.bias.max()


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: Layer(bits(3), ints(0)), "shape"),
        (lambda: Layer(bits(0, 3), ints()), "both >= 1"),
        (lambda: Layer(bits(1, 3).astype(bool), ints(0)), "uint8"),
        (lambda: Layer(bits(1, 3) + np.uint8(2), ints(0)), "0 or 1"),
        (lambda: Layer(bits(2, 3), ints(0)), "shape"),
        (lambda: Layer(bits(1, 3), np.array([0])), "int32"),
        (lambda: Layer(bits(1, 3), ints(-1)), "outside 0 to 4"),
        (lambda: Layer(bits(1, 3), ints(5)), "outside 0 to 4"),
        (lambda: OutputLayer(bits(2, 3), ints(1)), "bias must have shape"),
        (lambda: OutputLayer(bits(1, 3), np.array([1.0])), "bias must be an int32"),
        (lambda: OutputLayer(bits(1, 3), ints(-(2**31))), "bias is outside"),
        (
            lambda: IntegerNetwork(
                (Layer(bits(2, 3), ints(0, 4)),), OutputLayer(bits(2, 3), ints(0, 0))
            ),
            "2 outputs",
        ),
        (lambda: IntegerNetwork((), OutputLayer(bits(1, 3), ints(0)), 0), "1 to 255"),
        (lambda: IntegerNetwork((), OutputLayer(bits(1, 3), ints(0)), 256), "1 to 255"),
    ],
)
def test_construction_refuses(make: Callable[[], object], match: str) -> None:
    with pytest.raises(NetworkFormatError, match=match):
        make()


def test_thresholds_at_both_ends_are_allowed() -> None:
    layer = Layer(bits(2, 3), ints(0, 4))
    assert (layer.inputs, layer.outputs) == (3, 2)


def failure(path: Path) -> str:
    """The sentence with which loading fails."""
    with pytest.raises(NetworkFormatError) as caught:
        IntegerNetwork.load(path)
    message = str(caught.value)
    assert message.endswith(".") and "\n" not in message and str(path) in message
    return message


def rewritten(
    path: Path,
    network: IntegerNetwork,
    arrays: dict[str, np.ndarray | None] | None = None,
    kind: str = "xnor-fcc-network",
    version: int = 1,
    **manifest: object,
) -> Path:
    """A file whose hash is right, but with some entries replaced (None leaves one out)."""
    old_arrays, old_manifest = parts(network)
    merged = {**old_arrays, **(arrays or {})}
    kept = {name: array for name, array in merged.items() if array is not None}
    container.write(path, kind, version, kept, {**old_manifest, **manifest})
    return path


def test_each_fault_of_a_file_has_its_own_sentence(tmp_path: Path, network: IntegerNetwork) -> None:
    whole = tmp_path / "whole.npz"
    network.save(whole)
    contents = whole.read_bytes()
    other = tmp_path / "x.npz"
    found = {}

    found["missing"] = failure(tmp_path / "none.npz")
    found["directory"] = failure(tmp_path)
    other.write_bytes(b"hello")
    found["not an npz"] = failure(other)
    other.write_bytes(contents[:-30])
    found["truncated"] = failure(other)
    middle = contents.index(b"weights_out.npy") + 60
    other.write_bytes(contents[:middle] + bytes([contents[middle] ^ 0xFF]) + contents[middle + 1 :])
    found["damaged"] = failure(other)
    np.savez(other, weights=np.zeros(3))
    found["no manifest"] = failure(other)
    found["kind"] = failure(rewritten(other, network, kind="xnor-fcc-trained"))
    found["version"] = failure(rewritten(other, network, version=2))
    found["widths"] = failure(rewritten(other, network, widths=[3]))
    found["manifest"] = failure(rewritten(other, network, name=None))
    found["lacking"] = failure(rewritten(other, network, {"bias_out": None}))
    found["shape"] = failure(rewritten(other, network, {"thresholds0": np.zeros(8, np.int32)}))
    found["dtype"] = failure(rewritten(other, network, {"thresholds0": np.zeros(9, np.int64)}))
    found["weights shape"] = failure(rewritten(other, network, {"weights1": bits(17, 3)}))
    found["range"] = failure(rewritten(other, network, {"thresholds0": ints(*[15] * 9)}))
    found["pixel"] = failure(rewritten(other, network, pixel_threshold=0))
    found["hash"] = failure(tampered(whole, other))
    without_path = {
        text.replace(str(other), "").replace(str(tmp_path), "") for text in found.values()
    }
    assert len(without_path) == len(found)


def tampered(path: Path, out: Path) -> Path:
    """A sound zip of the same arrays with one threshold changed but the old hash kept."""
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            body = old.read(name)
            if name == "thresholds0.npy":
                array = np.load(io.BytesIO(body))
                array[0] = 1 if array[0] != 1 else 2
                changed = io.BytesIO()
                np.save(changed, array)
                body = changed.getvalue()
            new.writestr(name, body)
    return out


def test_every_truncation_is_refused(tmp_path: Path, network: IntegerNetwork) -> None:
    path = tmp_path / "n.npz"
    network.save(path)
    contents = path.read_bytes()
    for length in range(0, len(contents), 37):
        path.write_bytes(contents[:length])
        failure(path)


def test_every_flipped_byte_is_refused_or_harmless(tmp_path: Path, network: IntegerNetwork) -> None:
    # Zip headers hold bytes that decide nothing (dates, attributes); what loads must be the same.
    path = tmp_path / "n.npz"
    network.save(path)
    contents = path.read_bytes()
    refused = 0
    for position in range(0, len(contents), 7):
        path.write_bytes(
            contents[:position] + bytes([contents[position] ^ 0x55]) + contents[position + 1 :]
        )
        try:
            assert IntegerNetwork.load(path) == network
        except NetworkFormatError:
            refused += 1
    assert refused > len(contents) / 7 / 2


def test_an_interrupted_save_leaves_the_old_file(
    tmp_path: Path, network: IntegerNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "n.npz"
    network.save(path)
    before = path.read_bytes()

    def fail(descriptor: int) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(container.os, "fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        random_network(np.random.default_rng(9), WIDTHS).save(path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["n.npz"]
