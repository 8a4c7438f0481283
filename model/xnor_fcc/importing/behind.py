# SPDX-License-Identifier: Apache-2.0
"""What follows a convolution, up to the next layer: found by running it.

It must treat each product alone, all of a filter alike, and may pool 2x2 of them, before or behind
the comparison. Then the values of the maps arrive at the next layer: at a convolution as they
stand, at a dense layer in the order of any of their axes. Products of either end, put at random
places, tell all that, whatever code or nodes do it.

A core pools by the greatest answer. Where a source goes on with the least - the greatest product
in front of a falling comparison - that is the greatest of the opposite answers: the core computes
these, and the weights of the next layer that take them have the other sign.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import permutations

import numpy as np

from ..errors import UserError
from .stage import Stage

# Rows of products at random places; values, and rows, that are asked for at a time: a module runs
# its layers in front on as many images.
_TRIES, _BLOCK, _ROWS = 64, 1 << 22, 256
# Changes of a neuron's answer that are tried at each place: an activation of order 2 has three.
_CHANGES = 4

Answers = Callable[[Stage, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Behind:
    """Where the answers to a convolution go."""

    stage: Stage
    ask: Answers
    pool: bool
    order: np.ndarray
    """int (K,): of each activation, by row, column, channel, its place in the next layer."""
    opposite: np.ndarray
    """bool (m,): the least of 2x2 answers goes on."""

    @classmethod
    def of(cls, stage: Stage, products: np.ndarray, ask: Answers, moved: bool) -> Behind:
        """Find it out; `products` (M + 1, m) by P, `moved`: the next layer is a dense one, which
        may take the values in any order. `ask` runs what follows. UserError if it is no such."""
        assert stage.window is not None
        m, side = products.shape[1], stage.window.side
        rng = np.random.default_rng(0)
        shares = rng.choice([0.16, 0.5, 0.84], (_TRIES, 1, 1, 1))
        ones = rng.random((_TRIES, m, side, side)) < shares
        ones[0], ones[1] = False, True
        ends = products[:, :, None, None]
        answers = ask(stage, np.where(ones, ends[-1], ends[0]).reshape(_TRIES, -1))
        count = answers.shape[1]
        pool = count != ones[0].size
        if not pool:
            most = least = ones
        else:
            if count != m * (side // 2) ** 2:
                raise UserError(
                    f"What follows {stage.name} makes {count} values of {m} maps of {side}x{side}, "
                    "but a core keeps all of them, or pools 2x2."
                )
            if side % 2:
                raise UserError(
                    f"What follows {stage.name} pools 2x2, but its maps of {side}x{side} have an "
                    "odd side."
                )
            blocks = ones.reshape(_TRIES, m, side // 2, 2, side // 2, 2)
            most, least = np.asarray(blocks.any((3, 5))), np.asarray(blocks.all((3, 5)))
        shape = most.shape[1:]
        places = np.arange(count)
        for axes in permutations(range(3)) if moved else [(0, 1, 2)]:
            back = places.reshape([shape[axis] for axis in axes]).transpose(np.argsort(axes))
            opposite = _opposite(answers[:, back.ravel()].reshape(most.shape), most, least)
            if opposite is not None:
                order = back.transpose(1, 2, 0).ravel()
                return cls(stage, ask, pool, order, opposite & pool)
        raise UserError(
            f"What follows {stage.name} mixes the values of its maps, moves them to other places, "
            "or treats these differently."
        )

    @property
    def places(self) -> int:
        """Positions of an image that go on."""
        return len(self.order) // len(self.opposite)

    def answers(self, products: np.ndarray) -> np.ndarray:
        """What each filter answers to each row of products (rows, m), (rows, m); UserError if that
        depends on the position.

        Each row is asked at one place, and at all of them those next to which the answer changes: a
        threshold that differs from place to place shows there.
        """
        rows, places = len(products), self.places
        each = np.minimum(np.arange(-(-rows // places) * places), rows - 1)
        found = self._at(products, np.broadcast_to(each[:, None], (len(each), products.shape[1])))
        found = found.reshape(len(each), -1)[:rows]
        turns = _beside_changes(found)
        everywhere = self._at(products, np.repeat(turns, places, axis=0))
        if (everywhere != np.take_along_axis(found, turns, 0)[:, None]).any():
            raise UserError(f"What follows {self.stage.name} differs from place to place.")
        return found

    def _at(self, products: np.ndarray, chosen: np.ndarray) -> np.ndarray:
        """What the filters answer to rows of products, the same for all of a pool: `chosen` int
        (images * places, m) says which, filter by filter; (images, places, m)."""
        window = self.stage.window
        assert window is not None
        m = products.shape[1]
        high = window.side // 2 if self.pool else window.side
        grids = chosen.reshape(-1, high, high, m).transpose(0, 3, 1, 2)
        images = max(1, min(_ROWS, _BLOCK // (m * window.positions)))
        answers = []
        for first in range(0, len(grids), images):
            grid = grids[first : first + images]
            block = products[grid, np.arange(m)[:, None, None]]
            if self.pool:
                block = block.repeat(2, axis=2).repeat(2, axis=3)
            answers.append(self.ask(self.stage, block.reshape(len(block), -1))[:, self.order])
        return np.concatenate(answers).reshape(len(grids), -1, m)


def _beside_changes(answers: np.ndarray) -> np.ndarray:
    """Rows of answers (rows, m) before and behind each change down a column, the first and the last
    row among them: int (any number, m). Of many changes, which no threshold has, only some."""
    last = len(answers) - 1
    changes = answers[1:] != answers[:-1]
    rows = np.zeros((2 * _CHANGES + 2, answers.shape[1]), np.int64)
    rows[1] = last
    for column, changing in enumerate(changes.T):
        before = np.flatnonzero(changing)[:_CHANGES]
        rows[2 : 2 + 2 * len(before), column] = np.concatenate([before, before + 1])
    return rows


def _opposite(answers: np.ndarray, most: np.ndarray, least: np.ndarray) -> np.ndarray | None:
    """Of which filters the least answer of a pool goes on, bool (m,), where answers (R, m, h, w)
    stand at their places; else None.

    `most` and `least` bool (R, m, h, w): some, and all, products of the place are the greatest;
    all of them in row 1, none in row 0.
    """
    low, high = answers[0], answers[1]
    by_most = (answers == np.where(most, high, low)).all((0, 2, 3))
    by_least = (answers == np.where(least, high, low)).all((0, 2, 3))
    uniform = (low == low[:, :1, :1]).all() and (high == high[:, :1, :1]).all()
    if not uniform or not (by_most | by_least).all():
        return None
    falling = low[:, 0, 0] > high[:, 0, 0]
    flat = low[:, 0, 0] == high[:, 0, 0]
    opposite: np.ndarray = (falling == by_most) & ~flat
    return opposite
