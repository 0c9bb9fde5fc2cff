"""The names of a traced program's axes.

A size that stayed a symbol is a dynamic axis. The recurrent layers say which symbols are `batch`
and `sequence_length`; where they are silent the place does: `batch` leads, lengths follow. Axes
that must be equal came out of tracing with one symbol, so they share a name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sympy
import torch
from torch import Tensor

from lstm_export.contract import BATCH, SEQUENCE_LENGTH, GraphSpec, TensorSpec
from lstm_export.errors import ExportError, OptionError
from lstm_export.exporting.capture.found import found_loop_lengths, found_recurrent
from lstm_export.exporting.capture.opaque import fixed_by_layers
from lstm_export.exporting.tracing.trace import Traced

Axes = dict[str, dict[int, str | None]]
"""By tensor name and position, the axes that a user wants dynamic, named or not."""


def asked_axes(dynamic_axes: Mapping[str, Any] | None, ranks: Mapping[str, int]) -> Axes | None:
    """`dynamic_axes` in one form, checked against the inputs and outputs, which have `ranks`.

    Takes what torch.onnx.export takes: {"x": {0: "batch"}} or {"x": [0, 1]}. Raises OptionError.
    """
    if dynamic_axes is None:
        return None
    asked: Axes = {}
    for name, axes in dynamic_axes.items():
        if name not in ranks:
            raise OptionError(
                f"dynamic_axes names {name!r}, which is neither input nor output: "
                f"there are {', '.join(ranks)}"
            )
        given = axes if isinstance(axes, Mapping) else dict.fromkeys(axes)
        asked[name] = {}
        for axis, label in given.items():
            if not isinstance(axis, int) or not -ranks[name] <= axis < ranks[name]:
                raise OptionError(
                    f"dynamic_axes[{name!r}] has axis {axis!r}, but {name} has {ranks[name]} axes"
                )
            label = getattr(label, "__name__", label)  # torch.export.Dim carries its name so
            asked[name][axis % ranks[name]] = label if isinstance(label, str) else None
    return asked


@dataclass
class AxisNames:
    """A name for every symbol of `traced`, and the graph's ends in these names."""

    traced: Traced
    output_names: Sequence[str]
    asked: Axes | None = None
    names: dict[sympy.Symbol, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.inputs = _values(self.traced.program, "inputs")
        self.outputs = _values(self.traced.program, "outputs")
        self._name_as_asked()
        self._name_by_layers()
        self._name_by_place()

    @property
    def spec(self) -> GraphSpec:
        """Inputs and outputs with their named and fixed axes."""
        leaves = self.traced.call.inputs
        names = [leaf.name for leaf in leaves]
        return GraphSpec(
            tuple(map(self._tensor, names, self.inputs)),
            tuple(map(self._tensor, self.output_names, self.outputs)),
        )

    def places(self, label: str) -> list[tuple[str, int]]:
        """The input axes of that name."""
        return [
            (spec.name, axis)
            for spec in self.spec.inputs
            for axis, name in enumerate(spec.axes)
            if name == label
        ]

    def fixed_by_layers(self) -> dict[tuple[str, int], str]:
        """The static input axes that are what a recurrent layer takes, and which layer."""
        found = {}
        for leaf, value in zip(self.traced.call.inputs, self.inputs, strict=True):
            for axis, size in enumerate(value.shape):
                if known := fixed_by_layers(size):
                    found[leaf.name, axis] = known[1]
        return found

    def left_open(self) -> dict[tuple[str, int], str]:
        """Those among them that torch left open, as it does with a size of 1."""
        ends = zip(self.traced.call.inputs, self.inputs, strict=True)
        shapes: dict[str, Any] = {leaf.name: value.shape for leaf, value in ends}
        return {
            (name, axis): reason
            for (name, axis), reason in self.fixed_by_layers().items()
            if not shapes[name][axis].node.expr.is_number
        }

    def named_by_layers(self) -> set[str]:
        """The axes that are batch or time of a recurrent layer, which takes any size of them."""
        symbols = {
            _symbol(size)
            for layer in found_recurrent(self.traced.program)
            for size in layer.batch_and_time
        }
        return {name for symbol, name in self.names.items() if symbol in symbols}

    def fixed_by_trace(self) -> set[int] | None:
        """What batch and time of the layers and loops are where the trace has them as numbers.

        None if there are neither layers nor loops.
        """
        sizes = found_loop_lengths(self.traced.program)
        for layer in found_recurrent(self.traced.program):
            sizes += layer.batch_and_time
        known = map(_expression, sizes)
        return {int(size) for size in known if size.is_number} if sizes else None

    def described(self, condition: sympy.Basic) -> str:
        """A condition on symbols in the names of axes."""
        renamed = {symbol: sympy.Symbol(name) for symbol, name in self.names.items()}
        named = condition.xreplace(renamed)
        if isinstance(named, sympy.Eq | sympy.Ne):
            return f"{named.lhs} {'==' if isinstance(named, sympy.Eq) else '!='} {named.rhs}"
        return str(named)

    def original(self, name: str, axis: int) -> sympy.Symbol | None:
        """The symbol that an input's axis had before tracing fixed it."""
        position = [leaf.name for leaf in self.traced.call.inputs].index(name)
        size: Any = self.inputs[position].shape[axis]
        expression = size.node._expr if isinstance(size, torch.SymInt) else None
        return expression if isinstance(expression, sympy.Symbol) else None

    def unasked(self) -> dict[str, set[int]]:
        """Input axes that are open though neither asked for nor tied to one that was."""
        if self.asked is None:
            return {}
        wanted = {
            symbol
            for name, value in self._ends()
            for axis in self.asked.get(name, ())
            for symbol in _expression(value.shape[axis]).free_symbols
        }
        found: dict[str, set[int]] = {}
        for leaf, value in zip(self.traced.call.inputs, self.inputs, strict=True):
            axes = {
                axis
                for axis, size in enumerate(value.shape)
                if _symbol(size) is not None and _symbol(size) not in wanted
            }
            if axes:
                found[leaf.name] = axes
        return found

    def missing(self) -> list[tuple[str, int]]:
        """Axes that were asked for and came out fixed."""
        return [
            (name, axis)
            for name, value in self._ends()
            for axis in (self.asked or {}).get(name, ())
            if not _expression(value.shape[axis]).free_symbols
        ]

    def _ends(self) -> list[tuple[str, Tensor]]:
        names = [leaf.name for leaf in self.traced.call.inputs]
        return [
            *zip(names, self.inputs, strict=True),
            *zip(self.output_names, self.outputs, strict=True),
        ]

    def _tensor(self, name: str, value: Tensor) -> TensorSpec:
        dtype = str(value.dtype).removeprefix("torch.")
        return TensorSpec(name, dtype, tuple(map(self._axis, value.shape)))

    def _axis(self, size: Any) -> str | int:
        expression = _expression(size)
        if expression.is_number:
            return int(expression)
        for symbol in sorted(expression.free_symbols, key=str):
            self._give(symbol, SEQUENCE_LENGTH)  # a length that the module itself came by
        renamed = {symbol: sympy.Symbol(self.names[symbol]) for symbol in expression.free_symbols}
        return str(expression.xreplace(renamed))

    def _give(self, symbol: sympy.Symbol | None, name: str) -> None:
        """`name` for `symbol` if it has none, numbered where another symbol has taken it."""
        if symbol is None or symbol in self.names:
            return
        taken, number, free = set(self.names.values()), 0, name
        while free in taken:
            number += 1
            free = f"{name}_{number}"
        self.names[symbol] = free

    def _name_as_asked(self) -> None:
        for name, value in self._ends():
            for axis, label in (self.asked or {}).get(name, {}).items():
                symbol = _symbol(value.shape[axis])
                if symbol is not None and label is not None:
                    # Two symbols may get one name: whoever asks says that they are equal.
                    self.names.setdefault(symbol, label)

    def _name_by_layers(self) -> None:
        used = {symbol for value in self.inputs for symbol in map(_symbol, value.shape)}
        for layer in found_recurrent(self.traced.program):
            batch, time = (_only_symbol(size) for size in layer.batch_and_time)
            if batch in used:
                self._give(batch, BATCH)
            if time in used:
                self._give(time, SEQUENCE_LENGTH)
        for length in found_loop_lengths(self.traced.program):
            if (symbol := _only_symbol(length)) in used:
                self._give(symbol, SEQUENCE_LENGTH)

    def _name_by_place(self) -> None:
        for leaf, value in zip(self.traced.call.inputs, self.inputs, strict=True):
            for axis, size in enumerate(value.shape):
                leads = self.names.get(_symbol(value.shape[0]), "").startswith(SEQUENCE_LENGTH)
                usual = {0: BATCH, 1: BATCH if leads else SEQUENCE_LENGTH}
                self._give(_symbol(size), usual.get(axis, f"{leaf.name}_axis_{axis}"))


def _values(program: torch.export.ExportedProgram, end: str) -> list[Tensor]:
    """The tensors at an end of `program`, as the tracer saw them."""
    graph, signature = program.graph, program.graph_signature
    nodes = {node.name: node for node in graph.nodes}
    names = signature.user_inputs if end == "inputs" else signature.user_outputs
    values = []
    for name in names:
        if not isinstance(name, str) or name not in nodes:
            raise ExportError(f"torch.export made {name!r} one of the {end}: expected tensors")
        values.append(nodes[name].meta["val"])
    return values


def _expression(size: Any) -> sympy.Expr:
    if known := fixed_by_layers(size):
        return sympy.Integer(known[0])
    return sympy.sympify(size.node.expr if isinstance(size, torch.SymInt) else int(size))


def _symbol(size: Any) -> sympy.Symbol | None:
    expression = _expression(size)
    return expression if isinstance(expression, sympy.Symbol) else None


def _only_symbol(size: Any) -> sympy.Symbol | None:
    """The one symbol that `size` depends on, None where there is none or there are several."""
    symbols = list(_expression(size).free_symbols)
    return symbols[0] if len(symbols) == 1 else None
