# SPDX-License-Identifier: Apache-2.0
"""A checkpoint of torch -> the state_dict of a module, wherever and by whatever name it is kept.

Training scripts save a state_dict inside of a larger dict, and wrappers (DataParallel,
torch.compile, Lightning) put a word in front of every name, or into it.  Names are compared without
these words; what is before all of them is taken off too.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping
from itertools import takewhile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import UserError, check_readable, first_line

# Words that wrappers put into names.
_WRAPPERS = {"module", "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"}
# What a wrapper counts in a place of its own.
_COUNTS = {"n_averaged"}
_DEEPEST = 3
_ADVICE = "save it again by torch.save(module.state_dict(), ...)"


def load_state(module: nn.Module, path: Path) -> None:
    """Load what a checkpoint holds of a module; UserError says what does not fit."""
    check_readable(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as cause:  # torch, zip and pickle raise a zoo of types
        raise UserError(_unreadable(path, cause)) from cause
    if not isinstance(found, Mapping):
        raise UserError(f"{path} holds a {type(found).__name__}, not a state_dict.")
    wanted = module.state_dict()
    fitting = [(place, _renamed(state, wanted)) for place, state in _states(found)]
    if not fitting:
        raise UserError(f"{path} holds no state_dict: {_ADVICE}.")
    rated = [(_matching(state, wanted), len(state)) for _, state in fitting]
    best = [each for each, rate in zip(fitting, rated, strict=True) if rate == max(rated)]
    if max(rated)[0] and any(_differ(best[0][1], state) for _, state in best[1:]):
        places = " and ".join(place or "the top" for place, _ in best)
        raise UserError(
            f"{path} holds several state_dicts that fit, {places}: save the one that is meant."
        )
    state = best[0][1]
    if any(tensor.dtype == torch.float64 and bool((tensor.float() != tensor).any())
           for tensor in state.values()):  # fmt: skip
        module.double()  # so that nothing is rounded
    try:
        module.load_state_dict(state)
    except RuntimeError as cause:
        raise UserError(f"{path} does not fit the module: {_misfit(state, wanted, cause)}.") from (
            cause
        )


def _unreadable(path: Path, cause: Exception) -> str:
    text = str(cause)
    other = re.search(r"(?:GLOBAL|global) ([\w.]+)", text)
    if other:
        return (
            f"{path} holds more than tensors ({other[1]}), which only running foreign code would "
            f"load: {_ADVICE}."
        )
    if "TorchScript" in text:
        return f"{path} is an archive of TorchScript, not of a state_dict: {_ADVICE}."
    return f"{path} is no file of torch.save(module.state_dict(), ...)."


def _states(found: Mapping[Any, Any], place: str = "", depth: int = 0) -> Iterator[
    tuple[str, dict[str, Tensor]]
]:  # fmt: skip
    """Every mapping of tensors inside of a checkpoint, with its place."""
    tensors = {name: value for name, value in found.items()
               if isinstance(name, str) and isinstance(value, Tensor)}  # fmt: skip
    if tensors:
        yield place, tensors
    if depth < _DEEPEST:
        for name, value in found.items():
            if isinstance(value, Mapping):
                yield from _states(value, f"{place}.{name}".lstrip("."), depth + 1)


def _bare(name: str) -> str:
    return ".".join(part for part in name.split(".") if part not in _WRAPPERS)


def _renamed(state: Mapping[str, Tensor], wanted: Mapping[str, Any]) -> dict[str, Tensor]:
    """A state by the names of a module, as far as there is one for each."""
    if state.keys() <= wanted.keys():
        return dict(state)
    # Both without the words of wrappers, the module's without what stands before all of them.
    bare = {_bare(name): tensor for name, tensor in state.items() if name not in _COUNTS}
    parts = [_bare(name).split(".")[:-1] for name in wanted]
    depth = sum(1 for _ in takewhile(lambda level: len(set(level)) == 1, zip(*parts, strict=False)))
    own = {".".join(_bare(name).split(".")[depth:]): name for name in wanted}
    if len(own) < len(wanted):
        return dict(state)
    # What stands before the state's names: that which leaves the most names of the module.
    pieces = [name.split(".") for name in bare]
    starts = {".".join([*part[:k], ""]) if k else "" for part in pieces for k in range(len(part))}

    def under(start: str) -> dict[str, Tensor]:
        return {own[name[len(start):]]: tensor for name, tensor in bare.items()
                if name.startswith(start) and name[len(start):] in own}  # fmt: skip

    best = max(sorted(starts, key=len), key=lambda start: len(under(start)))
    found = under(best)
    if not best:
        # Names beside those of the module, which load_state_dict is to object to.
        found |= {name: tensor for name, tensor in bare.items() if name not in own}
    return found or dict(state)


def _matching(state: Mapping[str, Tensor], wanted: Mapping[str, Any]) -> int:
    return sum(name in wanted and state[name].shape == wanted[name].shape for name in state)


def _differ(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> bool:
    return one.keys() != other.keys() or any(not torch.equal(one[n], other[n]) for n in one)


def _misfit(state: Mapping[str, Tensor], wanted: Mapping[str, Any], cause: Exception) -> str:
    """What is missing, too much or of another size, counted, with an example of each."""
    missing = [name for name in wanted if name not in state]
    unknown = [name for name in state if name not in wanted]
    sizes = [name for name in state if name in wanted and state[name].shape != wanted[name].shape]
    reasons = [
        f"{len(names)} {what}, such as {names[0]}"
        for names, what in ((missing, "missing"), (unknown, "unknown to it"))
        if names
    ]
    if sizes:
        have, need = (tuple(each[sizes[0]].shape) for each in (state, wanted))
        reasons.append(f"size mismatch of {sizes[0]}, {have} for {need}")
    return "; ".join(reasons) if reasons else first_line(cause)
