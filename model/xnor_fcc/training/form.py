# SPDX-License-Identifier: Apache-2.0
"""`Form`: which of the project's kinds a trained network is.

- norm "shift" is Courbariaux et al. (2016): shift-based batch normalisation (`shift`) and no alpha,
  so that what follows the product is shifts and one addition.  The authors normalise the output
  layer as well; the core only adds an integer to each class, so here one power of two, common to
  all classes, brings the scores to the scale of the loss.
- order 2 is the high-order residual quantisation of Li et al. (2017) with a power-of-two ratio of
  the scales: b1 = sign(v), b2 = sign(v - b1), y = 2 b1 + b2, one of -3, -1, 1, 3.  That is v
  quantised at -1, 0, 1, close to the best four levels of a normally distributed value.  Inputs are
  quantised likewise, see `network.pixel_residual`.
- weights "ternary" are -1, 0, +1 (Zhu et al., 2017, with one scale for both signs); alpha is the
  mean |W| of those that are not 0.
- first_layer "shifts" has weights +-2^k on the 8-bit pixels, k in 0..7, and no alpha.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..errors import UserError

FORMS: dict[str, tuple[Any, ...]] = {
    "norm": ("batch", "shift"),
    "order": (1, 2),
    "weights": ("binary", "ternary"),
    "first_layer": ("binary", "shifts"),
}


@dataclass(frozen=True)
class Form:
    """Which of the project's kinds a network is; as it stands, the plain binary one."""

    norm: str = "batch"  # batch normalisation, or "shift": the shift-based one and no alpha
    order: int = 1  # bits of an activation and of an input
    weights: str = "binary"  # or "ternary"
    first_layer: str = "binary"  # or "shifts": weights +-2^k on the grey pixels

    def __post_init__(self) -> None:
        for name, known in FORMS.items():
            if getattr(self, name) not in known:
                raise UserError(
                    f"A network's {name.replace('_', ' ')} is {' or '.join(map(str, known))}, not "
                    f"{getattr(self, name)!r}."
                )
        if self.first_layer == "shifts" and (self.order, self.weights) != (1, "binary"):
            raise UserError(
                "A first layer of shifts goes with first-order activations and binary weights only."
            )

    @property
    def plain(self) -> bool:
        """Whether each weight and each activation is one bit."""
        return (self.order, self.weights, self.first_layer) == (1, "binary", "binary")

    @property
    def ternary(self) -> bool:
        """Whether weights are -1, 0 or +1."""
        return self.weights == "ternary"

    @property
    def step(self) -> int:
        """What one step of P changes the dot product by: 2, or 1 with ternary weights."""
        return 1 if self.ternary else 2

    def manifest(self) -> dict[str, Any]:
        """The fields that are not those of the plain binary network."""
        default = Form()
        return {k: v for k, v in vars(self).items() if v != getattr(default, k)}
