"""Reading and writing tensors at the index of a time loop."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import SymInt, Tensor
from torch.fx.experimental.symbolic_shapes import statically_known_true

from lstm_export.exporting.capture.lines import refusal, users_place
from lstm_export.exporting.capture.step_index import StepIndex


@dataclass(frozen=True, slots=True)
class _Item:
    """One entry of an index, and the first axis of the indexed tensor that it speaks of."""

    value: Any
    dim: int


def read(x: Tensor, key: Any, *, looping: bool) -> Tensor | None:
    """x[key], None where the key has nothing to do with a loop.

    While `looping`, a tensor that holds one index is taken as a tensor, not as a number that torch
    knows nothing of.
    """
    if not (_is_stepped(key) or (looping and any(map(_is_index, _items(key))))):
        return None
    part, rest = _narrowed(x, key, view=False)
    result: Tensor = part if rest is None else part[rest]
    return result


def write(x: Tensor, key: Any, value: Any) -> bool:
    """x[key] = value; whether the key has to do with a loop, otherwise nothing was done."""
    if not _is_stepped(key):
        return False
    part, rest = _narrowed(x, key, view=True)
    part[... if rest is None else rest] = value
    return True


def narrowed(x: Tensor, dim: int, start: Any, length: Any) -> Tensor | None:
    """x.narrow(dim, start, length), None where `start` has nothing to do with a loop."""
    if not isinstance(start, StepIndex):
        return None
    return _window(x, dim % x.dim(), slice(start, start + length), view=False)


def _is_stepped(key: Any) -> bool:
    return any(isinstance(item, StepIndex) or _is_window(item) for item in _items(key))


def _items(key: Any) -> tuple[Any, ...]:
    return key if isinstance(key, tuple) else (key,)


def _is_index(item: Any) -> bool:
    return isinstance(item, Tensor) and item.dim() == 0 and item.dtype in _INDICES


_INDICES = {torch.int64, torch.int32, torch.int16, torch.int8}


def _is_window(item: Any) -> bool:
    return isinstance(item, slice) and any(
        isinstance(end, StepIndex) for end in (item.start, item.stop)
    )


def _narrowed(x: Tensor, key: Any, *, view: bool) -> tuple[Tensor, tuple[Any, ...] | None]:
    """x at the loop's index, and what is left of the key, None if that is all of it.

    torch takes plain indices before tensors and masks, so the order is free.
    """
    items = _placed(x, _items(key))
    rest: list[Any] = []
    for item in reversed(items):
        if isinstance(item.value, StepIndex):
            x = x.select(item.dim, item.value)
            continue
        if not view and _is_index(item.value):
            x = x.index_select(item.dim, item.value.reshape(1)).squeeze(item.dim)
            continue
        if _is_window(item.value):
            x = _window(x, item.dim, item.value, view)
            item = _Item(slice(None), item.dim)
        rest.insert(0, item.value)
    plain = all(isinstance(value, slice) and value == slice(None) for value in rest)
    return x, None if plain else tuple(rest)


def _placed(x: Tensor, key: tuple[Any, ...]) -> list[_Item]:
    taken = sum(_width(value) for value in key if value is not Ellipsis)
    items, dim = [], 0
    for value in key:
        if value is Ellipsis:
            items += [_Item(slice(None), dim + offset) for offset in range(x.dim() - taken)]
            dim += x.dim() - taken
        else:
            items.append(_Item(value, dim))
            dim += _width(value)
    return items


def _width(value: Any) -> int:
    """How many axes of a tensor an entry of its index speaks of."""
    if value is None or isinstance(value, bool):
        return 0
    if isinstance(value, Tensor) and value.dtype in (torch.bool, torch.uint8):
        return value.dim()
    return 1


def _window(x: Tensor, dim: int, window: slice, view: bool) -> Tensor:
    start, stop = window.start, window.stop
    size = None if start is None or stop is None else stop - start
    if isinstance(size, SymInt):
        size = size.node.maybe_as_int()
    if window.step not in (None, 1) or size is None or not _is_inside(start):
        raise refusal(
            users_place(),
            "a step of a time loop takes a slice whose size or start is not the same in every step",
            "take x[:, t] or x[:, t:t+k] with a fixed k; keep what a step needs of the past in a "
            "state of fixed size",
        )
    if size == 1:
        return x.select(dim, start).unsqueeze(dim)
    if view:
        raise refusal(
            users_place(),
            f"a step of a time loop writes {size} places at once",
            "write one place per step, or collect the results in a list and concatenate them",
        )
    return x.index_select(dim, torch.arange(size, device=x.device) + start)


def _is_inside(start: Any) -> bool:
    """Whether a slice starts at or after the beginning, and not counted from the end."""
    if isinstance(start, StepIndex):
        known = start.known()
        return bool(known >= 0) if known.is_number else statically_known_true(start >= 0)
    return isinstance(start, int) and start >= 0
