# SPDX-License-Identifier: Apache-2.0
"""The recipes that training knows: each is its numbers, its network, optimiser, rate and loss.

| recipe | network | loss | optimiser | rate |
|---|---|---|---|---|
| best | binary, alpha, batch normalisation | cross-entropy, teacher | Adam | cosine |
| original | binary, shift-based normalisation | squared hinge | shift-based AdaMax | right shifts |
| float | float weights, ReLU | as best | as best | as best |
| ttq | ternary, free scales | as best | as best | as best |

`best` also distorts the images, averages the latent weights and re-estimates batch normalisation
before each evaluation; `float` does the same, so that the difference of the two is what binary
weights and activations cost.  All see the same +-1 inputs of the same split of the training set.
`best` and `original` also train networks of another `form.Form`, and networks cut out of a larger
one (`prune`); everything else stays as it is.

`ttq` is the trained ternary quantisation of Zhu et al. (2017) by neuron: its positive and its
negative weights have a learned scale each.  The core has one for both, as `--weights ternary`
trains it; this recipe is there to tell what that costs.

`original` is the training that the report behind this project describes, which says: 1,024 neurons
in each hidden layer, shift-based AdaMax and batch normalisation, batches of 200, one right shift of
the learning rate every 50 epochs, otherwise the architecture of the Theano experiments of
Courbariaux et al. (2016).  What it leaves open is taken from that paper (see `shift` for where the
two differ): squared hinge loss on targets of +-1, learning rate 2^-10, latent weights that start
uniform in +-1 with steps scaled by their Glorot coefficient, 500 epochs (the paper's number where
it has this batch and this decay), no dropout (the paper's Torch experiment on MNIST has none), no
distortion, the epoch best on the validation split.  Neurons are binarised deterministically.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..data import dataset
from ..errors import UserError
from ..registers import PIXEL_THRESHOLD
from .augment import Distortion
from .convolution import ConvolutionalNetwork, check_form, thermometer
from .form import FORMS, Form
from .layers import BinaryLinear
from .network import DEFAULT_WIDTHS, BinaryNetwork, to_inputs
from .options import check, option
from .plain import PlainNetwork
from .plan import Plan, even_levels
from .shift import ALPHA, ShiftAdaMax, glorot_coefficient, shifted_rate
from .trained import from_compact, to_compact


@dataclass(frozen=True)
class Recipe:
    """Everything that decides the result of a training run; as it stands, the recipe `best`.

    A field made by `option` is an option of `xnor-fcc train`. Raises `UserError` in one sentence
    where a value is out of its range, or the parts do not go together.
    """

    # The network has an integer form, so its files are written beside the report.
    exports: ClassVar[bool] = True
    # Evaluate a running average of the weights, with its own batch normalisation statistics.
    averages: ClassVar[bool] = True
    # The learning rate follows a half cosine.
    half_cosine: ClassVar[bool] = True

    dataset: str = "mnist"
    widths: tuple[int, ...] = DEFAULT_WIDTHS
    pixel_threshold: int = option(
        PIXEL_THRESHOLD, "pixel threshold, 1 to 255", flag="--threshold", low=1, high=255
    )
    order: int = option(
        1, "bits of an activation and of an input", choices=FORMS["order"], needs="exports"
    )
    weights: str = option("binary", "kind of weight", choices=FORMS["weights"], needs="exports")
    first_layer: str = option(
        "binary",
        "shifts: power-of-two weights on the grey pixels",
        choices=FORMS["first_layer"],
        needs="exports",
    )
    seed: int = option(1, "decides the split and everything random")
    data_seed: int | None = option(
        None, "decides split, teacher and distortions; without it --seed does"
    )
    distinct: int = option(
        0,
        "with --data-seed: epochs after which the same distorted images come again, 0: never",
        low=0,
    )
    validation: int = 5000  # images cut from the training set
    batch: int = option(
        200, "images per step", low=2, reason=", because batch normalisation needs a spread"
    )
    epochs: int = option(
        200, "epochs of the network; that of best still grows slowly better after 100", low=1
    )
    # 8 epochs at 5e-3, 2e-3, 1e-3: validation loss 0.057, 0.062, 0.074 (98.40, 98.42, 97.84 %).
    lr: float = option(5e-3, "highest learning rate of the network")
    warmup_epochs: int = 1
    horizon: int = option(
        0,
        "epochs after which the learning rate would be 0, for a run that ends sooner; 0: as many "
        "as it has",
        low=0,
        needs="half_cosine",
    )
    cooldown: int = option(
        0,
        "last epochs, over which the learning rate falls to 0 from where it is",
        low=0,
        needs="half_cosine",
    )
    teacher_epochs: int = option(
        12, "epochs of the float teacher; 0 trains on the labels alone", low=0
    )
    teacher_lr: float = 2e-3
    distillation: float = option(
        0.7, "share of the teacher's soft answers in the loss, 0 to 1", low=0, high=1
    )
    # At 0.9 and temperature 4 the same 8 epochs gave 98.04 %, against 98.42 %.
    temperature: float = option(2.0, "softening of both sides' answers")
    average: float = option(
        0.998,
        "decay per step of the running average of the latent weights; 0 evaluates the weights as "
        "they are",
        low=0,
        high=1,
        below=True,
        needs="averages",
    )
    norm_images: int = 10_000  # distorted images from which batch normalisation is re-estimated
    distortion: Distortion = field(default_factory=Distortion)
    pruned_from: str = ""  # name and hash of the trained file that the network is cut out of
    pruned_sha256: str = ""
    settling: float = option(
        0.25,
        "last share of the epochs, 0 to 1, over which the distortion shrinks to half",
        low=0,
        high=1,
    )
    settled: float = 0.5  # what it shrinks to

    def __post_init__(self) -> None:
        check(self)
        _ = self.form  # raises UserError where its parts do not go together
        if self.horizon and self.horizon < self.epochs:
            raise UserError("--horizon must be 0, or at least the number of --epochs.")
        if self.cooldown > self.epochs:
            raise UserError("--cooldown must be at most the number of --epochs.")
        if self.first_layer == "shifts" and len(self.widths) < 3:
            raise UserError("--first-layer shifts needs a hidden layer.")

    @property
    def form(self) -> Form:
        """Which kind of network it is."""
        return Form("batch", self.order, self.weights, self.first_layer)

    @property
    def stream(self) -> int:
        """The seed of split, teacher and distorted images."""
        return self.seed if self.data_seed is None else self.data_seed

    def distortion_at(self, epoch: int) -> Distortion:
        """How far images are distorted in an epoch of the binary network, counted from 0."""
        start = self.epochs * (1 - self.settling)
        done = max(0.0, (epoch + 1 - start) / (self.epochs - start)) if self.settling else 0.0
        # Rounded, so that runs of other lengths can share the images.
        return self.distortion.scaled(round(1 - done * (1 - self.settled), 9))

    def steps(self, images: int) -> int:
        """Batches per epoch; the incomplete last one is left out."""
        return images // self.batch

    def inputs(self, grey: Tensor) -> Tensor:
        """Grey images (N, side, side), 0..255, as the network's inputs float32 (N, pixels)."""
        return to_inputs(grey, self.pixel_threshold, self.form)

    def teaching(self, side: int) -> dict[str, int]:
        """What the teacher is made of, given the side of an image."""
        return {"side": side, "classes": self.widths[-1]}

    @property
    def files(self) -> str:
        """What the names of the network files begin with."""
        return self.dataset

    def model(self) -> BinaryNetwork | PlainNetwork:
        """The network as training starts with it, from torch's own random numbers."""
        return BinaryNetwork(self.widths, self.pixel_threshold, self.form)

    def optimizer(self, model: nn.Module) -> torch.optim.Optimizer:
        """The optimiser of all of the model's parameters."""
        return torch.optim.Adam(model.parameters(), lr=self.lr, fused=True)

    def rate(self, step: int, steps: int) -> float:
        """The learning rate in a step counted from 0, with `steps` to the epoch."""
        horizon = self.horizon or self.epochs
        rate = self.lr * cosine(step, steps * horizon, steps * self.warmup_epochs)
        left = self.epochs - step / steps
        return rate * min(1.0, left / self.cooldown) if self.cooldown else rate

    def hard_loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        """The loss that the labels (N,) alone give the logits (N, classes)."""
        return functional.cross_entropy(logits, labels)

    def kept(self, model: Any) -> dict[str, Tensor]:
        """What is remembered of the model when it is the best so far."""
        return {name: torch.from_numpy(array) for name, array in to_compact(model).items()}

    def restored(self, kept: Mapping[str, Tensor]) -> BinaryNetwork | PlainNetwork:
        """The model in eval mode from what `kept` gave."""
        model = self.model()
        assert isinstance(model, BinaryNetwork)
        arrays = {name: tensor.numpy() for name, tensor in kept.items()}
        return from_compact(arrays, model, model.eps())


@dataclass(frozen=True)
class OriginalRecipe(Recipe):
    """The recipe `original`, see the module's description."""

    averages: ClassVar[bool] = False
    half_cosine: ClassVar[bool] = False

    name: str = "original"
    epochs: int = 500
    lr: float = ALPHA
    warmup_epochs: int = 0
    teacher_epochs: int = 0
    distillation: float = 0.0
    average: float = 0.0
    distortion: Distortion = field(default_factory=lambda: Distortion().scaled(0))
    halving: int = option(
        50, "epochs from one right shift of the learning rate to the next", low=1
    )

    @property
    def form(self) -> Form:
        return replace(super().form, norm="shift")

    def model(self) -> BinaryNetwork:
        network = super().model()
        assert isinstance(network, BinaryNetwork)
        for layer in network.latent_layers():
            nn.init.uniform_(layer.weight, -1, 1)
        return network

    def optimizer(self, model: nn.Module) -> torch.optim.Optimizer:
        assert isinstance(model, BinaryNetwork)
        binary: list[dict[str, Any]] = [
            {"params": [layer.weight], "scale": glorot_coefficient(n, m)}
            for layer in model.latent_layers()
            for m, n in [layer.weight.shape]
        ]
        own = {id(group["params"][0]) for group in binary}
        others = [parameter for parameter in model.parameters() if id(parameter) not in own]
        return ShiftAdaMax([*binary, {"params": others}], lr=self.lr)

    def rate(self, step: int, steps: int) -> float:
        return shifted_rate(self.lr, step // steps, self.halving)

    def hard_loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        return squared_hinge(logits, labels)


@dataclass(frozen=True)
class _UnexportedRecipe(Recipe):
    """A recipe whose network has no compact file: what is kept of it is torch's own state."""

    exports: ClassVar[bool] = False

    def kept(self, model: Any) -> dict[str, Tensor]:
        return {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}

    def restored(self, kept: Mapping[str, Tensor]) -> BinaryNetwork | PlainNetwork:
        model = self.model()
        model.load_state_dict(dict(kept))
        return model.eval()


@dataclass(frozen=True)
class FloatRecipe(_UnexportedRecipe):
    """The recipe `float`: the same layers without binary weights and activations."""

    name: str = "float"
    lr: float = 2e-3

    def model(self) -> PlainNetwork:
        return PlainNetwork(self.widths)


@dataclass(frozen=True)
class TtqRecipe(_UnexportedRecipe):
    """The recipe `ttq`: ternary weights with free scales, which no core computes."""

    name: str = "ttq"
    weights: str = "ternary"

    def model(self) -> BinaryNetwork:
        network = super().model()
        assert isinstance(network, BinaryNetwork)
        for layer in network.latent_layers():
            assert isinstance(layer, BinaryLinear)
            layer.free_scales()
        return network


@dataclass(frozen=True)
class ConvolutionalRecipe(Recipe):
    """The recipe `conv`: convolutions on thermometer bits, dense layers behind; else as `best`."""

    name: str = "conv"
    maps: str = option(
        "64p,128p,256p",
        "channels of each convolution; x1: of 1x1 windows, p: a 2x2 max-pool follows",
    )
    border: int = option(1, "zero pixels put around an image", low=0)
    levels: int = option(7, "thermometer thresholds of a colour", low=1, high=255)
    norm_images: int = 5000

    def __post_init__(self) -> None:
        super().__post_init__()
        check_form(self.form)
        if self.data_seed is not None:
            raise UserError("The recipe conv keeps no examples for other runs: no --data-seed.")
        _ = self.plan  # raises UserError

    @property
    def plan(self) -> Plan:
        """The network's shape."""
        known = dataset(self.dataset)
        levels = (even_levels(self.levels),) * known.colours
        return Plan(
            known.side,
            known.colours,
            self.border,
            levels,
            self.maps,
            self.widths[1:-1],
            self.widths[-1],
        )

    def inputs(self, grey: Tensor) -> Tensor:
        return thermometer(grey, self.plan)

    def teaching(self, side: int) -> dict[str, int]:
        return {
            "side": side + 2 * self.border,
            "classes": self.widths[-1],
            "channels": self.plan.channels[0],
        }

    @property
    def files(self) -> str:
        return f"{self.dataset}_conv" if self.dataset in _SUITED else self.dataset

    def model(self) -> ConvolutionalNetwork:
        return ConvolutionalNetwork(self.plan, self.form)


RECIPES: dict[str, type[Recipe]] = {
    "best": Recipe,
    "conv": ConvolutionalRecipe,
    "original": OriginalRecipe,
    "float": FloatRecipe,
    "ttq": TtqRecipe,
}


# What suits other data sets than the one that the numbers above were found for.
_SUITED: dict[str, dict[str, Any]] = {
    "mnist": {},
    "fashion": {"pixel_threshold": 32, "epochs": 40, "teacher_epochs": 6},
    "digits": {
        "widths": (64, 128, 96, 10),
        "validation": 215,
        "batch": 50,
        "epochs": 300,
        "teacher_epochs": 60,
        "norm_images": 1000,
    },
}
# And the recipe conv, beyond that; it alone takes colours. Without a teacher where one that knew
# more than the network would have to be larger than it.
_SUITED_TO_MAPS: dict[str, dict[str, Any]] = {
    "mnist": {"widths": (784, 512, 10), "epochs": 25, "teacher_epochs": 6},
    "fashion": {"widths": (784, 512, 10), "epochs": 30, "teacher_epochs": 0},
    "digits": {
        **_SUITED["digits"],
        **{"widths": (64, 32, 10), "maps": "16p,32", "border": 2, "levels": 4},
    },
    "cifar10": {
        **{"widths": (3072, 512, 512, 10), "maps": "64,64p,128,128p,256,256", "border": 0},
        **{"epochs": 150, "teacher_epochs": 0, "batch": 100},
    },
}
# Images are distorted as the things they show may look.
DISTORTIONS: dict[str, Distortion] = {
    "mnist": Distortion(),
    "fashion": Distortion(degrees=3.0, scale=0.05, shear=0.05, shift=1.0, elastic=0.3),
    "digits": Distortion(degrees=6.0, scale=0.08, shear=0.08, shift=0.4, elastic=0.0),
    "cifar10": Distortion(0.0, 0.0, 0.0, 4.0, 0.0, mirrored=True),
}


def datasets_for(name: str) -> list[str]:
    """The data sets that the recipe of that name trains on."""
    return list(_SUITED_TO_MAPS if RECIPES[name] is ConvolutionalRecipe else _SUITED)


def recipe_for(name: str, dataset: str) -> Recipe:
    """The recipe of that name with the defaults that suit the data set.

    One without a teacher, or without distortion, stays without. Raises UserError if the recipe is
    not for such images.
    """
    if dataset not in datasets_for(name):
        raise UserError(
            f"The recipe {name} does not train on {dataset}, only on "
            f"{', '.join(datasets_for(name))}."
        )
    recipe = RECIPES[name]()
    suited = _SUITED.get(dataset, {})
    if isinstance(recipe, ConvolutionalRecipe):
        suited = {**suited, **_SUITED_TO_MAPS[dataset]}
    if not recipe.teacher_epochs:
        suited = {**suited, "teacher_epochs": 0}
    distortion = DISTORTIONS[dataset].scaled(float(recipe.distortion.moves))
    return replace(recipe, dataset=dataset, distortion=distortion, **suited)


def cosine(step: int, total: int, warmup: int) -> float:
    """Learning rate factor: linear over `warmup` steps, then a half cosine down to 0."""
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, total - warmup)))


def squared_hinge(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean over images and classes of max(0, 1 - t y)^2, t = +1 for the label's class, else -1."""
    targets = functional.one_hot(labels, logits.shape[1]).to(logits.dtype).mul_(2).sub_(1)
    return (1 - targets * logits).clamp_min(0).square().mean()
