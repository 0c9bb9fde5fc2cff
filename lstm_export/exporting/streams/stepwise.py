"""What a traced program says about streaming before anything is run: its layers, and its sizes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import sympy
import torch

from lstm_export.contract import BATCH, SEQUENCE_LENGTH, TensorSpec
from lstm_export.exporting.capture.found import found_loop_lengths, found_recurrent
from lstm_export.exporting.streams.refusal import NoStreamError
from lstm_export.exporting.tracing.axes import AxisNames


@dataclass(frozen=True, slots=True)
class Sizes:
    """What the axes of the batch and of time are called in the module's own graph."""

    batch: str
    time: str

    def renamed(self, spec: TensorSpec) -> TensorSpec:
        """`spec` with these axes as a stream has them. Raises NoStreamError for others that depend
        on them.
        """
        usual = {self.batch: BATCH, self.time: SEQUENCE_LENGTH}
        axes = tuple(usual.get(str(axis), axis) for axis in spec.axes)
        if axes.count(SEQUENCE_LENGTH) > 1:
            raise NoStreamError(f"{spec.name} has two axes of time: every step meets every other")
        for axis, before in zip(axes, spec.axes, strict=True):
            if isinstance(axis, str) and not axis.isidentifier():
                raise NoStreamError(f"{spec.name} has {axis} steps")
            if axis in (BATCH, SEQUENCE_LENGTH) and before not in (self.batch, self.time):
                raise NoStreamError(f"{spec.name} has an axis that is called {axis}, and is not")
        return replace(spec, axes=axes)


def stream_sizes(names: AxisNames) -> Sizes:
    """What every recurrent layer of a program agrees on.

    Raises NoStreamError where the layers alone forbid a stream.
    """
    program = names.traced.program
    layers = found_recurrent(program)
    if found_loop_lengths(program):
        raise NoStreamError("it runs a loop over time steps of its own, not a layer of torch.nn")
    if not layers:
        raise NoStreamError("it has no recurrent layer, whose state could be carried on")
    for layer in layers:
        path = layer.path or "the module"
        if layer.directions == 2:
            raise NoStreamError(
                f"{path} reads the sequence in two directions: its outputs depend on what comes"
            )
        if layer.ragged:
            raise NoStreamError(f"{path} runs over packed sequences, whose lengths end them")
    if names.traced.lengths:
        raise NoStreamError("it packs sequences, whose lengths end them")
    batches = {told(layer.batch_and_time[0], names) for layer in layers}
    times = {told(layer.batch_and_time[1], names) for layer in layers}
    if len(times) > 1:
        raise NoStreamError(
            f"its recurrent layers run over different lengths: {', '.join(map(str, times))}"
        )
    (time,) = times
    if time not in names.names.values():
        raise NoStreamError(f"its recurrent layers run over {time} steps, which is not any length")
    if len(batches) > 1:
        raise NoStreamError(
            f"its recurrent layers run over different batches: {', '.join(map(str, batches))}"
        )
    (batch,) = batches
    if batch not in names.names.values():
        raise NoStreamError(
            f"its recurrent layers run over a batch of {batch}: one state for each series of any "
            "batch is what a stream carries"
        )
    return Sizes(str(batch), str(time))


def told(size: Any, names: AxisNames) -> str | int:
    """A size in the names of axes."""
    expression = sympy.sympify(size.node.expr if isinstance(size, torch.SymInt) else int(size))
    if expression.is_number:
        return int(expression)
    renamed = {
        symbol: sympy.Symbol(names.names.get(symbol, str(symbol)))
        for symbol in expression.free_symbols
    }
    return str(expression.xreplace(renamed))
