"""Sequences of different lengths through a graph that is no forecaster of ours.

A list goes to a graph with one input that has the axes `batch` and `sequence_length`, beside it at
most the lengths of its rows. Each sequence gets what it would get alone, so what runs together is:

- nothing, where the manifest does not say that the rows of a batch are independent;
- different lengths, where the graph takes the lengths and a trial shows that padding then changes
  nothing, or where every output is one for every step and a stream graph proves that it depends
  on the past alone;
- else equal lengths.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np

from lstm_export.bundle.layout import LAYOUT
from lstm_export.contract import BATCH, SEQUENCE_LENGTH, GraphSpec, TensorSpec
from lstm_export.errors import InputError
from lstm_export.runtime.casting import cast
from lstm_export.runtime.feed import as_array, require_finite
from lstm_export.runtime.packing import packed
from lstm_export.runtime.settings import LONG, Plan, width_in

if TYPE_CHECKING:
    from lstm_export.runtime.arrays import Array
    from lstm_export.runtime.graphs import Graphs
    from lstm_export.runtime.streaming.graph import StreamGraph

    Row = Array | dict[str, Array]
    Lists = Array | list[Array] | dict[str, Array | list[Array]]

T = TypeVar("T")
_OTHER = f"{SEQUENCE_LENGTH}_"
SAME = 1e-4
"""Of the largest value: how far padding may move an output, as rounding does; what is computed
from the padding moves it further."""


class _Axes(NamedTuple):
    """Where batch and time lie in a tensor; None where they do not."""

    spec: TensorSpec
    batch: int | None
    time: int | None

    @property
    def fixed(self) -> bool:
        """Whether every sequence has values of one shape."""
        named = [axis for axis in self.spec.axes if isinstance(axis, str)]
        return named == [BATCH]


class ModuleRows:
    """Runs batches of sequences of a graph; `width` is as `buckets.cut` has it.

    A sequence is held as (sequence_length, ...), cast and checked.
    """

    checks = False
    """Values are checked when a sequence is read."""

    def __init__(
        self, spec: GraphSpec, graphs: Graphs, stream: Callable[[], StreamGraph], *, check: bool
    ) -> None:
        """Raises InputError if the graph takes no list."""
        self.graphs, self._check = graphs, check
        x = sequence_input(spec)
        if x is None:
            raise no_lists(spec)
        self._x = _axes(x)
        self._lengths = next((s for s in spec.inputs if s is not x), None)
        own_length = self._lengths is not None
        self._outputs = [_axes(output, own_length=own_length) for output in spec.outputs]
        self.width, self._spec, self._stream = width_in(graphs.work), spec, stream
        rows = all(output.batch is not None for output in self._outputs)
        self.together = graphs.independent_rows and rows
        steps = all(output.time is not None for output in self._outputs)
        self._causal = steps and graphs.has(LAYOUT.stream)
        self._padding: bool | None = None

    def fits(self, item: object) -> bool:
        """False: every sequence is read."""
        return False

    def read(self, value: object, name: str) -> Array:
        """One sequence, as the input has it without its batch. Raises InputError naming `name`."""
        spec, batch, _ = self._x
        axes = [axis for place, axis in enumerate(spec.axes) if place != batch]
        array = as_array(value, name)
        sizes = zip(axes, array.shape, strict=False)
        if array.ndim != len(axes) or any(a != s for a, s in sizes if isinstance(a, int)):
            raise InputError(
                f"{name}: expected a sequence ({', '.join(map(str, axes))}), "
                f"got shape {array.shape}"
            )
        if array.size == 0:
            raise InputError(f"{name} is empty: shape {array.shape}")
        array = cast(array, name, spec.dtype)
        if self._check and array.dtype.kind == "f":
            require_finite(array, name)
        return np.moveaxis(array, axes.index(SEQUENCE_LENGTH), 0)

    def checked(self, array: Array, name: str) -> Array:
        """`array`, which `read` has checked."""
        return array

    def padded(self, value: object, lengths: object) -> list[Array]:
        """The sequences in a padded batch, as `read` takes them. Raises InputError."""
        spec, batch, time = self._x
        array = as_array(value, spec.name)
        if array.ndim != len(spec.axes):
            raise InputError(
                f"lengths go with a padded batch: expected {spec.name} "
                f"({', '.join(map(str, spec.axes))}), got shape {array.shape}"
            )
        from lstm_export.runtime.lengths import read_lengths

        assert batch is not None
        assert time is not None
        ends = read_lengths(lengths, array.shape[batch], array.shape[time], 1)
        rows = np.moveaxis(array, (batch, time), (0, 1))
        place = [axis for axis in spec.axes if axis != BATCH].index(SEQUENCE_LENGTH)
        return [np.moveaxis(row[:end], 0, place) for row, end in zip(rows, ends, strict=True)]

    def pads(self, length: int) -> bool:
        """Whether sequences that differ in length run as one batch."""
        return self.together and (self._causal or self._padding is True)

    def most(self, items: Sequence[Array]) -> int | None:
        """Rows that may run together; tries on `items` whether padding changes anything."""
        if not self.together:
            return 1
        if self._lengths is not None and self._padding is None and not self._causal:
            self._padding = self._tried(items)
        return None

    def run(self, items: Sequence[Array], how: Plan, *, check: bool) -> list[list[Array]]:
        """All outputs that each of `items`, the longest first, would get alone."""
        ends = [len(item) for item in items]
        spec, batch, time = self._x
        x = packed(items, 0, ends[0], check, np.dtype(spec.dtype))
        assert batch is not None
        assert time is not None
        feeds = {spec.name: np.ascontiguousarray(np.moveaxis(x, (0, 1), (batch, time)))}
        if self._lengths is not None:
            feeds[self._lengths.name] = np.array(ends, self._lengths.dtype)
        if ends[0] * len(ends) * self.width > LONG and self.graphs.has(LAYOUT.stream):
            from lstm_export.runtime.module_long import in_chunks

            size = len(ends), ends[0], self.width
            outputs = in_chunks(self._stream(), self._spec, feeds, *size, how)
        else:
            outputs = self.graphs.open(LAYOUT.model, how).run(feeds)
        return [
            [
                _of_row(value, axes, row, end)
                for value, axes in zip(outputs, self._outputs, strict=True)
            ]
            for row, end in enumerate(ends)
        ]

    def one(self, batch: list[list[Array]], row: int) -> Row:
        """What a call gives, for one sequence of a batch."""
        return self._named(batch[row])

    def gathered(self, rows: Sequence[Sequence[Array]]) -> Lists:
        """The results of all sequences, by output: stacked, or a list where they have steps."""
        return self._named(
            [
                np.stack(values) if axes.fixed else list(values)
                for axes, values in zip(self._outputs, zip(*rows, strict=True), strict=True)
            ]
        )

    def _named(self, outputs: Sequence[T]) -> T | dict[str, T]:
        if len(outputs) == 1:
            return outputs[0]
        return {axes.spec.name: value for axes, value in zip(self._outputs, outputs, strict=True)}

    def _tried(self, items: Sequence[Array]) -> bool | None:
        """Whether the shortest of `items` gets beside the longest what it gets alone."""
        longest, shortest = max(items, key=len), min(items, key=len)
        if len(longest) == len(shortest):
            return None
        how = self.graphs.plan(2, len(longest))
        beside = self.run([longest, shortest], how, check=False)[1]
        alone = self.run([shortest], how, check=False)[0]
        return all(_same(a, b) for a, b in zip(beside, alone, strict=True))


def sequence_input(spec: GraphSpec) -> TensorSpec | None:
    """The input of a graph that a list of sequences goes to, if it takes one."""
    sequences = [s for s in spec.inputs if {BATCH, SEQUENCE_LENGTH} <= set(s.axes)]
    others = [s for s in spec.inputs if s not in sequences]
    if len(sequences) != 1 or len(others) > 1 or not all(map(_are_lengths, others)):
        return None
    return sequences[0] if _plain(sequences[0]) else None


def no_lists(spec: GraphSpec) -> InputError:
    """What is said where a graph takes no sequences of different lengths."""
    return InputError(
        "a list of sequences, or lengths, go to a model with one input of axes (batch, "
        "sequence_length, …), beside it at most an integer input of their lengths; this one "
        f"takes {'; '.join(map(str, spec.inputs))}: call it with each sequence on its own"
    )


def _are_lengths(spec: TensorSpec) -> bool:
    return spec.axes == (BATCH,) and spec.dtype in ("int32", "int64") and "len" in spec.name


def _plain(spec: TensorSpec) -> bool:
    named = sorted(axis for axis in spec.axes if isinstance(axis, str))
    return named == [BATCH, SEQUENCE_LENGTH] and spec.dtype.startswith(("float", "int", "uint"))


def _axes(spec: TensorSpec, *, own_length: bool = False) -> _Axes:
    """`own_length` where steps may be those of the longest sequence, an axis by another number."""
    places: dict[str, int] = {}
    for place, axis in enumerate(spec.axes):
        if axis == BATCH:
            places[BATCH] = place
        elif axis == SEQUENCE_LENGTH or (own_length and str(axis).startswith(_OTHER)):
            places.setdefault(SEQUENCE_LENGTH, place)
    return _Axes(spec, places.get(BATCH), places.get(SEQUENCE_LENGTH))


def _of_row(output: Array, axes: _Axes, row: int, end: int) -> Array:
    """A copy: of a result that is kept, the rest of its batch is not."""
    steps = output if axes.time is None else np.moveaxis(output, axes.time, 0)[:end]
    cut = steps if axes.time is None else np.moveaxis(steps, 0, axes.time)
    return (cut if axes.batch is None else cut.take(row, axes.batch)).copy()


def _same(a: Array, b: Array) -> bool:
    if a.shape != b.shape:
        return False
    if a.dtype.kind != "f":
        return bool(np.array_equal(a, b))
    largest = float(np.abs(np.nan_to_num(b)).max(initial=0.0))
    return bool(np.allclose(a, b, 0.0, SAME * largest, equal_nan=True))
