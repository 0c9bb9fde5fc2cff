"""Which sequences train, validate and test: each whole, every label in proportion."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from lstm_export.data.split import TEST, TRAIN, VALIDATION, Parts, check_fractions
from lstm_export.errors import DataError

Counts = npt.NDArray[np.int64]


def split_sequences(
    labels: Sequence[str] | None, count: int, validation: float, test: float, seed: int
) -> Parts:
    """The part of each of `count` sequences, int8 (count,): TRAIN, VALIDATION or TEST.

    round(test · count) sequences test and round(validation · count) validate, at least one where
    the fraction is above 0, chosen by `seed`. With `labels`, one per sequence, each label has its
    share in every part, and one sequence of it at least trains. The same arguments give the same
    parts. Raises OptionError for fractions that make no sense, DataError where the sequences are
    too few for them.
    """
    check_fractions(validation, test)
    kinds, label = np.unique(
        np.zeros(count, dtype=np.str_) if labels is None else np.array(labels, dtype=object),
        return_inverse=True,
    )
    counts = np.bincount(label, minlength=len(kinds))
    left = counts - 1  # one of each trains
    # In a random order; then label by label, so that each label's sequences stand together.
    order = np.argsort(np.random.default_rng(seed).random(count), kind="stable")
    order = order[np.argsort(label[order], kind="stable")]
    first = np.searchsorted(label[order], np.arange(len(kinds)))
    part = np.full(count, TRAIN, dtype=np.int8)
    for name, number, fraction in (("test", TEST, test), ("validation", VALIDATION, validation)):
        if not fraction:
            continue
        shares = _shares(left, max(1, round(fraction * count)), fraction * counts)
        if not shares.sum():
            each = "" if labels is None else f" of {len(kinds)} labels"
            raise DataError(
                f"{count} sequences{each} are too few for a {name} part beside one of each that "
                f"trains: use more, or --{name} 0"
            )
        for begin, share in zip(first.tolist(), shares.tolist(), strict=True):
            part[order[begin : begin + share]] = number
        first, left = first + shares, left - shares
    return part


def _shares(most: Counts, total: int, exact: npt.NDArray[np.floating]) -> Counts:
    """`total` in whole numbers near to `exact`, none above `most`: the largest remainders are
    rounded up, and what does not fit goes to whoever lacks most."""
    shares: Counts = np.minimum(np.floor(exact).astype(np.int64), most)
    for _ in range(total - int(shares.sum())):
        lacking = np.where(shares < most, exact - shares, -np.inf)
        if np.isneginf(lacking).all():
            break
        shares[np.argmax(lacking)] += 1
    return shares
