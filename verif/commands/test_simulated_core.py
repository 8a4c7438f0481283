# SPDX-License-Identifier: Apache-2.0
"""`SimulatedCore`: the core as an object, bit for bit the reference, and gone when it is over."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from xnor_fcc.board.driver_errors import (
    DeviceTimeoutError,
    ImageError,
    NetworkTooLargeError,
    NotLoadedError,
)
from xnor_fcc.data import load_test_images
from xnor_fcc.errors import UserError
from xnor_fcc.geometry import Geometry, GeometryError
from xnor_fcc.integer import IntegerNetwork, find_network
from xnor_fcc.random_network import random_network
from xnor_fcc.reference import evaluate
from xnor_fcc.registers import ADDRESS, ID_VALUE
from xnor_fcc_sim.core import SimulatedCore, suited
from xnor_fcc_sim.simulation import SimulationError

# As in tests of the driver, which so build the same core.
SMALL = Geometry(pe=4, simd=7, lanes=2, max_width=30, weight_depth=120, bank_depth=32,
                 threshold_depth=16, max_classes=6, image_width=16)  # fmt: skip
NETWORK = random_network(np.random.default_rng(5), (30, 23, 9, 5))
IMAGES = np.random.default_rng(6).integers(0, 256, (382, 30), np.uint8)
BITS = NETWORK.inputs_from(IMAGES)
EXPECTED = evaluate(NETWORK, BITS)


@pytest.fixture(scope="module")
def core() -> Iterator[SimulatedCore]:
    """One for all tests that leave it as it was."""
    with SimulatedCore(NETWORK, SMALL) as simulated:
        yield simulated


def gone(process: int) -> bool:
    """Whether a process ends within some seconds; a zombie has ended."""
    for _ in range(200):
        try:
            state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state == "Z":
            return True
        time.sleep(0.05)
    return False


# ---- answers


def test_simulated_core_answers_as_the_reference(core: SimulatedCore) -> None:
    """All test images, as bits and as grey ones: classes, scores, ids, in one order."""
    seen: list[int] = []
    for images, grey in ((BITS, False), (IMAGES, True)):
        answers = core.classify(images, grey, progress=seen.append)
        np.testing.assert_array_equal(answers.scores, EXPECTED.scores)
        np.testing.assert_array_equal(answers.classes, EXPECTED.classes)
        assert answers.ids.tolist() == list(range(len(images)))
        assert answers.counters["IMAGES"] == len(images) and answers.hidden is None
    assert seen == [256, len(IMAGES)] * 2, "progress is told after each part"


def test_cycles_of_an_image(core: SimulatedCore) -> None:
    """A lone one takes the latency of the cycle model; always fed, none waits for a time-out."""
    core.write("PARTIAL_TIMEOUT", 300)
    alone = core.classify(BITS[:1])
    model = SMALL.latency_cycles(NETWORK.shape, 300)
    assert alone.cycles.tolist() == [model] == [alone.counters["LATENCY"]]
    core.write("PARTIAL_TIMEOUT", 256)
    assert core.read("PARTIAL_TIMEOUT") == 256
    answers = core.classify(BITS[:100])
    fed = answers.cycles
    # A batch of two leaves as often as the model says, and no image is taken before another.
    np.testing.assert_array_equal(answers.answered[2:] - answers.answered[:-2],
                                  np.full(98, SMALL.period_cycles(NETWORK.shape)))
    # The first batch is partial or full; behind it a batch at most is computed, and one waits.
    assert max(fed[4:]) < 4 * SMALL.period_cycles(NETWORK.shape) + model - 300 < model
    assert min(fed) > SMALL.pass_cycles(NETWORK.shape)


def test_hidden_bits_on_request(core: SimulatedCore) -> None:
    seen: list[int] = []
    for images, grey in ((BITS[:3], False), (IMAGES[:3], True)):
        answers = core.classify(images, grey, hidden=True, progress=seen.append)
        assert answers.hidden is not None
        for found, wanted in zip(answers.hidden, EXPECTED.hidden, strict=True):
            np.testing.assert_array_equal(found, wanted[:3])
        np.testing.assert_array_equal(answers.scores, EXPECTED.scores[:3])
        assert set(answers.cycles.tolist()) == {SMALL.latency_cycles(NETWORK.shape, 256)}
        assert answers.ids.tolist() == [0, 0, 0]
    assert seen == [1, 2, 3] * 2
    # And the quick way afterwards.
    np.testing.assert_array_equal(core.classify(BITS).scores, EXPECTED.scores)


def test_hidden_bits_are_those_of_the_hardware(core: SimulatedCore) -> None:
    """A core with another network in it than the reference thinks shows its own bits."""
    first, *others = NETWORK.hidden
    turned = first.weights.copy()
    turned[5] ^= 1
    other = replace(NETWORK, hidden=(replace(first, weights=turned), *others))
    wanted = evaluate(other, BITS[:8])
    assert not np.array_equal(wanted.hidden[0], EXPECTED.hidden[0][:8])
    try:
        core.load(other)
        trace = core.trace(BITS[0], against=NETWORK)
        core.driver.network = NETWORK
        answers = core.classify(BITS[:8], hidden=True)
        assert answers.hidden is not None
        np.testing.assert_array_equal(answers.hidden[0], wanted.hidden[0])
        np.testing.assert_array_equal(answers.scores, wanted.scores)
        assert trace.wrong_values == int(
            (wanted.hidden[0][0] != EXPECTED.hidden[0][0]).sum()
            + (wanted.hidden[1][0] != EXPECTED.hidden[1][0]).sum()
            + (wanted.scores[0] != EXPECTED.scores[0]).sum()
        ) > 0
    finally:
        core.load(NETWORK)


def test_trace_of_an_image(core: SimulatedCore) -> None:
    trace = core.trace(IMAGES[7].reshape(5, 6), grey=True, label=3)
    assert trace.wrong_values == trace.wrong_sums == 0
    assert trace.answer == EXPECTED.classes[7] and trace.about["label"] == 3
    np.testing.assert_array_equal(trace.inputs.seen, BITS[7])
    np.testing.assert_array_equal(trace.grey, IMAGES[7].ravel())


def test_a_simulated_core_for_convolutions() -> None:
    network = IntegerNetwork.load(find_network("digits_conv"))
    images = load_test_images("digits")[0][:40]
    expected = evaluate(network, network.inputs_from(images))
    with SimulatedCore(network, Geometry.for_widths(network.shape, 8, 48, 4)) as core:
        answers = core.classify(images, grey=True)
        np.testing.assert_array_equal(answers.scores, expected.scores)
        shown = core.classify(images[:2], grey=True, hidden=True)
        assert shown.hidden is not None
        for found, wanted in zip(shown.hidden, expected.hidden, strict=True):
            np.testing.assert_array_equal(found, wanted[:2])
        with pytest.raises(ImageError):
            core.classify(images[:2])


# ---- refusals


def test_refusals_leave_the_simulated_core_up(core: SimulatedCore) -> None:
    large = random_network(np.random.default_rng(1), (SMALL.max_width + 1, 3))
    with pytest.raises(NetworkTooLargeError):
        core.load(large)
    core.load(NETWORK)
    for images, grey in ((BITS[:, 1:], False), (IMAGES, False), (BITS[0].astype(float), False)):
        with pytest.raises(ImageError):
            core.classify(images, grey)
    with pytest.raises(ImageError):
        core.trace(BITS[0, 1:])
    with pytest.raises(UserError, match="of the loaded one's shape only"):
        core.trace(BITS[0], against=large)
    with pytest.raises(ImageError):
        core.classify(BITS[:0], hidden=True)
    assert len(core.classify(BITS[:0]).cycles) == 0
    with pytest.raises(KeyError):
        core.read("NO_SUCH_REGISTER")
    np.testing.assert_array_equal(core.classify(BITS[:9]).scores, EXPECTED.scores[:9])


def test_a_network_that_does_not_fit_starts_nothing() -> None:
    with pytest.raises(UserError, match="There is no network nobody"):
        SimulatedCore("nobody")
    with pytest.raises(UserError, match="There is no core quick: known are default, latency, "):
        SimulatedCore(NETWORK, "quick")
    for sizes in ((8, 16), (), ("a", 1, 1), (8, 16, 2, 1)):
        with pytest.raises(UserError, match="A core has three sizes, PE, SIMD and LANES"):
            suited(NETWORK.shape, sizes)  # type: ignore[arg-type]
    assert suited(NETWORK.shape, (8, 16, 2)) == Geometry.for_widths(NETWORK.shape, 8, 16, 2)
    with pytest.raises(GeometryError):
        suited(IntegerNetwork.load(find_network("digits_conv")).shape, "original")
    large = random_network(np.random.default_rng(1), (SMALL.max_width + 1, 3))
    with pytest.raises(NetworkTooLargeError):
        SimulatedCore(large, SMALL)


def test_a_core_that_does_not_answer_is_a_timeout(core: SimulatedCore) -> None:
    """Stopped behind the driver's back, in the middle of images; then all is well again."""
    told: list[int] = []

    def stop(done: int) -> None:
        told.append(done)
        core.write("CONTROL", 0)

    with pytest.raises(DeviceTimeoutError):
        core.classify(BITS, progress=stop)
    assert told == [256]
    np.testing.assert_array_equal(core.classify(BITS[:9]).scores, EXPECTED.scores[:9])


def test_what_cannot_be_written_changes_nothing(core: SimulatedCore) -> None:
    for value in (np.int64(77), np.uint32(78), 79, True):
        core.write("PARTIAL_TIMEOUT", value)  # type: ignore[arg-type]
        assert core.read("PARTIAL_TIMEOUT") == int(value)
    core.write("PARTIAL_TIMEOUT", 256)
    for wrong in (64.0, 1 << 32, -1, "64", None):
        with pytest.raises(UserError, match="takes a whole number of 32 bits, not "):
            core.write("PARTIAL_TIMEOUT", wrong)  # type: ignore[arg-type]
    # What the simulator itself refuses leaves no strobe behind.
    with pytest.raises(SimulationError, match="The simulation failed"):
        core._transport.ask("write", ADDRESS["PARTIAL_TIMEOUT"], [7, "x"])
    for _ in range(3):
        assert core.read("PARTIAL_TIMEOUT") in (7, 256) and core.read("ID") == ID_VALUE
    core.write("PARTIAL_TIMEOUT", 256)
    np.testing.assert_array_equal(core.classify(BITS).scores, EXPECTED.scores)


def test_a_simulated_core_serves_one_call_at_a_time(core: SimulatedCore) -> None:
    refusals = []

    def again(done: int) -> None:
        for call in (lambda: core.classify(BITS), lambda: core.trace(BITS[0]),
                     lambda: core.load(NETWORK)):  # fmt: skip
            with pytest.raises(UserError, match="at another call") as refused:
                call()
            refusals.append(refused)

    answers = core.classify(BITS, progress=again)
    assert len(refusals) == 6 and len(answers.ids) == len(BITS)
    np.testing.assert_array_equal(answers.scores, EXPECTED.scores)


def test_a_core_without_a_network_says_so(core: SimulatedCore) -> None:
    core.driver.network = None
    try:
        for call in (lambda: core.network, lambda: core.trace(BITS[0]),
                     lambda: core.classify(BITS[:1], hidden=True),
                     lambda: core.classify(BITS[:1])):  # fmt: skip
            with pytest.raises(NotLoadedError):
                call()
    finally:
        core.load(NETWORK)


def test_a_child_is_not_served(core: SimulatedCore) -> None:
    """It would take answers that are meant for its parent."""
    child = os.fork()
    if not child:
        try:
            core.read("ID")
        except SimulationError:
            core.close()
            os._exit(7)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    np.testing.assert_array_equal(core.classify(BITS[:9]).scores, EXPECTED.scores[:9])


# ---- ends


def test_a_stalled_simulation_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """Though a thread waits for its answer."""
    monkeypatch.setattr("xnor_fcc_sim.simulation._GOODBYE", 0.3)
    core = SimulatedCore(NETWORK, SMALL)
    process = core._transport.process.pid
    os.kill(process, signal.SIGSTOP)
    errors: list[Exception] = []

    def read() -> None:
        try:
            core.read("ID")
        except SimulationError as error:
            errors.append(error)

    waiting = threading.Thread(target=read)
    waiting.start()
    time.sleep(0.2)
    core.close()
    waiting.join(20)
    assert not waiting.is_alive() and len(errors) == 1 and gone(process)


def test_a_killed_simulation_is_a_sentence() -> None:
    """Which names its log, that is still there when the core has been closed."""
    core = SimulatedCore(NETWORK, SMALL)
    transport = core._transport
    assert core.classify(BITS[:2]).classes.tolist() == EXPECTED.classes[:2].tolist()
    os.kill(transport.process.pid, signal.SIGKILL)
    with pytest.raises(SimulationError) as gone_first:
        core.classify(BITS[:2])
    assert "was killed by SIGKILL" in str(gone_first.value)
    assert transport.ended
    with pytest.raises(SimulationError, match="has ended"):
        core.read("ID")
    core.close()
    assert Path(str(gone_first.value).rpartition(" ")[2].rstrip(".")).exists(), "the log is there"


def test_a_closed_simulation_leaves_nothing() -> None:
    with SimulatedCore(NETWORK, SMALL) as core:
        process, directory = core._transport.process.pid, core._transport.directory
        assert directory.exists() and not core._transport.ended
    assert gone(process) and not directory.exists() and core._transport.ended
    core.close()
    with pytest.raises(SimulationError, match="has ended"):
        core.classify(BITS)


def test_an_exception_in_the_middle_ends_the_simulation() -> None:
    """What was on its way would be taken for the answer to the next request."""
    core = SimulatedCore(NETWORK, SMALL)
    process = core._transport.process.pid
    main = threading.main_thread().ident
    assert main is not None
    # Which who has started the tests may have ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        threading.Timer(0.5, lambda: signal.pthread_kill(main, signal.SIGINT)).start()
        with pytest.raises(KeyboardInterrupt):
            core._transport.ask("wait", 10**8)
    finally:
        signal.signal(signal.SIGINT, before)
    assert gone(process)
    core.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_however_the_program_ends_no_process_is_left(number: int, tmp_path: Path) -> None:
    program = tmp_path / "stays.py"
    NETWORK.save(tmp_path / "net.npz")
    program.write_text(
        "import time\n"
        "from xnor_fcc.geometry import Geometry\n"
        "from xnor_fcc_sim.core import SimulatedCore\n"
        f"core = SimulatedCore({str(tmp_path / 'net.npz')!r}, Geometry(**{vars(SMALL)!r}))\n"
        "print(core._transport.process.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, str(program)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        start_new_session=True, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as child:  # fmt: skip
        assert child.stdout is not None
        simulation = int(child.stdout.readline())
        os.killpg(child.pid, number)
        assert child.wait(20) != 0
    assert gone(simulation)
