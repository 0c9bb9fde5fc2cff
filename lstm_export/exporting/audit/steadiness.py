"""Modules whose answer depends on more than their arguments: on calls before, or on chance.

A graph has neither memory nor dice. State that a module keeps for its next call would be frozen
into the file as it was when it was traced; a random number too.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from lstm_export.exporting.blame import Place, here
from lstm_export.exporting.call import Call
from lstm_export.exporting.kept import Snapshot
from lstm_export.exporting.results import named_outputs

_SEED = 20
_RANDOM = frozenset(
    [
        *("bernoulli", "cauchy", "exponential", "geometric", "gumbel_softmax", "log_normal"),
        *("multinomial", "normal", "poisson", "rand", "rand_like", "randint", "randint_like"),
        *("randn", "randn_like", "random", "randperm", "rrelu", "uniform"),
        *("dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout"),
        *("feature_alpha_dropout", "feature_dropout"),
    ]
)


def unsteady(module: nn.Module, call: Call) -> str | None:
    """Why `module` answers the same call in two ways, or None if it does not.

    It is left changed: to be used within `kept`.
    """
    start = Snapshot(module, weights=False)
    before = _state(module)
    with _Dice() as dice:
        first = _run(module, call, call.examples, _SEED)
    changed = _changes(before, _state(module))
    try:
        if dice.places:
            start.restore()
            other = _run(module, call, call.examples, _SEED + 1)
            if not _same(first, other):
                return _about_dice(dice.places)
            start.restore()
            _run(module, call, call.examples, _SEED)
        if not changed:
            return None
        second = _run(module, call, call.examples, _SEED)
        if _same(first, second) and _same_after_others(module, call, start):
            return None
    finally:
        start.restore()
    return _about_state(changed)


def _same_after_others(module: nn.Module, call: Call, start: Snapshot) -> bool:
    """Whether other inputs are answered alike, be it the first call or the second."""
    generator = torch.Generator().manual_seed(_SEED)
    others = [
        torch.randn(tensor.shape, generator=generator) if tensor.is_floating_point() else tensor
        for tensor in call.examples
    ]
    start.restore()
    alone = _run(module, call, others, _SEED)
    start.restore()
    _run(module, call, call.examples, _SEED)
    return _same(alone, _run(module, call, others, _SEED))


def _about_dice(places: Sequence[tuple[str, Place | None]]) -> str:
    lines = dict.fromkeys(f"{name} at {place}" if place else name for name, place in places)
    return (
        "forward draws random numbers, also in eval mode, which a file would freeze: "
        f"{'; '.join(lines)}. Draw them outside and pass them in as an argument, or use zeros"
    )


def _about_state(changed: Sequence[str]) -> str:
    names = ", ".join(changed)
    arguments = ", ".join(dict.fromkeys(name.rpartition(".")[2] for name in changed))
    return (
        f"forward keeps state from one call to the next in {names}: a file would freeze what is "
        f"there now. Take it as an argument and return it, as forward(x, {arguments}) -> "
        f"(output, {arguments}), so that the caller carries it"
    )


def _run(module: nn.Module, call: Call, tensors: Sequence[Tensor], seed: int) -> dict[str, Tensor]:
    torch.manual_seed(seed)
    random.seed(seed)
    np.random.seed(seed)
    args, kwargs = call.bind([tensor.clone() for tensor in tensors])
    outputs = named_outputs(module(*args, **kwargs))
    return {name: value.detach().clone() for name, value in outputs.items()}


def _same(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(_equal(one[k], other[k]) for k in one)


def _equal(one: Tensor, other: Tensor) -> bool:
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    return bool(torch.equal(torch.nan_to_num(one), torch.nan_to_num(other)))


State = dict[str, tuple[object, Any]]
"""By path, each attribute and what it held."""


def _state(module: nn.Module) -> State:
    found: State = {}
    for path, child in module.named_modules():
        attributes = {
            **{k: v for k, v in vars(child).items() if not k.startswith("_")},
            **child._buffers,
            **{k: v for k, v in vars(child).items() if _private(k) and _telling(v)},
        }
        for name, value in attributes.items():
            found[".".join(part for part in (path, name) if part)] = value, _copy(value)
    return found


def _private(name: str) -> bool:
    return name.startswith("_") and name not in nn.Module().__dict__


def _telling(value: Any) -> bool:
    return value is None or isinstance(value, Tensor | tuple | list | dict | bool | int | float)


def _copy(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.detach().clone()
    if isinstance(value, tuple | list):
        return [_copy(inner) for inner in value]
    if isinstance(value, dict):
        return {key: _copy(inner) for key, inner in value.items()}
    return value


def _changes(before: State, after: State) -> list[str]:
    return [
        path
        for path, (value, copy) in after.items()
        if path not in before or _differs(before[path][1], copy)
    ]


def _differs(one: Any, other: Any) -> bool:
    if type(one) is not type(other):
        return True
    if isinstance(one, Tensor):
        return not _equal(one, other)
    if isinstance(one, list):
        return len(one) != len(other) or any(map(_differs, one, other))
    if isinstance(one, dict):
        return one.keys() != other.keys() or any(_differs(one[key], other[key]) for key in one)
    return one is not other and not (_telling(one) and one == other)


class _Dice(TorchFunctionMode):
    """Notes where random numbers are drawn."""

    def __init__(self) -> None:
        super().__init__()
        self.places: list[tuple[str, Place | None]] = []

    def __torch_function__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        name = getattr(func, "__name__", "").rstrip("_")
        if name in _RANDOM and not ("dropout" in name and not _trains(args, kwargs or {})):
            self.places.append((name, here()))
        return func(*args, **(kwargs or {}))


def _trains(args: Sequence[Any], kwargs: Mapping[str, Any]) -> bool:
    """Whether a dropout function was told to drop: F.dropout does so unless told otherwise."""
    given = [arg for arg in args if isinstance(arg, bool)]
    return bool(kwargs.get("training", given[0] if given else True))
