# SPDX-License-Identifier: Apache-2.0
"""Layer tables that fit and that do not, each limit from both sides."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cocotb
import numpy as np

from golden.layer_table import FLAG, Description, TableRules
from modules.unit import drive, edge, join, settings, start
from xnor_fcc.geometry import Geometry, Shape


class Bench:
    """The check, beside its rules."""

    def __init__(self, dut: Any, seed: int) -> None:
        self.dut = dut
        self.geometry = Geometry(**settings()["geometry"])
        self.rules = TableRules(self.geometry)
        self.rng = np.random.default_rng(seed)

    async def reset(self) -> None:
        """Nothing under way."""
        names = "start table_entries layers inputs classes weights_loaded thresholds_loaded"
        await start(self.dut, pixel_mode=0, **dict.fromkeys(names.split(), 0))

    def shape(self) -> Shape:
        """Any network that the core was built for, but for its size."""
        g, rng = self.geometry, self.rng
        layers = int(rng.integers(1, g.max_layers + 1))
        widths = rng.integers(1, g.max_width + 1, layers + 1).tolist()
        widths[-1] = int(rng.integers(1, g.max_classes + 1))
        orders = rng.integers(1, g.order + 1, layers).tolist()
        ternary = [bool(x) for x in rng.integers(0, 1 + g.ternary, layers)]
        return Shape(tuple(widths), tuple(orders), tuple(ternary))

    async def check(self, net: Description, idle: bool = True) -> str:
        """Verdict of the device under test: "ok", "bad_table" or "not_loaded". `idle`: no other
        check is under way."""
        dut = self.dut
        layers = len(net.table) if net.layers == -1 else net.layers
        entries = [groups << 16 | words for words, groups in net.table]
        # What is not in use does not matter.
        entries += self.rng.integers(0, 1 << 32, self.geometry.max_layers).tolist()
        drive(
            dut,
            start=1,
            table_entries=join(entries[: self.geometry.max_layers], 32),
            layers=layers,
            inputs=net.inputs,
            classes=net.classes,
            pixel_mode=net.grey,
            weights_loaded=net.weights,
            thresholds_loaded=net.thresholds,
        )
        await edge(dut)
        assert not (idle and dut.done.value)
        drive(dut, start=0)
        cycles, done = 0, False
        while not done:
            await edge(dut)
            cycles += 1
            done = bool(dut.done.value)
            assert cycles <= 3 * self.geometry.max_layers + 3
            assert bool(dut.busy.value) != done
        names = ("ok", "bad_table", "not_loaded")
        verdict = [name for name in names if getattr(dut, name).value]
        assert len(verdict) == 1, f"{verdict} for {net}"
        if verdict != ["bad_table"]:
            assert cycles == 3 * layers + 3
        await edge(dut)
        assert not dut.done.value and not dut.busy.value
        if verdict == ["ok"]:
            assert bool(dut.pairs.value) == any(net.order_2), net
        return verdict[0]

    async def judge(self, net: Description, idle: bool = True) -> str:
        """Verdict, compared with the rules."""
        rules = self.rules
        want = "bad_table" if not rules.fits(net) else "ok" if rules.loaded(net) else "not_loaded"
        got = await self.check(net, idle)
        assert got == want, f"{got}, not {want}: {net}"
        return got

    def entry(self, net: Description, layer: int, words: int = 0, groups: int = 0) -> Description:
        """`net` with `words` and `groups` added to one entry."""
        table = list(net.table)
        table[layer] = (table[layer][0] + words, table[layer][1] + groups)
        return replace(net, table=tuple(table))


@cocotb.test(timeout_time=1000, timeout_unit="us")
async def networks_that_fit(dut: Any) -> None:
    """Every network that fits is accepted; one weight or threshold word less is not."""
    bench = Bench(dut, seed=1)
    await bench.reset()
    g = bench.geometry
    accepted = 0
    for _ in range(60):
        shape = bench.shape()
        net = bench.rules.describe(shape)
        assert net.steps == g.steps(shape)
        if net.steps > g.weight_depth or net.groups > g.threshold_depth:
            continue
        assert await bench.judge(net) == "ok"
        assert await bench.judge(replace(net, weights=net.weights - 1)) == "not_loaded"
        assert await bench.judge(replace(net, thresholds=net.thresholds - 1)) == "not_loaded"
        accepted += 1
    assert accepted > 20


@cocotb.test(timeout_time=1000, timeout_unit="us")
async def each_reason(dut: Any) -> None:
    """One thing wrong at a time; just inside the limit it is accepted."""
    bench = Bench(dut, seed=2)
    await bench.reset()
    g = bench.geometry
    middle = max(1, g.max_width // 2)
    net = bench.rules.describe([middle, middle, g.max_classes])
    plenty = replace(net, weights=0xFFFF_FFFF, thresholds=0xFFFF_FFFF)
    assert await bench.judge(net) == "ok"

    def refused(**change: Any) -> Description:
        return replace(plenty, **change)

    bad = [refused(layers=layers) for layers in (0, g.max_layers + 1, 0xFFFF, 1 << 15)]
    bad += [refused(classes=classes) for classes in (0, g.max_classes + 1, 0xFFFF)]
    bad += [refused(inputs=inputs) for inputs in (0, g.max_width + 1, 0xFFFF)]
    # Inputs that need one word more or less than the first entry says.
    words = net.table[0][0]
    bad += [refused(inputs=words * g.simd + 1), refused(inputs=(words - 1) * g.simd)]
    for layer in range(2):
        words, groups = net.table[layer]
        bad += [
            bench.entry(plenty, layer, words=-words),
            bench.entry(plenty, layer, groups=-groups),
            bench.entry(plenty, layer, words=g.ring + 1 - words),
            bench.entry(plenty, layer, groups=bench.rules.groups + 1 - groups),
            bench.entry(plenty, layer, words=0xFFFF - words, groups=0xFFFF - groups),
        ]
    for case in bad:
        assert await bench.judge(case) == "bad_table"
    # A good one behind a bad one: nothing is left over.
    assert await bench.judge(net) == "ok"


@cocotb.test(timeout_time=1000, timeout_unit="us")
async def each_kind(dut: Any) -> None:
    """One layer of another kind, first or later, with pixels of 1 and of 8 bits: accepted where the
    core was built for it, and `pairs` told. Behind the last layer a flag says nothing."""
    bench = Bench(dut, seed=6)
    await bench.reset()
    g = bench.geometry
    plain = bench.rules.describe([1] * g.max_layers)
    assert len(plain.table) == g.max_layers - 1
    for layer in range(len(plain.table)):
        for flags in ({"words": FLAG}, {"groups": FLAG}, {"words": FLAG, "groups": FLAG}):
            for grey in (False, True):
                net = bench.entry(replace(plain, grey=grey), layer, **flags)
                net = replace(net, weights=net.steps)
                order_ok = "words" not in flags or (g.order == 2 and (grey or layer > 0))
                kind_ok = order_ok and ("groups" not in flags or g.ternary == 1)
                assert await bench.judge(net) == ("ok" if kind_ok else "bad_table")
                # The verdict before leaves nothing behind.
                assert await bench.judge(replace(plain, grey=grey)) == "ok"
                assert not dut.pairs.value
    shown = bench.entry(bench.entry(plain, g.max_layers - 2, words=FLAG), 0, groups=FLAG)
    cut = Description(shown.table[1:-1], 1, 1, plain.steps, plain.groups)
    assert await bench.judge(cut) == "ok"


@cocotb.test(timeout_time=1000, timeout_unit="us")
async def ternary_layers_count_twice(dut: Any) -> None:
    """Tables of one word a layer, more and more of them ternary: every weight word is asked for."""
    bench = Bench(dut, seed=7)
    await bench.reset()
    g = bench.geometry
    if not g.ternary:
        return
    verdicts = set()
    for layers in range(1, g.max_layers + 1):
        for groups in range(1, bench.rules.groups + 1):
            net = Description(((1, groups),) * layers, 1, 1, 0, layers * groups)
            for layer in range(layers):
                net = bench.entry(net, layer, groups=FLAG)
                assert net.steps == (layers + layer + 1) * groups
                for lacking in (0, 1):
                    verdicts.add(await bench.judge(replace(net, weights=net.steps - lacking)))
    assert verdicts == {"ok", "bad_table", "not_loaded"}


@cocotb.test(timeout_time=1000, timeout_unit="us")
async def boundaries(dut: Any) -> None:
    """Each limit reached exactly, then exceeded by one."""
    bench = Bench(dut, seed=3)
    await bench.reset()
    g = bench.geometry
    plenty: dict[str, Any] = {"weights": 1 << 20, "thresholds": 1 << 20}
    # Layers and the number of steps and groups of the largest table.
    ones = Description(((1, 1),) * g.max_layers, 1, 1, **plenty)
    assert await bench.judge(ones) == "ok"
    # Inputs that fit the ring, but not the widest layer.
    assert g.max_width < g.capacity
    for inputs in range(g.max_width, g.capacity + 1):
        await bench.judge(Description(((g.ring, 1),), inputs, 1, **plenty))
    verdicts = set()
    for words in range(1, g.ring + 1):
        for groups in range(1, bench.rules.groups + 1):
            # One layer of every size; its inputs at both ends of the last word.
            for inputs in ((words - 1) * g.simd + 1, min(words * g.simd, g.max_width)):
                layer = Description(((words, groups),), inputs, 1, **plenty)
                verdicts.add(await bench.judge(layer))
            # A second layer that reads every number of words.
            pair = ((words, groups), (min(g.ring, groups * g.pe // g.simd + 1), 1))
            verdicts.add(await bench.judge(Description(pair, words, 1, **plenty)))
            pair = ((1, groups), (words, 1))
            verdicts.add(await bench.judge(Description(pair, 1, 1, **plenty)))
            # As many classes as the last layer has room for, and one more.
            for classes in (groups * g.pe, groups * g.pe + 1):
                verdicts.add(await bench.judge(Description(((1, groups),), 1, classes, **plenty)))
    assert verdicts == {"ok", "bad_table"}


@cocotb.test(timeout_time=100, timeout_unit="us")
async def the_widest_layer(dut: Any) -> None:
    """As many inputs, classes and groups as a core can have, and one more of each."""
    bench = Bench(dut, seed=8)
    await bench.reset()
    g = bench.geometry
    top = g.max_width
    assert g.pe == g.simd == 1 and top == g.max_classes == 32767
    net = Description(((top, top),), top, top, 1 << 31, 1 << 31)
    assert await bench.check(net) == "ok"
    for more in (
        *(replace(net, inputs=top + 1), replace(net, classes=top + 1)),
        *(replace(net, table=((top, top - 1),)), replace(net, table=((top - 1, top),))),
        *(bench.entry(net, 0, words=1), bench.entry(net, 0, groups=1)),
        *(replace(net, table=((top, top),) * (g.max_layers + 1)), replace(net, layers=0)),
    ):
        assert await bench.check(more) == "bad_table", more
    assert await bench.check(replace(net, thresholds=top - 1)) == "not_loaded"
    assert await bench.check(net) == "ok"


@cocotb.test(timeout_time=100, timeout_unit="us")
async def more_steps_than_can_be_counted(dut: Any) -> None:
    """As many steps as a streamed core counts as loaded, one more, and a few more than every
    multiple of 2^32 that a table can have: a sum that wraps would fit the smallest memory."""
    bench = Bench(dut, seed=9)
    await bench.reset()
    top, most = bench.geometry.max_width, (1 << 31) - 1
    # 2^31 - 131070 steps, and half of it.
    twice, once = (top, top | FLAG), (top, top)

    def net(*table: tuple[int, int], weights: int = most) -> Description:
        return Description(table, top, 1, weights, 1 << 31)

    assert net(twice, (top, 4), (1, 1)).steps == most
    assert await bench.check(net(twice, (top, 4), (1, 1))) == "ok"
    assert await bench.check(net(twice, (top, 4), (1, 1), weights=most - 1)) == "not_loaded"
    assert await bench.check(net(twice, (top, 4), (1, 2))) == "bad_table"
    wraps = set()
    for layers in range(1, bench.geometry.max_layers - 1):
        for large in ([twice] * layers, [once] * layers):
            groups = -net(*large).steps % (1 << 32) // top
            if 1 <= groups <= top:
                for words in (1, groups):  # just below the multiple of 2^32, and just above
                    case = net(*large, (top, groups), (words, 1), (1, 1), weights=1 << 16)
                    assert await bench.check(case) == "bad_table", case
                    wraps.add((case.steps >> 32, case.steps % (1 << 32) < 1 << 16))
    assert wraps >= {(n, True) for n in range(1, 8)}


@cocotb.test(timeout_time=2000, timeout_unit="us")
async def random_tables(dut: Any) -> None:
    """Anything at all, most of it near what fits."""
    bench = Bench(dut, seed=4)
    await bench.reset()
    g, rng = bench.geometry, bench.rng
    verdicts = []
    for _ in range(400):
        shape = bench.shape()
        layers = len(shape.orders)
        net = bench.rules.describe(shape)
        for _ in range(int(rng.integers(0, 3))):
            words, groups = (int(x) for x in rng.integers(-1, 2, 2))
            net = bench.entry(net, int(rng.integers(layers)), words=words, groups=groups)
            if any(w < 0 or m < 0 for w, m in net.table):
                net = bench.rules.describe(shape)
        if rng.random() < 0.1:
            flipped = rng.integers(0, 2, (layers, 2)).tolist()
            table = zip(net.table, flipped, strict=True)
            flags = tuple((w ^ FLAG * a, m ^ FLAG * b) for (w, m), (a, b) in table)
            net = replace(net, table=flags)
        net = replace(net, grey=rng.random() < 0.8)
        if rng.random() < 0.5:
            net = replace(net, weights=g.weight_depth, thresholds=g.threshold_depth)
        elif rng.random() < 0.5:
            net = replace(net, weights=max(0, net.weights - 1))
        verdicts.append(await bench.judge(net))
    assert all(verdicts.count(name) > 15 for name in ("ok", "bad_table", "not_loaded"))


@cocotb.test(timeout_time=500, timeout_unit="us")
async def reset_in_a_check(dut: Any) -> None:
    """A check that is reset in any cycle never ends, and the next one is right."""
    bench = Bench(dut, seed=5)
    await bench.reset()
    layers = bench.geometry.max_layers
    net = bench.rules.describe([1] * (layers + 1))
    for cycles in range(1, 3 * layers + 6):
        drive(dut, start=1, layers=layers)
        await edge(dut)
        drive(dut, start=0)
        for _ in range(cycles - 1):
            await edge(dut)
        drive(dut, reset=1)
        await edge(dut)
        drive(dut, reset=0)
        for _ in range(3 * layers + 5):
            await edge(dut)
            assert not dut.done.value and not dut.busy.value
        assert await bench.judge(net) == "ok"


@cocotb.test(timeout_time=500, timeout_unit="us")
async def start_in_a_check(dut: Any) -> None:
    """A start in any cycle of a check, of a good table or of a bad one, begins another: the verdict
    is that of what is there now, in time."""
    bench = Bench(dut, seed=10)
    await bench.reset()
    layers = bench.geometry.max_layers
    good = bench.rules.describe([1] * (layers + 1))
    bad = replace(good, inputs=0)
    for first, then in ((good, bad), (bad, good), (good, replace(good, thresholds=layers - 1))):
        for cycles in range(1, 3 * layers + 6):
            drive(dut, start=1, layers=len(first.table), inputs=first.inputs)
            await edge(dut)
            drive(dut, start=0)
            for _ in range(cycles - 1):
                await edge(dut)
            # The verdict of the first check may come in the very cycle of the next start.
            await bench.judge(then, idle=False)
