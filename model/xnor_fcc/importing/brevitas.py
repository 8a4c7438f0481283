# SPDX-License-Identifier: Apache-2.0
"""A Brevitas module as a chain of layers: `nn.Sequential`, or any module whose forward is a chain.

Nothing is read off the module but its weights.  What it does between two linear layers is found by
running it: a hook hands the module a table of products in place of one layer's output, and what
arrives at the next linear layer (or comes out at the end) is the answer.  So batch normalisation,
quantisers, scales and whatever else forward does with single values are the module's own code, in
its own precision, and need no list of known modules.  What is no chain - skip connections,
normalisation over a layer - shows in the comparison.
"""

from __future__ import annotations

import runpy
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import UserError, first_line
from .chain import Stage

try:
    import torch
    from torch import Tensor, nn
except ModuleNotFoundError as missing:
    raise UserError(
        f"Brevitas modules need the Python package {missing.name}: pip install 'xnor-fcc[train]'."
    ) from missing


class _Arrived(Exception):
    """Thrown by a hook: the values that a linear layer is given."""

    def __init__(self, values: Tensor) -> None:
        self.values = values


class Brevitas:
    """The `Source` in a module, which is put into eval mode; UserError says what is no chain."""

    kind = "Brevitas module"
    grey = (0.0, 1.0)

    def __init__(self, module: nn.Module) -> None:
        self._module = module.eval()
        for name, part in module.named_modules():
            weight = getattr(part, "weight", None)
            if isinstance(weight, Tensor) and weight.ndim > 2:
                raise UserError(
                    f"The layer {name} ({type(part).__name__}) cannot be mapped: a core computes "
                    "fully connected layers only."
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
        linears = {n: part for n, part in module.named_modules() if isinstance(part, nn.Linear)}
        if not linears:
            raise UserError("The module has no linear layer.")
        for name, layer in linears.items():
            quantiser = getattr(layer, "bias_quant", None)
            if layer.bias is not None and quantiser is not None and quantiser.is_quant_enabled:
                raise UserError(
                    f"The layer {name} ({type(layer).__name__}) cannot be mapped: its bias is "
                    "quantised."
                )
        self._layers = self._in_order(linears)
        self.inputs = next(iter(self._layers.values())).in_features
        self.stages = [self._stage(name, layer) for name, layer in self._layers.items()]

    def enter(self, x: np.ndarray) -> np.ndarray:
        """What the first linear layer multiplies."""
        return self._arriving(next(iter(self._layers.values())), x)

    def run(self, x: np.ndarray) -> list[np.ndarray]:
        """One forward pass of the module."""
        seen: list[np.ndarray] = []
        hooks: dict[nn.Module, Callable[..., Any]] = {
            layer: partial(_note, seen) for layer in list(self._layers.values())[1:]
        }
        with _hooked(before=hooks):
            scores = self._forward(x)
        return [*seen, scores]

    def _in_order(self, linears: Mapping[str, nn.Linear]) -> dict[str, nn.Linear]:
        """The linear layers by name in the order in which forward calls them."""
        names = {layer: name for name, layer in linears.items()}
        calls: list[str] = []

        def note(layer: nn.Module, _: Any) -> None:
            assert isinstance(layer, nn.Linear)
            calls.append(names[layer])

        # Which of them comes first is not known yet, and with it how many inputs there are.
        sizes = list(dict.fromkeys(layer.in_features for layer in linears.values()))
        with _hooked(before=dict.fromkeys(linears.values(), note)):
            for self.inputs in sizes:
                calls.clear()
                try:
                    self._forward(np.zeros((2, self.inputs), np.float32))
                    break
                except UserError:
                    if self.inputs == sizes[-1]:
                        self.inputs = sizes[0]
                        self._forward(np.zeros((2, self.inputs), np.float32))
        for name in calls:
            if calls.count(name) > 1:
                raise UserError(f"The layer {name} is used {calls.count(name)} times: no chain.")
        return {name: linears[name] for name in calls}

    def _stage(self, name: str, layer: nn.Linear) -> Stage:
        with torch.no_grad():
            quantised = getattr(layer, "quant_weight", lambda: layer.weight)
            weights = _plain(quantised()).numpy().copy()
        return Stage(
            f"The layer {name} ({type(layer).__name__})", weights, partial(self._respond, name)
        )

    def _respond(self, name: str, products: np.ndarray) -> np.ndarray:
        layers = list(self._layers)
        layer = self._layers[name]

        def replace(*_: Any) -> Tensor:
            table = torch.from_numpy(products.astype(np.float32))
            if layer.bias is not None:
                table = table + layer.bias
            quantiser = getattr(layer, "output_quant", None)
            return table if quantiser is None else quantiser(table)

        dummy = np.zeros((1, self.inputs), np.float32)
        with _hooked(after={layer: replace}):
            if name == layers[-1]:
                return self._forward(dummy)
            return self._arriving(self._layers[layers[layers.index(name) + 1]], dummy)

    def _arriving(self, layer: nn.Linear, x: np.ndarray) -> np.ndarray:
        """What arrives at a linear layer when the module is given x (N, inputs)."""

        def stop(_: Any, given: tuple[Any, ...]) -> None:
            raise _Arrived(_taken(layer, given))

        with _hooked(before={layer: stop}):
            try:
                self._forward(x)
            except _Arrived as arrived:
                return arrived.values.numpy()
        raise UserError("The module does not call the same layers for every input: no chain.")

    def _forward(self, x: np.ndarray) -> np.ndarray:
        try:
            with torch.no_grad():
                return _plain(self._module(torch.from_numpy(x.astype(np.float32)))).numpy()
        except _Arrived:
            raise
        except Exception as cause:  # whatever forward raises
            raise UserError(
                f"The module cannot be run on {self.inputs} inputs an image: {first_line(cause)}."
            ) from cause


def load_module(path: Path, make: str, state: Path | None = None) -> Brevitas:
    """The source in the module that the function or class `make` of a Python file returns.

    The file's own code is run, with the files beside it importable.  `state`: a file of
    `torch.save(module.state_dict(), ...)`.
    """
    sys.path.insert(0, str(path.resolve().parent))
    try:
        module = runpy.run_path(str(path), run_name=path.stem)[make]()
    except Exception as cause:  # whatever the user's code raises
        raise UserError(
            f"{path}:{make} makes no module: {type(cause).__name__}: {first_line(cause)}."
        ) from cause
    finally:
        sys.path.pop(0)
    if not isinstance(module, nn.Module):
        raise UserError(f"{path}:{make} makes a {type(module).__name__}, not a module of torch.")
    if state is not None:
        _load_state(module, state)
    return Brevitas(module)


def _load_state(module: nn.Module, path: Path) -> None:
    if not path.is_file():
        raise UserError(f"There is no file {path}.")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as cause:  # torch, zip and pickle raise a zoo of types
        raise UserError(f"{path} is no file of torch.save(module.state_dict(), ...).") from cause
    if not isinstance(state, Mapping):
        raise UserError(f"{path} holds a {type(state).__name__}, not a state_dict.")
    try:
        module.load_state_dict(state)
    except RuntimeError as cause:
        reasons = str(cause).splitlines()[1:2] or [first_line(cause)]
        raise UserError(
            f"{path} does not fit the module: {reasons[0].strip().rstrip('.')[:300]}."
        ) from cause


def _plain(values: Any) -> Tensor:
    """The float32 tensor of a Brevitas QuantTensor, or of a tensor itself."""
    tensor: Tensor = getattr(values, "value", values)
    return tensor.detach().to(torch.float32)


def _taken(layer: nn.Module, given: tuple[Any, ...]) -> Tensor:
    """What a linear layer multiplies: what it is given, through its own input quantiser."""
    quantiser = getattr(layer, "input_quant", None)
    return _plain(given[0] if quantiser is None else quantiser(given[0]))


def _note(seen: list[np.ndarray], layer: nn.Module, given: tuple[Any, ...]) -> None:
    seen.append(_taken(layer, given).numpy())


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
