"""A module of somebody's code beside their inputs and outputs: there is nothing else to try."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_export.errors import InputError
from lstm_export.importing.description import Description, Input
from lstm_export.importing.expect.agreement import Agreement
from lstm_export.importing.expect.judge import judged
from lstm_export.importing.expect.read import read_expected

if TYPE_CHECKING:
    from torch import Tensor, nn

    from lstm_export.exporting.tracing.call import Call, Leaf


def check_module(
    module: nn.Module,
    args: Any,
    kwargs: Mapping[str, Any] | None,
    paths: Sequence[Path],
    *,
    atol: float | None = None,
) -> Agreement:
    """`module`, called as `module(*args, **kwargs)` is, in float64 beside the files at `paths`.

    `atol` replaces the bound of `judge`. Raises InputError for arrays that do not fit the call or
    that the module refuses, OptionError for another number of files.
    """
    import torch

    from lstm_export.exporting.tracing.call import describe_call

    single = copy.deepcopy(module).float()
    call = describe_call(single, args, kwargs)
    named = _outputs(single, call, call.examples, "its example")
    inputs = tuple(map(_input, call.inputs))
    expected = read_expected(paths, Description(inputs, (), tuple(named), {}))
    tensors = [
        torch.from_numpy(np.array(expected.inputs[leaf.name])).to(leaf.example.dtype)
        for leaf in call.inputs
    ]
    own = _outputs(single, call, tensors, expected.source)
    double = [tensor.double() if tensor.is_floating_point() else tensor for tensor in tensors]
    exact = _outputs(single.double(), call, double, expected.source)
    errors = {name: float(np.abs(own[name] - values).max()) for name, values in exact.items()}
    results = judged(exact, expected, errors, atol)
    passed = all(each.passed for each in results)
    return Agreement(expected.source, passed, results, expected.notes)


def _input(leaf: Leaf) -> Input:
    """An input as the call shows it: only the features of floats are known not to vary."""
    shape = tuple(leaf.example.shape)
    axes: tuple[str | int, ...] = tuple(f"{leaf.name}_{i}" for i in range(len(shape)))
    if leaf.kind == "lengths" or (not leaf.example.is_floating_point() and len(shape) == 1):
        return Input(leaf.name, "lengths", axes)
    if not leaf.example.is_floating_point():
        return Input(leaf.name, "ids", axes)
    return Input(leaf.name, "floats", (*axes[:-1], *shape[-1:]))


def _outputs(
    module: nn.Module, call: Call, tensors: Sequence[Tensor], where: str
) -> dict[str, Any]:
    import torch

    from lstm_export.exporting.tracing.results import named_outputs

    taken = [leaf.name for leaf in call.inputs]
    try:
        with torch.no_grad():
            args, kwargs = call.bind([tensor.clone() for tensor in tensors])
            found = named_outputs(module(*args, **kwargs), taken=taken)
    except Exception as error:  # the module's own refusal
        reason = " ".join(str(error).split())
        raise InputError(f"{type(module).__name__} refuses {where}: {reason}") from None
    return {name: value.double().numpy() for name, value in found.items()}
