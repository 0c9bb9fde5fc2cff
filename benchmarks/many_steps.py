"""Many steps ahead: `forecast.onnx` in one run, `stream.onnx` run by run, and torch's own loop.

Every round measures each of them once, in an order of its own, so that what else the machine does
falls on all alike; ratios are of medians. Each forecasts `--steps` rows from 10 of history, one
row of a batch.
`scan narrow` is the graph as it is with the head multiplied into the first layer's input weight,
`scan wide` without; where one operator does all steps the two are the same.

    python benchmarks/many_steps.py --json many_steps.json
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import statistics
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import onnxruntime
import torch
from torch import nn

from lstm_export.bundle.layout import LAYOUT
from lstm_export.contract import Column, Forecast, Recurrent, Scaling, Window
from lstm_export.exporting.bundles.forecast_graphs import export_forecast
from lstm_export.exporting.feedback import steps as feedback
from lstm_export.nn.forecaster import Forecaster

CONFIGS = [
    *(("lstm", hidden, layers, 0, 0) for hidden in (20, 50, 64, 128) for layers in (1, 2)),
    ("gru", 64, 1, 0, 0),
    ("gru", 64, 2, 0, 0),
    ("rnn", 64, 1, 0, 0),
    ("rnn", 64, 2, 0, 0),
    ("lstm", 64, 2, 0, 12),
    ("lstm", 64, 2, 32, 0),
    ("lstm", 256, 2, 0, 0),
]
"""Cell, hidden_size, num_layers, proj_size, difference."""


class Plain(nn.Module):
    """What is written by hand: a layer, a head, and a loop around them."""

    def __init__(self, model: Forecaster) -> None:
        super().__init__()
        self.recurrent, self.head = model.recurrent, model.head

    def forward(self, x: torch.Tensor, steps: int) -> torch.Tensor:
        y, state = self.recurrent(x)
        outputs = [self.head(y[:, -1:])]
        for _ in range(steps - 1):
            y, state = self.recurrent(outputs[-1], state)
            outputs.append(self.head(y))
        return torch.cat(outputs, dim=1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    found = []
    for config in CONFIGS:
        row = measured(config, options.steps, options.rounds)
        found.append(row)
        print(
            f"{row['config']:24} "
            + "  ".join(f"{name} {value:8.2f}" for name, value in row["us_per_step"].items())
            + f"  x stream run {row['times_stream_run']:.2f}, x torch {row['times_torch']:.1f}",
            flush=True,
        )
    if options.json:
        about = {"cpu": platform.processor() or platform.machine(), "steps": options.steps}
        about |= {"torch": torch.__version__, "onnxruntime": onnxruntime.__version__}
        options.json.write_text(json.dumps({**about, "results": found}, indent=2) + "\n")


def measured(config: tuple[str, int, int, int, int], steps: int, rounds: int) -> dict[str, object]:
    """Medians per step, in microseconds, and how many times faster the graph is."""
    runs = ways(config, steps)
    times: dict[str, list[float]] = {name: [] for name in runs}
    order, shuffle = list(runs), random.Random(0).shuffle
    for turn in range(rounds + 3):
        shuffle(order)
        for name in order:
            run = runs[name]
            start = time.perf_counter()
            run()
            if turn >= 3:
                times[name].append((time.perf_counter() - start) / steps * 1e6)
    medians = {name: statistics.median(values) for name, values in times.items()}
    cell, hidden, layers, proj_size, difference = config
    label = f"{cell} 1,{hidden},{layers}"
    label += f",proj {proj_size}" if proj_size else ""
    label += f",diff {difference}" if difference else ""
    return {
        "config": label,
        "us_per_step": {name: round(value, 2) for name, value in medians.items()},
        "times_stream_run": round(medians["stream run"] / medians["forecast"], 2),
        "times_torch": round(medians["torch loop"] / medians["forecast"], 1),
    }


def ways(config: tuple[str, int, int, int, int], steps: int) -> dict[str, Callable[[], object]]:
    """The same forecast, made in each way."""
    cell, hidden, layers, proj_size, difference = config
    column = (Column("x", "", -2.0, 3.0),)
    scaling = Scaling("standard", (0.5,), (1.5,))
    recurrent = Recurrent(cell, 1, hidden, layers, proj_size=proj_size)  # type: ignore[arg-type]
    terms = Forecast(column, column, Window(10, 1, difference), scaling, scaling, recurrent)
    torch.manual_seed(0)
    model = Forecaster(terms).eval()
    stream = session(export_forecast(model, LAYOUT.stream))
    x = np.random.default_rng(0).normal(size=(1, 10 + difference, 1)).astype(np.float32)
    plain, given = Plain(model), torch.from_numpy(x)
    feeds = {"x": x, "horizon": np.array(steps)}
    usual = feedback.NARROW
    graphs = {}
    for name, narrow in (("forecast", usual), ("scan narrow", 10**9), ("scan wide", 0)):
        feedback.NARROW = narrow
        graphs[name] = session(export_forecast(model, LAYOUT.forecast))
    feedback.NARROW = usual

    def run_by_run() -> None:
        state = {
            one.name: np.zeros([1 if isinstance(n, str) else n for n in one.shape], np.float32)
            for one in stream.get_inputs()[1:]
        }
        output, *new = stream.run(None, {**state, "x": x[:, difference:]})
        for _ in range(steps - 1):
            state = dict(zip(state, new, strict=True))
            output, *new = stream.run(None, {**state, "x": output[:, -1]})

    def torch_loop() -> None:
        with torch.inference_mode():
            plain(given, steps)

    return {
        **{name: lambda graph=graph: graph.run(None, feeds) for name, graph in graphs.items()},
        "stream run": run_by_run,
        "torch loop": torch_loop,
    }


def session(content: bytes) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


if __name__ == "__main__":
    main()
