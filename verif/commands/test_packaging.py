# SPDX-License-Identifier: Apache-2.0
"""The wheel: built, installed into a virtual environment of its own, used somewhere else."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from xnor_fcc import plot
from xnor_fcc.data import load_test_images
from xnor_fcc.places import BUILD, ROOT, RTL
from xnor_fcc.random_network import random_network

pytestmark = pytest.mark.slow

Call = Callable[..., str]


def _neutral() -> dict[str, str]:
    """Environment variables, without those that could lead to the repository."""
    ours = ("PYTHON", "XNOR_FCC")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    options = ("--quiet", "--no-deps", "--no-build-isolation")
    command = [sys.executable, "-m", "pip", "wheel", *options, "--wheel-dir", str(folder)]
    subprocess.run([*command, str(ROOT)], check=True)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with the wheel in it. It sees what else this one has installed, but no
    checkout: of the paths that .pth files add, only those of its own folder count."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False, symlinks=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    paths = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    (packages / "others.pth").write_text("\n".join(sorted(paths)) + "\n")
    # Ignoring what is installed: else pip might find the package among the others.
    options = ("--quiet", "--no-deps", "--no-index", "--ignore-installed")
    command = [str(folder / "bin" / "python"), "-m", "pip", "install", *options, str(wheel)]
    subprocess.run(command, check=True, env=_neutral())
    return folder


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty directory outside the repository, with a digit, its label 7."""
    folder = tmp_path_factory.mktemp("elsewhere")
    images, labels = load_test_images()
    assert labels[0] == 7
    Image.fromarray(images[0].reshape(28, 28)).save(folder / "digit.png")
    return folder


@pytest.fixture(scope="module")
def call(environment: Path, elsewhere: Path) -> Call:
    """Calls the installed command in that directory; what it prints."""
    keep = {**_neutral(), "XDG_CACHE_HOME": str(elsewhere / "cache")}

    def command(*arguments: str, program: str = "xnor-fcc", **variables: str) -> str:
        run = subprocess.run(
            [environment / "bin" / program, *arguments],
            cwd=elsewhere, env={**keep, **variables}, capture_output=True, text=True,
        )  # fmt: skip
        assert run.returncode == 0, f"{arguments}: {run.stderr}"
        return run.stdout

    return command


def files(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def test_the_wheel_carries_what_the_commands_need(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    share = "xnor_fcc/share"
    for path in [*RTL.glob("*.v"), RTL / "sources.f"]:
        assert f"{share}/{path.relative_to(ROOT)}" in names
    for path in (ROOT / "verif").glob("xnor_fcc_sim/**/*"):
        if path.is_file() and "__pycache__" not in path.parts:
            assert str(path.relative_to(ROOT / "verif")) in names
    tests = [name for name in names if re.search(r"(^|/)(test_[^/]*|[^/]*_tests\.py)$", name)]
    assert tests == ["xnor_fcc_sim/stream_tests.py"]
    for name in ("model/networks/mnist.npz", "model/data/mnist_test.npz", "LICENSE"):
        assert f"{share}/{name}" in names
    assert not [name for name in names if "__pycache__" in name or "/build/" in name]


def test_the_installed_command(environment: Path, elsewhere: Path, call: Call) -> None:
    (packages,) = environment.glob("lib/python*/site-packages")
    where = call("-c", "import xnor_fcc.places as p; print(p.__file__, p.ROOT)", program="python")
    assert all(Path(path).is_relative_to(packages) for path in where.split())
    before = files(packages)

    assert call("classify", "digit.png").startswith("digit.png: 7\n")
    assert "784-1024-1024-1024-10" in call("info", "--device", "none")
    listed = call("rtl").splitlines()
    assert str(packages / "xnor_fcc" / "share" / "rtl" / "xnor_fcc.v") in listed
    cache = elsewhere / "cache" / "xnor-fcc"
    found = json.loads(call("explore", "--widths", "64-32-10", "--max-lanes", "2", "--json"))
    assert found["picks"]
    assert (cache / "explore" / "pareto.svg").is_file() == plot.available()
    call("pack", "--output", "preset")
    assert (elsewhere / "preset" / "preset_config.hex").is_file()
    report = json.loads(call("report", "--json"))
    assert Path(report["file"]).is_relative_to(cache)

    assert files(packages) == before
    assert sorted(path.name for path in elsewhere.iterdir()) == ["cache", "digit.png", "preset"]


def test_it_simulates(environment: Path, elsewhere: Path, call: Call, tmp_path: Path) -> None:
    (packages,) = environment.glob("lib/python*/site-packages")
    before = files(packages)
    # Verilator's own objects, half of what there is to compile.
    for runtime in (BUILD / "models").glob("runtime-*"):
        shutil.copytree(runtime, tmp_path / "build" / "models" / runtime.name)
    random_network(np.random.default_rng(0), (64, 16, 10)).save(tmp_path / "small.npz")
    report = json.loads(
        call(
            *("simulate", "--network", str(tmp_path / "small.npz"), "--inputs", "random"),
            *("--images", "8", "--pe", "2", "--simd", "16", "--lanes", "2", "--json"),
            XNOR_FCC_BUILD=str(tmp_path / "build"),
        )
    )
    assert report["images"] == 8 and report["wrong_bits"] == 0
    assert report["source"]["commit"] is None
    assert (tmp_path / "build" / "models").is_dir() and files(packages) == before
