# SPDX-License-Identifier: Apache-2.0
"""A Brevitas module as a chain of layers: `nn.Sequential`, or any module whose forward is a chain.

Nothing is read off the module but its weights.  What it does between two linear layers is found by
running it: a hook hands the module a table of products in place of one layer's output, and what
arrives at the next linear layer (or comes out at the end) is the answer.  So batch normalisation,
quantisers, scales and whatever else forward does with single values are the module's own code, in
its own precision, and need no list of known modules.  What is no chain - skip connections,
normalisation over a layer - shows in the comparison.  Convolutions are layers as linear ones are;
what images the module takes is tried.

Scores are what comes out at the end, or goes into the first function behind the last layer that
keeps the order of the classes, such as a softmax (`_Ends`); whether all that follows keeps it shows
in the comparison too.
"""

from __future__ import annotations

import logging
import math
import runpy
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import UserError, first_line
from .ends import keeps_order, trials
from .stage import FLOAT32, Stage
from .windows import Convolution, in_order

try:
    import torch
    from torch import Tensor, nn
    from torch.utils._python_dispatch import TorchDispatchMode
except ModuleNotFoundError as missing:
    raise UserError(
        f"Brevitas modules need the Python package {missing.name}: pip install 'xnor-fcc[train]'."
    ) from missing
from .modules import Layer, called, convolution, images_for, layers_of, padded, settle
from .state import load_state

_ATEN = torch.ops.aten
# Behind the scores they keep the order of the classes.
_ENDS = {
    *(_ATEN._softmax.default, _ATEN._log_softmax.default, _ATEN.sigmoid.default),
    *(_ATEN.log_sigmoid_forward.default, _ATEN.tanh.default, _ATEN.exp.default),
    *(_ATEN.softplus.default, _ATEN.elu.default, _ATEN.leaky_relu.default),
    *(_ATEN.logsumexp.default, _ATEN.amax.default),
    *(_ATEN.argmax.default, _ATEN.max.dim, _ATEN.topk.default, _ATEN.sort.default),
}


class _Arrived(Exception):
    """Thrown by a hook: the values that a linear layer is given."""

    def __init__(self, values: Tensor) -> None:
        self.values = values


class _Ends(TorchDispatchMode):  # type: ignore[misc]
    """Keeps what the first of `_ENDS` is given once `open` is true."""

    def __init__(self) -> None:
        super().__init__()
        self.open = False
        self.scores: Tensor | None = None

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        """Called for every function of torch."""
        if self.open and self.scores is None and func in _ENDS:
            self.scores = args[0].detach().clone()
        return func(*args, **(kwargs or {}))


class Brevitas:
    """The `Source` in a module, which is put into eval mode; UserError says what is no chain."""

    kind = "Brevitas module"
    grey = (0.0, 1.0)

    def __init__(self, module: nn.Module) -> None:
        self._module = module.eval()
        for name, part in module.named_modules():
            if isinstance(part, nn.modules.batchnorm._BatchNorm) and part.running_mean is None:
                raise UserError(
                    f"The module's {name} ({type(part).__name__}) keeps no running statistics, so "
                    "each answer depends on the other images: train it with them."
                )
        for name, tensor in module.state_dict().items():
            if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
                raise UserError(f"The module's {name} holds values that are not finite.")
        for name, part in module.named_modules():
            variance, eps = getattr(part, "running_var", None), getattr(part, "eps", 0.0)
            if isinstance(variance, Tensor) and bool((variance + eps <= 0).any()):
                raise UserError(
                    f"The module's {name}.running_var holds variances that are negative."
                )
        layers = layers_of(module)
        for layer in layers.values():
            settle(layer)
        self._dtype = next(iter(layers.values())).weight.dtype
        # numpy has no bfloat16; float32 holds all of its values.
        bfloat16 = self._dtype == torch.bfloat16
        self.dtype = FLOAT32 if bfloat16 else torch.empty(0, dtype=self._dtype).numpy().dtype
        self._coarser = 2.0**-8 if bfloat16 else 0.0
        self._sizes: dict[nn.Module, Convolution] = {}
        self.shape: tuple[int, ...] = ()
        self._layers = self._in_order(layers)
        self._first = next(iter(self._layers.values()))
        if isinstance(self._first, nn.Linear) and not self._sizes:
            self.shape = (self._first.in_features,)
        self.inputs = math.prod(self.shape)
        self.stages: list[Stage] = []
        for name, layer in self._layers.items():
            self.stages.append(self._stage(name, layer))
        self._check_ends()

    def enter(self, x: np.ndarray) -> np.ndarray:
        """What the first layer multiplies."""
        return self._arriving(self._first, x)

    def run(self, x: np.ndarray) -> list[np.ndarray]:
        """One forward pass of the module."""
        seen: list[np.ndarray] = []
        hooks: dict[nn.Module, Callable[..., Any]] = {
            layer: partial(self._note, seen) for layer in list(self._layers.values())[1:]
        }
        with _hooked(before=hooks):
            scores, _ = self._scores(x)
        return [*(values.reshape(len(x), -1) for values in seen), scores]

    def _in_order(self, layers: Mapping[str, Layer]) -> dict[str, Layer]:
        """The layers by name in the order in which forward calls them; fills `shape`, `_sizes`."""
        names = {layer: name for name, layer in layers.items()}
        calls: list[Layer] = []

        def note(layer: Layer, _: Any) -> None:
            calls.append(layer)

        def size(layer: nn.Conv2d, given: tuple[Any, ...], made: Any) -> None:
            self._sizes[layer] = convolution(layer, _plain(given[0]).shape, _plain(made).shape)

        # Which of them comes first is not known yet, and with it how large images are.
        reached, failure = -1, UserError("")
        sized = [layer for layer in layers.values() if isinstance(layer, nn.Conv2d)]
        with _hooked(dict.fromkeys(layers.values(), note), dict.fromkeys(sized, size)):
            for self.shape in images_for(layers.values()):
                calls.clear()
                try:
                    self._forward(np.zeros((2, math.prod(self.shape)), np.float32))
                    break
                except UserError as cause:
                    if len(calls) > reached:
                        reached, failure = len(calls), cause
            else:
                raise failure
        for layer in calls:
            if calls.count(layer) > 1:
                raise UserError(
                    f"The layer {names[layer]} is used {calls.count(layer)} times: no chain."
                )
        for layer in calls:
            reason = layer in self._sizes and self._sizes[layer].refusal(layer is calls[0])
            if reason:
                raise UserError(f"{called(names[layer], layer)} cannot be mapped: {reason}.")
        return {names[layer]: layer for layer in calls}

    def _stage(self, name: str, layer: Layer) -> Stage:
        with torch.no_grad():
            quantised = getattr(layer, "quant_weight", lambda: layer.weight)
            weights = _array(quantised()).copy()
        window = None
        if layer in self._sizes:
            of, before = self._sizes[layer], self.stages[-1:]
            dense = of.dense(
                first=not before,
                last=layer is list(self._layers.values())[-1],
                after_dense=bool(before) and before[0].window is None,
            )
            weights, window = in_order(weights, dense), None if dense else of.window
        respond = partial(self._respond, name)
        return Stage(called(name, layer), weights, respond, self.dtype, self._coarser, window)

    def _respond(self, name: str, products: np.ndarray) -> np.ndarray:
        layers = list(self._layers)
        dummy = np.zeros((len(products), self.inputs), self.dtype)
        with self._replaced(name, products):
            if name == layers[-1]:
                return self._scores(dummy)[0]
            return self._arriving(self._layers[layers[layers.index(name) + 1]], dummy)

    @contextmanager
    def _replaced(self, name: str, products: np.ndarray) -> Iterator[None]:
        """With these products in place of what a layer multiplies."""
        layer = self._layers[name]

        def replace(_: Any, given: tuple[Any, ...], made: Any) -> Tensor:
            table = torch.from_numpy(products).to(self._dtype).reshape(_plain(made).shape)
            if layer.bias is not None:
                table = table + layer.bias.reshape(-1, *[1] * (table.ndim - 2))
            quantiser = getattr(layer, "output_quant", None)
            return table if quantiser is None else quantiser(table)

        with _hooked(after={layer: replace}):
            yield

    def _check_ends(self) -> None:
        """Whether what follows the scores tells the class of the greatest one."""
        name = list(self._layers)[-1]
        products = trials(len(self.stages[-1].weights))
        # Once more with scores of about 1, for functions that saturate.
        for _ in range(2):
            with self._replaced(name, products):
                scores, answers = self._scores(np.zeros((len(products), self.inputs), self.dtype))
            products = products / max(1.0, float(np.abs(scores).max()))
        if not all(keeps_order(scores, each) for each in answers):
            raise UserError(
                "What the module does behind its scores does not keep the order of the classes."
            )

    def _arriving(self, layer: nn.Module, x: np.ndarray) -> np.ndarray:
        """What arrives at a linear layer when the module is given x (N, inputs)."""

        def stop(_: Any, given: tuple[Any, ...]) -> None:
            raise _Arrived(self._taken(layer, given))

        with _hooked(before={layer: stop}):
            try:
                self._forward(x)
            except _Arrived as arrived:
                return _array(arrived.values).reshape(len(x), -1)
        raise UserError("The module does not call the same layers for every input: no chain.")

    def _taken(self, layer: nn.Module, given: tuple[Any, ...]) -> Tensor:
        """What a layer multiplies: what it is given, through its own input quantiser, and, at a
        first convolution, with what that puts around it."""
        quantiser = getattr(layer, "input_quant", None)
        tensor: Tensor = _plain(given[0] if quantiser is None else quantiser(given[0]))
        if layer is self._first and isinstance(layer, nn.Conv2d):
            return padded(layer, tensor, self._sizes[layer])
        return tensor

    def _note(self, seen: list[np.ndarray], layer: nn.Module, given: tuple[Any, ...]) -> None:
        seen.append(_array(self._taken(layer, given)))

    def _scores(self, x: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
        """The scores (N, classes) of x, and what the module answers where that is not they."""
        last = list(self._layers.values())[-1]
        ends = _Ends()

        def opened(*_: Any) -> None:
            ends.open = True

        with ends, _hooked(after={last: opened}):
            answers = self._forward(x)
        several = isinstance(answers, Sequence) and not isinstance(answers, Tensor)
        if not isinstance(answers, Tensor) and not (several and ends.scores is not None):
            raise UserError(
                f"The module returns a {type(answers).__name__}, not its scores alone."
            )
        if ends.scores is None:
            return _array(answers).reshape(len(x), -1), []
        # Of a pair of values and places, as of max and topk, the places.
        told = [each for each in answers if not each.is_floating_point()] if several else [answers]
        return _array(ends.scores).reshape(len(x), -1), [_array(each) for each in told]

    def _forward(self, x: np.ndarray) -> Any:
        """What the module returns; of a Brevitas QuantTensor its tensor."""
        try:
            with torch.no_grad():
                given = torch.from_numpy(x).to(self._dtype).reshape(len(x), *self.shape)
                return _plain(self._module(given))
        except _Arrived:
            raise
        except Exception as cause:  # whatever forward raises
            kind = str(self._dtype).removeprefix("torch.")
            usual = self._dtype == torch.float32
            size = "x".join(map(str, self.shape))
            raise UserError(
                f"The module cannot be run on {size} inputs an image"
                f"{'' if usual else f' in {kind} (call .float() on it)'}: "
                f"{first_line(cause)}."
            ) from cause


def load_module(path: Path, make: str, state: Path | None = None) -> Brevitas:
    """The source in the module that the function or class `make` of a Python file returns.

    The file's own code is run, with the files beside it importable.  `state`: a file of
    `torch.save(module.state_dict(), ...)`.
    """
    # It tells of a missing CUDA, which nothing here needs.
    logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)
    sys.path.insert(0, str(path.resolve().parent))
    try:
        with redirect_stdout(sys.stderr):  # what it prints is no part of our output
            module = runpy.run_path(str(path), run_name=path.stem)[make]()
    except (Exception, SystemExit) as cause:  # whatever the user's code raises
        raise UserError(
            f"{path}:{make} makes no module: {type(cause).__name__}: {first_line(cause)}."
        ) from cause
    finally:
        sys.path.pop(0)
    if not isinstance(module, nn.Module):
        raise UserError(f"{path}:{make} makes a {type(module).__name__}, not a module of torch.")
    if state is not None:
        load_state(module, state)
    return Brevitas(module)


def _plain(values: Any) -> Any:
    """The tensor of a Brevitas QuantTensor, or what is none."""
    return getattr(values, "value", values)


def _array(values: Any) -> np.ndarray:
    """A tensor as an array; what numpy has no type for as float32."""
    tensor: Tensor = _plain(values).detach()
    array: np.ndarray = (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy()
    return array


@contextmanager
def _hooked(
    before: Mapping[nn.Module, Callable[..., Any]] | None = None,
    after: Mapping[nn.Module, Callable[..., Any]] | None = None,
) -> Iterator[None]:
    """Hooks on modules, called before or after their forward, for as long as the block runs."""
    handles = [
        *(module.register_forward_pre_hook(hook) for module, hook in (before or {}).items()),
        *(module.register_forward_hook(hook) for module, hook in (after or {}).items()),
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
