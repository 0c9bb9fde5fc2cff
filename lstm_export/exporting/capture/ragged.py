"""Packed sequences while a module is traced: a padded batch and its lengths.

Every field of a `PackedSequence` made here holds what torch would put there, with sizes that are
symbols: `data` has one row per valid step, in torch's order, so that a linear layer, a mean or a
batch norm on it is what it is in torch. Nobody pays for that: recurrent layers and padding take
the padded tensor that the rows came from, and rows that nothing reads are pruned. A packed
sequence that was rebuilt around other rows (`PackedSequence(dropout(p.data), p.batch_sizes, …)`)
is known by its batch_sizes.

The opaque nodes, on a time-major padded tensor (sequence_length, batch, …):

- `Lengths` (lengths, padded) → lengths (batch,), int64; the run fails unless each is at least 1
  and at most sequence_length.
- `Pack` (padded, lengths, order) → rows (sum of lengths, …), the batch sorted by `order` if given.
- `Unpack` (rows, padded, lengths, order, inverse) → their padded tensor, zero in the padding, of
  `padded`'s sequence_length and in the caller's order.
- `Trim` (padded, lengths) → the padded tensor up to the longest sequence.
"""

from __future__ import annotations

import dataclasses
import threading
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from lstm_export.errors import ExportError
from lstm_export.exporting.capture.opaque import demand, opaque

LENGTHS, PACK, UNPACK, TRIM = "Lengths", "Pack", "Unpack", "Trim"


@dataclass(frozen=True, slots=True, eq=False)
class Ragged:
    """One padded batch (sequence_length, batch, …) and its lengths, in the caller's order.

    `order` sorts the batch as torch does, `inverse` undoes it; both None if it came sorted.
    `longest` is the largest length, or the padded one where nothing is trimmed.
    """

    padded: Tensor
    lengths: Tensor
    order: Tensor | None
    inverse: Tensor | None
    longest: Any
    total: Any
    batch_sizes: Tensor


@dataclass(slots=True)
class Known:
    """What was packed while a capture is active in this thread.

    By the id of batch_sizes and of data, both of which are kept alive here.
    """

    trim: bool
    batches: dict[int, Ragged] = field(default_factory=dict)
    rows: dict[int, tuple[Tensor, Tensor, bool]] = field(default_factory=dict)


class Active(threading.local):
    known: Known | None = None


active = Active()


def ragged(lengths: Tensor, padded: Tensor, *, is_sorted: bool) -> Ragged:
    """`padded` (sequence_length, batch, …) with `lengths` (batch,), of any integer type."""
    assert active.known is not None
    time, batch = padded.shape[:2]
    demand(lengths.shape[0] == batch)
    lengths = checked(lengths.to(torch.int64), padded)
    total = _size(lengths.sum())
    longest = time
    if active.known.trim:
        longest = _size(lengths.max())
        demand(longest <= time)
    order = inverse = None
    if not is_sorted:
        order = torch.sort(lengths, descending=True)[1]
        inverse = torch.argsort(order)
    steps = torch.arange(time)
    batch_sizes = (steps[:, None] < lengths).sum(1).narrow(0, 0, longest)
    found = Ragged(padded, lengths, order, inverse, longest, total, batch_sizes)
    active.known.batches[id(batch_sizes)] = found
    return found


def checked(lengths: Tensor, padded: Tensor) -> Tensor:
    """`lengths`, int64; the run fails unless `padded` (sequence_length, …) can have them."""
    return opaque(LENGTHS, [lengths, padded], torch.int64, lengths.shape)


def trimmed(padded: Tensor, batch: Ragged) -> Tensor:
    """`padded` (sequence_length, batch, …) as far as its longest sequence goes."""
    if batch.longest is padded.shape[0]:
        return padded
    shape = (batch.longest, *padded.shape[1:])
    return opaque(TRIM, [padded, batch.lengths], padded.dtype, shape)


def packed(padded: Tensor, batch: Ragged, *, clean: bool) -> PackedSequence:
    """`padded` (sequence_length, batch, …) as torch packs it; `clean` if its padding is zero."""
    assert active.known is not None
    inputs = [padded, batch.lengths, batch.order]
    rows = opaque(PACK, inputs, padded.dtype, (batch.total, *padded.shape[2:]))
    active.known.rows[id(rows)] = rows, padded, clean
    return PackedSequence(rows, batch.batch_sizes, batch.order, batch.inverse)


def padded(sequence: PackedSequence) -> tuple[Tensor, Ragged, bool]:
    """The padded tensor (sequence_length, batch, …), its lengths, and whether its padding is zero.

    Raises ExportError for a packed sequence that was not made by torch's own functions in this
    capture.
    """
    batch = active.known.batches.get(id(sequence.batch_sizes)) if active.known else None
    if active.known is None or batch is None:
        raise ExportError(
            "expected a packed sequence from pack_padded_sequence, got one with batch_sizes of "
            "unknown origin: pack a padded tensor with its lengths inside forward"
        )
    if (sequence.sorted_indices is None) != (sequence.unsorted_indices is None):
        raise ExportError(
            "expected a packed sequence with both sorted_indices and unsorted_indices, or with "
            "neither: pass both on where you rebuild it"
        )
    values, clean = _padded_rows(sequence.data, batch)
    if batch.order is not None and sequence.sorted_indices is None:
        # Rebuilt without its order, a packed sequence stays sorted, as torch has it.
        values, batch = values.index_select(1, batch.order), _sorted(batch, batch.order)
    return values, batch, clean


def _padded_rows(rows: Tensor, batch: Ragged) -> tuple[Tensor, bool]:
    assert active.known is not None
    if id(rows) in active.known.rows:
        _, values, clean = active.known.rows[id(rows)]
        return values, clean
    demand(rows.shape[0] == batch.total)
    inputs = [rows, batch.padded, batch.lengths, batch.order, batch.inverse]
    shape = (*batch.padded.shape[:2], *rows.shape[1:])
    return opaque(UNPACK, inputs, rows.dtype, shape), True


def _sorted(batch: Ragged, order: Tensor) -> Ragged:
    assert active.known is not None
    found = dataclasses.replace(
        batch,
        lengths=batch.lengths.index_select(0, order),
        padded=batch.padded.index_select(1, order),
        order=None,
        inverse=None,
        batch_sizes=batch.batch_sizes.clone(),
    )
    active.known.batches[id(found.batch_sizes)] = found
    return found


def _size(value: Tensor) -> Any:
    size = value.item()
    demand(size >= 1)
    return size
