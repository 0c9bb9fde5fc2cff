"""What the module itself answers: in float32, as it will be compared, and in float64, the judge."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from lstm_export.compare.rounding import RUNS, moved_by_one_place
from lstm_export.exporting.tracing.call import Call
from lstm_export.exporting.tracing.results import named_outputs
from lstm_export.exporting.unchanged.kept import Snapshot
from lstm_export.exporting.unchanged.precision import DtypeMode, Float64Mode, in_dtype, other_values
from lstm_export.exporting.verify.trials import Trial

Arrays = dict[str, npt.NDArray[Any]]


class Eager:
    """`module` run in eager torch, in one precision, each run from the same beginning.

    To be used within `kept` and `eval_mode`, and within `float32` or `float64`.
    """

    def __init__(
        self, module: nn.Module, call: Call, output_names: Sequence[str] | None = None
    ) -> None:
        self.module, self.call, self.names = module, call, output_names
        self._dtype = torch.float32
        self._snapshot: Snapshot | None = None
        self._mode: DtypeMode | None = None

    @contextlib.contextmanager
    def float32(self) -> Iterator[None]:
        """The module in float32, in which it is exported, whatever it was made in."""
        with contextlib.ExitStack() as stack:
            converted = stack.enter_context(in_dtype(self.module, torch.float32))
            mode = DtypeMode(torch.float32) if converted else None
            stack.enter_context(self._prepared(torch.float32, mode))
            yield

    @contextlib.contextmanager
    def float64(self) -> Iterator[None]:
        """The module with its float32 weights, computing in float64."""
        with (
            in_dtype(self.module, torch.float32),
            in_dtype(self.module, torch.float64),
            self._prepared(torch.float64, Float64Mode()),
        ):
            yield

    def __call__(self, tensors: Sequence[Tensor]) -> Arrays:
        """The outputs by name. Raises whatever the module raises."""
        assert self._snapshot is not None, "within float32() or float64()"
        # Fresh copies: a module may write to its arguments.
        given = [
            tensor.to(self._dtype, copy=True) if tensor.is_floating_point() else tensor.clone()
            for tensor in tensors
        ]
        try:
            with torch.no_grad(), self._mode or contextlib.nullcontext():
                args, kwargs = self.call.bind(given)
                outputs = named_outputs(self.module(*args, **kwargs), self.names)
            return {name: _array(value) for name, value in outputs.items()}
        finally:
            self._snapshot.restore()

    def takes(self, trial: Trial) -> Arrays | None:
        """The outputs for `trial`; None if the NaN in its padding reaches one.

        A module that masks by multiplying lets it through. Raises whatever the module raises.
        """
        answer = self(trial.tensors)
        floats = [value for value in answer.values() if value.dtype.kind == "f"]
        clean = all(np.isfinite(value).all() for value in floats)
        return answer if clean or not trial.nan_padding else None

    def on_moved_weights(self, tensors: Sequence[Tensor]) -> Iterator[Arrays]:
        """The outputs with every weight one unit in the last place away, several times.

        Stops where the module refuses such weights.
        """
        for seed in range(RUNS):
            rng = np.random.default_rng(seed)

            def moved(values: Tensor, rng: np.random.Generator = rng) -> Tensor:
                array = moved_by_one_place(values.cpu().numpy(), rng)
                return torch.from_numpy(array).to(values.device)

            with (
                other_values(self.module, moved, lambda t: t.dtype == torch.float32),
                self._prepared(self._dtype, self._mode),
            ):
                try:
                    answer = self(tensors)
                except Exception:
                    return
            yield answer

    def unsteady(self, tensors: Sequence[Tensor]) -> list[str]:
        """The outputs that differ from run to run, as random numbers make them."""
        answers = []
        for seed in (1, 2):
            torch.manual_seed(seed)
            random.seed(seed)
            np.random.seed(seed)
            answers.append(self(tensors))
        one, other = answers
        return [
            name
            for name in one
            if name not in other or not np.array_equal(one[name], other[name], equal_nan=True)
        ]

    @contextlib.contextmanager
    def _prepared(self, dtype: torch.dtype, mode: DtypeMode | None) -> Iterator[None]:
        before = self._dtype, self._mode, self._snapshot
        self._dtype, self._mode = dtype, mode
        self._snapshot = Snapshot(self.module, weights=False)
        try:
            yield
        finally:
            self._dtype, self._mode, self._snapshot = before


def _array(tensor: Tensor) -> npt.NDArray[Any]:
    value = tensor.detach().cpu()
    if value.dtype == torch.bfloat16:  # NumPy has none
        value = value.float()
    return np.array(value.numpy(), copy=True)
