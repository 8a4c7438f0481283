# SPDX-License-Identifier: Apache-2.0
"""Brevitas model -> `IntegerNetwork`.

The thresholds of a hidden neuron are read off the model itself: its own alpha, batch normalisation
and activation, in their own float32 precision, are evaluated on every P from 0 to M (`integer` says
what these are), and T, with second-order activations lower and upper as well, is where the answer
steps.  Nothing is rederived by a formula, so nothing can round differently.

A neuron whose folded slope is negative answers more for *small* P.  Its weights are stored negated,
which turns P into M - P: from 1 for P <= s it becomes 1 for P' >= M - s.  A neuron that never
switches keeps its weights and gets T = 0 (always 1) or T = M + 1 (always 0).

Sums of power-of-two weights have too many values for a table; their neurons' T is found by halving.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .errors import CommandLine, UserError, run_main
from .integer import IntegerNetwork, Layer, OutputLayer, ShiftLayer
from .network import BinaryNetwork, HiddenLayer, PowerLinear, load_trained, pixel_residual


def response_table(layer: HiddenLayer) -> np.ndarray:
    """What each neuron answers to each P: uint8 (M + 1, outputs), row P, of 0/1 or levels 0..3."""
    outputs = layer.linear.out_features
    most = layer.linear.in_features * (3 if layer.form.order == 2 else 1)
    product = torch.arange(-most, most + 1, layer.form.step, dtype=torch.float32)
    with torch.no_grad():
        answers = layer.activate(product[:, None].expand(-1, outputs).contiguous())
    return levels(answers, layer.form.order)


def levels(activations: Tensor, order: int) -> np.ndarray:
    """Activations +-1, or -3, -1, 1, 3 of order 2, as bits 0/1 or levels 0..3, uint8."""
    top = 3 if order == 2 else 1
    return ((activations + top) / 2).to(torch.uint8).numpy()


def fold(
    weights: np.ndarray, responses: np.ndarray, mask: np.ndarray | None = None, order: int = 1
) -> Layer:
    """The integer layer of weights uint8 (m, n) and answers uint8 (M + 1, m) by P.

    `order` is that of inputs and answers, `mask` uint8 (m, n) marks ternary weights that count.
    Raises UserError if a neuron's answers both rise and fall: then no threshold describes it.
    """
    most = len(responses) - 1
    steps = np.diff(responses.astype(np.int8), axis=0)
    torn = (steps > 0).any(axis=0) & (steps < 0).any(axis=0)
    if torn.any():
        raise UserError(
            f"Neuron {int(torn.argmax())} both rises and falls over its popcounts, so it "
            "has no threshold; its batch normalisation holds values that are not finite."
        )
    falling = responses[0] > responses[-1]
    counted = np.ones_like(weights) if mask is None else mask
    folded = np.where(falling[:, None], counted - weights, weights).astype(np.uint8)

    def threshold(level: int) -> np.ndarray:
        # Rising or constant: reached on the last `reached` values of P, P >= M + 1 - reached.
        # Falling: on the first, P <= reached - 1, so with negated weights P' = M - P is at least
        # M + 1 - reached as well.
        reached = (responses >= level).sum(axis=0)
        return (most + 1 - reached).astype(np.int32)

    if order == 1:
        return Layer(folded, threshold(1), mask)
    return Layer(folded, threshold(2), mask, lower=threshold(1), upper=threshold(3), order=2)


def fold_shifts(layer: HiddenLayer) -> ShiftLayer:
    """The integer layer of power-of-two weights on grey pixels.

    Float32 arithmetic keeps order, so a neuron's answer switches at most once over its sums.
    """
    assert isinstance(layer.linear, PowerLinear)
    weights, exponents = layer.linear.bits(), layer.linear.exponents()

    def answers(sums: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return (layer.activate(torch.from_numpy(sums).float()[None])[0] > 0).numpy()

    reach = 255 * np.left_shift(1, exponents.astype(np.int64)).sum(axis=1)
    falling = answers(-reach) & ~answers(reach)
    sign = np.where(falling, -1, 1)
    # The least sum in the direction of the slope with answer 1, within low..high.
    low, high = -reach, reach + 1
    while (unsettled := low < high).any():
        middle = (low + high) // 2
        right = answers(sign * middle)
        low, high = (
            np.where(unsettled & ~right, middle + 1, low),
            np.where(unsettled & right, middle, high),
        )
    folded = np.where(falling[:, None], 1 - weights, weights).astype(np.uint8)
    return ShiftLayer(folded, exponents, low.astype(np.int32))


def export(
    model: BinaryNetwork, name: str = "unnamed", info: Mapping[str, Any] | None = None
) -> IntegerNetwork:
    """The integer network that answers every input exactly as `model` does in eval mode.

    `model` must be in eval mode.  Raises UserError if a parameter is not finite or a neuron is
    not monotonic.
    """
    if model.training:
        raise ValueError("export needs the model in eval mode")
    for key, tensor in model.state_dict().items():
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise UserError(
                f"The model cannot be exported: {key} holds values that are not finite."
            )
    form = model.form
    hidden: list[Layer | ShiftLayer] = []
    for layer in model.hidden_layers():
        if isinstance(layer.linear, PowerLinear):
            hidden.append(fold_shifts(layer))
            continue
        # The weights first: Brevitas clips latent weights when it quantises them.
        weights = layer.linear.bits()
        mask = layer.linear.mask() if form.ternary else None
        hidden.append(fold(weights, response_table(layer), mask, form.order))
    last = model.output.linear
    output = OutputLayer(
        last.bits(),
        model.output.integer_bias(),
        last.mask() if form.ternary else None,
        form.order,
    )
    return IntegerNetwork(
        tuple(hidden),
        output,
        model.pixel_threshold,
        name,
        dict(info or {}),
        pixel_residual(model.pixel_threshold) if form.order == 2 else None,
    )


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = CommandLine(
        prog="python -m xnor_fcc.export",
        description="Turn a trained Brevitas network into the integer network that the core loads.",
    )
    parser.add_argument("trained", type=Path, metavar="TRAINED.npz", help="written by training")
    parser.add_argument("out", type=Path, metavar="OUT.npz", help="integer network to write")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of `python -m xnor_fcc.export`."""
    options = _arguments(argv)
    model, info = load_trained(options.trained)
    network = export(model, name=options.out.stem, info=info)
    network.save(options.out)
    print(f"wrote {options.out}: {'-'.join(str(width) for width in network.widths)}")
    return 0


if __name__ == "__main__":
    sys.exit(run_main(main))
