"""The recurrent layers over a history, and then on from what the head makes of their output.

How the steps ahead are taken, whichever is fastest (benchmarks/many_steps.py measures):

- One LSTM or plain layer is linear in the forecast that is fed back, and the forecast in the
  layer's output: W·(A·h + b) + R·h = (W·A + R)·h + W·b. So all steps are one operator with the
  recurrent weight W·A + R, and there is no loop at all.
- Else a Scan, whose body is one operator per layer. Where the layers are narrow, the head goes
  into the first layer's input weight in the same way, W·A: a product less per step is worth more
  than the numbers that it multiplies.

The sums and products of weights are nodes, not constants: every weight stands in the file once,
and runtimes compute what depends on constants alone when they load it. They stand in the body that
reads them, for OpenVINO refuses a body that reads what nodes outside compute. And a product with
the head's bias is one with a matrix, not with a vector, which OpenCV refuses; rows are cut to the
horizon by a Gather, for tract's Slice has no ends that are fed.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_ir as ir
import torch

from lstm_export.exporting.gates import ONNX_GATES, cell_of, onnx_layers
from lstm_export.exporting.lowering.builder import Floats, Nodes
from lstm_export.exporting.lowering.projection import projected_recurrence
from lstm_export.nn.forecaster import Forecaster

NARROW = 64
"""Up to this hidden_size the head is multiplied into the first layer's input weight."""

State = list[ir.Value]
"""h and, for an LSTM, c of one layer, (1, batch, hidden_size) each."""


@dataclass(frozen=True, slots=True)
class Layer:
    """The weights of one layer as values; P (hidden_size, proj_size) where it projects."""

    W: ir.Value
    R: ir.Value
    B: ir.Value
    P: ir.Value | None


@dataclass(frozen=True, slots=True)
class Given:
    """What the first layer is given after the history, (1, gates, …) where they are weights.

    z = A·h + b are the scaled targets in the last layer's output; `of_targets` and `of_known` are
    the first layer's W for them and for the known features.
    """

    of_targets: ir.Value
    of_known: ir.Value
    A: ir.Value
    b: ir.Value


class Steps:
    """The layers and the head of `model`."""

    def __init__(self, nodes: Nodes, model: Forecaster) -> None:
        self.nodes, self.terms = nodes, model.forecast
        self.cell = cell_of(model.recurrent)
        self.hidden = model.recurrent.hidden_size
        self.layers: list[Layer] = []
        for index, found in enumerate(onnx_layers(model.recurrent)):
            W, R, B = (_array(one) for one in (found.W, found.R, found.B))
            P = None if found.P is None else _array(found.P)
            # With h = P·h̃ the layer is a plain one of the state h̃, whose recurrent weight is R·P.
            R = R if P is None else projected_recurrence(R, P)
            name = f"recurrent.{index}"
            self.layers.append(
                Layer(
                    nodes.weight(f"{name}.W", W),
                    nodes.weight(f"{name}.R", R),
                    nodes.weight(f"{name}.B", B),
                    None if P is None else nodes.weight(f"{name}.P", P[0].T),
                )
            )
        self.weight = nodes.weight("head.weight", _array(model.head.weight))
        self.bias = nodes.weight("head.bias", _array(model.head.bias))

    def run(self, z: ir.Value, known: ir.Value | None, horizon: ir.Value) -> ir.Value:
        """What the head says of the `horizon` steps after z, (horizon, batch, targets), scaled.

        z (steps, batch, features) is the scaled history, known (horizon, batch, known features)
        the scaled known features of the rows after it.
        """
        nodes = self.nodes
        states = self._history(z)
        number = nodes.op("Unsqueeze", [horizon, nodes.integers([0])])
        if len(self.layers) == 1 and self.cell != "gru":
            later = self._in_one(states[0], known, number)
        else:
            later = self._scanned(states, known, horizon)
        every = nodes.concat([states[-1][0], later], 0)
        asked = nodes.op("Range", [nodes.integer(0), horizon, nodes.integer(1)])
        every = nodes.op("Gather", [every, asked], {"axis": 0})
        return self._head(
            nodes, self._output(nodes, every, self.layers[-1]), self.weight, self.bias
        )

    def _history(self, z: ir.Value) -> list[State]:
        """The layers' states after z."""
        nodes = self.nodes
        ends = [nodes.integers([1]), nodes.size(z, 1), nodes.integers([self.hidden])]
        fill = {"value": ir.tensor(np.zeros(1, np.float32))}
        zero = nodes.op("ConstantOfShape", [nodes.concat(ends, 0)], fill)
        states = []
        for layer in self.layers:
            y, *state = self._operator(nodes, z, layer, [zero] * self._width)
            states.append(state)
            z = self._output(nodes, nodes.op("Squeeze", [y, nodes.integers([1])]), layer)
        return states

    def _in_one(self, state: State, known: ir.Value | None, number: ir.Value) -> ir.Value:
        """The one layer's states h̃ (horizon, batch, hidden_size), by one operator."""
        nodes, (layer,) = self.nodes, self.layers
        given = self._given(nodes)
        recurrent = nodes.op("Add", [layer.R, self._through_head(nodes, given)])
        if known is None:
            sizes = nodes.concat([number, nodes.size(state[0], 1), nodes.integers([1])], 0)
            fill = {"value": ir.tensor(np.zeros(1, np.float32))}
            x = nodes.op("ConstantOfShape", [sizes], fill)
            rows = self.hidden * self._gates
            W = nodes.weight("recurrent.0.no_input", np.zeros((1, rows, 1)))
        else:
            x, W = known, given.of_known
        merged = Layer(W, recurrent, self._with_bias(nodes, given), layer.P)
        return nodes.op(
            "Squeeze", [self._operator(nodes, x, merged, state)[0], nodes.integers([1])]
        )

    def _scanned(self, states: list[State], known: ir.Value | None, horizon: ir.Value) -> ir.Value:
        """The last layer's states h̃ (horizon, batch, hidden_size), step by step."""
        nodes, inner = self.nodes, Nodes(self.nodes.graph)
        given = self._given(inner)
        first, narrow = self.layers[0], self.hidden <= NARROW
        of_targets = self._through_head(inner, given) if narrow else given.of_targets
        columns = [of_targets] if known is None else [of_targets, given.of_known]
        bias = self._with_bias(inner, given) if narrow else first.B
        layers = [Layer(inner.concat(columns, 2), first.R, bias, first.P), *self.layers[1:]]
        before = [[_float(f"previous_{n}") for n in "hc"[: self._width]] for _ in layers]
        row = _float("known_row")
        back = before[-1][0]
        if not narrow:
            back = self._head(inner, self._output(inner, back, layers[-1]), given.A, given.b)
        z = back if known is None else inner.concat([back, row], 2)
        after: list[ir.Value] = []
        for layer, state in zip(layers, before, strict=True):
            y, *new = self._operator(inner, z, layer, state)
            after += new
            z = self._output(inner, new[0], layer)
        turns = nodes.op("Range", [nodes.integer(0), horizon, nodes.integer(1)])
        if known is not None:
            turns = nodes.op("Unsqueeze", [known, nodes.integers([1])])
        y.dtype = ir.DataType.FLOAT
        # y beside the last layer's h, which is the same: an output can only be one of the two.
        body = ir.Graph(
            [*itertools.chain(*before), row], [*after, y], nodes=inner.tape.nodes, name="step"
        )
        every = [*itertools.chain(*states), turns]
        attributes = {"body": body, "num_scan_inputs": 1}
        *_, later = nodes.ops("Scan", every, attributes, len(after) + 1)
        return nodes.op("Squeeze", [later, nodes.integers([1, 2])])

    def _given(self, nodes: Nodes) -> Given:
        """How the head's answer becomes the first layer's next input."""
        terms, W = self.terms, self.layers[0].W
        places = list(terms.target_positions)
        names = [column.name for column in terms.features]
        others = [names.index(column.name) for column in terms.known]
        same = places == list(range(len(names)))
        of_targets = W if same else nodes.op("Gather", [W, nodes.integers(places)], {"axis": 2})
        of_known = nodes.op("Gather", [W, nodes.integers(others)], {"axis": 2}) if others else W
        ours, theirs = terms.target_scaling, terms.input_scaling
        offset, scale = (np.array(v)[places] for v in (theirs.offset, theirs.scale))
        factor, shift = ours.scale / scale, (ours.offset - offset) / scale
        A, b = self.weight, self.bias
        if (factor != 1).any() or shift.any():
            column = nodes.weight("rescale", factor)
            A = nodes.op("Mul", [A, nodes.op("Unsqueeze", [column, nodes.integers([1])])])
            b = nodes.op("Mul", [b, column])
            b = nodes.op("Add", [b, nodes.weight("reoffset", shift)])
        return Given(of_targets, of_known, A, b)

    def _through_head(self, nodes: Nodes, given: Given) -> ir.Value:
        """W·A (1, gates, hidden_size): from the last layer's h̃ to the first one's gates."""
        A, P = given.A, self.layers[-1].P
        if P is not None:
            A = nodes.op("MatMul", [A, nodes.op("Transpose", [P], {"perm": [1, 0]})])
        return nodes.op("MatMul", [given.of_targets, A])

    def _with_bias(self, nodes: Nodes, given: Given) -> ir.Value:
        """The first layer's B with W·b in it."""
        rows = self.hidden * self._gates
        column = nodes.op("Unsqueeze", [given.b, nodes.integers([1])])
        added = nodes.op("MatMul", [given.of_targets, column])
        added = nodes.op("Squeeze", [added, nodes.integers([2])])
        added = nodes.op("Pad", [added, nodes.integers([0, 0, 0, rows])])
        return nodes.op("Add", [self.layers[0].B, added])

    def _head(self, nodes: Nodes, h: ir.Value, weight: ir.Value, bias: ir.Value) -> ir.Value:
        turned = nodes.op("Transpose", [weight], {"perm": [1, 0]})
        return nodes.op("Add", [nodes.op("MatMul", [h, turned]), bias])

    def _output(self, nodes: Nodes, state: ir.Value, layer: Layer) -> ir.Value:
        """A layer's output from its states h̃, which is what a projection makes of them."""
        return state if layer.P is None else nodes.op("MatMul", [state, layer.P])

    def _operator(self, nodes: Nodes, x: ir.Value, layer: Layer, state: State) -> list[ir.Value]:
        """y (steps, 1, batch, hidden_size) and the new state."""
        attributes: dict[str, Any] = {"hidden_size": self.hidden}
        if self.cell == "gru":
            attributes["linear_before_reset"] = 1
        if self.cell == "rnn":
            attributes["activations"] = ["Tanh"]
        inputs = [x, layer.W, layer.R, layer.B, None, *state]
        return nodes.ops(self.cell.upper(), inputs, attributes, 1 + self._width)

    @property
    def _width(self) -> int:
        return 2 if self.cell == "lstm" else 1

    @property
    def _gates(self) -> int:
        return len(ONNX_GATES[self.cell])


def _float(name: str) -> ir.Value:
    return ir.Value(name=name, type=ir.TensorType(ir.DataType.FLOAT))


def _array(tensor: torch.Tensor) -> Floats:
    found: Floats = tensor.detach().numpy()
    return found
