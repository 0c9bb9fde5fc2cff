"""What a program's graph needs of the sizes that it was saved with.

torch.export bakes the sizes of its example into a program unless it is told otherwise, and it
always does so with the lengths of recurrent layers. The graph is gone through once with a symbol
for each such size, and one for each number in it that makes a tensor: where torch's rules make a
number equal to an input's size (a state of 2 rows beside a batch of 2), it becomes that size.
Views are read by their runs of axes (`views`). A size stays as it was where an operator, or a
number that may have been made of it (`meaning`), needs that, which `sizes` decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from sympy import Expr, Symbol
from torch import Tensor, fx, nn
from torch._dispatch.python import enable_python_dispatcher

from lstm_export.importing.programs.demands import CELLS, cell_shapes, layer_shapes
from lstm_export.importing.programs.meaning import INDEXING, RANGES, Number, numbers
from lstm_export.importing.programs.place import place
from lstm_export.importing.programs.symbols import Symbols
from lstm_export.importing.programs.views import regrouped

_ATEN = torch.ops.aten
_VIEWS = (_ATEN.view.default, _ATEN.reshape.default, _ATEN._unsafe_view.default)
_MAKERS = {
    _ATEN.zeros.default: 0,
    _ATEN.ones.default: 0,
    _ATEN.full.default: 0,
    _ATEN.empty.memory_format: 0,
    _ATEN.new_zeros.default: 1,
    _ATEN.new_ones.default: 1,
    _ATEN.new_full.default: 1,
    _ATEN.new_empty.default: 1,
    _ATEN.expand.default: 1,
    _ATEN.repeat.default: 1,
    **{operator: int(operator is not _ATEN.arange.default) for operator in RANGES},
}
"""Which argument of an operator has the sizes, or the end, of what it makes."""
_SQUEEZES = (_ATEN.squeeze.default, _ATEN.squeeze.dim, _ATEN.squeeze.dims)


@dataclass(frozen=True, slots=True)
class Axis:
    """Axis `dim` of the input `name`, of one `size` in the program."""

    name: str
    dim: int
    size: int


@dataclass(slots=True)
class Found:
    """What the walk over the graph found, by node and by symbol."""

    axes: dict[Symbol, Axis] = field(default_factory=dict)
    places: dict[Symbol, tuple[fx.Node, int]] = field(default_factory=dict)
    made: dict[tuple[fx.Node, int, int], torch.SymInt] = field(default_factory=dict)
    views: dict[fx.Node, list[Any]] = field(default_factory=dict)
    squeezes: dict[fx.Node, list[int]] = field(default_factory=dict)
    numbers: list[Number] = field(default_factory=list)
    batches: list[Expr] = field(default_factory=list)
    lengths: list[Expr] = field(default_factory=list)
    parts: list[tuple[Expr, fx.Node, int]] = field(default_factory=list)
    """Selects and slices along an axis that varies, with its size in the program."""
    reasons: dict[Symbol, tuple[str, bool]] = field(default_factory=dict)
    """Why a symbol is one number, and whether weights made it that."""


class Walk(fx.Interpreter):
    """Goes through the graph with symbols for sizes; with `ones`, a 1 that makes a tensor may be an
    input's size too.
    """

    def __init__(self, module: fx.GraphModule, ones: bool) -> None:
        super().__init__(module)
        self._graph, self._ones = module.graph, ones
        self.symbols = Symbols()
        self.found = Found()
        self._known: dict[Any, torch.SymInt] = {}
        self._sizes: set[int] = set()
        self._weights: dict[str, Tensor] = {}
        self._own: set[fx.Node] = set()
        """What does not depend on inputs."""
        self._current: fx.Node

    def inputs(self) -> list[Any]:
        """The program's inputs, without values; its open axes stay what they are."""
        given = []
        for node in self._graph.nodes:
            if node.op != "placeholder":
                continue
            value = node.meta["val"]
            if not isinstance(value, Tensor):
                given.append(value)
                continue
            sizes = [self._size(node, dim, size) for dim, size in enumerate(value.shape)]
            given.append(self.symbols.tensor(sizes, value.dtype))
        return given

    def _size(self, node: fx.Node, dim: int, size: Any) -> torch.SymInt:
        known = size.node.expr if isinstance(size, torch.SymInt) else None
        if known in self._known and known is not None:
            return self._known[known]
        fresh = self.symbols.fresh(int(size.node.hint if known is not None else size))
        symbol = fresh.node._expr
        self.found.places[symbol] = node, dim
        if known is None:
            self.found.axes[symbol] = Axis(str(node.target), dim, int(size))
            self._sizes.add(int(size))
        else:
            self._known[known] = fresh
        return fresh

    def run_node(self, n: fx.Node) -> Any:
        before, self._current = self._fixed(), n
        if n.op == "get_attr":
            value = self.fetch_attr(str(n.target))
            stored = isinstance(value, Tensor) and not isinstance(value, nn.Parameter)
            if stored and value.numel() == 1:
                self.found.numbers.append(Number(float(value), n))
        if n.op != "placeholder" and all(one in self._own for one in n.all_input_nodes):
            self._own.add(n)
        with enable_python_dispatcher(), self.symbols.mode:
            value = super().run_node(n)
        for symbol in self._fixed() - before:
            weights = n.op == "call_module" or any(one in self._own for one in n.all_input_nodes)
            name = str(n.target).removeprefix("aten.").partition(".")[0]
            self.found.reasons[symbol] = f"{name} takes no other{place(n)}", weights
        self._expect(n, value)
        return value

    def get_attr(self, target: Any, args: Any, kwargs: Any) -> Any:
        value = super().get_attr(target, args, kwargs)
        if not isinstance(value, Tensor):
            return value
        if target not in self._weights:
            self._weights[target] = self.symbols.held(value)
        return self._weights[target]

    def call_module(self, target: Any, args: Any, kwargs: Any) -> Any:
        layer = self.fetch_attr(target)
        if not isinstance(layer, nn.RNNBase):
            return super().call_module(target, args, kwargs)
        batch_dim = 0 if layer.batch_first else 1
        self.found.batches.append(self.symbols.expression(args[0].shape[batch_dim]))
        self.found.lengths.append(self.symbols.expression(args[0].shape[1 - batch_dim]))
        return layer_shapes(layer, *args)

    def call_function(self, target: Any, args: Any, kwargs: Any) -> Any:
        node = self._current
        self.found.numbers += numbers(node, frozenset(self._sizes))
        if target in _VIEWS and (sizes := self._view(node, args[0], args[1])) is not None:
            return _ATEN.reshape.default(args[0], sizes)
        if target in _MAKERS:
            args = self._made(node, _MAKERS[target], args)
        if target in (_ATEN.select.int, _ATEN.slice.Tensor):
            self._part(node, args[0], args[1] if len(args) > 1 else 0)
        if target in INDEXING:
            given: Any = node.args[1:] if target is _ATEN.index_select.default else None
            pairs = [given] if given else enumerate(node.args[1])  # type: ignore[arg-type]
            for dim, index in pairs:
                if index is not None and self._is_stored(index):
                    self._part(node, args[0], dim)
        if target in _SQUEEZES:
            return self._squeezed(node, *args)
        if target in CELLS:
            self.found.batches.append(self.symbols.expression(args[0].shape[0]))
            return cell_shapes(*args[:3])
        return super().call_function(target, args, kwargs)

    def _part(self, node: fx.Node, x: Tensor, dim: int) -> None:
        size = x.shape[dim]
        if (varies := self.symbols.expression(size)).free_symbols:
            self.found.parts.append((varies, node, self.symbols.number(size)))

    def _is_stored(self, node: fx.Node) -> bool:
        """Whether it is made of what the program holds, and of nothing else."""
        if node not in self._own:
            return False
        return node.op == "get_attr" or any(map(self._is_stored, node.all_input_nodes))

    def _view(self, node: fx.Node, x: Tensor, sizes: Sequence[Any]) -> list[Any] | None:
        """The sizes of a view of any, None where they stay what they are."""
        given = self.symbols.expressions(x)
        before = self.symbols.numbers(x)
        after = [-1 if one == -1 else self.symbols.number(one) for one in sizes]
        if not any(one.free_symbols for one in given) or 0 in (*before, *after):
            return None
        whole = torch.Size(before).numel()
        if -1 in after:
            after[after.index(-1)] = whole // -torch.Size(after).numel()
        found = regrouped(given, before, after, self.symbols.values)
        if found is None and self._hold_ones(x.shape):
            given = self.symbols.expressions(x)
            found = regrouped(given, before, after, self.symbols.values)
        if found is None:
            return None
        self.found.views[node] = found
        return [self._value(one, x) for one in found]

    def _squeezed(self, node: fx.Node, x: Tensor, dims: Any = None) -> Tensor:
        """Only what was 1 in the program goes, whatever else may be 1 in other calls."""
        named = range(x.dim()) if dims is None else [dims] if isinstance(dims, int) else dims
        taken = [dim % x.dim() for dim in named if self.symbols.number(x.shape[dim]) == 1]
        self.found.squeezes[node] = taken
        for dim in sorted(taken, reverse=True):
            torch._check(x.shape[dim] == 1)  # type: ignore[no-untyped-call]
            x = x.select(dim, 0)
        return x

    def _hold_ones(self, sizes: Sequence[Any]) -> bool:
        """Keeps what was 1 at 1, where it does not show what became of it; tells if any was."""
        symbols = {one for size in sizes for one in self.symbols.expression(size).free_symbols}
        ones = [one for one in symbols if self.symbols.values[one] == 1]
        for one in ones:
            torch._check(self.symbols.size(one) == 1)  # type: ignore[no-untyped-call]
        return bool(ones)

    def _expect(self, node: fx.Node, value: Any) -> None:
        """Raises ValueError where the shape that was followed is not the program's."""
        saved = node.meta.get("val")
        if not isinstance(saved, Tensor) or not isinstance(value, Tensor):
            return
        wanted = [int(getattr(getattr(one, "node", None), "hint", one)) for one in saved.shape]
        if self.symbols.numbers(value) != wanted:
            raise ValueError(f"{node.target} cannot be followed{place(node)}")

    def _value(self, size: Any, x: Tensor) -> Any:
        result: Any = 1
        if isinstance(size, tuple):
            for axis in size:
                result = result * x.shape[axis]
            return result
        if not isinstance(size, Expr):
            return size
        return self.symbols.env.create_symintnode(size, hint=int(size.subs(self.symbols.values)))

    def _made(self, node: fx.Node, position: int, args: Any) -> Any:
        """`args` with a symbol for each number that may be a size of an input."""
        if len(args) <= position:
            return args
        sizes = args[position]
        listed = list(sizes) if isinstance(sizes, list | tuple) else [sizes]
        for index, one in enumerate(listed):
            if type(one) is int and one in self._sizes and (one > 1 or self._ones):
                listed[index] = self.symbols.fresh(one)
                self.found.made[node, position, index] = listed[index]
        new = listed if isinstance(sizes, list | tuple) else listed[0]
        return (*args[:position], new, *args[position + 1 :])

    def _fixed(self) -> set[Symbol]:
        bound = self.symbols.bound()
        return {
            symbol
            for symbol in self.found.axes
            if not (now := self.symbols.env.simplify(symbol)).free_symbols
            or now.free_symbols & bound
        }
