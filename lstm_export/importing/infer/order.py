"""The way data flows through layers: the file's order, as far as their widths allow it.

torch saves modules in the order in which `__init__` made them, which is mostly the order of
`forward`. Where one layer's width out is the next one's in, that order stands; else the one order
in which widths chain; else several towers side by side that end where their widths add up.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice, pairwise

from lstm_export.errors import OptionError
from lstm_export.importing.infer.group import Group

_HEAD_NAME = re.compile(
    r"(^|[._])(h2o|hidden2\w+|out(put)?s?|heads?|decoder|fc\w*|logits?|predict\w*|classif\w*)($|[._])"
)
_BUDGET = 20_000
"""Partial orders that are looked at; a model of thirty layers of different widths takes thirty."""


@dataclass(frozen=True, slots=True)
class Arrangement:
    """`towers` run side by side, each on an input of its own; `trunk` on all they give together.

    With one tower `trunk` is empty. `heads` read the end of it side by side. Where the towers read
    one input, `stem` is what stands before all of them, and `forked` is true.
    """

    towers: tuple[tuple[Group, ...], ...]
    trunk: tuple[Group, ...] = ()
    heads: tuple[tuple[Group, ...], ...] = ()
    reordered: bool = False
    stem: tuple[Group, ...] = ()
    forked: bool = False

    @property
    def lines(self) -> tuple[tuple[Group, ...], ...]:
        return (self.stem, *self.towers, self.trunk, *self.heads)

    @property
    def groups(self) -> tuple[Group, ...]:
        return tuple(group for line in self.lines for group in line)


def arrange(groups: Sequence[Group]) -> list[Arrangement]:
    """Every arrangement in which widths chain, the likeliest first; at most four.

    One that keeps the file's order leaves no others, but for a head that stands in front by its
    name. Empty where there is none.
    """
    in_order = chain(groups)
    if in_order is not None:
        head_last = _head_last(groups)
        others = [] if head_last is None else [Arrangement((head_last,), reordered=True)]
        return [Arrangement((in_order,)), *others]
    orders = [Arrangement((order,), reordered=True) for order in islice(_orders(groups), 4)]
    if orders:
        return orders
    other = _heads(groups) or _towers(groups)
    if other is None:
        return []
    forked = _forked(other)
    return [other] if forked is None else [other, forked]


def unarranged(path: str, groups: Sequence[Group], perhaps: str | None) -> OptionError:
    """The question to ask where no arrangement is found; `perhaps` is a layer string to try."""
    parts = ", ".join(group.sized for group in groups)
    where = ""
    for before, after in pairwise(groups):
        if before.gives is not None and after.takes not in (None, before.gives):
            where = (
                f"{before.name or before.kind} gives {before.gives} features and "
                f"{after.name or after.kind} takes {after.takes}"
                + (" (one direction, or the sum of both?)" if _is_half(before, after) else "")
                + "; "
            )
            break
        if after.kind == "embedding":
            where = f"{after.name} starts a second input; "
            break
    advice = f'; perhaps --layers "{perhaps}"' if perhaps else ""
    return OptionError(
        f"{path}: the order of its layers cannot be told from their sizes: {where}the layers are "
        f"{parts}. Write the order with --layers, or give your own class with --module{advice}"
    )


def _heads(groups: Sequence[Group]) -> Arrangement | None:
    """One chain up to a point behind the last recurrent layer, then several that start there."""
    last = max((i for i, group in enumerate(groups) if group.recurrent), default=len(groups))
    for split in range(len(groups) - 2, last, -1):
        trunk = chain(groups[:split])
        if trunk is None:
            continue
        heads: list[tuple[Group, ...]] = []
        for group in groups[split:]:
            longer = _joined(heads[-1], group) if heads else None
            if longer is not None:
                heads[-1] = longer
            elif _joined(trunk, group) is not None:
                heads.append((group,))
            else:
                break
        else:
            if len(heads) > 1 and all(head[-1].kind == "linear" for head in heads):
                return Arrangement((trunk,), heads=tuple(heads))
    return None


def _head_last(groups: Sequence[Group]) -> tuple[Group, ...] | None:
    """A first layer whose name is a head's behind all others, which end in a recurrent one."""
    first = groups[0]
    if first.kind == "linear" and groups[-1].recurrent and _HEAD_NAME.search(first.name):
        return chain((*groups[1:], first))
    return None


def _forked(separate: Arrangement) -> Arrangement | None:
    """The same towers on one input, if all take what the first one has somewhere in front of a
    recurrent layer: two inputs of one width and one input look alike."""
    first, *others = separate.towers
    widths = {tower[0].takes for tower in others}
    for index, group in enumerate(first):
        if widths == {group.takes} and group.takes is not None:
            return replace(
                separate, stem=first[:index], towers=(first[index:], *others), forked=True
            )
        if group.recurrent:
            break
    return None


def _towers(groups: Sequence[Group]) -> Arrangement | None:
    done: list[tuple[Group, ...]] = []
    current: tuple[Group, ...] = ()
    for index, group in enumerate(groups):
        longer = chain((*current, group))
        if longer is not None:
            current = longer
            continue
        widths = [_width(tower) for tower in (*done, current)]
        total = sum(width for width in widths if width is not None)
        if done and None not in widths and total == group.takes:
            trunk = chain(groups[index:])
            if trunk is not None:
                return Arrangement((*done, current), trunk)
        done.append(current)
        current = (group,)
    return None


def _orders(groups: Sequence[Group]) -> Iterator[tuple[Group, ...]]:
    """All orders that chain, those nearest to the file's first, as far as the budget goes."""
    left = _BUDGET

    def extend(done: tuple[Group, ...], rest: tuple[Group, ...]) -> Iterator[tuple[Group, ...]]:
        nonlocal left
        if not rest:
            yield done
        for i, group in enumerate(rest):
            left -= 1
            if left < 0:
                return
            longer = _joined(done, group, grouped=False)
            if longer is not None:
                yield from extend(longer, rest[:i] + rest[i + 1 :])

    if len(groups) <= 64:
        yield from extend((), tuple(groups))


def chain(groups: Sequence[Group]) -> tuple[Group, ...] | None:
    """`groups` one behind the other, if widths allow it; convolutions get the groups they need."""
    done: tuple[Group, ...] = ()
    for group in groups:
        longer = _joined(done, group)
        if longer is None:
            return None
        done = longer
    return done


def _joined(
    done: tuple[Group, ...], group: Group, *, grouped: bool = True
) -> tuple[Group, ...] | None:
    """`done` and `group` behind it; None where it does not fit, a convolution's groups aside."""
    if not done:
        return (group,)
    width = _width(done)
    if group.kind == "embedding":
        return None
    if group.takes is None or width is None or group.takes == width:
        return (*done, group)
    if grouped and group.kind == "conv1d" and width % group.takes == 0:
        groups = width // group.takes
        if group.gives is not None and group.gives % groups == 0:
            return (*done, replace(group, options={**group.options, "groups": groups}))
    return None


def _width(line: tuple[Group, ...]) -> int | None:
    """Features behind `line`; None where its layers take any number and give as many."""
    for group in reversed(line):
        if group.gives is not None or group.takes is not None:
            return group.gives if group.gives is not None else group.takes
    return None


def _is_half(before: Group, after: Group) -> bool:
    directions = before.sizes.get("num_directions", 1)
    return directions == 2 and before.gives == 2 * (after.takes or 0)
