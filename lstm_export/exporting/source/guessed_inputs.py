"""An example of a module's input where nobody gave one: what its first layers take, tried out."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

from lstm_export.exporting.source.example_inputs import Arguments, example_arguments, is_required
from lstm_export.nn.equations.layers import EquationLayers

_BATCH, _LENGTH = 2, 5


def guess_arguments(module: nn.Module) -> tuple[Arguments, tuple[str, ...]] | None:
    """(args, kwargs) and the lines that say what they are, tried on the module; else None.

    The input is what its first recurrent, embedding, linear or convolution layer takes, in a batch
    of 2 and over 5 steps; a second argument may be the lengths.
    """
    signature = inspect.signature(module.forward)
    required = [p.name for p in signature.parameters.values() if is_required(p)]
    varying = inspect.Parameter.VAR_POSITIONAL
    first = (
        required[0]
        if required
        else next(
            (f"{p.name}_0" if p.kind is varying else p.name for p in signature.parameters.values()),
            None,
        )
    )
    if first is None or len(required) > 2:
        return None
    lengths = f"{required[1]}:=[{_LENGTH}, 3]" if len(required) == 2 else None
    for shape in dict.fromkeys(_guesses(module)):
        lines = [f"{first}={shape}", *([lengths] if lengths else [])]
        arguments = example_arguments(module, lines)
        if _runs(module, *arguments):
            return arguments, tuple(lines)
    return None


def _guesses(module: nn.Module) -> Iterator[str]:
    """Shapes that the first layers of a module take, the likeliest first."""
    batch, length = _BATCH, _LENGTH
    layers = list(module.modules())
    if any(isinstance(layer, nn.Embedding) for layer in layers):
        yield f"{batch},{length}:int64"
    for layer in layers:
        if isinstance(layer, nn.RNNBase | nn.RNNCellBase | EquationLayers):
            first = getattr(layer, "batch_first", True)
            yield (
                f"{batch},{length},{layer.input_size}"
                if first
                else (f"{length},{batch},{layer.input_size}")
            )
        elif isinstance(layer, nn.Linear):
            yield f"{batch},{length},{layer.in_features}"
        elif isinstance(layer, nn.Conv1d):
            yield f"{batch},{layer.in_channels},{4 * length}"
        elif isinstance(layer, nn.Conv2d):
            yield f"{batch},{length},{layer.in_channels},32,32"


def _runs(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    try:
        trial = copy.deepcopy(module).eval()
        with torch.no_grad():
            trial(*args, **kwargs)
    except Exception:  # the module's own refusal of a guess
        return False
    return True
