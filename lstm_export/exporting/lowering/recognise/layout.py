"""Between the shapes of a step and (sequence_length, batch, features), which operators take."""

from __future__ import annotations

import onnx_ir as ir

from lstm_export.exporting.lowering.builder import Builder
from lstm_export.exporting.lowering.recognise.shapes import Dim


class Layout:
    """How a step's value of shape `sizes` holds its features, along the negative `axis`.

    Of the other axes at most one is not of size 1: the batch. A step without any is a batch of
    one.
    """

    def __init__(self, sizes: tuple[Dim, ...], axis: int) -> None:
        rank = len(sizes)
        self.features = rank + axis
        others = [i for i in range(rank) if i != self.features]
        batch = [i for i in others if sizes[i] != 1][:1] or others[-1:]
        self.batch = batch[0] if batch else None
        self.dropped = [i for i in others if i != self.batch]

    def stacked(self, builder: Builder, value: ir.Value) -> ir.Value:
        """(sequence_length, batch, features) from (sequence_length, *sizes)."""
        if self.dropped:
            axes = builder.integers([1 + i for i in self.dropped])
            value = builder.op("Squeeze", [value, axes])
        if self.batch is None:
            return builder.op("Unsqueeze", [value, builder.integers([1])])
        return self._turned(builder, value)

    def restored(self, builder: Builder, value: ir.Value) -> ir.Value:
        """(sequence_length, *sizes) from (sequence_length, batch, features)."""
        if self.batch is None:
            return builder.op("Squeeze", [value, builder.integers([1])])
        value = self._turned(builder, value)
        if self.dropped:
            axes = builder.integers([1 + i for i in self.dropped])
            value = builder.op("Unsqueeze", [value, axes])
        return value

    def _turned(self, builder: Builder, value: ir.Value) -> ir.Value:
        assert self.batch is not None
        if self.batch < self.features:
            return value
        return builder.op("Transpose", [value], {"perm": [0, 2, 1]})
