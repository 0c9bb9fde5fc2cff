"""A module in another precision, in place and for a while.

`module.double()` rewrites the module for good, copy.deepcopy refuses some modules, and neither
reaches tensors that are not registered or a `torch.zeros(...)` in forward. Here every tensor that
the module holds gets other values behind the same object, and a mode makes the tensors that forward
creates match.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy
from torch.overrides import TorchFunctionMode

from lstm_export.exporting.unchanged.held import held

_FLOATS = (torch.float32, torch.float64, torch.float16, torch.bfloat16)
_COMPLEX = (torch.complex64, torch.complex128, torch.complex32)
_converted = threading.local()
_CASTS = frozenset({Tensor.float, Tensor.double, Tensor.half, Tensor.bfloat16})


@contextlib.contextmanager
def in_dtype(module: nn.Module, dtype: torch.dtype) -> Iterator[bool]:
    """Within the block all floating tensors that `module` holds are of `dtype`.

    Tensors that share their memory go on sharing it, as tied weights do. Gives whether any was of
    another dtype, here or in a block around this one.
    """

    def converted(values: Tensor) -> Tensor:
        return values.to(_like(dtype, values.dtype))

    def concerned(tensor: Tensor) -> bool:
        floating = tensor.is_floating_point() or tensor.is_complex()
        return floating and tensor.dtype != _like(dtype, tensor.dtype)

    outer: frozenset[int] = getattr(_converted, "modules", frozenset())
    with other_values(module, converted, concerned) as count:
        if count:
            _converted.modules = outer | {id(module)}
        try:
            yield count > 0 or id(module) in outer
        finally:
            _converted.modules = outer


@contextlib.contextmanager
def other_values(
    module: nn.Module,
    function: Callable[[Tensor], Tensor],
    concerned: Callable[[Tensor], bool],
) -> Iterator[int]:
    """Within the block the tensors of `module` that are `concerned` hold `function` of their
    values, which goes over each piece of memory once, flat; gives their number.
    """
    pieces: dict[tuple[int, torch.dtype], Tensor] = {}
    swapped: list[tuple[Tensor, Tensor]] = []
    try:
        with torch.no_grad():
            for one in held(module):
                if isinstance(one, Tensor) and not is_lazy(one) and concerned(one):
                    swapped.append((one, one.data))
                    # A tensor made in inference mode accepts none that was not.
                    with torch.inference_mode(one.is_inference()):
                        one.data = _through(function, one.data, pieces)
        yield len(swapped)
    finally:
        for tensor, data in swapped:
            tensor.data = data


def _through(
    function: Callable[[Tensor], Tensor],
    data: Tensor,
    pieces: dict[tuple[int, torch.dtype], Tensor],
) -> Tensor:
    if data.layout != torch.strided or type(data) is not Tensor or data.is_meta:
        return function(data)
    storage = data.untyped_storage()
    key = storage.data_ptr(), data.dtype
    if key not in pieces:
        whole = torch.empty(0, dtype=data.dtype, device=data.device)
        pieces[key] = function(whole.set_(storage))
    return pieces[key].as_strided(data.size(), data.stride(), data.storage_offset())


class DtypeMode(TorchFunctionMode):
    """In this thread, whatever asks for a floating dtype, or for none, gets `dtype`.

    Tensors of another one that come from elsewhere are converted where torch refuses to mix them.
    """

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self.dtype = dtype
        self._said: dict[Any, torch.dtype] = {
            other: _like(dtype, other) for other in (*_FLOATS, *_COMPLEX)
        }

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        if func in _CASTS:
            func, args = Tensor.to, (args[0], self.dtype, *args[1:])
        elif func is Tensor.type and len(args) > 1:
            args = (args[0], _as_dtype(args[1]), *args[2:])
        args, kwargs = _mapped(self._renamed, (tuple(args), dict(kwargs or {})))
        try:
            result = func(*args, **kwargs)
        except RuntimeError:
            lifted = _mapped(self._lifted, (args, kwargs))
            if _writes(func) or not self._others(args, kwargs):
                raise
            result = func(*lifted[0], **lifted[1])
        return self._settled(func, result, args, kwargs)

    def _renamed(self, value: Any) -> Any:
        return self._said.get(value, value) if isinstance(value, torch.dtype) else value

    def _lifted(self, value: Any) -> Any:
        if isinstance(value, Tensor) and value.dtype in self._said:
            return value.to(self._said[value.dtype])
        return value

    def _others(self, *values: Any) -> set[torch.dtype]:
        """The floating dtypes among tensors in `values` that are not ours."""
        found = {tensor.dtype for tensor in _tensors(values)}
        return {dtype for dtype in found if self._said.get(dtype, dtype) != dtype}

    def _settled(self, func: Callable[..., Any], result: Any, args: Any, kwargs: Any) -> Any:
        """A new tensor in torch's default dtype, that no argument explains, is made in ours."""
        if type(result) in (tuple, list):
            return type(result)(self._settled(func, one, args, kwargs) for one in result)
        if not isinstance(result, Tensor) or not self._others(result) or _writes(func):
            return result
        if result.dtype in self._others(args, kwargs):
            return result
        with contextlib.suppress(Exception):
            # Rounding comes last: 1/3 of integers is not float32's 1/3 made longer.
            if any(True for _ in _tensors((args, kwargs))):
                wide, named = _mapped(self._from_integer, (args, kwargs))
                exact = func(*wide, **named)
            else:
                exact = func(*args, **{**kwargs, "dtype": self._said[result.dtype]})
            if exact.shape == result.shape and not self._others(exact):
                return exact
        return result.to(self._said[result.dtype])

    def _from_integer(self, value: Any) -> Any:
        if isinstance(value, Tensor) and not value.is_floating_point() and not value.is_complex():
            return value.to(self.dtype)
        return value


class Float64Mode(DtypeMode):
    """In this thread forward computes in double precision, also where it says float32."""

    def __init__(self) -> None:
        super().__init__(torch.float64)


def _like(dtype: torch.dtype, other: torch.dtype) -> torch.dtype:
    return dtype.to_complex() if other.is_complex else dtype


def _as_dtype(kind: Any) -> Any:
    """What `tensor.type` takes as a dtype: torch.FloatTensor and "torch.FloatTensor" are one."""
    return kind if isinstance(kind, torch.dtype) else torch.empty(0, dtype=None).type(kind).dtype


def _writes(func: Callable[..., Any]) -> bool:
    name = getattr(func, "__name__", "")
    in_place = name.endswith("_") and not name.endswith("__")
    return in_place or name in ("__setitem__", "__set__") or name.startswith("__i")


def _mapped(function: Callable[[Any], Any], value: Any) -> Any:
    if type(value) in (tuple, list):
        return type(value)(_mapped(function, one) for one in value)
    if type(value) is dict:
        return {key: _mapped(function, one) for key, one in value.items()}
    return function(value)


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, tuple | list):
        for one in value:
            yield from _tensors(one)
    elif isinstance(value, dict):
        yield from _tensors(tuple(value.values()))
