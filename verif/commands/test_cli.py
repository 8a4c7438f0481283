# SPDX-License-Identifier: Apache-2.0
"""The command `xnor-fcc`: what it offers, how it refuses, completion, JSON, and make on top."""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from xnor_fcc import __version__, classify, cli, errors
from xnor_fcc.cli import COMMANDS, completion
from xnor_fcc.errors import CommandLine, UserError, run_main
from xnor_fcc.files import write_json
from xnor_fcc.places import DATA, NETWORKS, ROOT
from xnor_fcc.random_network import random_network

NAMES = (
    "import", "info", "explore", "simulate", "serve", "classify", "learn", "demo", "pack", "train",
    "report", "rtl",
)  # fmt: skip


def call(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "xnor_fcc", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd)


@pytest.fixture(scope="module")
def parsers() -> dict[str, CommandLine]:
    return {name: command.load().parser() for name, command in COMMANDS.items()}


# ---- help


def test_every_command_is_there() -> None:
    assert tuple(COMMANDS) == NAMES


def test_help_lists_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([]) == 0
    bare = capsys.readouterr().out
    with pytest.raises(SystemExit) as stop:
        cli.main(["--help"])
    assert stop.value.code == 0
    assert capsys.readouterr().out == bare
    for name, command in COMMANDS.items():
        assert re.search(rf"^  {name} +{re.escape(command.summary)}$", bare, re.M)
    # Each example is a command line that the parser of its command takes.
    examples = re.findall(r"^  (xnor-fcc .*)$", bare, re.M)
    assert len(examples) >= 3


@pytest.mark.parametrize("name", NAMES)
def test_help_of_a_command(
    name: str, parsers: dict[str, CommandLine], capsys: pytest.CaptureFixture[str]
) -> None:
    parser = parsers[name]
    assert parser.prog == f"xnor-fcc {name}"
    with pytest.raises(SystemExit) as stop:
        cli.main([name, "--help"])
    assert stop.value.code == 0
    text = capsys.readouterr().out
    assert text.startswith(f"usage: xnor-fcc {name}") and "--json" in text
    for action in parser._actions:
        assert action.help, f"{name}: {action.dest} has no help"


@pytest.mark.parametrize("name", NAMES)
def test_examples_in_help_are_accepted(name: str, parsers: dict[str, CommandLine]) -> None:
    """By the parser of the command that each example calls; files need not exist for that."""
    pages = [cli.parser().format_help(), *(each.format_help() for each in parsers.values())]
    lines = [line for page in pages for line in page.replace("\\\n", " ").splitlines()]
    calls = [re.split(r" (?:&&|>|;|\|) ", line.strip()) for line in lines]
    found = [part.strip().rstrip(".;") for some in calls for part in some]
    mine = [part.split()[2:] for part in found if re.match(rf"xnor-fcc {name}( [^A-Z\[]|$)", part)]
    assert mine or "examples" not in parsers[name].format_help()
    for arguments in mine:
        if arguments != ["--help"]:
            parsers[name].parse_args(arguments)


def test_options_are_called_the_same_everywhere(parsers: dict[str, CommandLine]) -> None:
    for name, parser in parsers.items():
        options = {flag: action for action in parser._actions for flag in action.option_strings}
        assert isinstance(options["--json"], argparse._StoreTrueAction), name
        for sizes in ("--pe", "--simd", "--lanes"):
            assert (sizes in options) == ("--geometry" in options), name


def test_version() -> None:
    run = call("--version")
    assert (run.returncode, run.stdout) == (0, f"xnor-fcc {__version__}\n")


# ---- refusals


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["clasify"], "There is no command clasify: did you mean classify?"),
        (["simulator"], "did you mean simulate?"),
        (["frobnicate"], "xnor-fcc --help lists them"),
        ([""], "There is no command"),
        (["--frobnicate"], "--help explains it"),
        (["--print-completion", "dos"], "invalid choice"),
        (["info", "--frobnicate"], "xnor-fcc info --help explains it"),
        (["info", "nothing"], "There is no network nothing"),
        (["classify"], "required: IMAGE"),
        (["learn", "--out", "x.npz"], "--inputs --dataset is required"),
        (["pack"], "--output DIR"),
        (["report", "--build", "nowhere"], "There is no directory nowhere"),
        (["explore", "--device", "none"], "is not known"),
        (["import", "net.onnx"], "--out"),
        (["pack", "--out", "/proc/nothing/file"], "/proc/nothing"),
    ],
)
def test_one_sentence(arguments: list[str], says: str, tmp_path: Path) -> None:
    run = call(*arguments, cwd=tmp_path)
    assert run.returncode == 2 and run.stdout == ""
    assert run.stderr.startswith("error: ") and run.stderr.count("\n") == 1
    assert says in run.stderr
    assert not list(tmp_path.iterdir())


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    for name in [name for name in sys.modules if name.startswith("xnor_fcc.")]:
        if getattr(sys.modules[name], "torch", None) is not None:
            monkeypatch.delitem(sys.modules, name)
    with pytest.raises(UserError, match=r"train needs .* torch: pip install 'xnor-fcc\[train\]'"):
        cli.main(["train", "--help"])
    assert "train" in completion("bash")


def test_the_exit_code_is_that_of_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as 1 of `simulate`, where hardware and reference differ."""
    monkeypatch.setattr(classify, "main", lambda _: 1)
    assert run_main(lambda: cli.main(["classify", "x.png"])) == 1


def test_a_package_that_ought_to_be_there_is_a_defect(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: list[str]) -> int:
        raise ModuleNotFoundError("No module named 'numpy'", name="numpy")

    monkeypatch.setattr(classify, "main", broken)
    with pytest.raises(ModuleNotFoundError):
        cli.main(["classify", "x.png"])


def test_interrupts_and_closed_pipes(capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted() -> int:
        raise KeyboardInterrupt

    assert run_main(interrupted) == 130
    assert capsys.readouterr().err == "error: interrupted from the keyboard.\n"
    images = str(DATA / "mnist_test.npz")
    shell = f'"{sys.executable}" -m xnor_fcc classify {images} | head -n 1; echo ${{PIPESTATUS[0]}}'
    run = subprocess.run(["bash", "-c", shell], capture_output=True, text=True)
    assert run.stderr == "" and run.stdout.splitlines() == [f"{images}:0: 7", "141"]
    assert errors.run_main(lambda: None) == 0


def test_what_cannot_be_written_is_called_by_its_own_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not by that of the file which was to be renamed."""
    where = tmp_path / "place"
    where.mkdir()
    assert run_main(lambda: write_json(where, {})) == 2
    assert capsys.readouterr().err == f"error: {where}: Is a directory.\n"
    assert list(tmp_path.iterdir()) == [where]


# ---- completion


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("completion") / "xnor-fcc.sh"
    path.write_text(completion("bash"))
    return path


def completed(script: Path, cwd: Path, *words: str) -> set[str]:
    """What bash offers for the last of the words."""
    code = (
        f'source "{script}"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=()\n'
        'function=$(complete -p xnor-fcc | sed "s/.*-F \\([^ ]*\\) .*/\\1/"); $function\n'
        'printf "%s\\n" "${COMPREPLY[@]}"'
    )
    run = subprocess.run(
        ["bash", "-c", code, "bash", "xnor-fcc", *words], capture_output=True, text=True, cwd=cwd
    )
    assert run.returncode == 0, run.stderr
    return set(run.stdout.split())


def test_the_completion_is_a_script(script: Path) -> None:
    subprocess.run(["bash", "-n", str(script)], check=True)
    assert completion("zsh").startswith("#compdef xnor-fcc")


def test_bash_completes(script: Path, tmp_path: Path) -> None:
    (tmp_path / "digit.png").touch()
    (tmp_path / "folder").mkdir()
    networks = {path.stem for path in NETWORKS.glob("*.npz") if "_trained" not in path.stem}
    for words, offered in (
        ([""], set(NAMES)),
        (["cl"], {"classify"}),
        (["--pr"], {"--print-completion"}),
        (["explore", "--str"], {"--streamed"}),
        (["info", "--geometry", ""], {"default", "latency", "original", "throughput"}),
        (["simulate", "--geometry", "th"], {"throughput"}),
        (["classify", "di"], {"digit.png"}),
        (["classify", "--labels", ""], {"digit.png", "folder"}),
        (["pack", "--output", ""], {"folder"}),
        (["explore", "--network", ""], networks | {"digit.png", "folder"}),
        (["info", "mn"], {"mnist", "mnist_conv"}),
        (["simulate", "--flip", ""], set()),
        (["train", "--recipe", "fl"], {"float"}),
    ):
        assert completed(script, tmp_path, *words) == offered, words


# ---- JSON


@pytest.mark.slow
def test_json_is_all_there_is_on_stdout(tmp_path: Path) -> None:
    network = random_network(np.random.default_rng(0), (16, 12, 4))
    network.save(tmp_path / "net.npz")
    images = np.random.default_rng(1).integers(0, 256, (3, 16), np.uint8)
    np.save(tmp_path / "images.npy", images)
    np.savez(tmp_path / "labelled.npz", images=images, labels=np.arange(3))
    np.savez(
        tmp_path / "arrays.npz",
        weights0=np.where(network.weights[0], 1, -1),
        thresholds0=np.zeros(12),
        weights1=np.where(network.weights[1], 1, -1),
    )
    for arguments, key in (
        (["info", "net.npz", "--device", "de0-cv"], "layers"),
        (["explore", "--network", "net.npz", "--max-lanes", "2", "--output", "out"], "picks"),
        (["classify", "images.npy", "--network", "net.npz"], "images"),
        (["learn", "--inputs", "labelled.npz", "--network", "net.npz", "--out", "o.npz"], "moved"),
        (["pack", "--network", "net.npz", "--output", "out", "--out", "net.txt"], "files"),
        (["import", "arrays.npz", "--out", "arrays_out.npz"], "differing_bits"),
        (["report", "--build", ".", "--output", "page"], "sections"),
        (["rtl"], "toplevel"),
    ):
        run = call(*arguments, "--json", cwd=tmp_path)
        assert run.returncode == 0, run.stderr
        assert key in json.loads(run.stdout), arguments


# ---- make


@pytest.mark.parametrize(
    ("arguments", "called"),
    [
        (
            "sim IMAGES=3 PE=4 SIMD=5 LANES=2 WEIGHT_STREAM=64 NETWORK=seed FLIP=threshold:0:1 "
            "WAVES=1 INPUTS=x.png TRACE=2",
            "simulate --images 3 --pe 4 --simd 5 --lanes 2 --weight-stream 64 --network seed "
            "--flip threshold:0:1 --inputs x.png --trace 2 --waves",
        ),
        ("sim GEOMETRY=latency WAVES=0", "simulate --geometry latency"),
        (
            "explore DEVICE=c5g NETWORK=order2 ARGS=--json",
            "explore --device c5g --network order2 --json",
        ),
        ("report ARGS=--open", "report --open"),
        ("train ARGS=--restart", "train --restart"),
    ],
    ids=["sim", "sim of a name", "explore", "report", "train"],
)
def test_make_calls_the_command(arguments: str, called: str, tmp_path: Path) -> None:
    """With a stand-in in the place of Python that says what it is given."""
    assert made(tmp_path, *arguments.split()) == ["-m", "xnor_fcc", *called.split()]


def made(venv: Path, *arguments: str, path: str | None = None) -> list[str]:
    """The arguments that `make` calls the Python of a virtual environment with."""
    (venv / "bin").mkdir()
    (venv / "bin" / "python").write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    (venv / "bin" / "python").chmod(0o755)
    for extra in ("package", "train", "plots", "formal", "test"):
        (venv / f".installed-{extra}").touch()
    environment = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MAKELEVEL")}
    run = subprocess.run(
        ["/usr/bin/env", "make", "-s", "-C", str(ROOT), f"VENV={venv}", *arguments],
        env={**environment, "PATH": path or environment["PATH"]}, capture_output=True, text=True,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    return run.stdout.splitlines()


@pytest.mark.parametrize(
    ("target", "options"),
    [
        ("sim", "IMAGES GEOMETRY PE SIMD LANES WEIGHT_STREAM NETWORK FLIP INPUTS TRACE"),
        ("explore", "DEVICE WIDTHS NETWORK"),
        ("formal", "ONLY"),
        ("soak", "MINUTES SEED"),
    ],
)
def test_make_hands_on_what_a_variable_holds(target: str, options: str, tmp_path: Path) -> None:
    value = "my 'net' $HOME $(x) \"`#;1,2\\é&*.npz"
    given = [f"{name}={value}" for name in options.split()]
    got = made(tmp_path, target, *given)
    assert [each for each in got if each == value] == [value] * len(given), got


def test_make_needs_no_python_where_it_has_one(tmp_path: Path) -> None:
    """That of its virtual environment; the PATH has none, or another one."""
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("sh", "make", "test", "g++", "perl"):
        (tools / name).symlink_to(shutil.which(name) or "/nowhere")
    assert made(tmp_path, "sim", path=str(tools)) == ["-m", "xnor_fcc", "simulate"]


def test_make_refuses_a_virtual_environment_with_a_space() -> None:
    run = subprocess.run(
        ["make", "-C", str(ROOT), "sim", "VENV=/nowhere/my venv"], capture_output=True, text=True
    )
    assert run.returncode == 2 and "VENV names a path with a space" in run.stderr
