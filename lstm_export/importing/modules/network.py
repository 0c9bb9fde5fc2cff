"""A description as one nn.Module."""

from __future__ import annotations

import inspect
import re
from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from lstm_export.importing.description import Description
from lstm_export.importing.modules.registry import MODULES
from lstm_export.importing.ops.op import label
from lstm_export.importing.shapes import shapes, tensors_of


class Network(nn.Module):
    """Steps on named values. forward takes the inputs by name, in the description's order.

    It gives a tensor where the only output is called `output`, else a dict of them.
    """

    def __init__(self, description: Description) -> None:
        super().__init__()
        shapes(description)
        self.taken = tuple(each.name for each in description.inputs)
        self.given = description.outputs
        self.steps: list[tuple[str, tuple[str, ...], tuple[str, ...]]] = []
        for step in description.steps:
            name = self._free(re.sub(r"\W", "_", label(step)))
            tensors = tensors_of(step, description.tensors)
            self.add_module(name, MODULES[step.op](step, tensors))
            self.steps.append((name, step.inputs, step.outputs))

    def _free(self, name: str) -> str:
        name, number = name if name[:1].isalpha() else f"layer_{name}", 1
        free = name
        while hasattr(self, free):
            number += 1
            free = f"{name}_{number}"
        return free

    def compute(self, inputs: Sequence[Tensor]) -> Tensor | dict[str, Tensor]:
        """The outputs for the inputs in their order."""
        values = dict(zip(self.taken, inputs, strict=True))
        for name, reads, writes in self.steps:
            found = self.get_submodule(name)(*(values[each] for each in reads))
            found = found if isinstance(found, tuple) else (found,)
            values.update(zip(writes, found, strict=False))
        if self.given == ("output",):
            return values["output"]
        return {name: values[name] for name in self.given}


def network(description: Description) -> Network:
    """A Network whose forward has the description's inputs as its own arguments."""
    names = tuple(each.name for each in description.inputs)

    def forward(self: Network, *args: Tensor, **kwargs: Tensor) -> Any:
        bound = inspect.signature(self.forward).bind(*args, **kwargs)
        return self.compute([bound.arguments[name] for name in names])

    # Who calls or exports the module finds its inputs by these names.
    itself = inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)
    plain = inspect.Parameter.POSITIONAL_OR_KEYWORD
    parameters = [itself, *(inspect.Parameter(name, plain) for name in names)]
    forward.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    made: Network = type("Imported", (Network,), {"forward": forward})(description)
    return made.float().eval()
