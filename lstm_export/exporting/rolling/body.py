"""One step of a loop as a graph of its own: carries and slices in, carries and results out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import sympy
import torch
from torch import Tensor
from torch._dispatch.python import enable_python_dispatcher
from torch.fx import Graph, GraphModule, Node
from torch.fx.node import map_arg

from lstm_export.exporting.rolling.matching import Matching
from lstm_export.exporting.rolling.nodes import aten, fake_mode, is_scalar, value_of
from lstm_export.exporting.rolling.pattern import INDEX, Carry, Mismatch


@dataclass(frozen=True, slots=True)
class Slice:
    """What a scan reads one entry of in each step: x along `dim`, at `index` of the step.

    Without x it is the number of the step itself.
    """

    x: Node | None
    dim: int
    index: sympy.Expr

    @property
    def is_line(self) -> bool:
        """Whether the index moves by a fixed stride from step to step."""
        slope = self.index.diff(INDEX)
        return bool(slope.is_Integer and slope != 0)


@dataclass
class Body:
    """The graph of one step, written from the pattern that `matching` found."""

    matching: Matching
    carries: list[Carry]
    written: dict[Node, Slice] = field(default_factory=dict)
    """Buffers, which are no carries: what each step writes to, by their node in the step before."""

    def __post_init__(self) -> None:
        self.graph = Graph()
        self.slices: list[Slice] = []
        self.fixed: list[Node] = []
        self._slices: dict[Slice, Node] = {}
        self._copies: dict[Node, Node] = {}
        self._fixed: dict[Node, Node] = {}
        self._modules: dict[str, Any] = {}
        self._region = self.matching.region
        self._mode = fake_mode(self._region.graph)
        self._carries = {
            carry.before: self._placeholder(f"carry_{number}", value_of(carry.value))
            for number, carry in enumerate(self.carries)
        }

    def step(self, argument: Any) -> Any:
        """An argument of the pattern, as it is called in the body."""
        if isinstance(argument, list | tuple):
            return type(argument)(self.step(part) for part in argument)
        if not isinstance(argument, Node):
            return argument
        region = self._region
        if argument is region.index(region.last):
            return self._number()
        if argument in self._copies:
            return self._copies[argument]
        if argument in self._carries:
            return self._carries[argument]
        if self.matching.is_fixed(argument):
            return self.given(argument)
        if region.location(argument) != region.last:
            raise Mismatch("a step takes from another step than the one before it", [argument])
        copy = self._copies[argument] = self._copied(argument)
        return copy

    def chosen(self, first: Any, later: Any) -> Any:
        """`first` in the first step and `later` in all others."""
        number = self.slice(Slice(None, 0, INDEX))
        is_first = self.call(aten.eq.Scalar, number, 0)
        return self.call(aten.where.self, is_first, first, later)

    def call(self, target: Callable[..., Any], *args: Any) -> Node:
        """A further node of the body."""
        node = self.graph.call_function(target, args)
        with self._mode, enable_python_dispatcher():
            node.meta["val"] = target(*map_arg(args, value_of))
        return node

    def slice(self, wanted: Slice) -> Node:
        """The entry of this step."""
        if wanted not in self._slices:
            name = f"slice_{len(self.slices)}"
            self._slices[wanted] = self._placeholder(name, self._entry(wanted))
            self.slices.append(wanted)
        return self._slices[wanted]

    def finished(self, outputs: list[Node]) -> GraphModule:
        """The body as a module that gives `outputs`, none of them another one or an input."""
        self.graph.output(tuple(self.call(aten.clone.default, output) for output in outputs))
        placeholders = [
            *self._carries.values(),
            *(self._slices[wanted] for wanted in self.slices),
            *(self._fixed[node] for node in self.fixed),
        ]
        for placeholder in reversed(placeholders):
            self.graph._root.append(placeholder)
        self.graph.eliminate_dead_code()
        return GraphModule(self._modules, self.graph, "scan_combine_graph")

    def _copied(self, node: Node) -> Node:
        if (wanted := self.read(node)) is not None:
            return self.slice(wanted)
        if node.op == "get_attr":
            name = str(node.target)
            self._modules[name] = getattr(self._region.graph.owning_module, name)
            return self.graph.get_attr(name)
        args = tuple(self.step(part) for part in node.args)
        kwargs = {name: self.step(part) for name, part in node.kwargs.items()}
        copy = self.graph.call_function(node.target, args, kwargs)  # type: ignore[arg-type]
        copy.meta = {key: node.meta[key] for key in ("val", "stack_trace") if key in node.meta}
        return copy

    def read(self, node: Node) -> Slice | None:
        """What a node takes one entry of in each step, None if it does something else."""
        if node.target is not aten.select.int:
            return None
        x, dim, index = node.args
        assert isinstance(x, Node)
        assert isinstance(dim, int)
        dim %= value_of(x).dim()
        where = self.matching.index_expression(index) if is_scalar(index) else None
        if x in self.written:
            # Written to after it was read: it is as it was before the loop.
            return self.written[x]
        if where is None or not self.matching.is_fixed(x):
            return None
        wanted = Slice(x, dim, where)
        return wanted if wanted.is_line else None

    def _number(self) -> Node:
        entry = self.slice(Slice(None, 0, INDEX))
        if entry not in self._copies:
            item = self.graph.call_function(aten.item.default, (entry,))
            region = self._region
            item.meta["val"] = value_of(region.index(region.last))  # type: ignore[arg-type]
            self._copies[entry] = item
        return self._copies[entry]

    def given(self, node: Node) -> Node:
        """A value from outside, the same in every step."""
        if node not in self._fixed:
            value = value_of(node)
            self._fixed[node] = self._placeholder(f"fixed_{len(self.fixed)}", value)
            self.fixed.append(node)
        return self._fixed[node]

    def _entry(self, wanted: Slice) -> Tensor:
        with self._mode:
            if wanted.x is None:
                return torch.empty((), dtype=torch.int64)
            x = value_of(wanted.x)
            sizes = [size for axis, size in enumerate(x.shape) if axis != wanted.dim]
            entry: Tensor = x.new_empty(sizes)
            return entry

    def _placeholder(self, name: str, value: Any) -> Node:
        placeholder = self.graph.placeholder(name)
        placeholder.meta["val"] = value
        return placeholder
