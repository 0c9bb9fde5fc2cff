"""The converted module against what it was made of, wherever the exported file is tried."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from lstm_export.compare.tensors import compare
from lstm_export.errors import OptionError, ParityError

Arrays = Mapping[str, npt.NDArray[Any]]


class Converted(Protocol):
    """A `module`, and the `original` that it was made of."""

    @property
    def module(self) -> nn.Module: ...

    @property
    def original(self) -> nn.Module: ...


class Against:
    """A judge for the export of `converted.module`, called as `module(*args, **kwargs)`.

    For the inputs of a trial by name it gives the module's own results in float64, once the
    original, a script or what `kind` names, has given the module's float32 results, to the bit or
    under the parity rule. Raises OptionError where the original does not take these arguments,
    ParityError where the two differ.
    """

    def __init__(
        self,
        converted: Converted,
        args: Any,
        kwargs: Mapping[str, Any] | None = None,
        kind: str = "script",
    ) -> None:
        from lstm_export.exporting.tracing.call import describe_call

        self._original, self._kind = converted.original, kind
        # Whoever asks may have the module itself in another precision meanwhile.
        self._module = copy.deepcopy(converted.module)
        self._call = describe_call(self._module, args, kwargs)
        self._exact, self._near, self._refused = 0, 0, list[str]()
        examples = self._call.examples
        try:
            # In this order everywhere: layers look at shapes with which kernels of scripts would
            # read and write beside their memory.
            self._results(self._module, examples)
            self._results(self._original, examples)
        except Exception as error:
            raise OptionError(
                f"the {kind} does not take this example itself: {_last_line(error)}: give one that "
                "it takes, as --example-shape x=2,5,3"
            ) from None
        self({leaf.name: leaf.example.numpy() for leaf in self._call.inputs})

    @property
    def notes(self) -> tuple[str, ...]:
        """What was compared so far, in words."""
        total = self._exact + self._near
        found = [
            f"the {self._kind} itself gave the same on {total} inputs, {self._exact} of them to "
            "the bit"
        ]
        if self._refused:
            found.append(
                f"the {self._kind} itself refuses {len(self._refused)} inputs that the module "
                f"takes, as at {self._refused[0]}"
            )
        return tuple(found)

    def __call__(self, feeds: Arrays) -> dict[str, npt.NDArray[np.float64]]:
        from lstm_export.exporting.unchanged.precision import Float64Mode, in_dtype

        tensors = [
            torch.from_numpy(np.array(feeds[leaf.name])).to(leaf.example.dtype)
            if leaf.name in feeds
            else leaf.example
            for leaf in self._call.inputs
        ]
        ours = self._results(self._module, tensors)
        with in_dtype(self._module, torch.float64), Float64Mode():
            exact = self._results(
                self._module, [t.double() if t.is_floating_point() else t for t in tensors]
            )
        shapes = ", ".join(
            f"{leaf.name} {tuple(tensor.shape)}"
            for leaf, tensor in zip(self._call.inputs, tensors, strict=True)
        )
        try:
            theirs = self._results(self._original, tensors)
        except Exception as error:
            self._refused.append(f"{shapes}: {_last_line(error)}")
        else:
            self._compare(theirs, ours, exact, shapes)
        return exact

    def _compare(self, theirs: Arrays, ours: Arrays, exact: Arrays, shapes: str) -> None:
        if list(theirs) != list(ours):
            raise ParityError(
                f"the {self._kind} gives {', '.join(theirs)}, the module made of it "
                f"{', '.join(ours)}: this is a mistake of lstm-export"
            )
        same = True
        for name, value in theirs.items():
            if np.array_equal(value, ours[name], equal_nan=value.dtype.kind == "f"):
                continue
            same = False
            result = compare(name, value, exact[name], ours[name])
            if not result.passed:
                raise ParityError(
                    f"the module made of the {self._kind} does not give the {self._kind}'s own "
                    f"{name} for {shapes}: {result.reason}"
                )
        self._exact, self._near = self._exact + same, self._near + (not same)

    def _results(self, module: nn.Module, tensors: Sequence[Tensor]) -> dict[str, Any]:
        from lstm_export.exporting.tracing.results import named_outputs

        names = [leaf.name for leaf in self._call.inputs]
        with torch.no_grad():
            # Copies: forward may write into its arguments.
            args, kwargs = self._call.bind([tensor.clone() for tensor in tensors])
            found = named_outputs(module(*args, **kwargs), taken=names)
        return {name: value.numpy() for name, value in found.items()}


def _last_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
