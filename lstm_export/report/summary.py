"""The demo's numbers as two short tables of text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lstm_export.report.accuracy import accuracy_tables
from lstm_export.report.parity_section import worst_comparison
from lstm_export.report.speed_section import speed_table
from lstm_export.report.text import scientific, size

if TYPE_CHECKING:
    from lstm_export.demo import DemoResult

_SHOWN = (
    *("bundle/model.onnx", "bundle/stream.onnx", "bundle/forecast.onnx", "bundle/ragged.onnx"),
    "run/model.safetensors",
)


def summary_tables(result: DemoResult) -> list[tuple[list[str], list[list[str]]]]:
    """Header and rows of each table: accuracy; then the bundle beside torch; then files."""
    accuracy = accuracy_tables(result.description.forecaster, result.description.metrics)[0]
    header, rows = speed_table(result.timings)
    worst = worst_comparison(result.parity)
    if worst is not None:
        errors = (worst.worst_error, worst.torch_max_abs_error)
        rows = [["worst parity error", *map(scientific, errors), ""], *rows]
    files = [[name, size(result.sizes[name])] for name in _SHOWN if name in result.sizes]
    return [
        (["test part", *accuracy.header[1:]], [list(row) for row in accuracy.rows]),
        (header, rows),
        (["file", "size"], files),
    ]
