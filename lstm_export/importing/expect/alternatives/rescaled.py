"""Outputs brought back to their units: factor and offset of a scaler, found by least squares."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from lstm_export.importing.expect.alternatives.alternative import Alternative
from lstm_export.importing.expect.case import Case
from lstm_export.importing.expect.edits import inserted
from lstm_export.importing.expect.expected import Expected, Float
from lstm_export.importing.expect.fitting import reshapes

_FEWEST = 5
"""Numbers that an output must have: two of them are spent on factor and offset."""


def rescaled(case: Case, outputs: Mapping[str, Float], expected: Expected) -> Alternative | None:
    """`case` with each output times a factor plus an offset, as `expected` has it of `outputs`.

    None where shapes differ, or where numbers are too few or too alike to tell. Whether it fits is
    left to see: a line can be laid through anything.
    """
    layers, said = case.layers, []
    for name, values in expected.outputs.items():
        got = outputs[name]
        index = next((i for i, s in enumerate(layers.steps) if s.outputs[0] == name), None)
        if index is None or not reshapes(got.shape, values.shape) or got.size < _FEWEST:
            return None
        line = _line(got.ravel(), values.ravel())
        if line is None:
            return None
        options = dict(zip(("factor", "offset"), line, strict=True))
        layers = inserted(layers, index, "scale", options)
        said.append(f"{name} is times {line[0]:g} plus {line[1]:g}, as a scaler brings it back")
    return Alternative("; ".join(said), layers, "scale")


def _line(got: Float, values: Float) -> tuple[float, float] | None:
    if not (np.isfinite(got).all() and np.ptp(got) > 0 and np.ptp(values) > 0):
        return None
    columns = np.stack([got, np.ones_like(got)], axis=1)
    factor, offset = np.linalg.lstsq(columns, values, rcond=None)[0]
    # Printed as short as float32 data can tell.
    return float(f"{factor:.8g}"), float(f"{offset:.8g}")
