"""Layers over a padded batch, for runtimes that do not know or do not heed `sequence_lens`.

Every direction is a forward operator of its own. The second one reads each sequence backwards with
the padding where it was, which `Steps.mirrored` gathers both ways. So the padding always comes
last, and what an operator makes of it reaches no valid step; it is cut off at the end. Features in
the padding are set to zero first, because NaN would be carried on by a product with zero.

The final h is y at the last valid step. The final c is in no output, so where it is wanted the
padding must leave it alone: a column of x that is 1 in the padding drives the input gate to 0, the
forget gate to 1 and the candidate to −1. Its weight exceeds whatever the gates' other terms can add
up to, by 110, at which float32's sigmoid is exactly 1, and exactly 0 below. A runtime whose sigmoid
is not (tract's ends at σ = 0.9999995 and at 1 − σ) makes c′ = σ·c − (1 − σ)·τ of it at each step,
τ being its tanh(110), so after n steps σⁿ·c − (1 − σⁿ)·τ. That is undone, with what the runtime
itself has for σ and τ: where σ is 1, by a subtraction of 0 and a division by 1.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from lstm_export.exporting.lowering.builder import Builder, Floats
from lstm_export.exporting.lowering.layers import Layer, Layers
from lstm_export.exporting.lowering.lengths import Steps, per_feature, without_padding
from lstm_export.exporting.lowering.operator import recurrent_operator, zero_state
from lstm_export.exporting.lowering.projection import (
    projected_recurrence,
    with_state_columns,
)

SATURATED = 110.0
"""exp(−110) is below float32's smallest number, so sigmoid(±110) is 1 and 0 exactly."""


def lower_ragged(builder: Builder, layers: Layers, steps: Steps) -> list[ir.Value]:
    """y, the final h and, for an LSTM, the final c, as torch has them."""
    return _Ragged(builder, layers, steps).run()


class _Ragged:
    def __init__(self, builder: Builder, layers: Layers, steps: Steps) -> None:
        self.builder, self.layers, self.steps = builder, layers, steps
        parts = [1] * (layers.directions * len(layers.layers))
        self.h, self.c = (builder.split(state, parts) for state in (layers.h, layers.c))
        self.valid = per_feature(builder, steps.valid)
        self.ends = per_feature(builder, steps.ends)
        self.mirrored: dict[int, ir.Value] = {}
        if layers.wants_final_c:
            ends = [self.valid, builder.number(0), builder.number(1)]
            self.padding = builder.op("Where", ends)
            self.held = self._held()

    def run(self) -> list[ir.Value]:
        builder, layers = self.builder, self.layers
        assert layers.x is not None
        x = without_padding(builder, layers.x, self.valid)
        self.zeros = zero_state(builder, layers, x, 1)
        finals = []
        if layers.directions == 1:
            for index in range(len(layers.layers)):
                x, *final = self._direction(index, 0, x)
                finals.append(final)
        else:
            backwards = self._mirror(x, layers.layers[0].W.shape[-1])
            for index in range(len(layers.layers)):
                one, *final_one = self._direction(index, 0, x)
                two, *final_two = self._direction(index, 1, backwards)
                finals += [final_one, final_two]
                width = layers.layers[index].R.shape[-1]
                x = builder.concat([one, self._mirror(two, width)], -1)
                if index + 1 < len(layers.layers):
                    backwards = builder.concat([self._mirror(one, width), two], -1)
        states = [builder.concat(parts, 0) for parts in zip(*finals, strict=True)]
        x.shape, x.dtype = layers.node.outputs[0].shape, ir.DataType.FLOAT
        return [without_padding(builder, x, self.valid), *states]

    def _direction(self, index: int, direction: int, x: ir.Value) -> list[ir.Value]:
        """y (sequence_length, batch, state_size), then states (1, batch, …), of one direction.

        x and y are in the order in which this direction reads.
        """
        builder, layers = self.builder, self.layers
        layer = layers.layers[index].direction(direction)
        place = index * layers.directions + direction
        h, columns, W, label = self.h[place], [x], layer.W, "W"
        R = layer.R if layer.P is None else projected_recurrence(layer.R, layer.P)
        if layer.P is not None and h is not None:
            starts = per_feature(builder, self.steps.starts)
            columns.append(builder.op("Where", [starts, h, builder.number(0)]))
            W, label, h = with_state_columns(W, layer.R), label + "_and_state", None
        if layers.wants_final_c:
            columns.append(self.padding)
            W, label = np.concatenate([W, self._hold(index, layer, R)], -1), label + "_and_padding"
        name = layers.name(index, "_reverse" if direction else "")
        weights = [
            builder.weight(f"{name}.{part}", array)
            for part, array in ((label, W), ("R", R), ("B", layer.B))
        ]
        y, *states = recurrent_operator(
            builder,
            layers,
            [builder.concat(columns, -1), *weights],
            [h or self.zeros, self.c[place] or self.zeros],
            target="portable",
            directions=1,
        )
        y = builder.op("Squeeze", [y, builder.integers([1])])
        if layer.P is not None:
            y = builder.op("MatMul", [y, builder.weight(f"{name}.P", layer.P[0].T)])
        c = map(self._undrifted, states[1:]) if layers.wants_final_c else states[1:]
        return [y, self._at_the_end(y), *c]

    def _mirror(self, x: ir.Value, width: int) -> ir.Value:
        """x (sequence_length, batch, width) with every sequence reversed."""
        builder = self.builder
        if width not in self.mirrored:
            places = per_feature(builder, self.steps.mirrored)
            row = builder.integers([1, 1, width])
            self.mirrored[width] = builder.op("Expand", [places, row])
        return builder.op("GatherElements", [x, self.mirrored[width]], {"axis": 0})

    def _at_the_end(self, y: ir.Value) -> ir.Value:
        """y at each sequence's last step, (1, batch, state_size)."""
        builder = self.builder
        kept = builder.op("Where", [self.ends, y, builder.number(0)])
        return builder.op("ReduceSum", [kept, builder.integers([0])], {"keepdims": 1})

    def _hold(self, index: int, layer: Layer, R: Floats) -> Floats:
        """The padding column's weight, (1, 4 · hidden_size, 1).

        In the padding |h̃| ≤ 1, and x is zero or what the layer below makes of such.
        """
        reach = np.abs(R).sum(-1) + np.abs(layer.B.reshape(2, -1)).sum(0)
        if index > 0:
            below = self.layers.layers[index - 1].P
            largest = 1.0 if below is None else float(np.abs(below).sum(-1).max())
            reach = reach + largest * np.abs(layer.W).sum(-1)
        push = float(reach.max()) + SATURATED
        gates = np.repeat([-push, 0.0, push, -push], self.layers.hidden_size)  # i, o, f, c
        return gates[None, :, None]

    def _held(self) -> ir.Value:
        """σⁿ (1, batch, 1), n being a sequence's steps of padding: what they leave of its c."""
        builder = self.builder
        number = builder.op("ReduceSum", [self.padding, builder.integers([0])], {"keepdims": 1})
        return builder.op("Pow", [builder.op("Sigmoid", [builder.number(SATURATED)]), number])

    def _undrifted(self, c: ir.Value) -> ir.Value:
        builder = self.builder
        lost = builder.op("Sub", [self.held, builder.number(1)])
        added = builder.op("Mul", [lost, builder.op("Tanh", [builder.number(SATURATED)])])
        return builder.op("Div", [builder.op("Sub", [c, added]), self.held])
