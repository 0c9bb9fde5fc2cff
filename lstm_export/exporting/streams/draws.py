"""Inputs of a module for streams: drawn as a whole, cut into chunks, ended early."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt
import torch
from torch import Tensor, nn

from lstm_export.contract import SEQUENCE_LENGTH, GraphSpec, TensorSpec
from lstm_export.exporting.streams.carry import Carrying
from lstm_export.exporting.streams.stepwise import Sizes
from lstm_export.exporting.tracing.call import Call
from lstm_export.exporting.verify.trials import HEAVY, Plan, Trial, Trials
from lstm_export.exporting.verify.values import Style

Arrays = dict[str, npt.NDArray[Any]]
Tensors = tuple[Tensor, ...]


@dataclass(frozen=True, slots=True)
class Fed:
    """One data input of a stream: its tensor among the call's leaves, and its axis of time."""

    spec: TensorSpec
    leaf: int
    time: int | None


class Draws:
    """Draws what `module` is called with, at any batch and length.

    Inputs that only start states are zero unless a state takes them as they are.
    """

    def __init__(
        self, module: nn.Module, call: Call, graph: GraphSpec, carried: Carrying, sizes: Sizes
    ) -> None:
        self.call, self.sizes, self.carried = call, sizes, carried
        self.output_names = [spec.name for spec in graph.outputs]
        self.trials = Trials(module, call, graph)
        self.heavy = self.trials.weights > HEAVY
        given = {state.given for state in carried.states}
        names = [leaf.name for leaf in call.inputs]
        self.position = {name: place for place, name in enumerate(names)}
        self._zeroed = {self.position[name] for name in carried.starting - given}
        times = {
            spec.name: spec.axes.index(sizes.time) if sizes.time in spec.axes else None
            for spec in graph.inputs
        }
        self._times = [times.get(name) for name in names]
        states = {state.name for state in carried.states}
        self.fed = [
            Fed(spec, self.position[spec.name], self._times[self.position[spec.name]])
            for spec in carried.graph.inputs
            if spec.name not in states
        ]

    def versions(
        self, batch: int, length: int, seed: int, style: Style | None = None
    ) -> Iterator[Trial]:
        """Trials of that batch and length, the more careful ones last."""
        traced = self.trials.traced
        # Any other axis is as long as in the example, or one longer.
        other = {name: size + seed % 2 for name, size in traced.items()}
        own = {self.sizes.time: length, self.sizes.batch: batch}
        sizes = {name: own.get(name, size) for name, size in other.items()}
        for trial in self.trials.versions(Plan(sizes, style or Style(), seed)):
            if not trial.nan_padding:
                tensors = [
                    torch.zeros_like(tensor) if place in self._zeroed else tensor
                    for place, tensor in enumerate(trial.tensors)
                ]
                yield Trial(trial.name, trial.sizes, tuple(tensors))

    def drawn(self, batch: int, length: int, seed: int) -> Trial:
        """The first of `versions`."""
        return next(self.versions(batch, length, seed))

    def whole(self, trial: Trial) -> Arrays:
        """What the module's own graph is fed with."""
        return self.trials.feeds(trial)

    def chunk(self, tensors: Sequence[Tensor], start: int, stop: int) -> Arrays:
        """What the stream is fed with for some steps, its states apart."""
        found = {}
        for fed in self.fed:
            part = _between(tensors[fed.leaf], fed.time, start, stop)
            found[fed.spec.name] = part.contiguous().cpu().numpy().astype(fed.spec.dtype)
        return found

    def ended(self, tensors: Sequence[Tensor], length: int) -> Tensors:
        """The call's tensors as if the sequence had ended after `length` steps."""
        return tuple(
            _between(tensor, time, 0, length)
            for tensor, time in zip(tensors, self._times, strict=True)
        )

    def along(self, name: str) -> int | None:
        """The axis of time of one of the stream's outputs."""
        axes = next(spec.axes for spec in self.carried.graph.outputs if spec.name == name)
        return axes.index(SEQUENCE_LENGTH) if SEQUENCE_LENGTH in axes else None


def _between(tensor: Tensor, axis: int | None, start: int, stop: int) -> Tensor:
    return tensor if axis is None else tensor.narrow(axis, start, stop - start)
