"""Leaving a module as it was, whatever is done with it.

Running a module can change it: running statistics, power iterations, states kept from call to call,
lists that hooks append to, and the random numbers that its caller counts on. `kept` notes all that
the module holds and puts back what differs afterwards, each object in place, so that whoever else
refers to it (an optimiser, a tied layer) still does.
"""

from __future__ import annotations

import collections
import contextlib
import random
import threading
import types
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from lstm_export.exporting.unchanged.held import held

_BITS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}

Undo = Callable[[], object]

_keeping = threading.local()


@contextlib.contextmanager
def kept(module: nn.Module) -> Iterator[Snapshot]:
    """After the block, also by an exception, `module` and the global random states are as before.

    That is: parameters, buffers and other tensors (the same objects on the same storage, their
    values, gradients and `requires_grad`), modes, hooks, classes, attributes, and the contents of
    lists, dicts, sets and arrays. The random states of torch, NumPy and `random` belong to the
    process: a thread that draws from them meanwhile draws the same numbers again. Within another
    such block for the same module the values of its parameters are left to the outer one.
    """
    outer: frozenset[int] = getattr(_keeping, "modules", frozenset())
    snapshot = Snapshot(module, weights=id(module) not in outer)
    generators = [*_global_generators()]
    _keeping.modules = outer | {id(module)}
    try:
        yield snapshot
    finally:
        _keeping.modules = outer
        _all(generators)
        snapshot.restore()


@contextlib.contextmanager
def eval_mode(module: nn.Module) -> Iterator[tuple[str, ...]]:
    """Within the block `module` is in eval mode; gives the paths of the modules that were not.

    Every module gets its own flag back, whatever its siblings have.
    """
    flags = [(child, child.training) for child in held(module) if isinstance(child, nn.Module)]
    training = tuple(path for path, child in module.named_modules() if child.training)
    try:
        if training:
            module.eval()
        yield training
    finally:
        for child, flag in flags:
            if child.training != flag:
                child.training = flag


class Snapshot:
    """What a module holds at one moment.

    Without `weights` the values of parameters are not copied, which for a large model is most of
    the cost: for use between runs that have no reason to write to them.
    """

    def __init__(self, module: nn.Module, *, weights: bool = True) -> None:
        self._undo = [undo for one in held(module) for undo in _undo(one, weights)]

    def restore(self) -> None:
        """Puts back whatever differs; may be called again."""
        _all(self._undo)


def _all(undo: list[Undo]) -> None:
    """Runs every one of them, and then raises what the first to fail raised."""
    failed: Exception | None = None
    for one in undo:
        try:
            one()
        except Exception as error:
            failed = failed or error
    if failed is not None:
        raise failed


def _undo(one: Any, weights: bool) -> list[Undo]:
    """How to make `one` itself, apart from what it refers to, what it is now."""
    if type(one) is tuple:
        return []
    if isinstance(one, Tensor):
        return _tensor(one, weights)
    if isinstance(one, nn.Module):
        return _module(one)
    if isinstance(one, dict):
        return [_Dict(one, list(one.items()))]
    if isinstance(one, list):
        return [_List(one, list(one))]
    if isinstance(one, set | collections.deque):
        return [_Bag(one, list(one))]
    if isinstance(one, types.CellType):
        return _cell(one)
    if isinstance(one, np.ndarray):
        return [_Array(one, one.copy())] if one.dtype.kind != "O" else []
    return _generator(one)


def _module(module: nn.Module) -> list[Undo]:
    kind, training = type(module), module.training

    def undo() -> None:
        # Parametrizing a module gives it another class.
        if type(module) is not kind:
            module.__class__ = kind
        if module.training != training:
            module.training = training

    return [undo]


def _tensor(tensor: Tensor, weights: bool) -> list[Undo]:
    if is_lazy(tensor) or tensor.is_meta or tensor.layout != torch.strided:
        return []
    data, place, leaf = tensor.data, _place(tensor), tensor.is_leaf
    wanted, grad = tensor.requires_grad, tensor.grad if leaf else None
    copy = data.clone() if weights or not isinstance(tensor, nn.Parameter) else None

    def undo() -> None:
        if leaf and not tensor.is_leaf:  # it was written to while gradients were recorded
            tensor.detach_()
        if _place(tensor) != place:
            tensor.data = data
        if copy is not None and not torch.equal(_bits(data), _bits(copy)):
            data.copy_(copy)
        if leaf and tensor.requires_grad != wanted:
            tensor.requires_grad_(wanted)
        if leaf and tensor.grad is not grad:
            tensor.grad = grad

    return [undo, *(_tensor(grad, weights) if grad is not None and weights else ())]


def _place(tensor: Tensor) -> tuple[Any, ...]:
    shape, stride = tuple(tensor.shape), tensor.stride()
    return tensor.dtype, tensor.data_ptr(), shape, stride, tensor.device


def _bits(tensor: Tensor) -> Tensor:
    """The same tensor as integers: NaN equals itself there, and 0.0 is not -0.0."""
    if tensor.is_complex():
        tensor = torch.view_as_real(tensor)
    return tensor.view(_BITS[tensor.itemsize]) if tensor.is_floating_point() else tensor


class _Dict:
    def __init__(self, content: dict[Any, Any], items: list[tuple[Any, Any]]) -> None:
        self.content, self.items = content, items

    def __call__(self) -> None:
        content = self.content
        if list(content) != [key for key, _ in self.items]:
            content.clear()
            content.update(self.items)
        for key, value in self.items:
            if content[key] is not value:
                content[key] = value


class _List:
    def __init__(self, content: list[Any], items: list[Any]) -> None:
        self.content, self.items = content, items

    def __call__(self) -> None:
        if not _same(self.content, self.items):
            self.content[:] = self.items


class _Bag:
    def __init__(self, content: Any, items: list[Any]) -> None:
        self.content, self.items = content, items

    def __call__(self) -> None:
        if not _same(list(self.content), self.items):
            self.content.clear()
            for item in self.items:
                add = self.content.add if isinstance(self.content, set) else self.content.append
                add(item)


class _Array:
    def __init__(self, array: np.ndarray[Any, Any], copy: np.ndarray[Any, Any]) -> None:
        self.array, self.copy = array, copy

    def __call__(self) -> None:
        if self.array.shape == self.copy.shape and self.array.tobytes() != self.copy.tobytes():
            self.array[...] = self.copy


def _same(one: list[Any], other: list[Any]) -> bool:
    return len(one) == len(other) and all(a is b for a, b in zip(one, other, strict=True))


def _cell(cell: types.CellType) -> list[Undo]:
    try:
        content = cell.cell_contents
    except ValueError:  # not assigned yet
        return []

    def undo() -> None:
        cell.cell_contents = content

    return [undo]


def _generator(one: Any) -> list[Undo]:
    """The random generators that a module keeps to itself."""
    if isinstance(one, torch.Generator):
        state = one.get_state()
        return [lambda: one.set_state(state)]
    if isinstance(one, random.Random):
        words = one.getstate()
        return [lambda: one.setstate(words)]
    if isinstance(one, np.random.RandomState):
        key = one.get_state()
        return [lambda: one.set_state(key)]
    if isinstance(one, np.random.Generator):
        position = one.bit_generator.state

        def undo() -> None:
            one.bit_generator.state = position

        return [undo]
    return []


def _global_generators() -> Iterator[Undo]:
    state, words, key = torch.random.get_rng_state(), random.getstate(), np.random.get_state()
    yield lambda: torch.random.set_rng_state(state)
    yield lambda: random.setstate(words)
    yield lambda: np.random.set_state(key)
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        states = torch.cuda.get_rng_state_all()
        yield lambda: torch.cuda.set_rng_state_all(states)
