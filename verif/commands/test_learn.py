# SPDX-License-Identifier: Apache-2.0
"""`xnor-fcc learn`: what it writes and tells, how it goes on, what it refuses."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from xnor_fcc.data import Images, load_test_images, save_test_images
from xnor_fcc.errors import UserError, run_main
from xnor_fcc.formats import make_idx
from xnor_fcc.geometry import Geometry
from xnor_fcc.integer import IntegerNetwork, find_network
from xnor_fcc.learn import Labelled, course, shown
from xnor_fcc.learning import NO_LABEL, Learner
from xnor_fcc.random_network import random_network
from xnor_fcc.reference import evaluate
from xnor_fcc_sim import learn
from xnor_fcc_sim.flip import plant_fault
from xnor_fcc_sim.simulation import SimulationTransport

NETWORK = replace(random_network(np.random.default_rng(0), (16, 12, 4)), info={"dataset": "digits"})
GREY = np.random.default_rng(1).integers(0, 256, (30, 4, 4), np.uint8)
LABELS = np.random.default_rng(2).integers(0, 4, 30, np.uint8)


@pytest.fixture
def yard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with a network and images, in which commands run."""
    monkeypatch.chdir(tmp_path)
    NETWORK.save(tmp_path / "net.npz")
    np.savez(tmp_path / "images.npz", images=GREY, labels=LABELS)
    return tmp_path


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    """The report of the command."""
    given = ("--network", "net.npz", "--out", "out.npz", "--json", *arguments)
    assert run_main(lambda: learn.main(given)) == 0
    report: dict[str, Any] = json.loads(capsys.readouterr().out)
    return report


def learner(*chosen: slice, margin: int = 32, lanes: int = 4, start: int | None = None) -> Learner:
    """One that has learnt from these images, one slice after the other."""
    result = Learner(NETWORK, margin, lanes, start=start)
    for some in chosen:
        result.learn(GREY[some], LABELS[some], grey=True)
    return result


def written(of: Learner, name: str = "out") -> bool:
    """Whether the file has these latents and weights."""
    found = IntegerNetwork.load(f"{name}.npz")
    assert found.name == name and found.info == {"dataset": "digits", "learnt_from": NETWORK.name}
    assert found.output.latents is not None
    return found == of.network and np.array_equal(found.output.latents, of.latents)


ALL = slice(None)


# ---- what it does


def test_it_learns_and_tells(yard: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = told(capsys, "--inputs", "images.npz")
    wanted = Learner(NETWORK)
    learnt = wanted.learn(GREY, LABELS, grey=True)
    assert written(wanted) and wanted.network != NETWORK
    right = float((learnt.classes == LABELS).mean())
    assert report == {
        "network": NETWORK.name, "margin": 32, "lanes": 4, "images": 30, "passes": 1,
        "learnt": 30, "moved": learnt.images_moved, "walks": learnt.walks, "right": right,
        "test_images": 0, "before": None, "after": None,
        "course": [{"images": 0, "accuracy": None, "right": None},
                   {"images": 30, "accuracy": None, "right": right}],
        "file": "out.npz", "core": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        ("--images 9", lambda: learner(slice(9))),
        ("--lanes 1 --margin 3", lambda: learner(ALL, lanes=1, margin=3)),
        ("--from-zero", lambda: learner(ALL, start=0)),
        ("--start 100", lambda: learner(ALL, start=100)),
        ("--passes 3", lambda: learner(ALL, ALL, ALL)),
        ("--held-out 7", lambda: learner(slice(23))),
        ("--images 20 --held-out 7 --passes 2", lambda: learner(slice(13), slice(13))),
        # Batches are the same however often accuracy is told.
        ("--every 5", lambda: learner(ALL)),
    ],
)
def test_options(arguments: str, wanted: Any, yard: Path, capsys: Any) -> None:
    """Each shapes what is learnt as it says."""
    told(capsys, "--inputs", "images.npz", *arguments.split())
    assert written(wanted()) and not np.array_equal(wanted().latents, Learner(NETWORK).latents)


def test_accuracy_is_that_of_images_not_learnt_from(
    yard: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Those held out, or those of a file; before, on the way, and after."""
    report = told(capsys, "--inputs", "images.npz", "--held-out", "10", "--every", "6")
    assert [point["images"] for point in report["course"]] == [0, 8, 16, 20]
    for point in report["course"]:
        of = learner(slice(point["images"])).network
        found = evaluate(of, of.inputs_from(GREY[20:])).classes
        assert point["accuracy"] == (found == LABELS[20:]).mean()
    assert report["test_images"] == 10
    assert report["before"] == report["course"][0]["accuracy"]
    assert report["after"] == report["course"][-1]["accuracy"]
    # An image without a label counts for nothing.
    labels = LABELS[20:].copy()
    labels[3] = NO_LABEL
    np.savez("test.npz", images=GREY[20:], labels=labels)
    other = told(capsys, "--inputs", "images.npz", "--images", "20", "--test", "test.npz")
    of = learner(slice(20)).network
    right = evaluate(of, of.inputs_from(GREY[20:])).classes == labels
    assert other["test_images"] == 9
    assert other["after"] == right[labels != NO_LABEL].mean()


def test_it_goes_on_from_a_file(yard: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """From its latents, unless another start is asked for; the file may be written over."""
    told(capsys, "--inputs", "images.npz", "--images", "16")
    np.savez("rest.npz", images=GREY[16:], labels=LABELS[16:])
    told(capsys, "--network", "out.npz", "--inputs", "rest.npz")
    assert written(learner(ALL))
    told(capsys, "--network", "out.npz", "--inputs", "images.npz", "--from-zero")
    assert written(learner(ALL, start=0))


def test_images_without_a_label_are_answered_only(
    yard: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.savez("images.npz", images=GREY, labels=np.full(30, NO_LABEL))
    report = told(capsys, "--inputs", "images.npz")
    assert (report["learnt"], report["moved"], report["walks"], report["right"]) == (0, 0, 0, None)
    assert written(learner())


def test_files_of_every_form(yard: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Several of them; IDX with labels of their own file; a test set of the project."""
    np.savez("a.npz", images=GREY[:11], labels=LABELS[:11])
    np.savez("b.npz", images=GREY[11:], labels=LABELS[11:].astype(np.int64))
    told(capsys, "--inputs", "a.npz", "b.npz")
    assert written(learner(ALL))
    Path("images").write_bytes(make_idx(GREY))
    Path("labels").write_bytes(make_idx(LABELS))
    told(capsys, "--inputs", "images", "--labels", "labels")
    assert written(learner(ALL))
    save_test_images(GREY, LABELS, "digits", Path("set.npz"))
    told(capsys, "--inputs", "set.npz")
    assert written(learner(ALL))


def test_a_data_set_by_name(
    yard: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its training images are learnt from, and its test images measured on."""
    asked = []

    def load(*arguments: object) -> Images:
        asked.append(arguments)
        return Images(GREY[:20], LABELS[:20], GREY[20:], LABELS[20:])

    monkeypatch.setattr("xnor_fcc.learn.load_images", load)
    report = told(capsys, "--dataset", "digits", "--data-dir", "here")
    assert asked == [("digits", Path("here"))] and report["test_images"] == 10
    assert written(learner(slice(20)))
    assert told(capsys, "--dataset", "digits", "--held-out", "5")["test_images"] == 5
    assert written(learner(slice(15)))


def test_it_learns_digits(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The layer of the committed network again, from nothing, in words."""
    images, labels = load_test_images("mnist")
    np.savez(tmp_path / "digits.npz", images=images[:1500], labels=labels[:1500])
    given = ["--inputs", str(tmp_path / "digits.npz"), "--held-out", "500", "--from-zero"]
    assert learn.main([*given, "--every", "500", "--out", str(tmp_path / "new.npz")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(" images: ")[0].strip() for line in lines[:3]] == ["0", "500", "1,000"]
    assert re.fullmatch(
        r"1,000 images with a label, in batches of 4: \d+ moved latents, in \d+ batches", lines[3]
    )
    assert re.fullmatch(r"0\.\d{4} of them were answered rightly when they came", lines[4])
    found = re.fullmatch(
        r"accuracy (0\.\d{4}) before, (0\.\d{4}) after, of 500 images that were not learnt from",
        lines[5],
    )
    assert found and float(found[1]) < 0.2 and float(found[2]) > 0.95
    assert lines[6] == f"wrote {tmp_path / 'new.npz'}"


def test_a_fault_is_planted_in_a_network_that_has_learnt() -> None:
    """As `simulate --flip` does: what is loaded into a core has no latents."""
    learnt = learner(ALL).network
    flipped = plant_fault(learnt, "weight:1:2:5")
    assert (flipped.output.weights != learnt.output.weights).sum() == 1
    assert plant_fault(learnt, "threshold:1:0") != learnt


# ---- cores

SIZES = ("--pe", "4", "--simd", "8", "--lanes", "2")
GIVEN = ("--inputs", "images.npz", "--held-out", "9", "--every", "5", "--margin", "9")


@pytest.mark.parametrize("more", ["", "--from-zero --passes 2"])
def test_a_simulated_core_learns_the_same(
    more: str, yard: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it writes is what was read out of the core: here the model learns nothing."""
    wanted = told(capsys, *GIVEN, *more.split(), "--lanes", "2")
    known = IntegerNetwork.load("out.npz")

    def nobody(*_: object) -> None:
        raise AssertionError("the reference has learnt")

    monkeypatch.setattr("xnor_fcc.learning.updated", nobody)
    found = told(capsys, *GIVEN, *more.split(), "--simulated", *SIZES, "--out", "core.npz")
    assert found == {**wanted, "file": "core.npz", "core": "PE=4 SIMD=8 LANES=2 LEARN=4"}
    read = IntegerNetwork.load("core.npz")
    assert read == known != NETWORK and read.info == known.info
    assert np.array_equal(read.output.latents, known.output.latents)  # type: ignore[arg-type]


def test_in_words_it_is_told_which_core(yard: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = ["--network", "net.npz", "--out", "out.npz", *GIVEN, "--simulated", *SIZES]
    assert learn.main(given) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("PE=4 SIMD=8 LANES=2 LEARN=4: building takes")
    assert "learnt by a core of PE=4 SIMD=8 LANES=2 LEARN=4" in lines


def test_the_core_of_a_board_learns_the_same(
    yard: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whose lanes are told by itself; with a simulation at the other end of the port."""
    wanted = told(capsys, *GIVEN, "--lanes", "2")
    known = IntegerNetwork.load("out.npz")
    geometry = replace(Geometry.for_widths(NETWORK.shape, 4, 8, 2), learn=4)
    ports = []

    def opened(*port: object) -> SimulationTransport:
        ports.append(port)
        return SimulationTransport(geometry)

    monkeypatch.setattr("xnor_fcc.learn.open_uart", opened)
    found = told(capsys, *GIVEN, "--device", "/dev/some", "--baud", "9600")
    assert ports == [("/dev/some", 9600)]
    assert found == {**wanted, "core": "PE=4 SIMD=8 LANES=2 LEARN=4"}
    assert IntegerNetwork.load("out.npz") == known != NETWORK


def test_progress_is_of_all_images_that_are_shown() -> None:
    """Those to measure on each time, and not those that fill a batch."""
    images = Labelled(GREY[:20].reshape(20, 16), LABELS[:20])
    test = Labelled(GREY[20:].reshape(10, 16), LABELS[20:])
    told: list[int] = []

    def learn_by(grey: np.ndarray, labels: np.ndarray, tell: Any) -> Any:
        found = learner().learn(grey, labels, grey=True)
        tell(len(grey) + 2)
        return found

    course(learn_by, images, test, 8, 2, progress=told.append)
    assert told == [10, 18, 28, 36, 46, 50, 60, 68, 78, 86, 96, 100, 110]
    assert told[-1] == shown(images, test, 8, 2)
    assert shown(images, None, 8, 2) == 40


# ---- refusals


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("--inputs images.npz --held-out 30", "--held-out 30 is outside 1 to 29"),
        ("--inputs images.npz --images 31", "--images 31 is outside 1 to 30"),
        ("--inputs images.npz --images 0", "--images 0 is not at least 1"),
        ("--inputs images.npz --held-out 0", "--held-out 0 is not at least 1"),
        ("--inputs images.npz --every 0", "--every 0 is not at least 1"),
        ("--inputs images.npz --passes 0", "--passes 0 is not at least 1"),
        ("--inputs images.npz --start -1", "start at 0 to 127, not at -1"),
        ("--inputs images.npz --start 128", "start at 0 to 127, not at 128"),
        ("--inputs images.npz --margin 256", "from 0 to 255, not 256"),
        ("--inputs images.npz --margin -1", "from 0 to 255, not -1"),
        ("--inputs images.npz --lanes 65", "1 to 64 images, not 65"),
        ("--inputs images.npz --start 8 --from-zero", "not allowed with argument"),
        ("--inputs images.npz --test images.npz --held-out 3", "not allowed with argument"),
        ("--inputs images.npz --dataset digits", "not allowed with argument"),
        ("--inputs images.npz --data-dir .", "--data-dir goes with --dataset"),
        ("--dataset digits --labels labels.npy", "--labels goes with --inputs"),
        ("--inputs images.npz --out out", "--out out does not end in .npz"),
        ("--inputs images.npz --out folder.npz", "folder.npz"),
        ("--inputs images.npz --out images.npz", "images.npz would take the place of images"),
        ("--inputs images.npz --test none.npz --out none.npz", "none.npz would take the place"),
        ("--inputs bare.npy --labels few.npz --out few.npz", "few.npz would take the place"),
        ("--inputs nothing.npz", "There is no file nothing.npz"),
        ("--inputs bare.npy", "bare.npy has no labels"),
        ("--inputs images.npz --test bare.npy", "bare.npy has no labels"),
        ("--inputs bare.npy --labels images.npz", "images.npz"),
        ("--inputs bare.npy --labels few.npy", "30 images, but labels of shape (3,)"),
        ("--inputs wrong.npz", "Image 7 has the label 4, but the classes are 0 to 3, and 255"),
        ("--inputs negative.npz", "Image 0 has the label -1"),
        ("--inputs images.npz --test none.npz", "None of the images to measure on has a label"),
        ("--inputs images.npz --network mnist", "but the network takes 28x28"),
        ("--inputs images.npz --network order2", "inputs of order 2"),
        ("--inputs images.npz --network ternary", "ternary weights"),
        ("--inputs images.npz --simd 3", "--simd is the size of a core that is --simulated"),
        ("--inputs images.npz --geometry latency", "--geometry is the size of a core"),
        ("--inputs images.npz --baud 9600", "--baud is the rate of a --device"),
        ("--inputs images.npz --device x --baud 0", "--baud 0 is not a rate"),
        ("--inputs images.npz --device x --lanes 2", "--lanes is that of the core at --device"),
        ("--inputs images.npz --device x --simulated", "not allowed with argument"),
        ("--inputs images.npz --device x", "There is no port x"),
        ("--inputs images.npz --simulated --pe 200 --simd 1", "TAPS=2, and one that learns"),
        ("--inputs images.npz --simulated --lanes 65", "LANES=65 is outside 1 to 64"),
        ("--inputs images.npz --simulated --network digits_conv", "begins with convolutions"),
        ("--inputs images.npz --simulated --network order2", "has second-order activations"),
    ],
)
def test_one_sentence(
    arguments: str, says: str, yard: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Code 2, before anything is learnt or written."""
    np.save("bare.npy", GREY)
    np.save("few.npy", LABELS[:3])
    np.savez("few.npz", LABELS[:3])
    Path("folder.npz").mkdir()
    before = {path: path.read_bytes() for path in yard.glob("*.np?") if path.is_file()}
    wrong = LABELS.copy()
    wrong[7] = 4
    np.savez("wrong.npz", images=GREY, labels=wrong)
    np.savez("negative.npz", images=GREY, labels=np.full(30, -1))
    np.savez("none.npz", images=GREY, labels=np.full(30, NO_LABEL))
    given = ["--network", "net.npz", "--out", "out.npz", *arguments.split()]
    assert run_main(lambda: learn.main(given)) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("error: ") and err.count("\n") == 1 and says in err
    assert not Path("out.npz").exists()
    assert all(path.read_bytes() == contents for path, contents in before.items())


def test_a_place_that_takes_nothing_is_known_before_anything_is_learnt(
    yard: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(learn, "course", lambda *_: pytest.fail("learnt"))
    for out in ("net.npz/x.npz", "/proc/x.npz", "."):
        given = ["--network", "net.npz", "--inputs", "images.npz", "--out", out]
        assert run_main(lambda given=given: learn.main(given)) == 2  # type: ignore[misc]


def test_nothing_is_told_where_there_is_nothing(
    yard: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Images without labels, and none to measure on."""
    np.savez("bare.npz", images=GREY, labels=np.full(30, NO_LABEL))
    given = ["--network", "net.npz", "--inputs", "bare.npz", "--out", "out.npz"]
    assert learn.main(given) == 0
    assert "images:" not in capsys.readouterr().out


def test_a_place_that_takes_nothing(yard: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = ["--network", "net.npz", "--inputs", "images.npz", "--out", "net.npz/x.npz"]
    assert run_main(lambda: learn.main(given)) == 2
    assert "net.npz" in capsys.readouterr().err


def test_interrupted_it_leaves_what_was_there(yard: Path) -> None:
    """Ctrl-C in the midst of learning: the old file, and nothing beside it."""
    old = Path("net.npz").read_bytes()
    names = sorted(os.listdir())
    command = [sys.executable, "-m", "xnor_fcc", "learn", "--network", "net.npz", "--inputs",
               "images.npz", "--passes", "1000000", "--out", "net.npz"]  # fmt: skip
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        # What runs these tests in the background may ignore it, and its children with it.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert b"images" in process.stdout.readline()  # the first pass is over
        process.send_signal(signal.SIGINT)
        error = process.communicate(timeout=30)[1]
    assert process.returncode == 130 and b"error: interrupted from the keyboard." in error
    assert Path("net.npz").read_bytes() == old and sorted(os.listdir()) == names


def test_the_committed_networks_say_whether_they_can_learn() -> None:
    """As the help has it: all but those with more bits in the last layer."""
    cannot = set()
    for name in ("mnist", "order2", "ternary", "digits", "digits_conv"):
        try:
            Learner(IntegerNetwork.load(find_network(name)))
        except UserError:
            cannot.add(name)
    assert cannot == {"order2", "ternary"}
