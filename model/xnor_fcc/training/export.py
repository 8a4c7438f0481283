# SPDX-License-Identifier: Apache-2.0
"""Brevitas model -> `IntegerNetwork`.

The thresholds of a hidden neuron are read off the model itself: its own alpha, batch normalisation
and activation, in their own float32 precision, are evaluated on every P from 0 to M (`integer` says
what these are), and T, with second-order activations lower and upper as well, is where the answer
steps.  Nothing is rederived by a formula, so nothing can round differently.

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

from ..errors import CommandLine, UserError, run_main
from ..folding import fold, negated
from ..integer import IntegerNetwork, Layer, OutputLayer, ShiftLayer
from ..layers import ConvLayer
from ..shape import top_level
from .convolution import ConvolutionalNetwork, ConvolutionLayer
from .layers import HiddenLayer, PowerLinear
from .network import BinaryNetwork, pixel_residual
from .trained import load_trained


def response_table(layer: HiddenLayer) -> np.ndarray:
    """What each neuron answers to each P: uint8 (M + 1, outputs), row P, of 0/1 or levels 0..3."""
    outputs = layer.linear.out_features
    most = layer.linear.in_features * top_level(layer.order)
    product = torch.arange(-most, most + 1, layer.form.step, dtype=torch.float32)
    with torch.no_grad():
        answers = layer.activate(product[:, None].expand(-1, outputs).contiguous())
    return levels(answers, layer.form.order)


def levels(activations: Tensor, order: int) -> np.ndarray:
    """Activations +-1, or -3, -1, 1, 3 of order 2, as bits 0/1 or levels 0..3, uint8."""
    return ((activations + top_level(order)) / 2).to(torch.uint8).numpy()


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
    return ShiftLayer(negated(weights, falling), exponents, low.astype(np.int32))


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
        folded = fold(weights, response_table(layer), mask, layer.order, form.order)
        if isinstance(layer, ConvolutionLayer):
            folded = ConvLayer(**vars(folded), kernel=layer.linear.kernel_size[0], pool=layer.pool)
        hidden.append(folded)
    last = model.output.linear
    output = OutputLayer(
        last.bits(),
        model.output.integer_bias(),
        last.mask() if form.ternary else None,
        form.order,
    )
    pixels = residual = None
    if isinstance(model, ConvolutionalNetwork):
        pixels = model.plan.pixels
    elif form.order == 2:
        residual = pixel_residual(model.pixel_threshold)
    return IntegerNetwork(
        tuple(hidden), output, model.pixel_threshold, name, dict(info or {}), residual, pixels
    )


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = CommandLine(
        prog="python -m xnor_fcc.training.export",
        description="Turn a trained Brevitas network into the integer network that the core loads.",
    )
    parser.add_argument("trained", type=Path, metavar="TRAINED.npz", help="written by training")
    parser.add_argument("out", type=Path, metavar="OUT.npz", help="integer network to write")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of `python -m xnor_fcc.training.export`."""
    options = _arguments(argv)
    model, info = load_trained(options.trained)
    network = export(model, name=options.out.stem, info=info)
    network.save(options.out)
    print(f"wrote {options.out}: {'-'.join(str(width) for width in network.widths)}")
    return 0


if __name__ == "__main__":
    sys.exit(run_main(main))
