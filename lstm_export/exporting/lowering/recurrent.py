"""Opaque recurrent nodes to ONNX LSTM, GRU and RNN, for a target.

`portable` gives each layer its own explicit zero state, computed from the input's shape, and
names all outputs: the graph that every runtime with an LSTM was found to accept. `onnxruntime`
leaves absent states out, which saves those nodes.

A projected LSTM (torch's `proj_size`) has no ONNX operator. With recurrent weight R and
projection P, h = P·h̃ where h̃ = o ⊙ tanh(c) is the state of a plain LSTM whose recurrent weight is
R·P, so the layer becomes that LSTM followed by a product with Pᵀ. An explicit initial h cannot be
turned back into h̃ unless P is well conditioned; it enters where the equations need it instead, as
extra input columns that hold h at the first step and zero later, with R as their input weight.
That is exact for every P.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx_ir as ir
from onnx_ir import tape

from lstm_export.contract import CELLS, Cell
from lstm_export.exporting.capture.recurrent import DOMAIN, OP_TYPE
from lstm_export.exporting.target import Target

_ONNX_OP: dict[Cell, str] = {"lstm": "LSTM", "gru": "GRU", "rnn": "RNN"}
Floats = npt.NDArray[np.floating]


def lower_recurrent(model: ir.Model, target: Target) -> None:
    """Replaces every opaque recurrent node of `model`, in place."""
    for node in list(model.graph):
        if (node.domain, node.op_type) == (DOMAIN, OP_TYPE):
            _Lowering(model.graph, node, target).run()
    model.graph.opset_imports.pop(DOMAIN, None)


@dataclass(frozen=True, slots=True)
class _Layer:
    """The weights of one layer, as `gates.LayerWeights` has them."""

    index: int
    W: Floats
    R: Floats
    B: Floats
    P: Floats | None


class _Lowering:
    """The replacement of one node: a stack of layers, time-major inside."""

    def __init__(self, graph: ir.Graph, node: ir.Node, target: Target) -> None:
        self.graph, self.node, self.target = graph, node, target
        attributes = node.attributes
        cell = attributes["cell"].as_string()
        self.cell: Cell = next(known for known in CELLS if known == cell)
        self.activation = "Relu" if attributes["nonlinearity"].as_string() == "relu" else "Tanh"
        self.hidden_size = attributes["hidden_size"].as_int()
        self.batch_first = bool(attributes["batch_first"].as_int())
        self.path = attributes["path"].as_string()
        self.tape = tape.Tape()
        num_layers = attributes["num_layers"].as_int()
        inputs = [*node.inputs, *[None] * (4 + 4 * num_layers - len(node.inputs))]
        self.layers = [
            _Layer(index, *(_array(value) for value in inputs[4 + 4 * index : 8 + 4 * index]))
            for index in range(num_layers)
        ]
        self.directions = len(self.layers[0].W)
        self.x = inputs[0]
        self.initial = [self._by_layer(state) for state in inputs[1:3]]

    def run(self) -> None:
        assert self.x is not None
        y, finals = self._swapped(self.x), []
        for layer in self.layers:
            h, c = (state[layer.index] for state in self.initial)
            y, *final = self._layer(layer, y, h, c)
            finals.append(final)
        states = [
            parts[0] if len(parts) == 1 else self.tape.op("Concat", list(parts), {"axis": 0})
            for parts in zip(*finals, strict=True)
        ]
        old, new = self.node.outputs, [self._swapped(y), *states]
        for before, after in zip(old, new, strict=True):
            after.shape, after.dtype = before.shape, before.dtype
        ir.convenience.replace_nodes_and_values(
            self.graph, self.node, [self.node], self.tape.nodes, old, new
        )

    def _layer(
        self, layer: _Layer, x: ir.Value, h: ir.Value | None, c: ir.Value | None
    ) -> list[ir.Value]:
        """y (sequence_length, batch, directions · state_size), final h and, for an LSTM, c."""
        weights = {"W": layer.W, "R": layer.R, "B": layer.B}
        if layer.P is not None:
            weights["R"] = _product(layer.R, layer.P)
            if h is not None:
                x = self.tape.op("Concat", [x, self._first_step_columns(x, h)], {"axis": -1})
                widened = {"W_and_state": _with_state_columns(layer.W, layer.R)}
                weights = {**widened, "R": weights["R"], "B": layer.B}
                h = None
        prefix = f"{self.path}.{layer.index}".lstrip(".")
        named = [self._weight(f"{prefix}.{name}", array) for name, array in weights.items()]
        y, *states = self._operator([x, *named], h, c)
        if layer.P is not None:
            back = self._weight(f"{prefix}.P", layer.P.swapaxes(1, 2))
            y, states[0] = (self.tape.op("MatMul", [output, back]) for output in (y, states[0]))
        for state in states:
            state.shape = ir.Shape([self.directions, None, None])
        if self.directions == 1:
            y = self.tape.op("Squeeze", [y, self._integers([1])])
        else:
            halves = [self.tape.op("Gather", [y, self._index(d)], {"axis": 1}) for d in (0, 1)]
            y = self.tape.op("Concat", halves, {"axis": -1})
        return [y, *states]

    def _operator(
        self, inputs: list[ir.Value], h: ir.Value | None, c: ir.Value | None
    ) -> list[ir.Value]:
        lstm = self.cell == "lstm"
        states = [h, c] if lstm else [h]
        # Given one state without the other the missing one is zero, which both targets spell out.
        if self.target == "portable" or any(state is not None for state in states):
            zero = None if all(states) else self._zero_state(inputs[0])
            states = [zero if state is None else state for state in states]
        attributes: dict[str, Any] = {"hidden_size": self.hidden_size}
        if self.directions == 2:
            attributes["direction"] = "bidirectional"
        if self.cell == "gru":
            attributes["linear_before_reset"] = 1
        if self.cell == "rnn":
            attributes["activations"] = [self.activation] * self.directions
        given = [*inputs, None, *states] if any(states) else inputs
        return list(
            self.tape.op_multi_out(
                _ONNX_OP[self.cell], given, attributes, num_outputs=3 if lstm else 2
            )
        )

    def _swapped(self, x: ir.Value) -> ir.Value:
        """Batch-major to time-major and back, where the module is batch first."""
        return self.tape.op("Transpose", [x], {"perm": [1, 0, 2]}) if self.batch_first else x

    def _by_layer(self, state: ir.Value | None) -> list[ir.Value | None]:
        """The part of an initial state that each layer starts from."""
        if state is None or len(self.layers) == 1:
            return [state] * len(self.layers)
        return list(
            self.tape.op_multi_out(
                "Split",
                [state, self._integers([self.directions] * len(self.layers))],
                {"axis": 0},
                num_outputs=len(self.layers),
            )
        )

    def _zero_state(self, x: ir.Value) -> ir.Value:
        """(directions, batch, hidden_size) zeros, sized by x."""
        batch = self.tape.op(
            "Gather", [self.tape.op("Shape", [x]), self._integers([1])], {"axis": 0}
        )
        ends = [self._integers([self.directions]), batch, self._integers([self.hidden_size])]
        shape = self.tape.op("Concat", ends, {"axis": 0})
        return self.tape.op("ConstantOfShape", [shape], {"value": ir.tensor(np.zeros(1, "f4"))})

    def _first_step_columns(self, x: ir.Value, h: ir.Value) -> ir.Value:
        """h (directions, batch, proj_size) as columns of x, zero after a direction's first step.

        Gives (sequence_length, batch, directions · proj_size).
        """
        length = self.tape.op(
            "Gather", [self.tape.op("Shape", [x]), self._integers([0])], {"axis": 0}
        )
        missing = self.tape.op("Sub", [length, self._integers([1])])
        none, two = self._integers([0]), self._integers([0, 0])
        columns = []
        for direction in range(self.directions):
            first = h
            if self.directions == 2:
                first = self.tape.op("Gather", [h, self._integers([direction])], {"axis": 0})
            before, after = (none, missing) if direction == 0 else (missing, none)
            pads = self.tape.op("Concat", [before, two, after, two], {"axis": 0})
            columns.append(self.tape.op("Pad", [first, pads]))
        return columns[0] if len(columns) == 1 else self.tape.op("Concat", columns, {"axis": -1})

    def _integers(self, values: list[int]) -> ir.Value:
        name = "shape_" + "_".join(str(value) for value in values)
        return self._constant(name, np.array(values, np.int64))

    def _index(self, position: int) -> ir.Value:
        return self._constant(f"position_{position}", np.array(position, np.int64))

    def _weight(self, name: str, array: Floats) -> ir.Value:
        return self._constant(name, array.astype(np.float32))

    def _constant(self, name: str, array: npt.NDArray[Any]) -> ir.Value:
        """An initializer; asked for again, as when a layer is called twice, the same one."""
        if (known := self.graph.initializers.get(name)) is not None:
            return known
        value = self.tape.initializer(ir.tensor(np.array(array, order="C")), name=name)
        value.shape = ir.Shape(array.shape)
        self.graph.register_initializer(value)
        return value


def _array(value: ir.Value | None) -> Any:
    if value is None:
        return None
    assert value.const_value is not None, f"{value.name} is not a constant"
    return value.const_value.numpy()


def _with_state_columns(W: Floats, R: Floats) -> Floats:
    """W widened by one block of R per direction, each direction reading its own block alone."""
    directions = len(W)
    blocks = [np.where(np.arange(directions)[:, None, None] == d, R, 0) for d in range(directions)]
    return np.concatenate([W, *blocks], axis=-1)


def _product(R: Floats, P: Floats) -> Floats:
    """R·P in float64, added up in one fixed order: a BLAS would round differently by machine."""
    total = np.zeros((*R.shape[:2], P.shape[2]))
    for k in range(R.shape[2]):
        total += R[:, :, k, None].astype(np.float64) * P[:, None, k, :].astype(np.float64)
    return total
