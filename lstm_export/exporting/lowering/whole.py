"""Layers whose sequences fill the batch, or that onnxruntime is told the lengths of.

Each layer is one operator, in two directions where it has two. onnxruntime's operators take
`sequence_lens`: beyond a sequence's end y is zero, the states are those of its last step, and the
second direction starts there. Most other runtimes ignore that input without a word.
"""

from __future__ import annotations

import onnx_ir as ir

from lstm_export.exporting.lowering.builder import Builder, Floats
from lstm_export.exporting.lowering.layers import Layers
from lstm_export.exporting.lowering.lengths import Steps, per_feature
from lstm_export.exporting.lowering.operator import recurrent_operator
from lstm_export.exporting.lowering.projection import (
    projected_recurrence,
    state_columns,
    with_state_columns,
)
from lstm_export.exporting.lowering.projection_scan import scan_pays, scanned_layer
from lstm_export.exporting.target import Target


def lower_whole(
    builder: Builder, layers: Layers, target: Target, steps: Steps | None = None
) -> list[ir.Value]:
    """y, the final h and, for an LSTM, the final c, as torch has them."""
    lowering = _Whole(builder, layers, target, steps)
    assert layers.x is not None
    y, finals = lowering.swapped(layers.x), []
    for index in range(len(layers.layers)):
        y, *final = lowering.layer(index, y)
        finals.append(final)
    states = [builder.concat(parts, 0) for parts in zip(*finals, strict=True)]
    return [lowering.swapped(y), *states]


class _Whole:
    def __init__(
        self, builder: Builder, layers: Layers, target: Target, steps: Steps | None
    ) -> None:
        self.builder, self.layers, self.target, self.steps = builder, layers, target, steps
        parts = [layers.directions] * len(layers.layers)
        self.h, self.c = (builder.split(state, parts) for state in (layers.h, layers.c))

    def layer(self, index: int, x: ir.Value) -> list[ir.Value]:
        """y (sequence_length, batch, directions · state_size), final h and, for an LSTM, c."""
        builder, layers = self.builder, self.layers
        layer, h = layers.layers[index], self.h[index]
        if layer.P is not None and self._scans(layer.P.shape[1]):
            return scanned_layer(builder, layers, index, x, h, self.c[index])
        weights = {"W": layer.W, "R": layer.R, "B": layer.B}
        if layer.P is not None:
            weights["R"] = projected_recurrence(layer.R, layer.P)
            if h is not None:
                x = builder.concat([x, self._state_columns(x, h)], -1)
                widened = {"W_and_state": with_state_columns(layer.W, layer.R)}
                weights = {**widened, "R": weights["R"], "B": layer.B}
                h = None
        named = [
            builder.weight(layers.name(index, f".{name}"), array) for name, array in weights.items()
        ]
        y, *states = recurrent_operator(
            builder,
            layers,
            [x, *named],
            [h, self.c[index]],
            target=self.target,
            directions=layers.directions,
            sequence_lens=self.steps.sequence_lens if self.steps else None,
        )
        if layer.P is None:
            y = self._side_by_side(y)
        else:
            y, states[0] = self._projected(index, layer.P, y, states[0])
        for state in states:
            state.shape = ir.Shape([layers.directions, None, None])
        return [y, *states]

    def _scans(self, proj_size: int) -> bool:
        """Whether a projection goes step by step; several runtimes refuse to load a Scan."""
        whole = self.target == "onnxruntime" and self.steps is None
        return whole and scan_pays(self.layers.hidden_size, proj_size)

    def swapped(self, x: ir.Value) -> ir.Value:
        """Batch-major to time-major and back, where the module is batch first."""
        if not self.layers.batch_first:
            return x
        return self.builder.op("Transpose", [x], {"perm": [1, 0, 2]})

    def _state_columns(self, x: ir.Value, h: ir.Value) -> ir.Value:
        starts = per_feature(self.builder, self.steps.ends) if self.steps else None
        return state_columns(self.builder, x, h, self.layers.directions, starts)

    def _projected(
        self, index: int, P: Floats, y: ir.Value, h: ir.Value
    ) -> tuple[ir.Value, ir.Value]:
        """P·y, its directions side by side, and P·h.

        Each direction by itself, times a plain matrix: where a product has more axes than two on
        both sides, OpenCV crashes when a sequence is longer than the first one was.
        """
        builder, name = self.builder, self.layers.name
        ends = [
            builder.weight(name(index, f"{suffix}.P"), one.T)
            for suffix, one in zip(("", "_reverse"), P, strict=False)
        ]
        hs = [h]
        if len(ends) == 2:
            hs = [builder.op("Gather", [h, builder.integers([d])], {"axis": 0}) for d in (0, 1)]
        outputs, finals = (
            [builder.op("MatMul", pair) for pair in zip(parts, ends, strict=True)]
            for parts in (self._directions(y), hs)
        )
        return builder.concat(outputs, -1), builder.concat(finals, 0)

    def _directions(self, y: ir.Value) -> list[ir.Value]:
        """y (sequence_length, batch, state_size) of each direction."""
        builder = self.builder
        if self.layers.directions == 1:
            return [builder.op("Squeeze", [y, builder.integers([1])])]
        return [builder.op("Gather", [y, builder.integer(d)], {"axis": 1}) for d in (0, 1)]

    def _side_by_side(self, y: ir.Value) -> ir.Value:
        builder = self.builder
        if self.layers.directions == 2 and self.target == "onnxruntime":
            turned = builder.op("Transpose", [y], {"perm": [0, 2, 1, 3]})
            return builder.op("Reshape", [turned, builder.integers([0, 0, -1])])
        # No shape arithmetic, which some runtimes take for a fixed size.
        return builder.concat(self._directions(y), -1)
