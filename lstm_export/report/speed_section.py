"""Latency, cold start and file sizes, torch beside the bundle."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lstm_export.report.page import Section, Table, Tile
from lstm_export.report.run_files import file_sizes
from lstm_export.report.text import duration, number, size

if TYPE_CHECKING:
    from lstm_export.bench.timings import Timings

_PURPOSES = {
    "model.onnx": "whole sequences: raw units in, raw units out",
    "stream.onnx": "step by step, state in and out",
    "forecast.onnx": "many steps ahead in one run",
    "ragged.onnx": "sequences of different lengths in one padded batch",
    "manifest.json": "contract, origin and checksums",
    "golden.npz": "inputs and reference outputs, to replay parity",
    "README.md": "model card",
    "checkpoint.json": "terms, origin and test metrics",
    "model.safetensors": "the best weights",
    "training_state.safetensors": "what --resume needs",
    "metrics.jsonl": "losses by epoch",
    "predictions.csv": "the test part, beside what the model says",
    "run.toml": "every option, repeatable with --config",
}


def speed_tiles(timings: Timings) -> list[Tile]:
    """Latency and cold start for the head of the page."""
    latency, cold = timings.latency, timings.cold_start
    return [
        Tile("Latency, bundle", duration(latency.bundle), f"torch: {duration(latency.torch)}"),
        Tile("Cold start, bundle", duration(cold.bundle), f"torch: {duration(cold.torch)}"),
    ]


def speed_section(timings: Timings) -> Section:
    """Both, side by side, and how they were measured."""
    return Section(
        "Speed",
        f"Measured on this machine, in turns. Latency: median of {timings.latency.turns:,} turns "
        f"with one window of {timings.latency.shape[1]:,} rows, batch 1. Cold start: median of "
        f"{timings.cold_start.starts} fresh processes, from their start to the first prediction.",
        [Table("Torch beside the bundle", *speed_table(timings), frozenset())],
    )


def speed_table(timings: Timings) -> tuple[list[str], list[list[str]]]:
    """Header and rows of the comparison, as people read it."""
    latency, cold = timings.latency, timings.cold_start
    threads = "1 thread" if latency.torch_threads == 1 else f"{latency.torch_threads} threads"
    rows = [
        [
            f"latency (torch: {threads})",
            duration(latency.bundle),
            duration(latency.torch),
            _ratio(latency.torch, latency.bundle),
        ],
        [
            "cold start",
            duration(cold.bundle),
            duration(cold.torch),
            _ratio(cold.torch, cold.bundle),
        ],
    ]
    return ["", "bundle", "torch", "torch ÷ bundle"], rows


def files_section(run: Path, bundle: Path | None) -> Section:
    """Every file of the bundle and of the run, with its size."""
    tables = []
    for what, folder in (("Bundle: this is what you deploy", bundle), ("Training run", run)):
        if folder is not None:
            rows = [
                [name, _PURPOSES.get(name, ""), size(count)]
                for name, count in file_sizes(folder).items()
            ]
            tables.append(Table(what, ["file", "what", "size"], rows, frozenset(), frozenset({1})))
    return Section("Files", "", tables)


def _ratio(torch: float, bundle: float) -> str:
    return f"{number(torch / bundle, 2)} ×"
