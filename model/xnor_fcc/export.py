# SPDX-License-Identifier: Apache-2.0
"""Brevitas model -> `IntegerNetwork`.

The threshold of a hidden neuron is read off the model itself: its own alpha, batch normalisation
and sign, in their own float32 precision, are evaluated on every popcount P from 0 to n, and T is
where the answer switches.  Nothing is rederived by a formula, so nothing can round differently.

A neuron whose folded slope is negative answers 1 for *small* P.  Its weights are stored negated,
which turns P into n - P: from 1 for P <= s it becomes 1 for P' >= n - s.  A neuron that never
switches keeps its weights and gets T = 0 (always 1) or T = n + 1 (always 0).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from .errors import CommandLine, UserError, run_main
from .integer import IntegerNetwork, Layer, OutputLayer
from .network import BinaryNetwork, HiddenLayer, load_trained


def response_table(layer: HiddenLayer) -> np.ndarray:
    """What each neuron answers to each popcount: bool (n + 1, outputs), row P."""
    n, outputs = layer.linear.in_features, layer.linear.out_features
    product = 2 * torch.arange(n + 1, dtype=torch.float32) - n
    with torch.no_grad():
        answers = layer.activate(product[:, None].expand(n + 1, outputs).contiguous())
    return (answers > 0).numpy()


def fold(weights: np.ndarray, responses: np.ndarray) -> Layer:
    """The integer layer of weights uint8 (m, n) and answers bool (n + 1, m) by popcount.

    Raises UserError if a neuron switches more than once: then no threshold describes it.
    """
    n = weights.shape[1]
    switches = (responses[1:] != responses[:-1]).sum(axis=0)
    if switches.max(initial=0) > 1:
        neuron = int(switches.argmax())
        raise UserError(
            f"Neuron {neuron} switches {int(switches[neuron])} times over its popcounts, so it "
            "has no threshold; its batch normalisation holds values that are not finite."
        )
    ones = responses.sum(axis=0)
    falling = responses[0] & ~responses[-1]
    # Rising or constant: 1 on the last `ones` popcounts, P >= n + 1 - ones.  Falling: 1 on the
    # first `ones`, P <= ones - 1, so with negated weights P' = n - P >= n + 1 - ones as well.
    thresholds = (n + 1 - ones).astype(np.int32)
    folded = np.where(falling[:, None], 1 - weights, weights).astype(np.uint8)
    return Layer(folded, thresholds)


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
    hidden = []
    for layer in model.hidden_layers():
        # The weights first: Brevitas clips latent weights when it quantises them.
        weights = layer.linear.bits()
        hidden.append(fold(weights, response_table(layer)))
    output = OutputLayer(model.output.linear.bits(), model.output.integer_bias())
    return IntegerNetwork(tuple(hidden), output, model.pixel_threshold, name, dict(info or {}))


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
    network = export(model, name="mnist", info=info)
    network.save(options.out)
    print(f"wrote {options.out}: {'-'.join(str(width) for width in network.widths)}")
    return 0


if __name__ == "__main__":
    sys.exit(run_main(main))
