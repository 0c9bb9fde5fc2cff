"""What the streams of a model without terms of ours are fed: arrays by the names of its inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from lstm_export.contract import BATCH, SEQUENCE_LENGTH, TensorSpec
from lstm_export.errors import InputError
from lstm_export.runtime.casting import cast
from lstm_export.runtime.feed import OnNonfinite, as_array, require_finite
from lstm_export.runtime.names import checked_names
from lstm_export.runtime.streaming.graph import row_axis, step_axis

if TYPE_CHECKING:
    from lstm_export.runtime.arrays import Array

_FLOATS = ("float16", "float32", "float64")


class Fed:
    """Checked feeds by name, each (batch, sequence_length, …) as the graph has it.

    `single` says that they came without a batch axis, so that answers go without one too.
    """

    __slots__ = ("feeds", "length", "single")

    def __init__(self, feeds: dict[str, Array], length: int, *, single: bool) -> None:
        self.feeds, self.length, self.single = feeds, length, single


class ModuleFeeds:
    """What the data inputs of a stream graph must be."""

    __slots__ = ("_check", "_specs")

    def __init__(self, specs: Sequence[TensorSpec], on_nonfinite: OnNonfinite) -> None:
        self._specs, self._check = specs, on_nonfinite == "raise"

    def named(self, feed: object, feeds: Mapping[str, object]) -> Mapping[str, object]:
        """One array, one mapping or keywords as a mapping by name. Raises InputError."""
        if isinstance(feed, Mapping):
            feeds = {**feed, **feeds}
        elif feed is not None:
            if len(self._specs) != 1 or feeds:
                names = ", ".join(spec.name for spec in self._specs)
                raise InputError(f"the model has the inputs {names}: give each by its name")
            feeds = {self._specs[0].name: feed}
        return checked_names(feeds, [spec.name for spec in self._specs])

    def step(self, named: Mapping[str, object], batch: int, where: str = "") -> Fed:
        """One step: every input without its step axis; those without one as they are.

        Raises InputError, beginning with `where`.
        """
        return self._read(named, batch, where, stepwise=True)

    def chunk(self, named: Mapping[str, object], batch: int) -> Fed:
        """Some steps, as many for every input that has a step axis. Raises InputError."""
        return self._read(named, batch, "", stepwise=False)

    def _read(self, named: Mapping[str, object], batch: int, where: str, *, stepwise: bool) -> Fed:
        sizes: dict[str, int] = {BATCH: batch}
        if stepwise:
            sizes[SEQUENCE_LENGTH] = 1
        feeds: dict[str, Array] = {}
        alone: dict[str, bool] = {}
        for spec in self._specs:
            array = as_array(named[spec.name], where + spec.name)
            array = self._whole(array, spec, batch, where, alone, stepwise=stepwise)
            _require_sizes(array, spec, sizes, where, stepwise=stepwise)
            if array.size == 0:
                raise InputError(f"{where}{spec.name} is empty: expected at least one step")
            array = cast(array, where + spec.name, spec.dtype)
            if self._check and spec.dtype in _FLOATS:
                require_finite(array, where + spec.name)
            feeds[spec.name] = array
        if len(set(alone.values())) > 1:
            without = ", ".join(name for name, is_alone in alone.items() if is_alone)
            raise InputError(
                f"{where}{without} came without a batch axis and the other inputs with one: "
                "give it to all or to none"
            )
        return Fed(feeds, sizes.get(SEQUENCE_LENGTH, 1), single=any(alone.values()))

    def _whole(
        self,
        array: Array,
        spec: TensorSpec,
        batch: int,
        where: str,
        alone: dict[str, bool],
        *,
        stepwise: bool,
    ) -> Array:
        """`array` with the axes that a caller may leave out."""
        rows, steps = row_axis(spec), step_axis(spec)
        left_out = [steps] if stepwise and steps is not None else []
        missing = len(spec.axes) - len(left_out) - array.ndim
        if rows is not None:
            single = missing == 1 and batch == 1
            alone[spec.name] = single
            if single:
                left_out.append(rows)
                missing = 0
        if missing:
            raise _shape_error(array, spec, {BATCH: batch}, where, stepwise=stepwise)
        return np.expand_dims(array, tuple(left_out)) if left_out else array


def _require_sizes(
    array: Array, spec: TensorSpec, sizes: dict[str, int], where: str, *, stepwise: bool
) -> None:
    for axis, size in zip(spec.axes, array.shape, strict=True):
        if axis == "?":
            continue
        expected = sizes.setdefault(axis, size) if isinstance(axis, str) else axis
        if size != expected:
            raise _shape_error(array, spec, sizes, where, stepwise=stepwise, whole=True)


def _shape_error(
    array: Array,
    spec: TensorSpec,
    sizes: Mapping[str, int],
    where: str,
    *,
    stepwise: bool,
    whole: bool = False,
) -> InputError:
    steps = step_axis(spec) if stepwise else None
    axes = [sizes.get(str(axis), axis) for i, axis in enumerate(spec.axes) if i != steps]
    shape = array.shape
    if whole and steps is not None:
        shape = (*shape[:steps], *shape[steps + 1 :])
    given = ", ".join(map(str, axes)) + ("," if len(axes) == 1 else "")
    what = "one step of each series" if stepwise else "a chunk"
    return InputError(f"{where}{spec.name}: expected {what}, ({given}), got shape {shape}")
