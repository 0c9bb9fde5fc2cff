"""What the steps of a loop have in common: the pattern of one step, and what it carries on.

The recorded steps are compared from what is wanted of the loop backwards, node by node. An argument
is the same thing in every step; or the step's own counterpart, compared in turn; or the counterpart
of the step before, which makes it a carry that starts as whatever the first step had in its place;
or a number that depends on the step's number in the same way.

Where the first step differs in other ways it is left out (`first` is 1): the loop then takes what
that step gave from outside.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import sympy
import torch
from torch import Tensor
from torch.fx import GraphModule, Node

from lstm_export.exporting.rolling.nodes import (
    aten,
    expression,
    inputs_of,
    is_scalar,
    same_shape,
    value_of,
)
from lstm_export.exporting.rolling.pattern import (
    INDEX,
    Carry,
    Delay,
    ListRead,
    Mismatch,
    RewriteFound,
)
from lstm_export.exporting.rolling.regions import BEFORE, Region


@dataclass
class Matching:
    """The comparison of the steps of `region`, from step `first` on."""

    region: Region
    constants: dict[str, Tensor]
    others: Sequence[Region]
    first: int = 0
    probing: bool = False
    """Whether this is to find out what is carried, and the graph stays as it is."""
    steps: dict[Node, tuple[Node, ...]] = field(default_factory=dict)
    """By its node in the last step, a pattern node with its counterparts."""
    carries: dict[Node, Carry] = field(default_factory=dict)
    """By its node in the step before the last."""

    def __post_init__(self) -> None:
        region = self.region
        kept = [region.kept(step) for step in range(region.steps)]
        # All steps but the first run the same code.
        self._rows = [row for row in _rows(kept[1:]) if all(_are_nodes(row))]
        self._row_of = {row[-1]: row for row in reversed(self._rows)}
        self._next = {row[-2]: row[-1] for row in reversed(self._rows)}
        self._first_step = kept[0]
        self._indices = {region.index(step) for step in range(region.steps)}
        self._offset = len(kept[1]) - len(kept[0])
        self._position = {node: at for at, node in reversed(list(enumerate(kept[-1])))}
        self._lists = {
            node: (other, step)
            for other in self.others
            for step in range(other.steps)
            for node in other.within(step)
        }

    def want(self, parts: Sequence[Any], consumer: Node) -> None:
        """Compares what the steps made for `consumer`, given for every recorded step."""
        self._argument(tuple(parts[self.first :]), (consumer,))

    def want_value(self, node: Node) -> None:
        """Compares what the last step has as `node` with what stands in its place before."""
        row = self._row_of.get(node)
        if row is None and self.probing:
            # It belongs to what comes after an implicit loop.
            for part in inputs_of((node.args, node.kwargs)):
                if self.region.location(part) == self.region.last:
                    self.want_value(part)
            return
        if row is None:
            raise Mismatch("the last step computes something that the others do not", [node])
        if self.first == 1:
            self._argument(row, (node,))
            return
        position, before = self._position[node], (dict(self.steps), dict(self.carries))
        for at in dict.fromkeys((position - self._offset, position)):
            start = self._first_step[at] if 0 <= at < len(self._first_step) else None
            if not isinstance(start, Node):
                continue
            try:
                self._nodes((start, *row))
            except Mismatch:
                self.steps, self.carries = dict(before[0]), dict(before[1])
            else:
                return
        raise Mismatch("the first step computes this in another way than those that follow", row)

    def is_fixed(self, node: Node) -> bool:
        """Whether a node that the last step uses has the same value in every step."""
        step = self.region.location(node)
        if step == BEFORE:
            return True
        if node in self._indices or node.op == "get_attr":
            return False
        # A number that all steps need stands where the first of them needed it.
        if step != self.region.last and not is_scalar(node):
            return False
        known = self._fixed.get(node)
        if known is None:
            known = all(map(self.is_fixed, inputs_of((node.args, node.kwargs))))
            known = known and node.target not in _RANDOM
            self._fixed[node] = known
        return known

    _fixed: dict[Node, bool] = field(default_factory=dict)

    def index_expression(self, argument: Any, step: int | None = None) -> sympy.Expr:
        """A number of the last step, or of `step`, in terms of INDEX."""
        symbol = self.region.symbol(self.region.last if step is None else step)
        found = expression(argument)
        return found if symbol is None else found.subs(symbol, INDEX)

    def _argument(self, parts: tuple[Any, ...], consumers: tuple[Node, ...]) -> None:
        last = parts[-1]
        if all(map(is_scalar, parts)):
            self._number(parts, consumers)
        elif isinstance(last, list | tuple):
            if not all(isinstance(p, list | tuple) and len(p) == len(last) for p in parts):
                raise Mismatch("a step has a list of another length than the one before", consumers)
            for entries in zip(*parts, strict=True):
                self._argument(entries, consumers)
        elif not all(isinstance(part, Node) for part in parts):
            if any(isinstance(part, Node) for part in parts) or any(p != last for p in parts):
                raise Mismatch(_differing(parts), consumers)
        else:
            self._value(parts, consumers)

    def _value(self, parts: tuple[Node, ...], consumers: tuple[Node, ...]) -> None:
        region, first = self.region, self.first
        places = [region.location(part) for part in parts]
        if places == list(range(first, region.steps)):
            self._nodes(parts)
        elif places[1:] == list(range(first, region.steps - 1)) and places[0] < max(first, 1):
            self._carry(parts, consumers)
        elif all(part is parts[-1] for part in parts) or self._same_constant(parts):
            return
        elif all(place == BEFORE for place in places):
            self._list(parts, consumers)
        elif self._is_delayed(places):
            if not self.probing:
                raise RewriteFound(Delay(consumers, parts))
        else:
            raise Mismatch("a step takes from another step than the one before it", consumers)

    def _is_delayed(self, places: list[int]) -> bool:
        known = 2 - self.first
        return places[known:] == list(range(self.region.steps - 2)) and all(
            place == BEFORE for place in places[:known]
        )

    def _nodes(self, parts: tuple[Node, ...]) -> None:
        last = parts[-1]
        if last in self.steps:
            if self.steps[last] != parts:
                raise Mismatch("the steps do not correspond one to one", parts)
            return
        if any(part.target != last.target or part.op != last.op for part in parts):
            if last.op == "get_attr" and self._same_bodies(parts):
                self.steps[last] = parts
                return
            raise Mismatch(_differing(parts), parts)
        self.steps[last] = parts
        self._argument(tuple(part.args for part in parts), parts)
        if any(part.kwargs.keys() != last.kwargs.keys() for part in parts):
            raise Mismatch(_differing(parts), parts)
        for name in last.kwargs:
            self._argument(tuple(part.kwargs[name] for part in parts), parts)

    def _carry(self, parts: tuple[Node, ...], consumers: tuple[Node, ...]) -> None:
        before = parts[-1]
        known = self.carries.get(before)
        if known is not None:
            if known.initial is not parts[0] and not self._same_constant((known.initial, parts[0])):
                raise Mismatch("a state starts as two different things", consumers)
            return
        value = self._next.get(before)
        if value is None:
            raise Mismatch("what a step hands to the next is made in another way there", consumers)
        given, made = value_of(parts[0]), value_of(value)
        if not same_shape(given, made) or given.dtype != made.dtype:
            raise Mismatch(
                f"a state is {_described(given)} when the loop begins and {_described(made)} after "
                "a step",
                consumers,
            )
        self.carries[before] = Carry(value, before, parts[0])
        self._argument((*parts[1:], value), (value,))

    def _number(self, parts: tuple[Any, ...], consumers: tuple[Node, ...]) -> None:
        found = [
            self.index_expression(part, step)
            for part, step in zip(parts, range(self.first, self.region.steps), strict=True)
        ]
        if self.first == 0:
            found[0] = found[0].subs(INDEX, 0)
        expected = [found[-1]] * len(found)
        if self.first == 0:
            expected[0] = expected[0].subs(INDEX, 0)
        for one, other in zip(found, expected, strict=True):
            if one != other and sympy.expand(one - other) != 0:
                raise Mismatch(
                    f"a number is {found[-2]} in one step and {found[-1]} in the next", consumers
                )

    def _list(self, parts: tuple[Node, ...], consumers: tuple[Node, ...]) -> None:
        origins = [self._lists.get(part) for part in parts]
        known = [origin for origin in origins if origin is not None]
        if len(known) == len(parts) and len({id(region) for region, _ in known}) == 1:
            other, steps = known[0][0], [step for _, step in known]
            expected = list(range(self.first, other.steps))
            backwards = steps == [other.last - step for step in expected]
            if self.probing and (steps == expected or backwards):
                return
            if steps == expected or backwards:
                raise RewriteFound(ListRead(consumers, parts, other.number, backwards))
        raise Mismatch("every step uses another tensor, of a fixed number of them", consumers)

    def _same_constant(self, parts: Sequence[Any]) -> bool:
        """Constants that tracing lifted out of every step anew."""
        values = [
            self.constants.get(part.name) if isinstance(part, Node) else None for part in parts
        ]
        first = values[0]
        return first is not None and all(
            value is not None and value.dtype == first.dtype and torch.equal(value, first)
            for value in values
        )

    def _same_bodies(self, parts: tuple[Node, ...]) -> bool:
        owner = self.region.graph.owning_module
        bodies = [getattr(owner, str(part.target)) for part in parts]
        return all(
            isinstance(body, GraphModule) and body.code == bodies[-1].code for body in bodies
        )


_RANDOM = {aten.rand.default, aten.randn.default, aten.bernoulli.p, aten.rand_like.default}


def _rows(kept: Sequence[Sequence[Any]]) -> Iterator[tuple[Any, ...]]:
    """What the steps computed in the same places of their code."""
    for row in zip(*kept, strict=False):
        targets = {entry.target for entry in row if isinstance(entry, Node)}
        if len(targets) > 1:
            return  # the last step of an implicit loop goes over into what comes after it
        yield row


def _are_nodes(row: Sequence[Any]) -> list[bool]:
    return [isinstance(entry, Node) for entry in row]


def _described(value: Any) -> str:
    shape = ", ".join(str(size) for size in value.shape)
    return f"{str(value.dtype).removeprefix('torch.')} ({shape})"


def _differing(parts: Sequence[Any]) -> str:
    texts = [str(part.target) if isinstance(part, Node) else repr(part) for part in parts[-2:]]
    return f"one step has {texts[0]} where the next has {texts[-1]}"
