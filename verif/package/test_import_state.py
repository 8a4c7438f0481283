# SPDX-License-Identifier: Apache-2.0
"""Checkpoints: the state_dict is found wherever it is kept, by whatever names; nothing is run."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from package.foreign import random_mlp
from xnor_fcc.errors import run_main
from xnor_fcc.importing.brevitas import Brevitas
from xnor_fcc.importing.command import import_network, main
from xnor_fcc.importing.state import load_state
from xnor_fcc.integer import IntegerNetwork

WIDTHS = (16, 8, 3)
State = dict[str, Tensor]


class Wrapped(nn.Module):
    """As DataParallel, or a script's own class, keeps a module."""

    def __init__(self, name: str, module: nn.Module) -> None:
        super().__init__()
        self.name = name
        self.add_module(name, module)

    def forward(self, x: Tensor) -> Any:
        return getattr(self, self.name)(x)


def before(start: str) -> Callable[[State], State]:
    return lambda state: {start + name: tensor for name, tensor in state.items()}


def _inside(state: State) -> State:
    """As of a part that torch.compile or DataParallel wrapped."""
    return {name.replace("3.", "3._orig_mod.", 1).replace("2.", "2.module.", 1): tensor
            for name, tensor in state.items()}  # fmt: skip


FORMS: dict[str, Callable[[State], Any]] = {
    "plain": lambda state: state,
    "state_dict": lambda state: {"state_dict": state, "epoch": 3, "best": 0.5},
    "optimizer beside it": lambda state: {
        "optimizer": {"state": {0: {"exp_avg": torch.zeros(8, 16)}}, "param_groups": [{"lr": 1.0}]},
        "model_state_dict": state,
    },
    "deep": lambda state: {"checkpoint": {"model": {"weights": state}}},
    "DataParallel": before("module."),
    "torch.compile": before("_orig_mod."),
    "both": before("module._orig_mod."),
    "Lightning": lambda state: {
        "state_dict": {**before("model.")(state), "loss.weight": torch.ones(3)}, "epoch": 1},
    "Lightning of DataParallel": lambda state: {"state_dict": before("net.module.")(state)},
    "averaged": lambda state: {**before("module.")(state), "n_averaged": torch.tensor(5)},
    "parts": _inside,
    "twice the same": lambda state: {"model": state, "ema": dict(state)},
    "half": lambda state: {"model": {n: t.half() if t.is_floating_point() else t
                                     for n, t in state.items()}},
}  # fmt: skip


@pytest.mark.one_quick
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("wrapped", [None, "module", "net"])
def test_a_checkpoint_of_any_form(form: str, wrapped: str | None, tmp_path: Path) -> None:
    trained = random_mlp(4, WIDTHS)
    if form == "half":
        trained.load_state_dict({n: t.half().float() for n, t in trained.state_dict().items()})
    torch.save(FORMS[form](trained.state_dict()), tmp_path / "net.pt")
    module: nn.Module = random_mlp(9, WIDTHS)
    if wrapped:
        module = Wrapped(wrapped, module)
    load_state(module, tmp_path / "net.pt")
    bare = {name.removeprefix(f"{wrapped}."): tensor for name, tensor in
            module.state_dict().items()}  # fmt: skip
    for name, tensor in trained.state_dict().items():
        assert torch.equal(bare[name], tensor), name


def test_double_values_are_not_rounded(tmp_path: Path) -> None:
    """Means of float64 in a module of float32: which is then computed in float64."""
    trained = random_mlp(4, WIDTHS).double()
    trained.state_dict()["3.running_mean"].add_(1e-9)
    torch.save(trained.state_dict(), tmp_path / "net.pt")
    module = random_mlp(9, WIDTHS)
    load_state(module, tmp_path / "net.pt")
    means = (each.state_dict()["3.running_mean"] for each in (module, trained))
    assert torch.equal(*means)
    network, report = import_network(Brevitas(module), grey=(-1, 1))
    assert report["differing_bits"] == 0
    assert network == import_network(Brevitas(trained), grey=(-1, 1))[0]


MAKER = """
from package.foreign import random_mlp

def make():
    return random_mlp(9, (16, 8, 3))
"""


def _lacking(state: State) -> State:
    return {name: tensor for name, tensor in state.items() if not name.startswith("3.")}


@pytest.mark.parametrize(
    ("holds", "says"),
    [
        (lambda state: {"epoch": 3}, "holds no state_dict: save it again by torch.save("),
        (lambda state: {}, "holds no state_dict"),
        (lambda state: [1], "holds a list, not a state_dict."),
        (lambda state: {"model": state, "ema": random_mlp(5, WIDTHS).state_dict()},
         "holds several state_dicts that fit, model and ema: save the one that is meant."),
        (_lacking, "does not fit the module: 5 missing, such as 3.weight."),
        (lambda state: {"model": {**state, "9.weight": torch.ones(2)}},
         "does not fit the module: 1 unknown to it, such as 9.weight."),
        (lambda state: {"a.weight": torch.ones(2)}, "missing, such as 2.weight; 1 unknown to it, "
         "such as a.weight."),
        (lambda state: {"state_dict": state, "args": argparse.Namespace(lr=1)},
         "holds more than tensors (argparse.Namespace), which only running foreign code would "
         "load: save it again by torch.save(module.state_dict(), ...)."),
        (lambda state: random_mlp(4, (16, 9, 3)).state_dict(),
         "does not fit the module: size mismatch of 2.weight, (9, 16) for (8, 16)."),
    ],
)  # fmt: skip
def test_a_checkpoint_that_does_not_fit(
    holds: Callable[[State], Any], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.save(holds(random_mlp(4, WIDTHS).state_dict()), tmp_path / "net.pt")
    refused(tmp_path, capsys, says)


def refused(folder: Path, capsys: pytest.CaptureFixture[str], says: str) -> None:
    """The command's one line about net.pt in this folder."""
    (folder / "net.py").write_text(MAKER)
    arguments = [f"{folder / 'net.py'}:make", "--state", str(folder / "net.pt"), "--out",
                 str(folder / "out.npz")]  # fmt: skip
    assert run_main(partial(main, arguments)) == 2
    error = capsys.readouterr().err
    assert says in error and error.count("\n") == 1 and not (folder / "out.npz").exists()


def test_files_of_other_kinds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "net.pt"
    torch.save(nn.Linear(2, 2), path)
    refused(tmp_path, capsys, "holds more than tensors (torch.nn.modules.linear.Linear), which")
    torch.jit.save(torch.jit.script(nn.Linear(2, 2)), str(path))
    refused(tmp_path, capsys, "is an archive of TorchScript, not of a state_dict")
    path.write_bytes(b"")
    refused(tmp_path, capsys, "is no file of torch.save(module.state_dict(), ...)")
    path.unlink()
    path.mkdir()
    refused(tmp_path, capsys, f"{path} is a folder, not a file.")


def test_the_command_on_a_nested_checkpoint(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "net.py").write_text(MAKER)
    trained = random_mlp(4, WIDTHS)
    torch.save({"state_dict": before("module.")(trained.state_dict()), "epoch": 3},
               tmp_path / "net.pt")  # fmt: skip
    assert main([f"{tmp_path / 'net.py'}:make", "--state", str(tmp_path / "net.pt"), "--out",
                 str(tmp_path / "out.npz"), "--grey", "-1", "1"]) == 0  # fmt: skip
    assert "differing bits 0 of 1600" in capsys.readouterr().out
    expected, _ = import_network(Brevitas(trained), "out", grey=(-1, 1))
    assert IntegerNetwork.load(tmp_path / "out.npz") == expected
