# SPDX-License-Identifier: Apache-2.0
"""A network with one bit of it wrong, to see that the comparison with the reference finds it."""

from __future__ import annotations

from dataclasses import replace

from xnor_fcc.errors import UserError
from xnor_fcc.integer import IntegerNetwork, Layer, OutputLayer, ShiftLayer


def plant_fault(network: IntegerNetwork, where: str) -> IntegerNetwork:
    """A copy of `network` with one weight or one threshold changed, as --flip of sim.py says
    where; UserError if the network has no such place."""
    kind, *numbers = where.split(":")
    try:
        place = [int(number) for number in numbers]
    except ValueError:
        place = []
    if len(place) != {"weight": 3, "threshold": 2}.get(kind, -1):
        raise UserError(
            f"--flip {where} is neither weight:LAYER:NEURON:INPUT nor threshold:LAYER:NEURON."
        )
    # A weight that is turned has no latent with its sign.
    layers = [*network.hidden, replace(network.output, latents=None)]
    if not 0 <= place[0] < len(layers):
        raise UserError(f"--flip {where}: the network has layers 0 to {len(layers) - 1}.")
    layer = layers[place[0]]
    assert not isinstance(layer, ShiftLayer)  # no core computes one
    if not 0 <= place[1] < layer.outputs or (kind == "weight" and not 0 <= place[2] < layer.inputs):
        raise UserError(
            f"--flip {where}: layer {place[0]} has neurons 0 to {layer.outputs - 1} with inputs "
            f"0 to {layer.inputs - 1}."
        )
    layers[place[0]] = (
        _other_weight(layer, *place[1:]) if kind == "weight" else _other_threshold(layer, place[1])
    )
    return replace(network, hidden=tuple(layers[:-1]), output=layers[-1])  # type: ignore[arg-type]


def _other_weight(layer: Layer | OutputLayer, neuron: int, synapse: int) -> Layer | OutputLayer:
    if layer.mask is not None and not layer.mask[neuron, synapse]:
        mask = layer.mask.copy()
        mask[neuron, synapse] = 1
        return replace(layer, mask=mask)
    weights = layer.weights.copy()
    weights[neuron, synapse] ^= 1
    return replace(layer, weights=weights)


def _other_threshold(layer: Layer | OutputLayer, neuron: int) -> Layer | OutputLayer:
    if isinstance(layer, OutputLayer):
        bias = layer.bias.copy()
        bias[neuron] += 1
        return replace(layer, bias=bias)
    thresholds = layer.thresholds.copy()
    before = thresholds[neuron]
    if layer.lower is None or layer.upper is None:
        thresholds[neuron] += 1 if before <= layer.most else -1
        return replace(layer, thresholds=thresholds)
    # Within its neighbours where there is room, else one of them moves along.
    lower, upper = layer.lower.copy(), layer.upper.copy()
    up = before < upper[neuron] or lower[neuron] == before <= layer.most
    thresholds[neuron] += 1 if up else -1
    lower[neuron] = min(lower[neuron], thresholds[neuron])
    upper[neuron] = max(upper[neuron], thresholds[neuron])
    return replace(layer, thresholds=thresholds, lower=lower, upper=upper)
