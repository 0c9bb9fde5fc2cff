"""What a set of timings says, and how sure: medians with intervals that assume nothing.

Times of calls have long tails and no distribution that one could name. The interval of a median is
therefore made of two of the values themselves: of n independent values the j-th smallest and the
j-th largest enclose the median with the probability 1 − 2·P(Binomial(n, ½) < j), whatever they are
drawn from (H. A. David and H. N. Nagaraja, Order Statistics, 3rd edition, section 7.1).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from lstm_export.errors import OptionError

CONFIDENCE = 0.95
FEWEST = 6
"""Values from which an interval of 95 % can be made: 1 − 2·½⁶ = 0.969."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A median and the interval that holds it; `confidence` is the one that was reached."""

    value: float
    low: float
    high: float
    confidence: float
    count: int


def median_estimate(values: Sequence[float], confidence: float = CONFIDENCE) -> Estimate:
    """The median of `values` with the narrowest interval of at least `confidence`.

    With too few values for that it is their whole range, and `confidence` says what that is worth.
    Raises OptionError for no values.
    """
    if not values:
        raise OptionError("no timings: a median needs at least one")
    ordered, count = sorted(values), len(values)
    outside, below = 1, 0
    """Of the 2^count equally likely ways to fall on either side, those with fewer than `below + 1`
    values on one of them."""
    while below + 1 < count - below - 1:
        further = outside + math.comb(count, below + 1)
        if 1 - 2 * further / 2**count < confidence:
            break
        outside, below = further, below + 1
    reached = max(0.0, 1 - 2 * outside / 2**count)
    return Estimate(median(ordered), ordered[below], ordered[-1 - below], reached, count)


def paired_ratio(
    numerators: Sequence[float], denominators: Sequence[float], confidence: float = CONFIDENCE
) -> Estimate:
    """The median of numerator ÷ denominator over pairs that were measured side by side.

    What slows the machine for a while slows both of a pair, so their ratio hardly moves, where a
    ratio of two medians would. Raises OptionError if they are no pairs.
    """
    if len(numerators) != len(denominators):
        raise OptionError(f"{len(numerators)} and {len(denominators)} timings make no pairs")
    pairs = zip(numerators, denominators, strict=True)
    return median_estimate([above / below for above, below in pairs], confidence)


def better_of(*contenders: Sequence[float]) -> Sequence[float]:
    """Of several, the one with the smallest median: a yardstick must not be handicapped."""
    return min(contenders, key=median)
