# SPDX-License-Identifier: Apache-2.0
"""Brevitas modules imported: as objects and from files, with forwards of many styles."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from brevitas.nn import QuantIdentity, QuantLinear
from brevitas.quant.binary import SignedBinaryActPerTensorConst, SignedBinaryWeightPerTensorConst
from brevitas.quant.scaled_int import Int8Bias
from brevitas_examples.bnn_pynq.models import model_with_cfg
from torch import Tensor, nn
from torch.nn import functional

from package.foreign import FORMS, options_for, random_mlp, random_norm, sign, to_qonnx
from package.made import FORMS as OWN_FORMS
from package.made import form_name, random_model
from xnor_fcc.errors import UserError, run_main
from xnor_fcc.importing.brevitas import Brevitas, load_module
from xnor_fcc.importing.command import import_network, main
from xnor_fcc.importing.qonnx import load_qonnx
from xnor_fcc.integer import IntegerNetwork
from xnor_fcc.training.export import export
from xnor_fcc.training.form import Form


@pytest.mark.one_quick
@pytest.mark.parametrize("form", FORMS, ids=str)
@pytest.mark.parametrize("widths", [(784, 64, 10), (37, 24, 15, 6), (9, 1, 4), (12, 7)])
def test_random_sequentials(widths: tuple[int, ...], form: dict[str, Any]) -> None:
    network, report = import_network(Brevitas(random_mlp(7, widths, **form)), **options_for(form))
    assert network.widths == widths
    assert report["differing_bits"] == report["undecided_bits"] == 0
    assert not report["differing_scores"]
    assert report["differing_classes"] == report["near_ties"]
    # Equal scores, of which sums of 0.1 make unequal ones.
    assert report["near_ties"] == 0 or form.get("bias") or form.get("scale") == 0.1


@pytest.mark.parametrize(
    "form", [form for form in OWN_FORMS if form.first_layer == "binary"], ids=form_name
)
def test_the_projects_own_networks(form: Form) -> None:
    """What `export` folds by its own knowledge of the layers, the import finds out."""
    model = random_model(3, (37, 24, 15, 6), form)
    network, report = import_network(Brevitas(model), bits=(-1, 1), pixel_threshold=99)
    assert report["differing_bits"] == report["differing_scores"] == 0
    exported = export(model)
    if form.order == 1:
        assert network == exported
    else:  # behind the first layer, which is given two of the four levels
        assert replace(exported, hidden=exported.hidden[1:], pixel_residual=(99, 99)) == replace(
            network, hidden=network.hidden[1:], pixel_residual=(99, 99)
        )


class Functional(nn.Module):
    """A forward of its own: pixels 0..255 scaled, a scale per neuron, a residual of order 2."""

    def __init__(self) -> None:
        super().__init__()
        quantiser = SignedBinaryWeightPerTensorConst
        # Not in the order of forward.
        self.last = QuantLinear(9, 5, bias=True, weight_quant=quantiser.let(scaling_const=0.25))
        self.middle = QuantLinear(
            14, 9, bias=False, weight_quant=quantiser, input_quant=SignedBinaryActPerTensorConst
        )
        self.first = QuantLinear(20, 14, bias=False, weight_quant=quantiser,
                                 output_quant=SignedBinaryActPerTensorConst)  # fmt: skip
        self.norm = random_norm(9, 0.3)
        self.act = QuantIdentity(act_quant=SignedBinaryActPerTensorConst, return_quant_tensor=True)
        self.plain = sign()
        nn.init.uniform_(self.first.weight, -1, 1)
        nn.init.uniform_(self.middle.weight, -1, 1)
        nn.init.uniform_(self.last.weight, -1, 1)
        nn.init.constant_(self.last.bias, 0.5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.act(x.view(len(x), -1) / 127.5 - 1)
        x = self.first(x) * 2
        x = self.norm(self.middle(x))
        first = self.plain(x)
        second = self.plain(x - first)
        scores: Tensor = self.last(2 * first + second) * 3 + 7
        return scores


def test_a_forward_of_ones_own() -> None:
    torch.manual_seed(0)
    network, report = import_network(Brevitas(Functional()), grey=(0, 255))
    assert network.widths == (20, 14, 9, 5) and network.pixel_threshold == 128
    assert [layer.order for layer in network.layers] == [1, 1, 2]
    # Products of the first layer, of +-0.1, are quantised as they are.
    assert report["wrong_bits"] == report["wrong_scores"] == report["wrong_classes"] == 0
    assert len(set(network.output.bias.tolist())) == 1


def test_a_layer_that_quantises_its_own_output() -> None:
    torch.manual_seed(0)
    plain = {"bias": False, "weight_quant": SignedBinaryWeightPerTensorConst}
    own = {**plain, "output_quant": SignedBinaryActPerTensorConst}
    module = nn.Sequential(
        QuantIdentity(SignedBinaryActPerTensorConst), QuantLinear(20, 11, **own),
        QuantLinear(11, 5, **plain),
    )  # fmt: skip
    network, report = import_network(Brevitas(module), grey=(-1, 1))
    assert network.widths == (20, 11, 5)
    assert report["wrong_bits"] == report["wrong_scores"] == report["wrong_classes"] == 0


def test_brevitas_own_example_network(tmp_path: Path) -> None:
    """TFC of Brevitas' examples: dropout, pixels scaled in forward, and a norm of the scores."""
    torch.manual_seed(0)
    module, _ = model_with_cfg("tfc_1w1a", False)
    for part in module.modules():
        if isinstance(part, nn.BatchNorm1d):
            part.load_state_dict(random_norm(part.num_features, 20).state_dict())
    network, report = import_network(Brevitas(module))
    assert network.widths == (784, 64, 64, 64, 10) and network.pixel_threshold == 128
    assert report["differing_bits"] == report["differing_scores"] == 0
    again = load_qonnx(to_qonnx(module, (1, 28, 28), tmp_path / "tfc.onnx"))
    assert import_network(again)[0] == network


class Ended(nn.Module):
    """A network with a function of its scores at the end."""

    def __init__(self, end: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.chain = random_mlp(6, (16, 8, 4))
        self.end = end

    def forward(self, x: Tensor) -> Any:
        return self.end(self.chain(x))


# Modules and functions behind the scores that keep the order of the classes.
ENDS: dict[str, Callable[[Tensor], Any]] = {
    "Softmax": nn.Softmax(1),
    "LogSoftmax": nn.LogSoftmax(dim=-1),
    "log_softmax": lambda s: functional.log_softmax(s / 8, dim=1),
    "method": lambda s: s.softmax(-1) * 100,
    "log of softmax": lambda s: torch.log(torch.softmax(s / 8, 1)),
    "written out": lambda s: s - s.logsumexp(1, keepdim=True),
    "Sigmoid": lambda s: torch.sigmoid(s / 8),
    "Tanh": lambda s: (s / 8).tanh(),
    "argmax": lambda s: s.argmax(1),
    "argmax kept": lambda s: s.argmax(1, keepdim=True).int(),
    "max": lambda s: torch.max(s, 1),
    "topk": lambda s: functional.softmax(s, 1).topk(2),
    "Sigmoid that saturates": lambda s: torch.sigmoid(s * 100),
    "double": lambda s: s.double().softmax(1),
    "shape": lambda s: nn.Softmax(1)(s[:, :, None, None]).flatten(1).unsqueeze(-1),
    "Identity": nn.Sequential(nn.Identity(), nn.Dropout(), nn.Unflatten(1, (2, 2))),
}


@pytest.mark.one_quick
@pytest.mark.parametrize("how", ENDS)
def test_what_stands_behind_the_scores(how: str) -> None:
    """The scores are those of the module without it, and of a QONNX file of that."""
    network, report = import_network(Brevitas(Ended(ENDS[how])), grey=(-1, 1))
    assert report["differing_bits"] == report["differing_scores"] == 0
    assert report["differing_classes"] == 0
    assert network == import_network(Brevitas(random_mlp(6, (16, 8, 4))), grey=(-1, 1))[0]


@pytest.mark.parametrize("how", ["Softmax", "LogSoftmax"])
def test_an_end_as_in_the_file_of_the_same_module(how: str, tmp_path: Path) -> None:
    end = ENDS[how]
    assert isinstance(end, nn.Module)
    module = nn.Sequential(*random_mlp(6, (16, 8, 4)), end).eval()
    network, _ = import_network(Brevitas(module), grey=(-1, 1))
    file = load_qonnx(to_qonnx(module, (16,), tmp_path / "net.onnx"))
    assert import_network(file, grey=(-1, 1))[0] == network


def test_an_end_that_turns_the_order_is_refused() -> None:
    says = "What the module does behind its scores does not keep the order of the classes."
    refused(Ended(lambda s: -s.softmax(1)), says)
    refused(Ended(lambda s: 1 - s.sigmoid()), says)
    refused(Ended(lambda s: s.softmax(0)), says)
    refused(Ended(lambda s: s.softmax(1).flip(1)), says)
    refused(Ended(lambda s: s.softmax(1) + torch.arange(4)), says)
    refused(Ended(lambda s: s.argmax(0)), says)
    refused(Ended(lambda s: s.softmax(1).round()), says)
    refused(Ended(lambda s: (s, s)), "The module returns a tuple, not its scores alone.")
    refused(Ended(lambda s: {"scores": s.softmax(1)}), "The module returns a dict, not its scores")


@pytest.mark.parametrize("kind", [torch.float64, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("scale", [1.0, 0.1])
def test_modules_of_other_types(kind: torch.dtype, scale: float) -> None:
    """Sums of +-0.1 are those of the type; where it cannot hold them, its rounding decides."""
    module = nn.Sequential(Binary(16, 8, scale), random_norm(8, 4 * scale), Step(),
                           Binary(8, 3, scale)).to(kind).eval()  # fmt: skip
    network, report = import_network(Brevitas(module), bits=(-1, 1))
    assert report["wrong_bits"] == report["wrong_scores"] == report["wrong_classes"] == 0
    assert network.widths == (16, 8, 3)
    if scale == 1 or kind == torch.float64:
        assert report["differing_bits"] == report["differing_scores"] == 0


class Binary(nn.Linear):
    """A layer of weights that are +-scale already."""

    def __init__(self, inputs: int, outputs: int, scale: float) -> None:
        super().__init__(inputs, outputs, bias=False)
        torch.manual_seed(outputs)
        with torch.no_grad():
            self.weight.copy_(torch.randn(outputs, inputs).sign() * scale)


class Step(nn.Module):
    """+-1 of any type."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.where(x >= 0, 1, -1).to(x.dtype)


def test_a_double_module_of_brevitas() -> None:
    module = random_mlp(7, (37, 24, 5)).double()
    network, report = import_network(Brevitas(module), grey=(-1, 1))
    assert report["differing_bits"] == report["differing_scores"] == 0
    assert network.widths == (37, 24, 5)


def test_a_type_that_the_module_cannot_be_run_in_is_named() -> None:
    class Mixed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = Binary(16, 3, 1.0).half()

        def forward(self, x: Tensor) -> Tensor:
            scores: Tensor = self.layer(x.float())
            return scores

    refused(Mixed(), "The module cannot be run on 16 inputs an image in float16 (call .float() on "
            "it): ")  # fmt: skip


def test_a_norm_without_statistics_is_refused() -> None:
    module = random_mlp(0, (16, 8, 3))
    module[3] = nn.BatchNorm1d(8, track_running_stats=False)
    refused(module, "The module's 3 (BatchNorm1d) keeps no running statistics, so each answer "
            "depends on the other images: train it with them.")  # fmt: skip


def test_a_module_in_training_mode_is_put_into_eval_mode() -> None:
    module = random_mlp(4, (16, 8, 3))
    expected, _ = import_network(Brevitas(module), grey=(-1, 1))
    module.insert(5, nn.Dropout(0.9))
    assert import_network(Brevitas(module.train()), grey=(-1, 1))[0] == expected


MAKER = """
from package.foreign import random_mlp

def make():
    return random_mlp(9, (16, 8, 3)).train()

def wrong():
    return 7
"""


def test_a_module_from_a_file_with_its_state(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "net.py").write_text(MAKER)
    trained = random_mlp(4, (16, 8, 3))
    torch.save(trained.state_dict(), tmp_path / "net.pt")
    out = tmp_path / "net.npz"
    source = f"{tmp_path / 'net.py'}:make"
    assert main([source, "--state", str(tmp_path / "net.pt"), "--out", str(out),
                 "--grey", "-1", "1"]) == 0  # fmt: skip
    assert "differing bits 0 of 1600" in capsys.readouterr().out
    expected, _ = import_network(Brevitas(trained), "net", grey=(-1, 1))
    assert IntegerNetwork.load(out) == expected


def refused(module: nn.Module, says: str, **options: Any) -> None:
    with pytest.raises(UserError) as error:
        import_network(Brevitas(module), **(options or {"grey": (-1, 1)}))
    assert says in str(error.value) and "\n" not in str(error.value)


class Skip(nn.Module):
    """Adds the inputs of its layer to what comes out."""

    def __init__(self) -> None:
        super().__init__()
        self.inside = random_mlp(1, (16, 16, 16))
        self.end = QuantLinear(16, 3, bias=False, weight_quant=SignedBinaryWeightPerTensorConst)
        self.sign = sign()

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.end(self.sign(self.inside(x) + 9 * x))
        return scores


class Twice(nn.Module):
    """Uses one layer twice."""

    def __init__(self) -> None:
        super().__init__()
        self.inside = random_mlp(1, (16, 16))

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.inside(self.inside(x))
        return scores


def test_what_is_no_chain_is_refused() -> None:
    refused(Skip(), "answers otherwise than its source")
    refused(Twice(), "The layer inside.2 is used 2 times")
    # The function of the mean of a layer is none of one product.
    module = random_mlp(0, (16, 8, 3))
    module[3] = nn.LayerNorm(8)
    refused(module.eval(), "")


def test_what_a_core_cannot_compute_is_refused() -> None:
    refused(nn.Sequential(nn.Conv1d(1, 2, 3)), "The layer 0 (Conv1d) cannot be mapped")
    refused(nn.Sequential(nn.ReLU()), "no linear layer")
    refused(nn.Sequential(nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, 3)),
            "The layer 0 (Linear) is no layer of binary or ternary weights: neuron 0",
            bits=(-1, 1))  # fmt: skip
    module = random_mlp(0, (16, 8, 3))
    module[4] = nn.ReLU()
    refused(module, "activation is of one bit")
    refused(random_mlp(0, (16, 8, 3)), "never switches", grey=(0.1, 0.9))
    refused(random_mlp(0, (16, 8, 3), quantised_inputs=False), "are not quantised")
    refused(nn.Sequential(*random_mlp(0, (16, 8, 3)), random_norm(3, 3)).eval(), "scales its")
    module = random_mlp(0, (16, 8, 3))
    module.append(nn.ReLU())
    refused(module, "does not only scale the products")
    module = random_mlp(0, (16, 8, 3), bias=True)
    module[2] = QuantLinear(16, 8, bias=True, weight_quant=SignedBinaryWeightPerTensorConst,
                            bias_quant=Int8Bias)  # fmt: skip
    refused(module, "bias is quantised")
    mismatched = nn.Sequential(*random_mlp(0, (16, 8, 3)))
    mismatched[5] = nn.Linear(9, 3)
    refused(mismatched, "The module cannot be run on 16 inputs an image")


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("running_mean", float("nan"), "3.running_mean holds values that are not finite"),
        ("weight", float("inf"), "3.weight holds values that are not finite"),
        ("running_var", -1.0, "3.running_var holds variances that are negative"),
    ],
)
def test_a_broken_batch_normalisation_is_refused(name: str, value: float, says: str) -> None:
    module = random_mlp(0, (16, 8, 3))
    with torch.no_grad():
        getattr(module[3], name)[2] = value
    refused(module, says)


def test_files_that_make_no_module(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    net, out = tmp_path / "net.py", tmp_path / "out.npz"
    net.write_text(MAKER)
    (tmp_path / "ends.py").write_text("import sys\nsys.exit(1)\n")
    (tmp_path / "text.pt").write_text("no pickle")
    torch.save(random_mlp(0, (16, 9, 3)).state_dict(), tmp_path / "other.pt")
    torch.save(torch.zeros(3), tmp_path / "tensor.pt")
    for source, state, says in (
        (f"{net}:wrong", None, "makes a int, not a module"),
        (f"{net}:missing", None, "makes no module: KeyError"),
        (f"{tmp_path / 'ends.py'}:make", None, "makes no module: SystemExit: 1"),
        (str(net), None, "alone makes no module"),
        (f"{tmp_path / 'none.py'}:make", None, "There is no file"),
        (f"{net}:make", "text.pt", "is no file of torch.save"),
        (f"{net}:make", "none.pt", "There is no file"),
        (f"{net}:make", "tensor.pt", "holds a Tensor, not a state_dict"),
        (f"{net}:make", "other.pt", "does not fit the module: size mismatch"),
        (str(tmp_path / "other.pt"), None, "alone makes no module"),
    ):
        arguments = [source, "--out", str(out)]
        if state is not None:
            arguments += ["--state", str(tmp_path / state)]
        assert run_main(partial(main, arguments)) == 2
        error = capsys.readouterr().err
        assert says in error and error.count("\n") == 1 and not out.exists()


def test_what_a_module_prints_is_no_output(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "loud.py").write_text(f"print('a word')\n{MAKER}")
    load_module(tmp_path / "loud.py", "make")
    assert capsys.readouterr() == ("", "a word\n")


def test_images_of_the_wrong_size() -> None:
    refused(random_mlp(0, (16, 8, 3)), "The images have 5x5 pixels, but the network takes 4x4.",
            grey=(-1, 1), images=np.zeros((2, 5, 5), np.uint8))  # fmt: skip
