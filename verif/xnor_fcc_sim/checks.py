# SPDX-License-Identifier: Apache-2.0
"""What a network must answer, and what differs from it."""

from __future__ import annotations

from dataclasses import dataclass

import cocotb
import numpy as np

from xnor_fcc.integer import IntegerNetwork
from xnor_fcc.reference import activations, evaluate, preactivations


class Expected:
    """What a network must answer for a set of images, as Python integers that compare fast.

    `hidden[l]`: the planes of the activations of layer l, lane by lane of an image: the first bits
    alone, or the residual bits, then the first bits. `hidden[l][plane][i]` has neuron j's bit at
    bit j, `scores[i]` is the list of class scores, `classes[i]` the class; `sums[l]` int32 (N, m)
    is 2P + offset of every neuron.
    """

    def __init__(self, network: IntegerNetwork, x: np.ndarray) -> None:
        self.network = network
        self.x = x
        self.sums = preactivations(network, x)
        self.hidden = []
        for layer, sums in zip(network.hidden, self.sums, strict=False):
            values = activations(layer, sums)
            planes = [values] if layer.output_order == 1 else [values & 1, values >> 1]
            self.hidden.append([_whole_numbers(plane) for plane in planes])
        # Lanes that carry an image, and bit planes of its inputs.
        self.lanes = 2 if network.shape.pairs else 1
        self.order = network.shape.orders[0]
        self.scores: list[list[int]] = self.sums[-1].tolist()
        self.classes: list[int] = self.sums[-1].argmax(axis=1).tolist()


class MapExpected:
    """The same of a network that begins with convolutions; its maps are made again when they are
    asked for, some images at a time, since those of ten thousand take a gigabyte.

    `x`: first maps (N, H, W, C), as of `IntegerNetwork.inputs_from`.
    """

    lanes, order = 1, 1
    _BLOCK = 64

    def __init__(self, network: IntegerNetwork, x: np.ndarray) -> None:
        self.network, self.x = network, x
        self._first = self._summed = -1
        self._sums: list[np.ndarray] = []
        self._maps: tuple[np.ndarray, ...] = ()
        blocks = [
            evaluate(network, x[first : first + self._BLOCK])
            for first in range(0, len(x), self._BLOCK)
        ]
        self.scores: list[list[int]] = [row for block in blocks for row in block.scores.tolist()]
        self.classes: list[int] = [c for block in blocks for c in block.classes.tolist()]

    def maps(self, image: int) -> list[np.ndarray]:
        """What every hidden layer answers to an image: (H, W, m), or (m,), of bits or levels."""
        first = image - image % self._BLOCK
        if first != self._first:
            self._first = first
            self._maps = evaluate(self.network, self.x[first : first + self._BLOCK]).hidden
        return [hidden[image - first] for hidden in self._maps]

    def sums_of(self, image: int) -> list[np.ndarray]:
        """2P + offset of every neuron of every layer, (H', W', m) or (m,)."""
        if image != self._summed:
            self._summed = image
            counted = preactivations(self.network, self.x[image : image + 1])
            self._sums = [sums[0] for sums in counted]
        return self._sums


def expected_of(network: IntegerNetwork, x: np.ndarray) -> Expected | MapExpected:
    """What a network must answer to the inputs `x`."""
    return MapExpected(network, x) if network.convolutions else Expected(network, x)


def _whole_numbers(bits: np.ndarray) -> list[int]:
    """Rows of 0/1, bit j of the number from column j."""
    packed = np.packbits(bits, axis=1, bitorder="little")
    return [int.from_bytes(row.tobytes(), "little") for row in packed]


@dataclass
class Failure:
    """One difference between hardware and reference."""

    where: str
    bits: int = 1


class Failures:
    """All differences of a run, in the order in which they were found."""

    def __init__(self) -> None:
        self.all: list[Failure] = []

    def add(self, where: str, bits: int = 1) -> None:
        self.all.append(Failure(where, bits))
        if len(self.all) <= 5:
            cocotb.log.error("Error: %s", where)

    @property
    def wrong_bits(self) -> int:
        return sum(failure.bits for failure in self.all)


class Results:
    """Checks result packets against the images that were accepted, in order of arrival."""

    def __init__(self, failures: Failures) -> None:
        self.failures = failures
        self.expected: Expected | MapExpected | None = None
        # (id, image index) of accepted images that are not yet answered.
        self.pending: list[tuple[int, int]] = []
        self.head = 0
        self.answered: list[int] = []

    def receive(self, packet: bytes) -> None:
        words = np.frombuffer(packet, ">i4").tolist()
        if self.head >= len(self.pending) or self.expected is None:
            self.failures.add(f"a result nobody asked for: {packet.hex()}")
            return
        number, image = self.pending[self.head]
        self.head += 1
        scores, last = words[:-1], words[-1] & 0xFFFFFFFF
        self.answered.append(last >> 16)
        want = self.expected.scores[image]
        if last & 0xFFFF != number & 0xFFFF:
            self.failures.add(f"image {image}: answered with id {last & 0xFFFF}, not {number}")
        if scores != want:
            changed = [(a ^ b).bit_count() for a, b in zip(scores, want, strict=False)]
            wrong = sum(changed) or 1
            neuron = next((c for c, bits in enumerate(changed) if bits), 0)
            self.failures.add(
                f"image {image}, output layer, neuron {neuron}: scores {scores}, not {want}", wrong
            )
        if last >> 16 != self.expected.classes[image]:
            self.failures.add(
                f"image {image}: class {last >> 16}, not {self.expected.classes[image]}"
            )
