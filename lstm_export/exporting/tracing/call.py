"""How a module is called: its arguments as a flat row of named tensors.

A graph has flat inputs; `forward` takes tuples, lists, dicts and packed sequences of tensors,
nested as it likes. `Call` goes from the one to the other and back.

Inputs are named for forward's arguments: `x`; `x_0`, `x_1` inside a tuple or list; `x_key` inside a
dict; `args_0`, `args_1` for `*args`; the key itself for `**kwargs`.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import rnn

from lstm_export.errors import ExportError, OptionError
from lstm_export.exporting.tracing.results import check_names, packed_parts

Kind = Literal["tensor", "integer", "integers", "padded", "lengths"]


@dataclass(frozen=True, slots=True)
class Leaf:
    """One graph input: its name, an example of it, and what forward gets in its place.

    An `integer` becomes a 0-d int64 tensor, a list of `integers` a 1-d one, a packed sequence the
    `padded` tensor (sequence_length, batch, …) and the `lengths` (batch,) that it was made of.
    """

    name: str
    example: Tensor
    kind: Kind = "tensor"


@dataclass(frozen=True, slots=True)
class _Slot:
    """Where the leaf at `position` stands in the nested arguments."""

    position: int


@dataclass(frozen=True, slots=True)
class Call:
    """One way to call a module.

    `inputs` are the tensors that may differ from call to call, `constants` names every other
    argument with the value that the graph will have built in.
    """

    inputs: tuple[Leaf, ...]
    constants: Mapping[str, object]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]

    def bind(
        self, tensors: Sequence[Tensor], *, tracing: bool = False
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """args and kwargs with `tensors`, in the order of `inputs`, in their places.

        While `tracing`, a list of integers stays a tensor, which has no fixed number of elements.
        """

        def filled(value: Any) -> Any:
            if isinstance(value, _Slot):
                return _argument(self.inputs[value.position].kind, tensors, value.position, tracing)
            return _mapped(filled, value)

        return tuple(map(filled, self.args)), {k: filled(v) for k, v in self.kwargs.items()}

    @property
    def examples(self) -> tuple[Tensor, ...]:
        return tuple(leaf.example for leaf in self.inputs)


def describe_call(
    module: nn.Module,
    args: Any,
    kwargs: Mapping[str, Any] | None = None,
    *,
    input_names: Sequence[str] | None = None,
    integers_vary: bool = True,
) -> Call:
    """The call `module(*args, **kwargs)`; `args` may be a single tensor.

    Integers among the arguments become inputs where `integers_vary`, else constants. Floating
    examples become float32, whatever they were. Raises OptionError if forward does not take these
    arguments, or the names do not fit.
    """
    args = tuple(args) if type(args) in (tuple, list) else (args,)
    args, bound = _bound(module, args, dict(kwargs or {}))
    collector = _Collector(integers_vary)
    signature = inspect.signature(module.forward)
    placed: list[Any] = []
    named: dict[str, Any] = {}
    for name, value in bound.arguments.items():
        kind = signature.parameters[name].kind
        if kind is inspect.Parameter.VAR_POSITIONAL:
            placed += [collector.take(f"{name}_{i}", part) for i, part in enumerate(value)]
        elif kind is inspect.Parameter.VAR_KEYWORD:
            named.update({key: collector.take(key, part) for key, part in value.items()})
        elif kind is inspect.Parameter.KEYWORD_ONLY or len(placed) >= len(args):
            named[name] = collector.take(name, value)
        else:
            placed.append(collector.take(name, value))
    leaves = collector.leaves
    if not leaves:
        raise OptionError(
            f"{type(module).__name__} was given no tensor: args must hold an example of each input"
        )
    leaves = _renamed(leaves, input_names)
    return Call(tuple(leaves), collector.constants, tuple(placed), named)


class _Collector:
    """Walks nested arguments and keeps their tensors in order, by name."""

    def __init__(self, integers_vary: bool) -> None:
        self.integers_vary = integers_vary
        self.leaves: list[Leaf] = []
        self.constants: dict[str, object] = {}

    def take(self, name: str, value: Any) -> Any:
        """`value` with a slot for every leaf."""
        if isinstance(value, np.ndarray):
            value = torch.from_numpy(value)
        if isinstance(value, Tensor):
            return self._leaf(name, value)
        if isinstance(value, rnn.PackedSequence):
            padded, lengths = packed_parts(value)
            slot = self._leaf(name, padded, "padded")
            self._leaf(f"{name}_lengths", lengths, "lengths")
            return slot
        if self.integers_vary and _is_integer(value):
            return self._leaf(name, torch.tensor(value), "integer")
        if (
            self.integers_vary
            and isinstance(value, list)
            and value
            and all(map(_is_integer, value))
        ):
            return self._leaf(name, torch.tensor(value), "integers")
        if _branches(value):
            return _mapped(self.take, value, name)
        if value is not None:
            self.constants[name] = value
        return value

    def _leaf(self, name: str, tensor: Tensor, kind: Kind = "tensor") -> _Slot:
        example = tensor.detach()
        if example.is_floating_point():
            example = example.float()
        if example.is_complex():
            raise ExportError(f"{name} is {tensor.dtype}: onnxruntime has no complex numbers")
        self.leaves.append(Leaf(name, example, kind))
        return _Slot(len(self.leaves) - 1)


def _bound(
    module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], inspect.BoundArguments]:
    signature = inspect.signature(module.forward)
    try:
        return args, signature.bind(*args, **kwargs)
    except TypeError as error:
        refusal = error
    # torch's older exporter took keyword arguments as a dict at the end of args.
    if args and isinstance(args[-1], dict) and all(isinstance(key, str) for key in args[-1]):
        try:
            return args[:-1], signature.bind(*args[:-1], **{**args[-1], **kwargs})
        except TypeError:
            pass
    raise OptionError(
        f"{type(module).__name__}.forward{signature} does not take the {len(args)} positional "
        f"arguments{' and ' + ', '.join(kwargs) if kwargs else ''} that were given: {refusal}"
    )


def _argument(kind: Kind, tensors: Sequence[Tensor], position: int, tracing: bool) -> Any:
    tensor = tensors[position]
    if kind == "integer":
        return tensor.item()
    if kind == "integers" and not tracing:
        return tensor.tolist()
    if kind == "padded":
        lengths = tensors[position + 1]
        return rnn.pack_padded_sequence(tensor, lengths, enforce_sorted=False)
    return tensor


def _is_integer(value: Any) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def _branches(value: Any) -> bool:
    return isinstance(value, tuple | list | Mapping) and len(value) > 0


def _mapped(function: Callable[..., Any], value: Any, name: str | None = None) -> Any:
    """`value` with `function` applied to its parts, which get their names where one is given."""
    if not _branches(value):
        return value

    def part(key: Any, inner: Any) -> Any:
        return function(inner) if name is None else function(f"{name}_{key}", inner)

    if isinstance(value, Mapping):
        parts = {key: part(key, inner) for key, inner in value.items()}
        return parts if type(value) is dict else type(value)(parts)  # type: ignore[call-arg]
    inners = [part(i, inner) for i, inner in enumerate(value)]
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*inners)
    return type(value)(inners)


def _renamed(leaves: list[Leaf], names: Sequence[str] | None) -> list[Leaf]:
    if names is not None:
        check_names(names, len(leaves), "input_names", "inputs")
        return [
            dataclasses.replace(leaf, name=name) for leaf, name in zip(leaves, names, strict=True)
        ]
    seen: set[str] = set()
    renamed = []
    for leaf in leaves:
        name = leaf.name
        while name in seen:  # as x_0 and the first of x may be
            name += "_"
        seen.add(name)
        renamed.append(dataclasses.replace(leaf, name=name))
    return renamed
