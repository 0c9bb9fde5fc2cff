"""Raw rows to what the layers see, and what the head says to raw rows, for all steps at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from lstm_export.contract import Column, Forecast
from lstm_export.exporting.lowering.builder import Nodes

_END = int(np.iinfo(np.int64).max)


class Rows:
    """The rows of one call, `x` (batch, sequence_length, features)."""

    def __init__(self, nodes: Nodes, terms: Forecast, x: ir.Value) -> None:
        self.nodes, self.terms, self.x = nodes, terms, x
        self.lag = terms.window.difference

    def scaled(self) -> ir.Value:
        """(sequence_length − K, batch, features): differenced and scaled, step by step."""
        return self._scaled(self.x, self.terms.features)

    def known(self, future: ir.Value, horizon: ir.Value) -> ir.Value:
        """(horizon, batch, known features), scaled; the last row is zeros, for nobody.

        `future` (batch, future_length, known features) are the raw rows after x. Fewer than
        horizon − 1 of them are an error when it runs: each row is looked up. onnxruntime would
        turn a Gather from a plain Range into a Slice, which takes what there is.
        """
        nodes, columns = self.nodes, self.terms.known
        rows = future
        if self.lag:
            before = self._columns(self._last(self.x), columns)
            rows = nodes.concat([before, future], 1)
        seen = self._scaled(rows, columns)
        seen = nodes.op("Pad", [seen, nodes.integers([1, 0, 0, 0, 0, 0])])
        one = nodes.integer(1)
        steps = nodes.op("Range", [one, nodes.op("Add", [horizon, one]), one])
        return nodes.op("Gather", [seen, nodes.op("Mod", [steps, horizon])], {"axis": 0})

    def raw(self, predicted: ir.Value, horizon: ir.Value) -> ir.Value:
        """(batch, horizon, targets) in raw units of what the head says, step by step."""
        nodes, scaling = self.nodes, self.terms.target_scaling
        scale = self._row("target_scale", scaling.scale)
        p = nodes.op("Mul", [predicted, scale])
        p = nodes.op("Add", [p, self._row("target_offset", scaling.offset)])
        p = nodes.op("Transpose", [p], {"perm": [1, 0, 2]})
        return self._added_back(p, horizon) if self.lag else p

    def _added_back(self, p: ir.Value, horizon: ir.Value) -> ir.Value:
        """x̂[i] = p[i] + x̂[i−K]: steps that lie K apart build on each other."""
        nodes, lag, targets = self.nodes, self.lag, self.terms.targets
        before = self._columns(self._last(self.x), targets)
        if lag == 1:
            return nodes.op("Add", [nodes.op("CumSum", [p, nodes.integer(1)]), before])
        # One row of the grid per round of K steps, the last one filled up, summed downwards. Filled
        # up with what the last step has: a Pad of computed sizes ends OpenCV's process.
        zero, one = nodes.integer(0), nodes.integer(1)
        missing = nodes.op("Mod", [nodes.op("Neg", [horizon]), nodes.integer(lag)])
        places = nodes.op("Range", [zero, nodes.op("Add", [horizon, missing]), one])
        places = nodes.op("Min", [places, nodes.op("Sub", [horizon, one])])
        grid = nodes.op("Gather", [p, places], {"axis": 1})
        grid = nodes.op("Reshape", [grid, nodes.integers([0, -1, lag, len(targets)])])
        grid = nodes.op("CumSum", [grid, nodes.integer(1)])
        grid = nodes.op("Add", [grid, nodes.op("Unsqueeze", [before, nodes.integers([1])])])
        flat = nodes.op("Reshape", [grid, nodes.integers([0, -1, len(targets)])])
        asked = nodes.op("Range", [zero, horizon, one])
        return nodes.op("Gather", [flat, asked], {"axis": 1})

    def _scaled(self, rows: ir.Value, columns: Sequence[Column]) -> ir.Value:
        nodes, scaling = self.nodes, self.terms.input_scaling
        if self.lag:
            start, end, axis = ([self.lag], [-self.lag], [1])
            ends = [nodes.integers(start), nodes.integers([_END]), nodes.integers(axis)]
            later = nodes.op("Slice", [rows, *ends])
            ends = [nodes.integers([0]), nodes.integers(end), nodes.integers(axis)]
            rows = nodes.op("Sub", [later, nodes.op("Slice", [rows, *ends])])
        places = self._places(columns)
        kind = "" if len(places) == len(self.terms.features) else "known_"
        offset, scale = (
            [values[place] for place in places] for values in (scaling.offset, scaling.scale)
        )
        z = nodes.op("Sub", [rows, self._row(f"{kind}offset", offset)])
        z = nodes.op("Div", [z, self._row(f"{kind}scale", scale)])
        return nodes.op("Transpose", [z], {"perm": [1, 0, 2]})

    def _last(self, rows: ir.Value) -> ir.Value:
        """The last K of `rows`."""
        ends = [self.nodes.integers([place]) for place in (-self.lag, _END, 1)]
        return self.nodes.op("Slice", [rows, *ends])

    def _columns(self, rows: ir.Value, columns: Sequence[Column]) -> ir.Value:
        """Those of the features that `columns` are, in their order."""
        places = self._places(columns)
        if places == list(range(len(self.terms.features))):
            return rows
        return self.nodes.op("Gather", [rows, self.nodes.integers(places)], {"axis": 2})

    def _places(self, columns: Sequence[Column]) -> list[int]:
        names = [column.name for column in self.terms.features]
        return [names.index(column.name) for column in columns]

    def _row(self, name: str, values: Sequence[float]) -> ir.Value:
        return self.nodes.weight(name, np.array(values))
