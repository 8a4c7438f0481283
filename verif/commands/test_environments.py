# SPDX-License-Identifier: Apache-2.0
"""Whatever a command is started with, in and on: one of its exit codes, a sentence, no traceback.

Every command of the table runs with random arguments (those of its own parser), files, variables,
streams, limits and signals, among programs that fail. A new command is among them by itself.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import xnor_fcc_sim
from xnor_fcc.cli import COMMANDS
from xnor_fcc.errors import Exit
from xnor_fcc.integer import IntegerNetwork
from xnor_fcc.places import ROOT
from xnor_fcc.random_network import random_network

# Command lines that work where nothing is in the way. Of a command that has none: no arguments.
_SIZES = ("--pe", "4", "--simd", "8", "--lanes", "1")
WORKING: dict[str, list[tuple[str, ...]]] = {
    "import": [("arrays.npz", "--out", "out.npz")],
    "info": [("net.npz", "--device", "none"), ("net.npz", "--device", "de0-cv", "--json")],
    "explore": [("--network", "net.npz", "--max-lanes", "2", "--output", "out")],
    "simulate": [
        ("--network", "net.npz", "--inputs", "random", "--images", "2", *_SIZES, "--output", "out"),
        ("--network", "net.npz", "--inputs", "z\udcfc.png", *_SIZES, "--output", "out", "--json"),
    ],
    "classify": [("z\udcfc.png", "--network", "net.npz"), ("images.npy", "--network", "net.npz")],
    "learn": [
        ("--network", "net.npz", "--inputs", "labelled.npz", "--out", "out.npz"),
        ("--network", "net.npz", "--inputs", "labelled.npz", "--held-out", "1", "--every", "1",
         "--out", "z\udcfc.npz", "--json"),
    ],
    "pack": [
        ("--network", "net.npz", "--output", "out", "--out", "out/writes.txt"),
        ("--network", "net.npz", "--out", "z\udcfc.txt", "--images", "images.npy", "--json"),
    ],
    "train": [
        ("--dataset", "digits", "--hidden", "8", "--epochs", "1", "--teacher-epochs", "0",
         "--output", "out"),
        ("--recipe", "float", "--data-dir", "folder", "--output", "out"),
    ],
    "report": [("--build", ".", "--output", "out"), ()],
    "rtl": [(), ("--copy", "out"), ("--json",)],
}

# Paths for any option that takes one, an input or an output.
PATHS = (
    "net.npz", "images.npy", "z\udcfc.png", "my digit.png", '#;:".png', "cut.npz", "empty", "out",
    "folder", "folder.npz", "pipe.npz", "pipe.png", "loop", "dangling.npz", "secret.npz", "nowhere",
    "text.onnx", "out/deep/er.npz", "n" * 250 + ".npz", "n" * 300, "", ".", "..",
    "/dev/null/x", "/proc/nothing/x",
    # Which root could lose by the very defect that this looks for.
    *(("/dev/null", "/dev/full") if os.geteuid() else ()),
)  # fmt: skip

TEXTS = ("", "0", "1", "-1", "2", "8", "1e999", "nan", "99999999999999999999", "x", "é", "\udcff",
         "a b", "mnist", "digits", "random", "%s%n", "weight:0:0:0", "4-3-2")  # fmt: skip

VARIABLES: dict[str, tuple[str | None, ...]] = {
    "HOME": ("home", "/proc/nothing", "/dev/null", "", "secret", "relative/home"),
    "XNOR_FCC_BUILD": (None, "build", "/dev/null/x", "net.npz", "my build", "z\udcfc", "secret"),
    "XDG_CACHE_HOME": (None, "relative", "/dev/null/x", ""),
    "LC_ALL": (None, "C", "POSIX", "C.UTF-8", "en_US.ISO-8859-1", "xx_XX", ""),
    "PYTHONUTF8": (None, "0", "1"),
    "PYTHONCOERCECLOCALE": (None, "0"),
    "PYTHONIOENCODING": (None, "utf-8:strict", "ascii:strict", "latin-1", "utf-16", "cp437"),
    "PYTHONWARNINGS": (None, "error", "default"),
    "PYTHONOPTIMIZE": (None, "1", "2"),
    "PYTHONDEVMODE": (None, "1"),
    "PYTHONUNBUFFERED": (None, "1"),
    "COLUMNS": (None, "0", "-1", "1", "x", "100000", ""),
    "TERM": (None, "dumb", "", "nonsense"),
    "NO_COLOR": (None, "1"),
    "FORCE_COLOR": (None, "1"),
    "TMPDIR": (None, "/nonexistent", "/dev/null", "home"),
    "SIM": ("icarus", "verilator", "nonsense", ""),
    "PATH": ("bad", "bad", "", None, "/usr/bin:/bin"),
    "MPLBACKEND": (None, "nonsense"),
    "MPLCONFIGDIR": (None, "/dev/null/x"),
    "TQDM_DISABLE": (None, "1", "x"),
    "TQDM_NCOLS": (None, "x", "-1"),
    "TQDM_MININTERVAL": (None, "x"),
    "OMP_NUM_THREADS": (None, "x", "1"),
    "GIT_DIR": (None, "/nonexistent"),
    "STRANGER": ("1",),
}

# What a program on the PATH does that ought to work: dies, fails, succeeds without doing anything,
# says what is no text, leaves a file that is none.
STAND_INS = ("kill -9 $$", "exit 1", "exit 0", "printf '\\377\\376'; exit 3", "kill -11 $$")
PROGRAMS = ("git", "iverilog", "vvp", "verilator", "make", "g++", "c++", "perl")

_SIGNALS = {signal.SIGTERM: Exit.TERMINATED, signal.SIGHUP: Exit.HANGUP,
            signal.SIGINT: Exit.INTERRUPT}  # fmt: skip
# Users may have no entry anywhere: a container that runs as some number.
_STRANGER = """\
import os, pwd

def nobody(_: int) -> None:
    raise KeyError("uid not found")

if "STRANGER" in os.environ:
    pwd.getpwuid = nobody
"""


@dataclass(frozen=True)
class Trial:
    """How a command is started."""

    arguments: tuple[str, ...]
    variables: dict[str, str]
    shell: str
    program: str
    interrupt: tuple[signal.Signals, float] | None = None
    heard: bool = field(default=True)
    """Whether what it says on stderr arrives."""


def _value(action: argparse.Action, rng: random.Random) -> str:
    if action.choices is not None and rng.random() < 0.7:
        return str(rng.choice(list(action.choices)))
    if action.type is Path or rng.random() < 0.3:
        return rng.choice(PATHS)
    return rng.choice(TEXTS)


def _options(name: str, rng: random.Random, most: int) -> list[str]:
    """Some options of a command with values, those of its own parser."""
    actions = COMMANDS[name].load().parser()._actions
    chosen = []
    for action in rng.sample(actions, min(len(actions), rng.randint(0, most))):
        values = 0 if action.nargs == 0 else action.nargs if isinstance(action.nargs, int) else 1
        flag = [rng.choice(action.option_strings)] if action.option_strings else []
        chosen += [*flag, *(_value(action, rng) for _ in range(values))]
    return chosen


def trial(name: str, rng: random.Random) -> Trial:
    """A random one of a command."""
    working = rng.choice(WORKING.get(name, [()]))
    kind = rng.random()
    if kind < 0.6:
        arguments = list(working)
    elif kind < 0.8:
        arguments = [*working, *_options(name, rng, 2)]
    else:
        arguments = _options(name, rng, 5)
    variables = {"HOME": "home", "PATH": os.environ["PATH"], "SIM": "icarus"}
    for variable in rng.sample(sorted(VARIABLES), rng.randint(0, 6)):
        value = rng.choice(VARIABLES[variable])
        variables.pop(variable, None)
        if value is not None:
            variables[variable] = value
    if "STRANGER" in variables:
        del variables["HOME"]
    output = rng.choice(["", "", "", ">&-", ">/dev/full", "1</dev/null"])
    error = rng.choice(["", "", "", "2>&-", "2>/dev/full"])
    limit = rng.choice(["", "", "", "ulimit -f 0; ", "ulimit -f 8; "])
    number = rng.choice(list(_SIGNALS))
    return Trial(
        (name, *arguments),
        variables,
        f'{limit}exec "$@" {output} {error} {rng.choice(["", "<&-"])}',
        rng.choice(STAND_INS),
        (number, rng.random()) if rng.random() < 0.15 else None,
        not error,
    )


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packages as an installation has them, without a checkout around."""
    folder = tmp_path_factory.mktemp("site")
    unwanted = shutil.ignore_patterns("__pycache__")
    for source in (ROOT / "model" / "xnor_fcc", Path(xnor_fcc_sim.__file__).parent):
        shutil.copytree(source, folder / source.name, ignore=unwanted)
    share = folder / "xnor_fcc" / "share"
    for name in ("LICENSE", "rtl", "model/data", "model/networks", "verif/fusesoc"):
        (share / name).parent.mkdir(parents=True, exist_ok=True)
        (share / name).symlink_to(ROOT / name)
    (folder / "sitecustomize.py").write_text(_STRANGER)
    return folder


@pytest.fixture
def yard(tmp_path: Path) -> Path:
    """A directory of files of every kind; commands run in it."""
    random_network(np.random.default_rng(0), (16, 12, 4)).save(tmp_path / "net.npz")
    images = np.random.default_rng(1).integers(0, 256, (3, 4, 4), np.uint8)
    np.save(tmp_path / "images.npy", images)
    np.savez(tmp_path / "labelled.npz", images=images, labels=np.arange(3))
    weights = np.random.default_rng(2).choice([-1, 1], (12, 16))
    np.savez(tmp_path / "arrays.npz", weights0=weights, thresholds0=np.zeros(12),
             weights1=weights[:4, :12])  # fmt: skip
    for name in ("z\udcfc.png", "my digit.png", '#;:".png'):
        with open(tmp_path / name, "wb") as file:
            Image.fromarray(images[0]).save(file, "PNG")
    whole = (tmp_path / "net.npz").read_bytes()
    (tmp_path / "cut.npz").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "secret.npz").write_bytes(whole)
    (tmp_path / "secret.npz").chmod(0)
    (tmp_path / "empty").touch()
    (tmp_path / "text.onnx").write_text("no network\n")
    for name in ("folder", "folder.npz", "home", "bad", "secret"):
        (tmp_path / name).mkdir()
    (tmp_path / "secret").chmod(0)
    for name in ("pipe.npz", "pipe.png"):
        os.mkfifo(tmp_path / name)
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "dangling.npz").symlink_to("nowhere/at/all.npz")
    return tmp_path


def _wait_until_watched(process: subprocess.Popen[bytes]) -> None:
    """Until it has a handler of SIGTERM: before, only Python's own start is interrupted."""
    mask = 1 << (signal.SIGTERM - 1)
    while process.poll() is None:
        try:
            status = Path(f"/proc/{process.pid}/status").read_text()
        except OSError:
            return
        caught = [line.split()[1] for line in status.splitlines() if line.startswith("SigCgt")]
        if not caught or int(caught[0], 16) & mask:
            return
        time.sleep(0.01)


def attempt(it: Trial, yard: Path, site: Path) -> subprocess.CompletedProcess[bytes]:
    """Run it in the yard; what takes long gets SIGTERM."""
    for program in PROGRAMS:
        path = yard / "bad" / program
        path.write_text(f"#!/bin/sh\n{it.program}\n")
        path.chmod(0o755)
    variables = dict(it.variables)
    for name, folder in (("PATH", "bad"), ("HOME", "home"), ("HOME", "secret")):
        if variables.get(name) == folder:
            variables[name] = str(yard / folder)
    variables.update(PYTHONPATH=str(site), BROWSER="true", PYTHONDONTWRITEBYTECODE="1",
                     **dict.fromkeys(("http_proxy", "https_proxy"), "http://127.0.0.1:9"))
    process = subprocess.Popen(
        ["/bin/sh", "-c", it.shell, "sh", sys.executable, "-m", "xnor_fcc", *it.arguments],
        cwd=yard, env=variables, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    try:
        if it.interrupt is not None:
            _wait_until_watched(process)
            time.sleep(it.interrupt[1])
            process.send_signal(it.interrupt[0])
        try:
            # A server goes on until it is ended.
            server = it.arguments[0] in ("serve", "demo")
            output, error = process.communicate(timeout=5 if server else 60)
        except subprocess.TimeoutExpired:
            process.terminate()
            output, error = process.communicate(timeout=30)
    finally:
        process.kill()
    return subprocess.CompletedProcess(it.arguments, process.returncode, output, error)


def judge(it: Trial, run: subprocess.CompletedProcess[bytes], yard: Path) -> None:
    """Fail unless it ended as commands do."""
    said = f"{it}\nexit code {run.returncode}\n{run.stdout[-800:]!r}\n{run.stderr[-2000:]!r}"
    for word in (b"Traceback", b"Exception ignored", b"Exception in thread"):
        assert word not in run.stdout + run.stderr, said
    # A signal before the program could have a handler ends it as any other.
    code = 128 - run.returncode if run.returncode < 0 else run.returncode
    assert code in set(Exit) - {Exit.DIFFERS, Exit.DEFECT}, said
    if code in (Exit.HANGUP, Exit.INTERRUPT):
        assert it.interrupt is not None and code == _SIGNALS[it.interrupt[0]], said
    if code in (Exit.USER, Exit.TOOL) and it.heard:
        # Without the zeros of UTF-16.
        lines = run.stderr.replace(b"\0", b"").replace(b"\r", b"\n").splitlines()
        assert any(line.startswith(b"error: ") for line in lines), said
    if code != Exit.TERMINATED or run.returncode > 0:
        assert not list(yard.rglob("*.part")), said
    out = yard / "out.npz"
    if out.exists():
        IntegerNetwork.load(out)


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (Exit.DIFFERS, b"error: x\n"), (Exit.DEFECT, b"error: x\n"), (4, b"error: x\n"),
        (Exit.RIGHT, b"Traceback (most recent call last)"), (Exit.USER, b"x\n"),
        (Exit.INTERRUPT, b"error: x\n"), (-signal.SIGSEGV, b""),
    ],
)  # fmt: skip
def test_what_is_not_accepted(code: int, error: bytes, tmp_path: Path) -> None:
    with pytest.raises(AssertionError):
        judge(Trial((), {}, "", ""), subprocess.CompletedProcess((), code, b"", error), tmp_path)


# Of each command the first is quick, but for torch, which takes seconds to load.
SEEDS = 6


@pytest.mark.parametrize(
    ("name", "seed"),
    [
        pytest.param(name, seed, marks=pytest.mark.slow if seed or name == "train" else ())
        for name in COMMANDS
        for seed in range(SEEDS)
    ],
)
def test_any_environment(name: str, seed: int, yard: Path, site: Path) -> None:
    it = trial(name, random.Random(f"{name} {seed}"))
    judge(it, attempt(it, yard, site), yard)


def _without_a_home(site: Path, *arguments: str, **variables: str) -> tuple[int, str]:
    """Exit code and stderr of a command for a user who is no more than a number."""
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(site), "STRANGER": "1", **variables}
    run = subprocess.run([sys.executable, "-m", "xnor_fcc", *arguments], env=environment,
                         capture_output=True, text=True)  # fmt: skip
    return run.returncode, run.stderr


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMANDS)
def test_help_without_a_home(name: str, site: Path) -> None:
    code, error = _without_a_home(site, name, "--help")
    assert code == 0 and "error" not in error.lower()


@pytest.mark.slow
def test_who_keeps_something_needs_a_place(site: Path, tmp_path: Path) -> None:
    explore = ("explore", "--network", "digits", "--max-lanes", "1")
    assert _without_a_home(site, "--help") == (0, "")
    assert _without_a_home(site, *explore) == (
        2, "error: there is no home directory to keep files in: name a directory in "
        "XNOR_FCC_BUILD.\n"
    )  # fmt: skip
    assert _without_a_home(site, *explore, HOME="/dev/null") == (
        2, "error: /dev/null/.cache/xnor-fcc/explore: Not a directory; XNOR_FCC_BUILD can name "
        "another directory for what is made.\n"
    )  # fmt: skip
    assert _without_a_home(site, *explore, XNOR_FCC_BUILD=str(tmp_path / "b")) == (0, "")
    assert (tmp_path / "b" / "explore" / "report.json").is_file()
