"""What a module returns as a flat row of named tensors.

A graph has flat outputs; `forward` gives tuples, lists, dicts, dataclasses and packed sequences of
tensors, nested as it likes. They take a dict's keys, joined by `_` where dicts nest, else `output`,
or `output_0`, `output_1` where there are several.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils import rnn

from lstm_export.errors import ExportError, OptionError


def named_outputs(
    value: Any, names: Sequence[str] | None = None, *, taken: Sequence[str] = ()
) -> dict[str, Tensor]:
    """The tensors of a module's result, nested as it may be, flattened in order and named.

    A default name that an input has `taken` gets `_out` appended. Raises ExportError if the result
    holds no tensor, or something that a graph cannot give; OptionError if `names` do not fit.
    """
    found = list(_results("", value, top=True))
    if not found:
        raise ExportError(
            f"forward returned {_described(value)}: a graph needs at least one tensor to give"
        )
    if names is not None:
        check_names(names, len(found), "output_names", "results")
        clash = sorted(set(names) & set(taken))
        if clash:
            raise OptionError(f"{', '.join(clash)} would name an input and an output: rename one")
        return dict(zip(names, (tensor for _, tensor in found), strict=True))
    if not _keyed(value):
        several = len(found) > 1
        found = [(f"output_{i}" if several else "output", t) for i, (_, t) in enumerate(found)]
    outputs: dict[str, Tensor] = {}
    for name, tensor in found:
        while name in taken or name in outputs:
            name += "_out"
        outputs[name] = tensor
    return outputs


def packed_parts(packed: rnn.PackedSequence) -> tuple[Tensor, Tensor]:
    """A packed sequence as padded (sequence_length, batch, …) and int64 lengths (batch,)."""
    padded, lengths = rnn.pad_packed_sequence(packed)
    return padded, lengths


def check_names(names: Sequence[str], count: int, option: str, what: str) -> None:
    """Raises OptionError unless `names` are `count` different names."""
    if isinstance(names, str) or not all(isinstance(name, str) and name for name in names):
        raise OptionError(f"{option} must be a list of names, got {names!r}")
    if len(names) != count:
        raise OptionError(f"{option} has {len(names)} names, but there are {count} {what}")
    doubled = sorted({name for name in names if list(names).count(name) > 1})
    if doubled:
        raise OptionError(f"{option} holds {', '.join(doubled)} more than once")


def _results(name: str, value: Any, *, top: bool = False) -> list[tuple[str, Tensor]]:
    if value is None:
        return []
    if isinstance(value, Tensor):
        return [(name, value)]
    if isinstance(value, rnn.PackedSequence):
        padded, lengths = packed_parts(value)
        return [(name, padded), (f"{name}_lengths", lengths)]
    if isinstance(value, bool | int | float | torch.SymInt | torch.SymFloat):
        return [(name, _scalar(value))]
    if dataclasses.is_dataclass(value) and not isinstance(value, type | Mapping):
        value = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        parts = [(str(key), inner) for key, inner in value.items()]
    elif isinstance(value, tuple | list):
        parts = [(str(i), inner) for i, inner in enumerate(value)]
    else:
        raise ExportError(f"forward returned {_described(value)}, which a graph cannot give")
    prefix = "" if top else f"{name}_"
    return [result for key, inner in parts for result in _results(prefix + key, inner)]


def _scalar(value: Any) -> Tensor:
    if isinstance(value, bool):
        return torch.tensor(value)
    whole = isinstance(value, int | torch.SymInt)
    return torch.scalar_tensor(value, dtype=torch.int64 if whole else torch.float32)


def _keyed(value: Any) -> bool:
    return isinstance(value, Mapping) or (
        dataclasses.is_dataclass(value) and not isinstance(value, type)
    )


def _described(value: Any) -> str:
    return "nothing" if value is None else f"{type(value).__name__} {value!r:.60}"
