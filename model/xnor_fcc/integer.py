# SPDX-License-Identifier: Apache-2.0
"""`IntegerNetwork`: bits, thresholds and biases - the one thing both worlds agree on.

Mathematics.  An activation of order 1 is one bit b1 and stands for +1 or -1.  One of order 2 has a
residual bit b2 besides: its level 2 * b1 + b2 stands for 2 * level - 3, one of -3, -1, +1, +3.  A
weight is binary, +1 or -1 (bit 1 or 0), or ternary: it counts as that, or, where its mask is 0, as
0.  P generalises the popcount: the sum over the bit planes of the n inputs, factor 2 for b1 where
there is a b2, else 1, of

    binary weights    1 where activation bit and weight bit are equal, else 0
    ternary weights   2 where they are equal, 0 where they are not, 1 where the weight is 0

It is at most M = n * (3 if order 2 else 1) * (2 if ternary else 1); with the dot product d of
activations and weights P = (s * d + M) / 2, s = 2 if ternary else 1.  For single bits everywhere P
is popcount(XNOR(x, w)), M is n, and d is 2P - n.

A hidden neuron answers b1 = (P >= T) with 0 <= T <= M + 1, so T = 0 is always 1 and T = M + 1
always 0.  Where the layer's outputs are of order 2, b2 = (P >= (upper if b1 else lower)) with
0 <= lower <= T <= upper <= M + 1.  The score of class c is 2P - M + bias[c]; the answer is the
class with the highest score, the lowest index on a tie.

Grey pixels become inputs by comparison too: b1 = (pixel >= pixel_threshold), and for order 2
b2 = (pixel >= (upper if b1 else lower)) of `pixel_residual`.  A first layer of power-of-two
weights (`ShiftLayer`) takes the pixels themselves.

A network may begin with convolutions (`ConvLayer`): each is such a layer at every position of a
map, and the greatest of 2x2 answers may go on alone.  Its inputs are the bits that thermometers
make of the pixels (`maps.Pixels`), or the pixels as numbers of 0 to 255, which have order 8: eight
planes of bits, the factor of each twice that of the next, so that an input counts as the number
where the weight is +1, and as 255 less the number where it is -1.  The first dense layer reads the
last map in order (row, column, channel).

`network_file` has the file format.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from . import container, network_file
from .errors import UserError
from .layers import ConvLayer, Layer, NetworkFormatError, OutputLayer, ShiftLayer
from .maps import Pixels, positions
from .places import NETWORKS
from .registers import PIXEL_THRESHOLD
from .renamed import current
from .shape import PIXEL_BITS, KindError, MapShape, Shape


def network_names() -> list[str]:
    """Names of the project's own networks."""
    return sorted(path.stem for path in NETWORKS.glob("*.npz") if "_trained" not in path.stem)


def find_network(name: str) -> Path:
    """Path of a network file, given by path or by the name of one of the project's; UserError if
    it is no name of one."""
    path = Path(name)
    if path.suffix or path.exists():
        return path
    name = current(name)
    if name not in network_names():
        raise UserError(f"There is no network {name}; there are {', '.join(network_names())}.")
    return NETWORKS / f"{name}.npz"


@dataclass(frozen=True, eq=False)
class IntegerNetwork:
    """A binarised network in integers only, fully connected but for convolutions in front; checked
    when it is made.

    `pixel_threshold` (1..255) and, for inputs of order 2, `pixel_residual` (lower, upper) say how
    grey pixels become its inputs; `pixels` says it of a network with convolutions, which has
    neither.  Raises NetworkFormatError if the parts do not fit each other.
    """

    hidden: tuple[Layer | ShiftLayer, ...]
    output: OutputLayer
    pixel_threshold: int = PIXEL_THRESHOLD
    name: str = "unnamed"
    info: Mapping[str, Any] = field(default_factory=dict)
    pixel_residual: tuple[int, int] | None = None
    pixels: Pixels | None = None

    def __post_init__(self) -> None:
        self._check_convolutions()
        for i, (before, after) in enumerate(pairwise(self.layers)):
            given, taken, outputs, inputs = before.outputs, after.inputs, "outputs", "inputs"
            if isinstance(after, ConvLayer):
                taken, outputs, inputs = after.channels, "channels", "channels"
            elif isinstance(before, ConvLayer):
                given *= self.map_sides[i] ** 2
            if given != taken:
                raise NetworkFormatError(
                    f"Layer {i} has {given} {outputs}, but layer {i + 1} has {taken} {inputs}."
                )
            if isinstance(after, ShiftLayer):
                raise NetworkFormatError(
                    f"Layer {i + 1} has power-of-two weights, which only layer 0 may have."
                )
            if self.hidden[i].output_order != after.order:
                raise NetworkFormatError(
                    f"Layer {i} has outputs of order {self.hidden[i].output_order}, but layer "
                    f"{i + 1} has inputs of order {after.order}."
                )
        if not 1 <= self.pixel_threshold <= 255:
            raise NetworkFormatError(
                f"The pixel threshold must be from 1 to 255, not {self.pixel_threshold}."
            )
        if self.pixels is not None:
            return
        if (self.pixel_residual is not None) != (self.layers[0].order == 2):
            raise NetworkFormatError(
                "Inputs of order 2 need the residual's two pixel thresholds, and no others do."
            )
        if self.pixel_residual is not None:
            lower, upper = self.pixel_residual
            if not 0 <= lower <= self.pixel_threshold <= upper <= 255:
                raise NetworkFormatError(
                    f"The residual's pixel thresholds {lower} and {upper} must be from 0 to "
                    f"{self.pixel_threshold}, and from there to 255."
                )

    def _check_convolutions(self) -> None:
        """What goes for networks with convolutions alone."""
        count = len(self.convolutions)
        for i, layer in enumerate(self.hidden[count:], start=count):
            if isinstance(layer, ConvLayer):
                raise NetworkFormatError(f"Layer {i} is a convolution behind a dense layer.")
        if (self.pixels is not None) != bool(count):
            raise NetworkFormatError(
                "A network that begins with a convolution needs the levels of its pixels, and no "
                "others do."
            )
        if self.pixels is None:
            if self.layers[0].order == PIXEL_BITS:
                raise NetworkFormatError("Pixels are numbers for a convolution only.")
            return
        first = self.convolutions[0]
        order, channels = self.pixels.order, self.pixels.channels
        if first.kernel != 3 or first.order != order or first.channels != channels:
            what = "single bits of the pixels' levels" if order == 1 else "colours of the pixels"
            raise NetworkFormatError(
                f"Layer 0 must have windows of 3x3 on the {channels} {what}."
            )
        if order > 1 and first.output_order == 2:
            raise NetworkFormatError(
                "Layer 0 takes pixels as numbers, and its outputs must be of order 1 then."
            )
        if self.pixel_threshold != PIXEL_THRESHOLD or self.pixel_residual is not None:
            raise NetworkFormatError(
                "Pixels become bits by levels or by the pixel threshold, not by both."
            )
        positions(self.pixels.map_side, self.convolutions)

    @property
    def convolutions(self) -> tuple[ConvLayer, ...]:
        """The convolutions that it begins with."""
        found = []
        for layer in self.hidden:
            if not isinstance(layer, ConvLayer):
                break
            found.append(layer)
        return tuple(found)

    @cached_property
    def map_sides(self) -> tuple[int, ...]:
        """The side of the map that each of the convolutions answers, pooled where it pools."""
        if self.pixels is None:
            return ()
        found = positions(self.pixels.map_side, self.convolutions)
        return tuple(
            side // 2 if layer.pool else side
            for side, layer in zip(found, self.convolutions, strict=True)
        )

    @property
    def layers(self) -> tuple[Layer | ShiftLayer | OutputLayer, ...]:
        """Every layer, the output layer last."""
        return (*self.hidden, self.output)

    @property
    def weights(self) -> tuple[np.ndarray, ...]:
        """Every layer's weights uint8 (outputs, inputs) of 0/1, the output layer last."""
        return tuple(layer.weights for layer in self.layers)

    @property
    def inputs(self) -> int:
        """Number of inputs: pixels, of images of several colours each colour for itself."""
        if self.pixels is not None:
            return self.pixels.side**2 * self.pixels.colours
        return self.layers[0].inputs

    @property
    def colours(self) -> int:
        """Colours of an image's pixels: 1 where they are grey."""
        return 1 if self.pixels is None else self.pixels.colours

    @property
    def classes(self) -> int:
        """Number of scores."""
        return self.output.outputs

    @property
    def widths(self) -> tuple[int, ...]:
        """(inputs, hidden layers..., classes), for example (784, 1024, 1024, 1024, 10); those of a
        convolution are its channels."""
        return (self.inputs, *(layer.outputs for layer in self.layers))

    @property
    def dataset(self) -> str | None:
        """The name of the data set that it was trained on, as in `data`; None if it tells none."""
        name = self.info.get("dataset")
        return name if isinstance(name, str) else None

    @property
    def kinds(self) -> frozenset[str]:
        """What it needs beyond single bits in dense layers: "order-2", "ternary", "power-of-two",
        "convolutions", "8-bit pixels"."""
        return frozenset(
            kind
            for kind, found in (
                ("order-2", any(layer.order == 2 for layer in self.layers)),
                ("ternary", any(layer.ternary for layer in self.layers)),
                ("power-of-two", any(isinstance(layer, ShiftLayer) for layer in self.layers)),
                ("convolutions", self.pixels is not None),
                ("8-bit pixels", self.pixels is not None and self.pixels.values is not None),
            )
            if found
        )

    @property
    def shape(self) -> Shape:
        """What a core must be for it; `KindError` if there is no such core."""
        if "power-of-two" in self.kinds:
            raise KindError("The network has power-of-two weights, which no core computes.")
        known = (
            self.widths,
            tuple(layer.order for layer in self.layers),
            tuple(layer.ternary for layer in self.layers),
        )
        if self.pixels is None:
            return Shape(*known)
        return MapShape(
            *known,
            side=self.pixels.map_side,
            colours=self.pixels.colours,
            levels=self.pixels.levels.shape[1],
            convolutions=tuple((layer.kernel, layer.pool) for layer in self.convolutions),
        )

    def inputs_from(self, grey: np.ndarray) -> np.ndarray:
        """What `reference.evaluate` takes, uint8 (N, inputs), for grey uint8 images (N, ...).

        Bits of 0/1, levels of 0 to 3 for inputs of order 2, the pixels for power-of-two weights;
        for convolutions the first map, (N, H, W, C), of images as `maps.Pixels.bordered` takes
        them.
        """
        if self.pixels is not None:
            return self.pixels.inputs(grey)
        pixels = grey.reshape(len(grey), self.inputs)
        if isinstance(self.layers[0], ShiftLayer):
            return pixels
        bits = (pixels >= self.pixel_threshold).astype(np.uint8)
        if self.pixel_residual is None:
            return bits
        lower, upper = self.pixel_residual
        return 2 * bits + (pixels >= np.where(bits, upper, lower)).astype(np.uint8)

    def __eq__(self, other: object) -> bool:
        """Equal in everything that decides an answer; `name`, `info` and latents do not count.

        The orders follow from what is compared: `pixel_residual`, and which layers have `lower`.
        """
        if not isinstance(other, IntegerNetwork):
            return NotImplemented
        mine, theirs = self._arrays(), other._arrays()
        for arrays in (mine, theirs):
            arrays.pop("latents_out", None)
        return (
            self.widths == other.widths
            and self.pixel_threshold == other.pixel_threshold
            and self.pixel_residual == other.pixel_residual
            and self.pixels == other.pixels
            and self._kernels() == other._kernels()
            and mine.keys() == theirs.keys()
            and all(np.array_equal(array, theirs[name]) for name, array in mine.items())
        )

    __hash__ = None  # type: ignore[assignment]

    def save(self, path: Path | str) -> None:
        """Write the file; atomic, and equal networks give equal bytes."""
        manifest: dict[str, Any] = {
            "widths": list(self.widths),
            "name": self.name,
            "info": dict(self.info),
        }
        if self.kinds:
            manifest["orders"] = [layer.order for layer in self.layers]
        if self.pixels is not None:
            manifest["side"], manifest["border"] = self.pixels.side, self.pixels.border
            manifest["convolutions"] = self._kernels()
        else:
            manifest["pixel_threshold"] = int(self.pixel_threshold)
            if self.kinds:
                residual = self.pixel_residual
                manifest["pixel_residual"] = residual and [int(value) for value in residual]
        container.write(Path(path), network_file.KIND, self._version(), self._arrays(), manifest)

    @classmethod
    def load(cls, path: Path | str) -> IntegerNetwork:
        """Read and check a file; raises NetworkFormatError with one sentence on what is wrong."""
        path = Path(path)
        arrays, manifest = network_file.read(path)
        try:
            network = cls(**network_file.parts(arrays, manifest))
            for extra in sorted(arrays.keys() - network._arrays().keys()):
                raise NetworkFormatError(f"The array {extra} does not belong to such a network.")
            if manifest["version"] != network._version():
                latents = "with" if network.output.latents is not None else "without"
                raise NetworkFormatError(
                    f"Format version {manifest['version']} is not that of a network of "
                    f"{', '.join(sorted(network.kinds)) or 'single bits'} {latents} latents."
                )
            return network
        except NetworkFormatError as cause:
            raise NetworkFormatError(f"In the {network_file.NOUN} {path}: {cause}") from cause

    def _version(self) -> int:
        version = network_file.KINDS_VERSION if self.kinds else network_file.PLAIN_VERSION
        if self.pixels is not None:
            numbers = self.pixels.values is not None
            version = network_file.NUMBERS_VERSION if numbers else network_file.MAPS_VERSION
        return version + (network_file.LATENTS if self.output.latents is not None else 0)

    def _kernels(self) -> list[list[int | bool]]:
        return [[layer.kernel, bool(layer.pool)] for layer in self.convolutions]

    def _arrays(self) -> dict[str, np.ndarray]:
        return network_file.arrays_of(self.hidden, self.output, self.pixels)
