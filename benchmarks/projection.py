"""A projected LSTM in onnxruntime: the fused operator against a Scan, and which one is chosen.

One layer of torch's `nn.LSTM(32, hidden_size, proj_size=...)`, exported both ways; calls of the two
sessions alternate on one thread, and the ratio of each pair is what is summarised. Prints JSON.
"""

from __future__ import annotations

import itertools
import json
import statistics
import sys
import time
import warnings
from typing import Any
from unittest import mock

import numpy as np
import onnxruntime
import torch
from torch import Tensor, nn

from lstm_export.contract import Contract, GraphSpec, TensorSpec
from lstm_export.exporting.lowering import whole
from lstm_export.exporting.lowering.projection_scan import scan_pays
from lstm_export.exporting.module import export_graph

HIDDEN_SIZES = (32, 64, 128, 192, 256, 384, 512)
SHARES = (8, 4, 2)  # proj_size is hidden_size / share
BATCHES = (1, 16)
INPUT_SIZE, LENGTH = 32, 100
SECONDS_PER_CONFIGURATION = 2.0


class Projected(nn.Module):
    """y of a projected LSTM."""

    def __init__(self, hidden_size: int, proj_size: int, bidirectional: bool) -> None:
        super().__init__()
        self.layer = nn.LSTM(
            INPUT_SIZE,
            hidden_size,
            proj_size=proj_size,
            bidirectional=bidirectional,
            batch_first=True,
        )

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.layer(x)[0]
        return y


def session(module: Projected, *, scan: bool) -> onnxruntime.InferenceSession:
    width = module.layer.proj_size * (2 if module.layer.bidirectional else 1)
    time_axes = ("batch", "sequence_length")
    graph = GraphSpec(
        (TensorSpec("x", "float32", (*time_axes, INPUT_SIZE)),),
        (TensorSpec("output", "float32", (*time_axes, width)),),
    )
    with mock.patch.object(whole, "scan_pays", return_value=scan):
        content = export_graph(
            module,
            [torch.zeros(2, 5, INPUT_SIZE)],
            Contract("module", graph),
            target="onnxruntime",
        )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def measure(hidden_size: int, proj_size: int, directions: int) -> list[dict[str, Any]]:
    torch.manual_seed(0)
    module = Projected(hidden_size, proj_size, directions == 2).eval()
    fused, scan = (session(module, scan=scan) for scan in (False, True))
    rows = []
    for batch in BATCHES:
        shape = (batch, LENGTH, INPUT_SIZE)
        x = np.random.default_rng(0).normal(size=shape).astype(np.float32)
        pairs = _alternate(fused, scan, x)
        low, middle, high = statistics.quantiles([s / f for f, s in pairs], n=4)
        rows.append(
            {
                "directions": directions,
                "hidden_size": hidden_size,
                "proj_size": proj_size,
                "batch": batch,
                "fused_ms": round(statistics.median(f for f, _ in pairs) * 1e3, 3),
                "scan_ms": round(statistics.median(s for _, s in pairs) * 1e3, 3),
                "ratio": round(middle, 2),
                "ratio_quartiles": [round(low, 2), round(high, 2)],
                "rule": "scan" if scan_pays(hidden_size, proj_size) else "fused",
            }
        )
        print(rows[-1], file=sys.stderr)
    return rows


def _alternate(
    fused: onnxruntime.InferenceSession, scan: onnxruntime.InferenceSession, x: Any
) -> list[tuple[float, float]]:
    """Seconds of paired calls. The order alternates, so that neither always finds a warm cache."""
    pairs: list[tuple[float, float]] = []
    end = time.perf_counter() + SECONDS_PER_CONFIGURATION
    while time.perf_counter() < end or len(pairs) < 20:
        seconds = {}
        for one in (fused, scan)[:: 1 - 2 * (len(pairs) % 2)]:
            start = time.perf_counter()
            one.run(None, {"x": x})
            seconds[one is scan] = time.perf_counter() - start
        pairs.append((seconds[False], seconds[True]))
    return pairs


def main() -> None:
    # torch runs a projection on its plain implementation and says so; it is not what is timed.
    warnings.filterwarnings("ignore", message="LSTM with projections")
    cells = itertools.product((1, 2), HIDDEN_SIZES, SHARES)
    results = [row for d, h, share in cells for row in measure(h, h // share, d)]
    print(json.dumps({"onnxruntime": onnxruntime.__version__, "results": results}, indent=2))


if __name__ == "__main__":
    main()
