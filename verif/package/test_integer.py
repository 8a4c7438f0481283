# SPDX-License-Identifier: Apache-2.0
"""The integer network: its rules, its file, and one sentence for each way a file can be wrong."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from xnor_fcc import container, files
from xnor_fcc.geometry import KindError, Shape
from xnor_fcc.integer import IntegerNetwork, Layer, NetworkFormatError, OutputLayer, ShiftLayer
from xnor_fcc.random_network import random_network

WIDTHS = (13, 9, 17, 4)


@pytest.fixture
def network() -> IntegerNetwork:
    return random_network(np.random.default_rng(5), WIDTHS)


def of_every_kind() -> dict[str, IntegerNetwork]:
    """Networks of version 2, by kind."""
    rng = np.random.default_rng(6)
    shift = ShiftLayer(
        rng.integers(0, 2, (9, 13), np.uint8),
        rng.integers(0, 8, (9, 13), np.uint8),
        rng.integers(-1000, 1000, 9, np.int32),
    )
    plain = random_network(rng, WIDTHS)
    return {
        "order-2": random_network(rng, WIDTHS, (2, 2, 2)),
        "order-2 inside": random_network(rng, WIDTHS, (1, 2, 1)),
        "ternary": random_network(rng, WIDTHS, ternary=(False, True, True)),
        "both": random_network(rng, WIDTHS, (2, 1, 2), True),
        "power-of-two": replace(plain, hidden=(shift, *plain.hidden[1:])),
    }


def parts(network: IntegerNetwork) -> tuple[dict[str, np.ndarray], dict[str, object]]:
    """The arrays and the manifest that `save` writes."""
    manifest = {
        "widths": list(network.widths),
        "pixel_threshold": network.pixel_threshold,
        "name": network.name,
        "info": {},
    }
    if network.kinds:
        manifest["orders"] = [layer.order for layer in network.layers]
        manifest["pixel_residual"] = network.pixel_residual
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


@pytest.mark.parametrize("kind", of_every_kind())
def test_save_and_load_of_every_kind(tmp_path: Path, kind: str) -> None:
    network = of_every_kind()[kind]
    path = tmp_path / "n.npz"
    network.save(path)
    loaded = IntegerNetwork.load(path)
    assert loaded == network and loaded.kinds == network.kinds
    assert loaded.pixel_residual == network.pixel_residual
    with np.load(path) as file:
        manifest = json.loads(file["manifest"].tobytes())
    assert manifest["version"] == 2
    loaded.save(tmp_path / "again.npz")
    assert (tmp_path / "again.npz").read_bytes() == path.read_bytes()


def test_the_data_set_is_told_by_info(network: IntegerNetwork) -> None:
    assert network.dataset is None
    assert replace(network, info={"dataset": "digits"}).dataset == "digits"
    assert replace(network, info={"dataset": ["digits"]}).dataset is None


def test_kinds_and_shapes(network: IntegerNetwork) -> None:
    kinds = of_every_kind()
    assert network.kinds == frozenset()
    assert network.shape == Shape.of(WIDTHS) == Shape(WIDTHS, (1, 1, 1), (False,) * 3)
    assert kinds["order-2"].kinds == kinds["order-2 inside"].kinds == {"order-2"}
    assert kinds["order-2 inside"].shape == Shape(WIDTHS, (1, 2, 1), (False,) * 3)
    assert kinds["ternary"].kinds == {"ternary"}
    assert kinds["ternary"].shape == Shape(WIDTHS, (1, 1, 1), (False, True, True))
    assert kinds["both"].kinds == {"order-2", "ternary"} and kinds["both"].shape.pairs
    assert kinds["power-of-two"].kinds == {"power-of-two"}
    with pytest.raises(KindError, match="power-of-two weights, which no core computes"):
        _ = kinds["power-of-two"].shape


def test_the_greatest_count_of_each_kind() -> None:
    weights, mask = bits(2, 5), np.ones((2, 5), np.uint8)
    for most, order, counted in ((5, 1, None), (15, 2, None), (10, 1, mask), (30, 2, mask)):
        assert OutputLayer(weights, ints(0, 0), counted, order).most == most
        assert Layer(weights, ints(0, most + 1), counted, order=order).most == most
        with pytest.raises(NetworkFormatError, match=f"outside 0 to {most + 1}"):
            Layer(weights, ints(0, most + 2), counted, order=order)


def test_grey_pixels_become_inputs() -> None:
    grey = np.array([[[0, 63, 64], [127, 128, 191]], [[192, 255, 1], [2, 3, 4]]], np.uint8)
    flat = grey.reshape(2, 6)
    plain = IntegerNetwork((), OutputLayer(bits(1, 6), ints(0)))
    assert plain.inputs_from(grey).tolist() == [[0, 0, 0, 0, 1, 1], [1, 1, 0, 0, 0, 0]]
    second = IntegerNetwork((), OutputLayer(bits(1, 6), ints(0), order=2), pixel_residual=(64, 192))
    levels = second.inputs_from(grey)
    assert levels.tolist() == [[0, 0, 1, 1, 2, 2], [3, 3, 0, 0, 0, 0]] and levels.dtype == np.uint8
    # The second bit is the sign of what is left of a pixel in -1..1 beside the first bit's +-1/2.
    value = (flat.astype(float) + 0.5) / 128 - 1
    first = np.where(value >= 0, 1, -1)
    assert np.array_equal(levels & 1, value - first / 2 >= 0)
    shift = ShiftLayer(bits(1, 6), bits(1, 6), ints(0))
    network = IntegerNetwork((shift,), OutputLayer(bits(1, 1), ints(0)))
    assert np.array_equal(network.inputs_from(grey), flat)


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


def test_equality_sees_the_kind() -> None:
    networks = list(of_every_kind().values())
    second = networks[0]
    assert second.pixel_residual is not None
    layer = second.hidden[1]
    assert isinstance(layer, Layer) and layer.lower is not None and layer.upper is not None
    higher = np.full_like(layer.upper, layer.most + 1)
    networks += [
        replace(second, pixel_residual=(second.pixel_residual[0], second.pixel_threshold)),
        replace(second, hidden=(second.hidden[0], replace(layer, upper=higher))),
        replace(second, output=replace(second.output, mask=np.ones((4, 17), np.uint8))),
    ]
    for i, one in enumerate(networks):
        for k, other in enumerate(networks):
            assert (one == other) == (i == k)


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
        (lambda: Layer(bits(1, 3), ints(0), order=3), "1 or 2"),
        (lambda: Layer(bits(1, 3), ints(0), bits(1, 2)), "mask must have shape"),
        (lambda: Layer(bits(1, 3), ints(0), bits(1, 3).astype(bool)), "Mask must be uint8"),
        (lambda: Layer(bits(1, 3) + np.uint8(1), ints(0), bits(1, 3)), "its mask is 0"),
        (lambda: OutputLayer(bits(1, 3) + np.uint8(1), ints(0), bits(1, 3)), "its mask is 0"),
        (lambda: Layer(bits(1, 3), ints(2), None, ints(2)), "or neither"),
        (lambda: Layer(bits(1, 3), ints(2), None, None, ints(2)), "or neither"),
        (lambda: Layer(bits(1, 3), ints(2), None, ints(1, 1), ints(2)), "lower thresholds must"),
        (lambda: Layer(bits(1, 3), ints(2), None, ints(3), ints(4)), "A lower threshold"),
        (lambda: Layer(bits(1, 3), ints(2), None, ints(-1), ints(4)), "A lower threshold"),
        (lambda: Layer(bits(1, 3), ints(2), None, ints(1), ints(1)), "An upper threshold"),
        (lambda: Layer(bits(1, 3), ints(2), None, ints(1), ints(5)), "An upper threshold"),
        (lambda: ShiftLayer(bits(1, 3), bits(1, 2), ints(0)), "exponents must be"),
        (lambda: ShiftLayer(bits(1, 3), bits(1, 3) + np.uint8(8), ints(0)), "0 to 7"),
        (lambda: ShiftLayer(bits(1, 3), ints(0), ints(0)), "exponents must be"),
        (lambda: ShiftLayer(bits(1, 3), bits(1, 3), ints(0, 0)), "thresholds must have shape"),
        (lambda: IntegerNetwork((), OutputLayer(bits(1, 3), ints(0), order=2)), "no others do"),
        (
            lambda: IntegerNetwork((), OutputLayer(bits(1, 3), ints(0)), pixel_residual=(1, 200)),
            "no others do",
        ),
        (
            lambda: IntegerNetwork(
                (), OutputLayer(bits(1, 3), ints(0), order=2), pixel_residual=(129, 200)
            ),
            "129 and 200 must be from 0 to 128",
        ),
        (
            lambda: IntegerNetwork(
                (Layer(bits(2, 3), ints(0, 4)),), OutputLayer(bits(2, 2), ints(0, 0), order=2)
            ),
            "outputs of order 1, but layer 1 has inputs of order 2",
        ),
        (
            lambda: IntegerNetwork(
                (Layer(bits(1, 3), ints(1)), ShiftLayer(bits(1, 1), bits(1, 1), ints(1))),
                OutputLayer(bits(1, 1), ints(0)),
            ),
            "only layer 0 may have",
        ),
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
    version: int | None = None,
    **manifest: object,
) -> Path:
    """A file whose hash is right, but with some entries replaced (None leaves one out)."""
    old_arrays, old_manifest = parts(network)
    merged = {**old_arrays, **(arrays or {})}
    kept = {name: array for name, array in merged.items() if array is not None}
    if version is None:
        version = 2 if network.kinds else 1
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
    found["version"] = failure(rewritten(other, network, version=4))
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


def test_each_fault_of_a_file_of_the_other_kinds_has_its_own_sentence(tmp_path: Path) -> None:
    kinds = of_every_kind()
    second, ternary, shift = kinds["order-2"], kinds["ternary"], kinds["power-of-two"]
    plain = random_network(np.random.default_rng(5), WIDTHS)
    other = tmp_path / "x.npz"
    rng = np.random.default_rng(7)
    full = np.full((17, 2), 255, np.uint8)

    def fault(network: IntegerNetwork, *arguments: object, **manifest: object) -> str:
        return failure(rewritten(other, network, *arguments, **manifest))  # type: ignore[arg-type]

    found = {
        "no orders": fault(second, orders=None),
        "shift no orders": fault(shift, orders=[1, 1]),
        "order": fault(second, orders=[3, 2, 2]),
        "order of the wrong type": fault(second, orders=[True, 2, 2]),
        "orders do not meet": fault(second, orders=[2, 1, 2]),
        "no residual": fault(second, pixel_residual=None),
        "half a residual": fault(second, pixel_residual=[3]),
        "wrong residual": fault(second, pixel_residual=[255, 0]),
        "no upper": fault(second, {"upper0": None}),
        "no lower": fault(second, {"lower1": None}),
        "neither": fault(second, {"lower0": None, "upper0": None}),
        "upper's type": fault(second, {"upper0": np.zeros(9, np.uint8)}),
        "upper's shape": fault(second, {"upper0": np.zeros(8, np.int32)}),
        "lower too large": fault(second, {"lower0": np.full(9, 99, np.int32)}),
        "upper too small": fault(second, {"upper0": np.full(9, -1, np.int32)}),
        "mask's shape": fault(ternary, {"mask1": bits(17, 3)}),
        "weights without mask": fault(ternary, {"weights1": full}),
        "a mask that is left": fault(ternary, {"mask7": bits(17, 3)}),
        "exponents": fault(shift, {"exponents0": np.full((9, 13), 8, np.uint8)}),
        "exponents' shape": fault(shift, {"exponents0": bits(9, 12)}),
        "exponents of a later layer": fault(shift, {"exponents1": bits(17, 9)}),
        "a mask of shifts": fault(shift, {"mask0": bits(9, 2)}),
        "no exponents": fault(shift, {"exponents0": None}),
        "new in an old file": fault(ternary, version=1),
        "old in a new file": fault(plain, version=2, orders=[1, 1, 1], pixel_residual=None),
    }
    assert all(text.count(".") >= 1 for text in found.values())
    sentences = {text.replace(str(other), "") for text in found.values()}
    same = {"no orders", "shift no orders", "order of the wrong type"}
    assert len(sentences) >= len(found) - len(same) - 3, found

    # Every damaged byte of such a file is noticed, too.
    for network in (second, ternary, shift):
        network.save(other)
        contents = other.read_bytes()
        for position in rng.integers(0, len(contents), 40):
            flipped = bytearray(contents)
            flipped[position] ^= 0x55
            other.write_bytes(flipped)
            try:
                assert IntegerNetwork.load(other) == network
            except NetworkFormatError as error:
                assert "\n" not in str(error)


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

    monkeypatch.setattr(files.os, "fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        random_network(np.random.default_rng(9), WIDTHS).save(path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["n.npz"]
