"""Raw sequences as a caller has them: one or a batch, as arrays or as a list of ragged ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from lstm_export.contract import Column
from lstm_export.errors import InputError
from lstm_export.runtime.feed import Axes, OnNonfinite, as_array, as_float32, require_finite

if TYPE_CHECKING:
    from lstm_export.runtime.arrays import Array, Float32, Positions

_FLOAT32 = np.dtype(np.float32)


class Sequences:
    """Checked sequences, those of one length together.

    `groups` holds (positions among all, (batch, sequence_length, ...) as the graph takes it);
    positions is None where there is one group in order.
    """

    __slots__ = ("batched", "groups")

    def __init__(self, groups: Sequence[tuple[Positions | None, Array]], *, batched: bool) -> None:
        self.groups, self.batched = groups, batched

    def map(self, run: Callable[[Array], Array]) -> Array:
        """`run` on every group; the results in the caller's order, unbatched if they came so."""
        positions, first = self.groups[0]
        result = run(first)
        if positions is None:
            return result if self.batched else result[0]
        count = sum(len(group) for _, group in self.groups)
        merged = np.empty((count, *result.shape[1:]), result.dtype)
        merged[positions] = result
        for positions, group in self.groups[1:]:
            merged[positions] = run(group)
        return merged


class SequenceFeed:
    """What the `x` of a model of numbers must be: rows of `features`, `shortest` or more."""

    __slots__ = ("_axes", "_columns", "_name", "_shortest", "_width", "checks")

    dtype = _FLOAT32

    def __init__(
        self,
        features: tuple[Column, ...],
        on_nonfinite: OnNonfinite,
        *,
        shortest: int = 1,
        name: str = "x",
    ) -> None:
        self._columns = tuple(column.name for column in features)
        self._axes, self._width = Axes(self._columns), len(self._columns)
        self._shortest = shortest
        self.checks = on_nonfinite == "raise"
        self._name = name

    def read(self, value: object, last: int | None = None) -> Sequences:
        """`value` checked: (batch, sequence_length, input_size), (sequence_length, input_size),
        rank 1 where input_size is 1, or a list of such sequences of different lengths.

        `last` keeps only that many last rows of each; what came before them is not looked at.
        Raises InputError.
        """
        items = self.items(value)
        if items is None:
            return self.array(value, last)
        name = self._name
        sequences = [
            self.checked(self.sequence(x, f"{name}[{i}]"), f"{name}[{i}]", last)
            for i, x in enumerate(items)
        ]
        return _grouped(sequences)

    def array(self, value: object, last: int | None = None) -> Sequences:
        """`read` for what is not a list of sequences."""
        name = self._name
        array = as_array(value, name)
        if array.ndim == 3:
            self._require_shape(array, name)
            return Sequences(((None, self.checked(array, name, last)),), batched=True)
        one = self.checked(self.sequence(array, name), name, last)
        return Sequences(((None, one[np.newaxis]),), batched=False)

    def padded(self, value: object, lengths: object) -> list[Array]:
        """The sequences in a padded batch (batch, sequence_length, input_size), as views.

        `lengths` (batch,) are integers: how many steps of each row count. Raises InputError.
        """
        name = self._name
        if isinstance(value, list | tuple) and self.items(value) is not None:
            raise InputError(
                f"lengths go with a padded batch; {name} is a list, whose items each "
                "have a length of their own: leave lengths out"
            )
        array = as_array(value, name)
        if array.ndim != 3:
            raise InputError(
                f"lengths go with a padded batch: expected {name} (batch, sequence_length, "
                f"{self._width}), got shape {array.shape}"
            )
        self._require_shape(array, name)
        from lstm_export.runtime.lengths import read_lengths

        ends = read_lengths(lengths, array.shape[0], array.shape[1], self._shortest)
        return [
            self.sequence(row[:end], f"{name}, row {i}")
            for i, (row, end) in enumerate(zip(array, ends, strict=True))
        ]

    def items(self, value: object) -> list[Array] | None:
        """The sequences in a list, as they are; None if `value` is one array, or written out so.

        Raises InputError.
        """
        if not isinstance(value, list | tuple):
            return None
        if not value:
            raise InputError(f"{self._name} is an empty list; expected at least one sequence")
        if all(isinstance(item, np.ndarray) for item in value):
            # Rank-1 arrays are sequences where one feature is expected, rows where there are more.
            rows = self._width > 1 and all(np.ndim(item) == 1 for item in value)
            lonely = any(np.ndim(item) == 0 for item in value)
            if not rows and not lonely:
                return [as_array(item, self._name) for item in value]
            return None
        try:
            np.asarray(value)
        except (ValueError, TypeError, RuntimeError):
            items = [as_array(item, f"{self._name}[{i}]") for i, item in enumerate(value)]
            if all(item.ndim == 2 for item in items):
                return items
            raise InputError(
                f"{self._name}: expected rows of {self._width} numbers, or a list of sequences "
                f"(sequence_length, {self._width}); got a list whose items differ in length"
            ) from None
        return None

    def fits(self, item: object) -> bool:
        """Whether `item` is a float32 sequence of the right shape, so that it needs no reading."""
        if type(item) is not np.ndarray or item.dtype is not _FLOAT32 or item.ndim != 2:
            return False
        length, width = item.shape
        fits: bool = width == self._width and length >= self._shortest
        return fits

    def alone(self, value: object, name: str) -> Array:
        """One sequence of a list, (sequence_length, input_size); its values are left to be checked
        with its batch where they are checked at all. Raises InputError naming `name`.
        """
        array = self.sequence(as_array(value, name), name)
        as_float32(array[:0], name)  # the type is refused now, the values when they are cast
        # A number too large for float32 is refused even where infinities may pass.
        return array if self.checks else self.checked(array, name)

    def sequence(self, array: Array, name: str) -> Array:
        """One sequence as (sequence_length, input_size), its values not looked at yet.

        Raises InputError naming `name`.
        """
        if array.ndim == 1 and self._width == 1:
            array = array.reshape(-1, 1)
        if array.ndim != 2:
            width = self._width
            rank_1 = "" if width == 1 else f"; rank 1 is for models of one feature, not {width}"
            rank_1 = rank_1 if array.ndim == 1 else ""
            raise InputError(
                f"{name}: expected (batch, sequence_length, {width}) or (sequence_length, {width})"
                f", got shape {array.shape}{rank_1}"
            )
        self._require_shape(array, name)
        return array

    def checked(self, array: Array, name: str, last: int | None = None) -> Float32:
        """The values of (..., sequence_length, input_size) as float32. Raises InputError."""
        axes, length = self._axes, array.shape[-2]
        if last is not None and length > last:
            array = array[..., -last:, :]
            axes = Axes(self._columns, length - last)
        checked = as_float32(array, name, axes)
        if self.checks:
            require_finite(checked, name, axes)
        return checked

    def _require_shape(self, array: Array, name: str) -> None:
        *_, length, width = array.shape
        if width != self._width:
            columns = ", ".join(self._columns)
            raise InputError(
                f"{name}: expected {self._width} values per step ({columns}), got {width}: "
                f"shape {array.shape}"
            )
        if 0 in array.shape:
            raise InputError(f"{name} is empty: shape {array.shape}")
        if length < self._shortest:
            raise InputError(
                f"{name} is too short: {length} steps, and the model needs at least "
                f"{self._shortest}, because it works on differences over {self._shortest - 1}"
            )


def _grouped(items: list[Float32]) -> Sequences:
    lengths = np.array([len(item) for item in items])
    groups = []
    for length in np.unique(lengths):
        positions = np.flatnonzero(lengths == length)
        groups.append((positions, np.stack([items[i] for i in positions])))
    if len(groups) == 1:
        return Sequences(((None, groups[0][1]),), batched=True)
    return Sequences(groups, batched=True)
