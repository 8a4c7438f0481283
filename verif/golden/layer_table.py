# SPDX-License-Identifier: Apache-2.0
"""The rules of fcc_table_check: which layer tables fit a core, and what must be loaded for them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

from xnor_fcc.geometry import Geometry, Shape

# In the upper bit of either half of an entry: inputs of order 2, ternary weights.
FLAG = 1 << 15


@dataclass(frozen=True)
class Description:
    """What is checked: the description of a network, and how much has been loaded."""

    table: tuple[tuple[int, int], ...]
    """Halves of the entries: words with ORDER_2, groups with TERNARY."""
    inputs: int
    classes: int
    weights: int
    thresholds: int
    layers: int = -1  # other than the table's
    grey: bool = True  # 8-bit pixels

    @property
    def sizes(self) -> list[tuple[int, int]]:
        """(words, groups) of every layer."""
        return [(w & ~FLAG, m & ~FLAG) for w, m in self.table]

    @property
    def order_2(self) -> list[bool]:
        """Layers whose inputs are said to be of order 2."""
        return [w & FLAG != 0 for w, _ in self.table]

    @property
    def ternary(self) -> list[bool]:
        """Layers whose weights are said to be ternary."""
        return [m & FLAG != 0 for _, m in self.table]

    @property
    def steps(self) -> int:
        """Weight words that it takes."""
        layers = zip(self.sizes, self.ternary, strict=True)
        return sum(words * groups * (1 + ternary) for (words, groups), ternary in layers)

    @property
    def groups(self) -> int:
        """Threshold words that it takes."""
        return sum(groups for _, groups in self.sizes)


class TableRules:
    """The rules for a core."""

    def __init__(self, geometry: Geometry) -> None:
        self.geometry = geometry

    @property
    def groups(self) -> int:
        """Groups that a layer can have."""
        return self.geometry.groups(self.geometry.max_width)

    def describe(self, network: Shape | list[int]) -> Description:
        """Description of a network that fits, loaded with exactly what it needs."""
        g, shape = self.geometry, Shape.of(network)
        layers = zip(pairwise(shape.widths), shape.orders, shape.ternary, strict=True)
        table = tuple(
            (g.words(n) | FLAG * (order - 1), g.groups(m) | FLAG * ternary)
            for (n, m), order, ternary in layers
        )
        net = Description(table, shape.widths[0], shape.widths[-1], 0, 0)
        return replace(net, weights=net.steps, thresholds=net.groups)

    def fits(self, net: Description) -> bool:
        """The rules, one by one."""
        g = self.geometry
        if net.layers not in (-1, len(net.table)) or not 1 <= len(net.table) <= g.max_layers:
            return False
        # Kinds that the core was built without; two planes of pixels that are but one bit.
        if (any(net.order_2) and g.order == 1) or (any(net.ternary) and not g.ternary):
            return False
        if net.order_2[0] and not net.grey:
            return False
        if any(not 1 <= w <= g.ring or not 1 <= m <= self.groups for w, m in net.sizes):
            return False
        if not 1 <= net.inputs <= g.max_width or net.sizes[0][0] != g.words(net.inputs):
            return False
        # The last word of a layer needs at least one bit that the layer before computes.
        for (_, groups), (words, _) in pairwise(net.sizes):
            if groups * g.pe < (words - 1) * g.simd + 1:
                return False
        if not 1 <= net.classes <= min(g.max_classes, net.sizes[-1][1] * g.pe):
            return False
        return net.steps <= g.weight_depth and net.groups <= g.threshold_depth

    def loaded(self, net: Description) -> bool:
        """Enough words for every step and every group."""
        return net.steps <= net.weights and net.groups <= net.thresholds
