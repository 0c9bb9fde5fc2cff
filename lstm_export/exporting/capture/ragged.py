"""Packed sequences while a module is traced: a padded batch and its lengths.

Every field of a packed sequence made here holds what torch would put there, with sizes that are
symbols: `data` has one row per valid step, in torch's order, so that a linear layer, a mean or a
batch norm on it is what it is in torch. A field is computed when it is read. Recurrent layers and
padding do not read them: they take the padded tensor. A packed sequence that was rebuilt around
other rows (`PackedSequence(dropout(p.data), p.batch_sizes, …)`) is known by its batch_sizes.

The opaque nodes, on a time-major padded tensor (sequence_length, batch, …):

- `Lengths` (lengths, padded) → lengths (batch,), int64; the run fails unless each is at least 1
  and at most sequence_length.
- `Pack` (padded, lengths, order) → rows (sum of lengths, …), the batch sorted by `order` if given.
- `Unpack` (rows, padded, lengths, order, inverse) → their padded tensor, zero in the padding, of
  `padded`'s sequence_length and in the caller's order.
- `Trim` (padded, lengths) → the padded tensor up to the longest sequence.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from lstm_export.errors import ExportError
from lstm_export.exporting.capture.opaque import demand, opaque

LENGTHS, PACK, UNPACK, TRIM = "Lengths", "Pack", "Unpack", "Trim"


class Ragged:
    """One padded batch (sequence_length, batch, …) and its lengths, in the caller's order."""

    def __init__(self, padded: Tensor, lengths: Tensor, is_sorted: bool, known: Known) -> None:
        self.padded, self.lengths, self.is_sorted, self.known = padded, lengths, is_sorted, known

    @cached_property
    def longest(self) -> Any:
        """The largest length, or the padded one where nothing is trimmed."""
        time = self.padded.shape[0]
        if not self.known.trim:
            return time
        longest = _size(self.lengths.max())
        demand(longest <= time)
        return longest

    @cached_property
    def total(self) -> Any:
        """The sum of all lengths."""
        return _size(self.lengths.sum())

    @cached_property
    def order(self) -> Tensor | None:
        """What sorts the batch as torch does; None if it came sorted."""
        return None if self.is_sorted else torch.sort(self.lengths, descending=True)[1]

    @cached_property
    def inverse(self) -> Tensor | None:
        """What undoes `order`."""
        return None if self.order is None else torch.argsort(self.order)

    @cached_property
    def batch_sizes(self) -> Tensor:
        """How many sequences have each step."""
        steps = torch.arange(self.padded.shape[0])
        sizes = (steps[:, None] < self.lengths).sum(1).narrow(0, 0, self.longest)
        self.known.batches[id(sizes)] = self
        return sizes

    @cached_property
    def as_sorted(self) -> Ragged:
        """The same batch with its sequences sorted."""
        assert self.order is not None
        padded, lengths = self.padded.index_select(1, self.order), self.lengths[self.order]
        return Ragged(padded, lengths, True, self.known)


@dataclass(slots=True)
class Known:
    """What was packed while a capture is active in this thread, by the id of its batch_sizes.

    The batches keep those alive, and with them their ids.
    """

    trim: bool
    batches: dict[int, Ragged] = field(default_factory=dict)


class Active(threading.local):
    known: Known | None = None


active = Active()


class Packed(PackedSequence):
    """`padded` (sequence_length, batch, …) packed; `clean` if its padding is zero."""

    padded: Tensor
    batch: Ragged
    clean: bool

    def __new__(cls, *fields: Any, **named: Any) -> PackedSequence:  # type: ignore[misc]
        # torch's methods make a new one of the same type, from fields.
        return PackedSequence(*fields, **named)

    @classmethod
    def of(cls, padded: Tensor, batch: Ragged, *, clean: bool) -> Packed:
        self: Packed = tuple.__new__(cls, (None,) * 4)
        self.padded, self.batch, self.clean = padded, batch, clean
        return self

    @cached_property
    def data(self) -> Tensor:
        inputs = [self.padded, self.batch.lengths, self.batch.order]
        shape = (self.batch.total, *self.padded.shape[2:])
        return opaque(PACK, inputs, self.padded.dtype, shape)

    @property
    def batch_sizes(self) -> Tensor:
        return self.batch.batch_sizes

    @property
    def sorted_indices(self) -> Tensor | None:
        return self.batch.order

    @property
    def unsorted_indices(self) -> Tensor | None:
        return self.batch.inverse

    def __iter__(self) -> Iterator[Any]:
        return iter((self.data, self.batch_sizes, self.sorted_indices, self.unsorted_indices))

    def __getitem__(self, index: Any) -> Any:
        return tuple(self)[index]


def ragged(lengths: Tensor, padded: Tensor, *, is_sorted: bool) -> Ragged:
    """`padded` (sequence_length, batch, …) with `lengths` (batch,), of any integer type."""
    assert active.known is not None
    demand(lengths.shape[0] == padded.shape[1])
    lengths = checked(lengths.to(torch.int64), padded)
    return Ragged(padded, lengths, is_sorted, active.known)


def checked(lengths: Tensor, padded: Tensor) -> Tensor:
    """`lengths`, int64; the run fails unless `padded` (sequence_length, …) can have them."""
    return opaque(LENGTHS, [lengths, padded], torch.int64, lengths.shape)


def trimmed(padded: Tensor, batch: Ragged) -> Tensor:
    """`padded` (sequence_length, batch, …) as far as its longest sequence goes."""
    if not batch.known.trim:
        return padded
    shape = (batch.longest, *padded.shape[1:])
    return opaque(TRIM, [padded, batch.lengths], padded.dtype, shape)


def unpacked(sequence: PackedSequence) -> tuple[Tensor, Ragged, bool]:
    """The padded tensor (sequence_length, batch, …), its lengths, and whether its padding is zero.

    Raises ExportError for a packed sequence that was not made by torch's own functions in this
    capture.
    """
    if isinstance(sequence, Packed):
        return sequence.padded, sequence.batch, sequence.clean
    batch = active.known.batches.get(id(sequence.batch_sizes)) if active.known else None
    if batch is None:
        raise ExportError(
            "expected a packed sequence from pack_padded_sequence, got one with batch_sizes of "
            "unknown origin: pack a padded tensor with its lengths inside forward"
        )
    if (sequence.sorted_indices is None) != (sequence.unsorted_indices is None):
        raise ExportError(
            "expected a packed sequence with both sorted_indices and unsorted_indices, or with "
            "neither: pass both on where you rebuild it"
        )
    if not batch.is_sorted and sequence.sorted_indices is None:
        # Rebuilt without its order, a packed sequence stays sorted, as torch has it.
        batch = batch.as_sorted
    rows = sequence.data
    demand(rows.shape[0] == batch.total)
    inputs = [rows, batch.padded, batch.lengths, batch.order, batch.inverse]
    shape = (*batch.padded.shape[:2], *rows.shape[1:])
    return opaque(UNPACK, inputs, rows.dtype, shape), batch, True


def _size(value: Tensor) -> Any:
    size = value.item()
    demand(size >= 1)
    return size
