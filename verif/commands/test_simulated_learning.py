# SPDX-License-Identifier: Apache-2.0
"""`SimulatedCore.learn`: the core learns what the model learns, goes on from it, and says when it
cannot."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from xnor_fcc.board.driver import Driver
from xnor_fcc.board.driver_errors import (
    DeviceTimeoutError,
    NotLoadedError,
    UnsupportedCoreError,
    UnsupportedNetworkError,
)
from xnor_fcc.errors import UserError
from xnor_fcc.geometry import NAMED, Geometry, GeometryError, KindError
from xnor_fcc.geometry_options import learning
from xnor_fcc.integer import IntegerNetwork, find_network
from xnor_fcc.learning import NO_LABEL, Learner
from xnor_fcc.learning_cycles import learning_period
from xnor_fcc.random_network import random_network
from xnor_fcc.reference import evaluate
from xnor_fcc.registers import RESET, word
from xnor_fcc_sim.clock import CLOCK_NS
from xnor_fcc_sim.core import SimulatedCore
from xnor_fcc_sim.simulation import SimulationError

WIDTHS = (30, 23, 19, 5)
NETWORK = random_network(np.random.default_rng(5), WIDTHS)
# Batches of three, which a part of 256 is not made of; classes in two groups.
SIZES = Geometry.for_widths(WIDTHS, 4, 7, 3)
GREY = np.random.default_rng(6).integers(0, 256, (700, 30), np.uint8)
BITS = NETWORK.inputs_from(GREY)
# Classes, labels that are none, and some that are refused.
LABELS = np.random.default_rng(7).choice([0, 1, 2, 3, 4, 5, 99, NO_LABEL], 700).astype(np.uint8)
MARGIN = 5


@pytest.fixture(scope="module")
def simulated() -> Iterator[SimulatedCore]:
    with SimulatedCore(NETWORK, SIZES, learn=True) as core:
        yield core


@pytest.fixture
def core(simulated: SimulatedCore) -> SimulatedCore:
    """One for all tests, which begin with the network as it was."""
    simulated.load(NETWORK)
    return simulated


def equal(core: SimulatedCore, model: Learner) -> bool:
    """Whether core and model know the same, and answer the same."""
    read = core.network
    if read != model.network or read.info != model.network.info:
        return False
    scores = evaluate(model.network, BITS[:40]).scores
    return (
        np.array_equal(read.output.latents, model.latents)  # type: ignore[arg-type]
        and np.array_equal(core.classify(BITS[:40]).scores, scores)
    )  # fmt: skip


LATENTS = np.random.default_rng(8).integers(-128, 128, (5, 19)).astype(np.int8)


@pytest.mark.parametrize(
    "begins", [{}, {"start": 0}, {"start": 100}, {"latents": LATENTS}],
    ids=["as it is", "from zero", "from 100", "from latents"],
)  # fmt: skip
def test_the_core_learns_what_the_model_learns(core: SimulatedCore, begins: dict[str, Any]) -> None:
    """However it begins, from bits and grey images, in several goes, the last batch not full."""
    model = Learner(NETWORK, MARGIN, 3, **begins)
    done: list[int] = []
    for some, grey in ((slice(0, 301), False), (slice(301, 700), True), (slice(0, 0), False)):
        images = GREY[some] if grey else BITS[some]
        wanted = model.learn(images, LABELS[some], grey)
        found = core.learn(images, LABELS[some], MARGIN, **begins, grey=grey, progress=done.append)
        begins = {}
        for name in ("classes", "scores", "moved"):
            assert np.array_equal(getattr(found, name), getattr(wanted, name)), name
        assert (found.learnt, found.refused, found.walks) == (
            wanted.learnt, wanted.refused, wanted.walks
        )  # fmt: skip
        assert len(found.taken) == len(found.answered) == len(images)
        assert equal(core, model)
    assert done == [255, 303, 255, 399] and core.network.info["learnt_from"] == NETWORK.name
    # What is compared can differ: in the margin, and in the size of a batch.
    for margin, lanes in ((MARGIN + 1, 3), (MARGIN, 4)):
        other = Learner(NETWORK, margin, lanes)
        other.learn(BITS, LABELS)
        assert not equal(core, other)


def test_the_cycles_of_learning(core: SimulatedCore) -> None:
    """Batches that wait follow each other as the model says, whether one has moved or not."""
    labels = np.where(np.arange(180) // 3 % 3 > 0, LABELS[:180], NO_LABEL)
    found = core.learn(BITS[:180], labels, 30)
    moved = np.count_nonzero(found.moved.reshape(-1, 3), axis=1)[:-1] > 0
    model = [learning_period(core.geometry, WIDTHS, bool(each)) for each in moved]
    assert 0 < np.count_nonzero(moved) < len(moved)
    assert np.diff(found.answered[2::3]).tolist() == model
    assert (found.taken[3:] < found.answered[:-3]).all()
    # A walk of the largest output layer is no reason to give the core up.
    assert core.driver.timeout > 2 * max(model) * CLOCK_NS * 1e-9


def test_a_core_that_learns_serves_one_call_at_a_time(core: SimulatedCore) -> None:
    refused = []

    def again(done: int) -> None:
        for call in (lambda: core.learn(BITS, LABELS), lambda: core.classify(BITS)):
            with pytest.raises(UserError, match="at another call"):
                call()
            refused.append(done)

    core.learn(BITS[:5], LABELS[:5], progress=again)
    assert refused == [6, 6]


# ---- what goes wrong


def test_what_was_learnt_before_a_failure_stays(core: SimulatedCore) -> None:
    """Stopped behind the driver's back after the first part: then it goes on from there."""
    model = Learner(NETWORK, MARGIN, 3)
    patience = core.read("PARTIAL_TIMEOUT")
    with pytest.raises(DeviceTimeoutError, match="does not answer"):
        core.learn(BITS, LABELS, MARGIN, progress=lambda _: core.write("CONTROL", 0))
    assert core.read("PARTIAL_TIMEOUT") == patience
    model.learn(BITS[:255], LABELS[:255])
    assert equal(core, model)
    model.learn(BITS[255:], LABELS[255:])
    core.learn(BITS[255:], LABELS[255:], MARGIN)
    assert equal(core, model)


def test_the_first_error_is_the_one_that_is_told() -> None:
    """Of a simulation that has gone: what nobody knows any more nobody has learnt."""
    with SimulatedCore(NETWORK, SIZES, learn=True) as core:
        process = core._transport.process.pid
        with pytest.raises(SimulationError, match="was killed by SIGKILL"):
            core.learn(BITS, LABELS, progress=lambda _: os.kill(process, signal.SIGKILL))
        with pytest.raises(NotLoadedError):
            core.network  # noqa: B018
    with SimulatedCore(NETWORK, SIZES, learn=True) as core:

        def interrupted(_: int) -> None:
            core.close()
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            core.learn(BITS, LABELS, progress=interrupted)


def test_interrupted_in_a_walk_it_knows_what_it_computes_with() -> None:
    """Wherever a walk is cut off: weights and latents agree, and are those of `network`."""
    widths = (30, 400, 5)
    first = random_network(np.random.default_rng(5), widths)
    bits, classes = first.inputs_from(GREY), np.array([0, 1, 2], np.uint8)
    cut = 0
    with SimulatedCore(first, Geometry.for_widths(widths, 4, 8, 3), learn=True) as core:
        for reads in (0, 30, 60, 90, 120, 150, 1000):

            def interrupt(_: int, reads: int = reads) -> None:
                for _ in range(reads):
                    core.read("STATUS")
                raise KeyboardInterrupt

            core.load(first)
            with pytest.raises(KeyboardInterrupt):
                core.learn(bits[:3], classes, 255, start=1, progress=interrupt)
            whole = Learner(first, 255, 3, start=1)
            whole.learn(bits[:3], classes)
            found_latents = core.network.output.latents
            assert found_latents is not None
            cut += bool((found_latents != whole.latents).any())
            scores = evaluate(core.network, bits[:40]).scores
            assert (core.classify(bits[:40]).scores == scores).all()
            model = Learner(core.network, MARGIN, 3)
            wanted = model.learn(bits[3:60], LABELS[3:60])
            found = core.learn(bits[3:60], LABELS[3:60], MARGIN)
            assert (found.scores == wanted.scores).all()
            assert core.network.output.latents is not None
            assert (core.network.output.latents == model.latents).all()
    assert 2 < cut < 7


def test_a_driver_takes_a_core_that_was_left_learning(core: SimulatedCore) -> None:
    """By a program that was cut off: it would wait for labels, and for whole batches."""
    core.write("LEARNING", word("LEARNING", ENABLE=1, INPUTS=19))
    core.write("PARTIAL_TIMEOUT", 0xFFFF_FFFF)
    other = Driver(core._transport)
    other.load(NETWORK)
    assert (other.classify(BITS[:2]).scores == evaluate(NETWORK, BITS[:2]).scores).all()
    assert other.read("PARTIAL_TIMEOUT") == RESET["PARTIAL_TIMEOUT"]


def test_margins_of_every_whole_kind(core: SimulatedCore) -> None:
    model = Learner(NETWORK, 200, 3)
    model.learn(BITS[:30], LABELS[:30])
    core.learn(BITS[:30], LABELS[:30], np.uint8(200))  # type: ignore[arg-type]
    assert equal(core, model)


def test_refusals_leave_core_and_network_as_they_were(core: SimulatedCore) -> None:
    for labels, match in (
        (LABELS[:8], "9 images, but labels of shape"),
        (LABELS[:9].astype(float), "whole numbers"),
        (LABELS[:9].astype(int) - 9, "from 0 to 255"),
    ):
        with pytest.raises(UserError, match=match):
            core.learn(BITS[:9], labels)
    for wrong, match in (
        ({"margin": 256}, "from 0 to 255, not 256"),
        ({"start": 128}, "0 to 127, not at 128"),
        ({"latents": LATENTS, "start": 8}, "not both"),
        ({"latents": LATENTS[:, 1:]}, r"shape \(5, 19\), classes and inputs, not \(5, 18\)"),
    ):
        with pytest.raises(UserError, match=match):
            core.learn(BITS[:9], LABELS[:9], **wrong)  # type: ignore[arg-type]
    assert core.network is NETWORK
    core.driver.network = None
    with pytest.raises(NotLoadedError, match="before learning"):
        core.learn(BITS, LABELS)


def test_more_classes_than_the_core_learns(core: SimulatedCore) -> None:
    """They are classified, and not learnt from."""
    geometry = replace(SIZES, learn=4)
    with SimulatedCore(NETWORK, geometry) as small:
        assert (small.classify(BITS[:9]).scores == evaluate(NETWORK, BITS[:9]).scores).all()
        with pytest.raises(UnsupportedNetworkError, match=r"5 classes, .*LEARN=4.* to learn 4"):
            small.learn(BITS, LABELS)
        fewer = random_network(np.random.default_rng(5), (30, 23, 19, 3))
        small.load(fewer)
        model = Learner(fewer, MARGIN, 3)
        model.learn(BITS, LABELS)
        small.learn(BITS, LABELS, MARGIN)
        assert equal(small, model)


def test_a_core_that_was_built_without_learning() -> None:
    with SimulatedCore(NETWORK, SIZES) as plain:
        with pytest.raises(UnsupportedCoreError, match=r"\(LEARN=0\) was built without learning"):
            plain.learn(BITS, LABELS)
        assert (plain.classify(BITS[:9]).scores == evaluate(NETWORK, BITS[:9]).scores).all()


# ---- which core learns


def test_the_core_that_learns_a_network() -> None:
    assert learning(SIZES, WIDTHS) == replace(SIZES, learn=5)
    able = replace(SIZES, max_classes=9, learn=9)
    assert learning(able, WIDTHS) is able
    mnist = IntegerNetwork.load(find_network("mnist"))
    for name in ("default", "throughput", "latency"):
        assert learning(Geometry.for_widths(mnist.shape, *NAMED[name]), mnist.shape).learn == 10


@pytest.mark.parametrize(
    ("name", "sizes", "error", "says"),
    [
        ("ternary", "default", KindError, "The network has ternary weights, and"),
        ("order2", "default", KindError, "The network has second-order activations, and"),
        ("digits_conv", None, KindError, "The network begins with convolutions, and"),
        ("mnist", "original", GeometryError, "PE=1024 SIMD=1 LANES=2 has TAPS=8, and one that"),
    ],
)
def test_networks_and_cores_that_do_not_learn(
    name: str, sizes: str | None, error: type[UserError], says: str
) -> None:
    """One sentence, before anything is built."""
    with pytest.raises(error, match=says) as refused:
        SimulatedCore(name, sizes, learn=True)
    assert str(refused.value).count(". ") == 0


def test_more_classes_than_any_core_learns() -> None:
    with pytest.raises(GeometryError, match="33 classes, and a core learns at most 32"):
        learning(Geometry.for_widths((40, 33), 4, 7, 3), (40, 33))
