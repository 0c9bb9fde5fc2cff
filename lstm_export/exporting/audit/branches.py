"""Sizes that Python decided on while a module was traced.

`if x.size(1) > 10:` takes one way for the example, and the file would take it for every input. A
check that only refuses inputs (`assert x.size(1) >= 3`), or one inside torch (a kernel longer than
the input), is no branch: it limits the axis, and stands in the report. What a condition is, its
source tells; where that is not enough, the module is run at sizes that break it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import combinations, islice
from typing import Literal

import sympy
import torch
from torch.fx.experimental.symbolic_shapes import ShapeEnv

from lstm_export.exporting.audit.source import place_of, text_of, use_of
from lstm_export.exporting.audit.trial import At, Trial
from lstm_export.exporting.audit.watch import Asker, Decision, decisions, shape_env
from lstm_export.exporting.tracing.blame import Place

Kind = Literal["branch", "precondition", "caution"]

_FAR = 4096
_TRIES = 24
_FOLLOWERS = 3


@dataclass(frozen=True, slots=True)
class SizeCondition:
    """A condition that held for the example, in torch's symbols.

    A `branch` decides what is computed: user code tested a size or made a plain number of it
    (`asker`), in `text` at `place`. A `precondition` refuses other sizes. A `caution` is torch's
    own and refuses nothing: what it decided has to be verified at sizes that break it.
    `fixes` are the symbols that it made constants, `axes` the axes that each symbol stands for,
    `example` the sizes that they had.
    """

    kind: Kind
    condition: sympy.Basic
    asker: Asker
    place: Place
    text: str
    fixes: frozenset[sympy.Symbol]
    axes: dict[sympy.Symbol, tuple[At, ...]]
    example: dict[sympy.Symbol, int]

    def breaking(self) -> Iterator[dict[At, int]]:
        """Sizes for which it does not hold, those next to the example's first."""
        for sizes in _breaking(self.condition, self.example):
            yield {at: n for symbol, n in sizes.items() for at in self.axes[symbol]}
            if self.fixes and len(sizes) == 1:
                # Which of the axes of that size had to follow is not known any more.
                ((symbol, size),) = sizes.items()
                first, *others = self.axes[symbol]
                for count in range(min(len(others), _FOLLOWERS)):
                    for followers in combinations(others, count):
                        yield dict.fromkeys((first, *followers), size)


def size_conditions(program: torch.export.ExportedProgram) -> tuple[SizeCondition, ...]:
    """Every condition on the sizes of inputs that tracing `program` met, in order.

    Left out is what ties axes to one another or fixes the width that a weight has, what holds for
    all sizes from 1 on, and a test that only warns. `program` was traced within `watched_sizes`.
    """
    environment = shape_env(program)
    if environment is None:
        return ()
    places = axes_of(environment)
    found = []
    for decision in decisions(program):
        if decision.span is None or not decision.condition.free_symbols <= places.keys():
            continue
        if decision.asker == "torch" and _is_tie(decision.condition):
            continue
        example = {s: _example(s, environment) for s in decision.condition.free_symbols}
        use = use_of(decision.span) if decision.asker == "test" else "branch"
        if use == "talk" or next(_breaking(decision.condition, example), None) is None:
            continue
        axes = {
            symbol: _standing_for(symbol, decision, environment, places)
            for symbol in decision.condition.free_symbols
        }
        found.append(
            SizeCondition(
                "precondition" if use == "check" or decision.asker == "torch" else "branch",
                decision.condition,
                decision.asker,
                place_of(decision.span),
                text_of(decision.span),
                decision.fixed,
                axes,
                example,
            )
        )
    return tuple(found)


def size_branches(program: torch.export.ExportedProgram) -> tuple[SizeCondition, ...]:
    """The conditions by which the user's own code decided what to compute."""
    return tuple(one for one in size_conditions(program) if one.kind == "branch")


def judged(conditions: Iterable[SizeCondition], trial: Trial) -> tuple[SizeCondition, ...]:
    """`conditions` with the kind that `trial`, the module itself, gives them.

    A branch whose other side the module refuses is a precondition. One of torch's that the module
    does not refuse to break is a caution.
    """
    found = []
    for one in conditions:
        if one.asker == "torch" or one.kind == "branch":
            refused = all(trial(sizes) for sizes in islice(one.breaking(), _TRIES))
            accepted: Kind = "caution" if one.asker == "torch" else "branch"
            one = replace(one, kind="precondition" if refused else accepted)
        found.append(one)
    return tuple(found)


def size_limits(conditions: Iterable[SizeCondition]) -> dict[At, tuple[int, int | None]]:
    """The shortest and longest size that preconditions leave an axis, None for no limit."""
    limits: dict[At, tuple[int, int | None]] = {}
    for one in conditions:
        if one.kind != "precondition" or len(one.axes) != 1 or one.fixes:
            continue
        ((symbol, places),) = one.axes.items()
        shortest, longest = _around(one.condition, symbol, one.example[symbol])
        for place in places:
            low, high = limits.get(place, (1, None))
            both = [end for end in (high, longest) if end is not None]
            limits[place] = max(low, shortest), min(both) if both else None
    return {place: limit for place, limit in limits.items() if limit != (1, None)}


def axes_of(environment: ShapeEnv) -> dict[sympy.Symbol, At]:
    """The axis that each symbol was made for, where the inputs are one row of tensors."""
    found: dict[sympy.Symbol, At] = {}
    for symbol, sources in environment.var_to_sources.items():
        for source in sources:
            index = getattr(getattr(source, "base", None), "index", None)
            axis = getattr(source, "idx", None)
            if isinstance(index, int) and isinstance(axis, int):
                found.setdefault(symbol, (index, axis))
    return found


def _standing_for(
    symbol: sympy.Symbol,
    decision: Decision,
    environment: ShapeEnv,
    places: dict[sympy.Symbol, At],
) -> tuple[At, ...]:
    """All axes that have to be equal to the one of `symbol`, but for others of the condition."""
    others = decision.condition.free_symbols - {symbol}
    final = environment.replace(symbol)
    return (
        places[symbol],
        *(
            place
            for other, place in places.items()
            if other not in {symbol, *others} and environment.replace(other) == final
        ),
    )


def _is_tie(condition: sympy.Basic) -> bool:
    """Two axes that must be equal, or one that must have the width of a weight."""
    return isinstance(condition, sympy.Eq) and all(
        side.is_symbol or side.is_number for side in condition.args
    )


def _breaking(
    condition: sympy.Basic, example: dict[sympy.Symbol, int]
) -> Iterator[dict[sympy.Symbol, int]]:
    """Sizes from 1 on that break `condition`: one of them moved from the example's, or all."""
    moved = [
        {**example, symbol: n}
        for symbol, size in example.items()
        for _, n in sorted((abs(n - size), n) for n in _others(condition, size))
    ]
    alike = [dict.fromkeys(example, n) for n in (1, 2, 3, 7)] if len(example) > 1 else []
    return (sizes for sizes in moved + alike if not _holds(condition, sizes))


def _around(condition: sympy.Basic, symbol: sympy.Symbol, size: int) -> tuple[int, int | None]:
    """The ends of the sizes around the example's for which `condition` holds."""
    shortest = size
    while shortest > 1 and _holds(condition, {symbol: shortest - 1}):
        shortest -= 1
    longer = [n for n in _others(condition, size) if n > size]
    broken = [n for n in longer if not _holds(condition, {symbol: n})]
    if not broken:
        return shortest, None
    low, high = size, min(broken)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _holds(condition, {symbol: middle}) else (low, middle)
    return shortest, low


def _others(condition: sympy.Basic, size: int) -> list[int]:
    """Sizes at which a condition may change its mind."""
    numbers = {abs(int(n)) for n in condition.atoms(sympy.Integer)} | {size}
    near = {n + step for n in numbers for step in (-2, -1, 0, 1, 2)} | {2 * n for n in numbers}
    return sorted(({1, 2, 3, 4, 5, 6, 7, _FAR} | {n for n in near if n > 0}) - {size})


def _holds(condition: sympy.Basic, sizes: dict[sympy.Symbol, int]) -> bool:
    given = {symbol: sympy.Integer(n) for symbol, n in sizes.items()}
    return bool(condition.xreplace(given) != sympy.false)


def _example(symbol: sympy.Symbol, environment: ShapeEnv) -> int:
    return int(environment.backed_var_to_val[symbol])
