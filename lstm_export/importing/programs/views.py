"""A view with the sizes of one call, as a view of any."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from math import prod

from sympy import Expr, Integer, Symbol


def regrouped(
    given: Sequence[Expr], before: Sequence[int], after: Sequence[int], values: dict[Symbol, int]
) -> list[Expr | tuple[int, ...] | int] | None:
    """What each of the sizes `after` is: a number, a product of axes of what is viewed, or an
    expression of symbols. None where that is ambiguous.

    `before` and `given` are the sizes of what is viewed, in numbers and in symbols, whose `values`
    are given. Axes that merge, split or stay are found as the shortest runs on both sides with
    equal products: a size before a run with one axis on each side is that same axis.
    """
    found: list[Expr | tuple[int, ...] | int] = []
    for inner, outer in _runs(before, after):
        if not any(given[axis].free_symbols for axis in inner):
            found += [after[axis] for axis in outer]
            continue
        # Whether an axis of 1 was merged or left out does not show.
        if len(inner) > 1 and any(before[a] == 1 and given[a].free_symbols for a in inner):
            return None
        if len(outer) == 1:
            found.append(tuple(inner))
            continue
        split = _nested(given, before, after, inner, outer) or _split(
            prod((given[a] for a in inner), start=Integer(1)), after, outer, values
        )
        if split is None:
            return None
        found += split
    return found


def _runs(before: Sequence[int], after: Sequence[int]) -> Iterator[tuple[list[int], list[int]]]:
    i = j = 0
    while i < len(before) or j < len(after):
        inner, outer = [], []
        if i < len(before):
            inner.append(i)
            i += 1
        if j < len(after):
            outer.append(j)
            j += 1
        while (one := prod(before[a] for a in inner)) != (other := prod(after[a] for a in outer)):
            if one < other and i < len(before):
                inner.append(i)
                i += 1
            elif j < len(after):
                outer.append(j)
                j += 1
            else:
                return
        # Ones at the end, and those that only one side has, stand alone or go with what is before.
        yield inner, outer


def _nested(
    given: Sequence[Expr],
    before: Sequence[int],
    after: Sequence[int],
    inner: Sequence[int],
    outer: Sequence[int],
) -> list[Expr | tuple[int, ...] | int] | None:
    """The sizes of a run in which every axis that varies lies within one axis of the result."""
    sizes = [Integer(after[axis]) for axis in outer]
    start = 1
    for axis in inner:
        end = start * before[axis]
        if given[axis].free_symbols:
            left = 1
            for position, other in enumerate(outer):
                right = left * after[other]
                if start % left == 0 and right % end == 0:
                    sizes[position] = sizes[position] / before[axis] * given[axis]
                    break
                left = right
            else:
                return None
        start = end
    return [int(size) if size.is_Integer else size for size in sizes]


def _split(
    whole: Expr, after: Sequence[int], outer: Sequence[int], values: dict[Symbol, int]
) -> list[Expr | tuple[int, ...] | int] | None:
    """The symbols of a product over several axes, where one way alone fits the numbers."""
    factors = list(whole.as_ordered_factors())
    symbols = [one for one in factors if isinstance(one, Symbol)]
    rest = prod((int(one) for one in factors if one.is_Integer), start=1)
    if len(symbols) + sum(one.is_Integer for one in factors) != len(factors) or len(symbols) > 4:
        return None
    ways = []
    for choice in itertools.product(range(len(outer)), repeat=len(symbols)):
        sizes = [Integer(1)] * len(outer)
        for symbol, place in zip(symbols, choice, strict=True):
            sizes[place] = sizes[place] * symbol
        numbers = [int(size.subs(values)) for size in sizes]
        left = [divmod(after[axis], n) for axis, n in zip(outer, numbers, strict=True)]
        if all(over == 0 for _, over in left) and prod(n for n, _ in left) == rest:
            ways.append([size * n for size, (n, _) in zip(sizes, left, strict=True)])
    if len(ways) != 1:
        return None
    return [int(size) if size.is_Integer else size for size in ways[0]]
