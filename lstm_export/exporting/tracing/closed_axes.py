"""Axes that most modules let vary and this one does not, in words for the user."""

from __future__ import annotations

from collections.abc import Iterator

from lstm_export.contract import BATCH, TensorSpec
from lstm_export.exporting.tracing.open_axes import OpenAxes
from lstm_export.exporting.tracing.variation import Place


def closed_axes(opened: OpenAxes) -> Iterator[str]:
    """Each static axis of an input that looks like a batch or a length, and why it is static.

    As in: x: axis 0 is always 2: the module refuses 3, 6 here: rnn (LSTM(3, 4)): RuntimeError: …
    """
    names = opened.names
    by_layers, sizes = names.fixed_by_layers(), names.fixed_by_trace()
    for spec in names.spec.inputs:
        for axis, size in enumerate(spec.axes):
            place: Place = (spec.name, axis)
            if isinstance(size, str) or place in by_layers:
                continue
            if size in (sizes or ()) or _by_place(spec, axis, layers=sizes is not None):
                why = opened.reasons.get(place, "the trace fixed it")
                yield f"{spec.name}: axis {axis} is always {size}: {why}"


def _by_place(spec: TensorSpec, axis: int, *, layers: bool) -> bool:
    """Whether batch or time usually stand there: the batch leads, and time is next to it.

    Where there are recurrent `layers` or loops, they have said what time is; and features come
    last, unless they are indices of an embedding.
    """
    features = 0 if "int" in spec.dtype else 1
    if len(spec.axes) <= axis + features:
        return False
    if axis == 0:
        return not any(str(name).startswith(BATCH) for name in spec.axes)
    return axis == 1 and not layers
