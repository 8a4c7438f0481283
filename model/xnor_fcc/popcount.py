# SPDX-License-Identifier: Apache-2.0
"""Sums of a layer from packed bits: XNOR and popcount, 64 synapses at a time, in numpy.

What is counted is the loss, M - P (see `integer`): XOR finds the synapses that disagree, so that
the unused bits of the last word, 0 on both sides, add nothing.  A few images at a time are three
calls, `bitwise_xor`, `bitwise_count` and a sum over the words; neurons lie along the inner axis,
so that its loops are long and a single image is as fast as any other.  Planes of activations and
masks of ternary weights are further passes.

Why in this way, measured for a layer of 1024 x 1024 on one core with AVX-512: about 12 microseconds
an image, of which XOR takes 5, the popcount 5, and the sum 1; a float32 matrix product takes 17.
With images along the inner axis it is 17, too.  Adding three words into two before they are
counted (Harley-Seal) takes five more passes like that of XOR to save a third of the last two.
Scratch of 2^15 to 2^18 words differs by less than a tenth.  So numpy alone does it, without a
compiler.

A convolution is the same at every position.  Each pixel of its map is packed by itself, into whole
bytes, so that a window is copied together from bytes.
"""

from __future__ import annotations

import numpy as np

from .errors import UserError
from .integer import ConvLayer, Layer, OutputLayer
from .maps import windows

# Words at a time, where one image has not more: half a megabyte, for a processor's second cache.
_SCRATCH = 1 << 16


class PackedLayer:
    """A layer that counts, its weights packed once for any number of images."""

    def __init__(self, layer: Layer | OutputLayer) -> None:
        if not hasattr(np, "bitwise_count"):
            raise UserError(f"The reference needs numpy 2, not {np.__version__}; install that.")
        self._most, self._order = layer.most, layer.order
        # Short sums are made twice as fast.
        self._sum = np.uint16 if layer.inputs < 1 << 16 else np.int32
        # Inputs that are packed by themselves: a pixel's channels.
        self._channels = layer.channels if isinstance(layer, ConvLayer) else layer.inputs
        self._kernel = layer.kernel if isinstance(layer, ConvLayer) else 0
        self._weights = self._synapses(layer.weights)
        self._mask = None if layer.mask is None else self._synapses(layer.mask)
        # A weight of 0 loses 1 of 2 whatever the activation is.
        self._lost = 0 if layer.mask is None else (layer.mask == 0).sum(axis=1, dtype=np.int32)

    def product(self, x: np.ndarray) -> np.ndarray:
        """2P - M as int32 (N, m) from the layer's inputs uint8 or bool (N, n): bits, levels or
        pixels.

        Of a convolution (N, H', W', m) from its map (N, H, W, C).
        """
        # Planes of bits, the highest first.
        result = self._loss(x if self._order == 1 else x >> self._order - 1)
        for plane in reversed(range(self._order - 1)):
            result *= 2
            result += self._loss(x >> plane & 1)
        result *= -2
        result += self._most
        return result

    def _synapses(self, weights: np.ndarray) -> np.ndarray:
        """uint64 (words, m) of weights (m, n)."""
        outputs = len(weights)
        packed = np.packbits(weights.reshape(outputs, -1, self._channels), axis=2)
        return _words(packed.reshape(outputs, -1)).T.copy()

    def _loss(self, bits: np.ndarray) -> np.ndarray:
        """int32 (N, m), or (N, H', W', m): what one plane of bits loses."""
        packed = np.packbits(bits, axis=-1)
        if self._kernel:
            packed = windows(packed, self._kernel)
        given = _words(packed.reshape(-1, packed.shape[-1]))
        lost = self._lost_by(given[:, :, None])
        return lost.reshape(*packed.shape[:-1], lost.shape[1])

    def _lost_by(self, given: np.ndarray) -> np.ndarray:
        """int32 (N, m): what words uint64 (N, words, 1) lose."""
        loss = np.empty((len(given), self._weights.shape[1]), np.int32)
        step = max(1, _SCRATCH // self._weights.size)
        unequal = np.empty((min(step, len(given)), *self._weights.shape), np.uint64)
        counts = np.empty(unequal.shape, np.uint8)
        for first in range(0, len(given), step):
            images = given[first : first + step]
            words = np.bitwise_xor(images, self._weights, out=unequal[: len(images)])
            if self._mask is not None:
                words &= self._mask
            ones = np.bitwise_count(words, out=counts[: len(images)])
            loss[first : first + step] = ones.sum(axis=1, dtype=self._sum)
        if self._mask is not None:
            loss *= 2
            loss += self._lost
        return loss


def _words(packed: np.ndarray) -> np.ndarray:
    """uint64 (N, ceil(bytes / 8)) from uint8 (N, bytes); where in its word a bit lies does not
    matter."""
    count, width = packed.shape
    padded = np.zeros((count, 8 * -(-width // 8)), np.uint8)
    padded[:, :width] = packed
    return padded.view(np.uint64)
