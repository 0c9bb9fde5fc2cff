"""A module as torch's tracer is shown it: flat tensors in, flat tensors out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from lstm_export.errors import ExportError, OptionError
from lstm_export.exporting.tracing.call import Call
from lstm_export.exporting.tracing.results import named_outputs

PREFIX = "module."
"""What the parameters' names gain by the wrapping."""


class TracingStoppedError(Exception):
    """What a module raised while it was traced: torch prints graphs for errors of its own."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


class FlatModule(nn.Module):
    """`module`, called as `call` says, giving the results of these names in order.

    `shortest` has, by input name and position, axes that are never shorter.
    """

    def __init__(self, module: nn.Module, call: Call, output_names: Sequence[str]) -> None:
        super().__init__()
        self.module, self.call, self.output_names = module, call, tuple(output_names)
        self.shortest: Mapping[str, Mapping[int, int]] = {}
        self.eval()

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        try:
            return self._results(tensors)
        except Exception as error:
            raise TracingStoppedError(error) from error

    def _results(self, tensors: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        for leaf, tensor in zip(self.call.inputs, tensors, strict=True):
            for axis, size in self.shortest.get(leaf.name, {}).items():
                if size > 1:
                    torch._check(tensor.shape[axis] >= size)  # type: ignore[no-untyped-call]
        args, kwargs = self.call.bind(tensors, tracing=True)
        found = self.module(*args, **kwargs)
        try:
            outputs = named_outputs(found, self.output_names)
        except OptionError:
            raise ExportError(
                f"forward gives {len(self.output_names)} results for its example, and another "
                "number while it is traced, as a list with one tensor per step does: stack it, so "
                "that the number of steps is an axis"
            ) from None
        given: set[int] = {id(tensor) for tensor in tensors}
        results = []
        for tensor in outputs.values():
            # A graph gives each value once, and none that it was given.
            results.append(tensor.clone() if id(tensor) in given else tensor)
            given.add(id(tensor))
        return tuple(results)
