# SPDX-License-Identifier: Apache-2.0
"""`IntegerNetwork` + `Geometry` -> what a core for convolutions is loaded with.

Weights and offsets stand in the order in which a block reads them (`map_plan`): group by group, the
output layer's from the last one down, and in each round by round, word by word. Inside a word all
is as in `pack`: synapse k of PE p at bit k * PE + p, parity-coded. Synapses that no input feeds, of
channels or slots that are not there, see activation 0 and have weight 1, so that they count
nothing; neurons beyond the last one are never 1.

A word's synapses are three slots of SIMD / 3 channels; `synapses` says which input each of them is.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .geometry import Geometry, MapShape
from .integer import IntegerNetwork
from .layers import Layer, OutputLayer, ShiftLayer
from .map_plan import SLOTS, Stage, Window, plan
from .pack import Memory, beside, hex_text, output_offsets, parity_coded, weight_planes


@dataclass(frozen=True)
class MapMemory(Memory):
    """What a core for convolutions must be loaded with to run one network.

    As a `Memory`, with `levels` beside it: uint8 (PIXEL_CHANNELS * PIXEL_LEVELS,), what the
    register LEVEL takes by index.
    """

    stages: tuple[Stage, ...]
    levels: np.ndarray

    @property
    def inputs(self) -> int:
        """What the register INPUTS takes: pixels of an image, its border and all."""
        assert isinstance(self.shape, MapShape)
        return self.shape.side**2

    def preset_files(self, prefix: Path, enable: bool, pixel_8bit: bool) -> dict[Path, bytes]:
        """As those of a `Memory`, and PREFIX_levels.hex, a byte for each level, if there are any.
        Images always are of 8-bit pixels."""
        files = super().preset_files(prefix, enable, True)
        if len(self.levels):
            files[beside(prefix, "_levels.hex")] = hex_text(f"{level:02x}" for level in self.levels)
        return files

    @property
    def table(self) -> tuple[tuple[int, int], ...]:
        """(words, groups) of each layer."""
        return tuple((stage.words, stage.groups) for stage in self.stages)

    @property
    def entries(self) -> tuple[int, ...]:
        """What the registers LAYER_TABLE take."""
        return tuple(stage.entry for stage in self.stages)


def pack_maps(network: IntegerNetwork, geometry: Geometry) -> MapMemory:
    """The memory of `network`, which begins with a convolution; `GeometryError` where it does not
    fit."""
    shape, pixels = network.shape, network.pixels
    geometry.require_fit(shape)
    assert isinstance(shape, MapShape) and pixels is not None
    stages = plan(shape, geometry.pe, geometry.simd)
    levels = np.zeros((geometry.pixel_channels, geometry.pixel_levels), np.uint8)
    levels[: shape.colours, : shape.levels] = pixels.levels
    weights, offsets, margins = [], [], []
    for i, (layer, stage) in enumerate(zip(network.layers, stages, strict=True)):
        assert not isinstance(layer, ShiftLayer)
        weights.append(_pack_weights(geometry, layer, stage, synapses(geometry, shape, stages, i)))
        own = _pack_numbers(geometry, layer, stage)
        offsets.append(own[:, 0])
        margins.append(own[:, 1:])
    return MapMemory(
        geometry=geometry,
        shape=shape,
        pixel_threshold=network.pixel_threshold,
        pixel_residual=(0, 0),
        weights=np.concatenate(weights),
        offsets=np.concatenate(offsets),
        margins=np.concatenate(margins),
        stages=stages,
        levels=levels.ravel(),
    )


def synapses(
    geometry: Geometry, shape: MapShape, stages: tuple[Stage, ...], layer: int
) -> np.ndarray:
    """Which input each synapse of a layer is, int (words, SIMD), -1 where it is none.

    Inputs are counted as the network counts them: of a window or of a flattened map in order (row,
    column, channel).
    """
    slot, stage = geometry.slot, stages[layer]
    if stage.window is Window.PIXELS:
        return _pixel_synapses(geometry, shape)
    channels = shape.widths[layer]
    slices = stages[layer - 1].slices(slot // geometry.pe)
    # Channels of each slice, -1 beyond the last one.
    own = np.arange(slices * slot).reshape(slices, slot)
    own[own >= channels] = -1
    places = np.full((stage.words, SLOTS), -1)
    of_slice = np.zeros((stage.words, SLOTS), np.int64)
    if stage.window is Window.DENSE:
        before = stages[layer - 1]
        # Place and slice of each slot in the order in which they are written.
        order = [y * before.out_side + x for y, x in before.flat_pixels()]
        count = len(order) * slices
        places.flat[:count] = np.repeat(order, slices)
        of_slice.flat[:count] = np.tile(np.arange(slices), len(order))
    elif stage.window is Window.POINT:
        places[:, 0], of_slice[:, 0] = 0, np.arange(slices)
    else:
        places[:] = np.tile(np.arange(9).reshape(3, SLOTS), (slices, 1))
        of_slice[:] = np.repeat(np.arange(slices), 3)[:, None]
    inputs = places[:, :, None] * channels + own[of_slice]
    inputs[(places[:, :, None] < 0) | (own[of_slice] < 0)] = -1
    return inputs.reshape(stage.words, geometry.simd)


def _pixel_synapses(geometry: Geometry, shape: MapShape) -> np.ndarray:
    """The same of layer 0: three columns, each with its three rows."""
    channels, levels = geometry.pixel_channels, geometry.pixel_levels or 1
    bits = np.full((SLOTS, 3, channels, levels), -1)
    given = (shape.colours, shape.levels or 1)
    inputs = np.arange(9 * given[0] * given[1]).reshape(3, SLOTS, *given).swapaxes(0, 1)
    bits[:, :, : given[0], : given[1]] = inputs
    result = np.full((SLOTS, geometry.slot), -1)
    result[:, : 3 * channels * levels] = bits.reshape(SLOTS, -1)
    return result.reshape(1, geometry.simd)


def _pack_weights(
    geometry: Geometry, layer: Layer | OutputLayer, stage: Stage, inputs: np.ndarray
) -> np.ndarray:
    """uint8 (groups * rounds * words, SIMD * PE) as stored."""
    planes = weight_planes(layer)
    pe, simd = geometry.pe, geometry.simd
    padded = np.ones((len(planes), stage.groups * pe, stage.words, simd), np.uint8)
    padded[:, : layer.outputs] = np.where(inputs < 0, 1, planes[:, :, inputs])
    groups = parity_coded(padded).reshape(len(planes), stage.groups, pe, stage.words, simd)
    if isinstance(layer, OutputLayer):
        groups = groups[:, ::-1]
    # (planes, groups, PE, words, SIMD) -> synapse-major words, a group's planes together.
    return groups.transpose(1, 0, 3, 4, 2).reshape(-1, simd * pe)


def _pack_numbers(geometry: Geometry, layer: Layer | OutputLayer, stage: Stage) -> np.ndarray:
    """int64 (groups, 3, PE): offset, and the margins up and down, of each neuron."""
    numbers = np.zeros((3, stage.groups * geometry.pe), np.int64)
    numbers[0] = -2 * layer.most - 1
    used = numbers[:, : layer.outputs]
    if isinstance(layer, OutputLayer):
        used[0] = output_offsets(geometry, layer)
    else:
        used[0] = 1 - 2 * layer.thresholds.astype(np.int64)
        if layer.lower is not None and layer.upper is not None:
            used[1] = layer.upper - layer.thresholds
            used[2] = layer.thresholds - layer.lower
    groups = numbers.reshape(3, stage.groups, geometry.pe).swapaxes(0, 1)
    return groups[::-1] if isinstance(layer, OutputLayer) else groups
