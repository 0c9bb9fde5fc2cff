"""What the portable graph costs in onnxruntime, beside the same model without explicit states.

One LSTM stack and a linear head on the last step, exported for both targets; calls of the two
sessions alternate, and the ratio of each pair is what is summarised. Prints JSON.
"""

from __future__ import annotations

import json
import statistics
import sys
import time

import numpy as np
import onnxruntime
import torch
from torch import Tensor, nn

from lstm_export.contract import Contract, GraphSpec, TensorSpec
from lstm_export.exporting.module import export_graph
from lstm_export.exporting.target import Target

CONFIGURATIONS = [  # input_size, hidden_size, num_layers, bidirectional, batch, length
    (1, 20, 1, False, 1, 1),
    (1, 20, 1, False, 1, 4),
    (1, 50, 2, False, 1, 1),
    (1, 50, 2, False, 1, 100),
    (1, 50, 2, False, 32, 100),
    (8, 128, 2, False, 1, 100),
    (8, 128, 2, False, 64, 100),
    (32, 256, 2, True, 1, 200),
]
SECONDS_PER_CONFIGURATION = 4.0


class LastStep(nn.Module):
    """LSTM layers and a linear head on the last step."""

    def __init__(self, inputs: int, hidden: int, layers: int, bidirectional: bool) -> None:
        super().__init__()
        self.recurrent = nn.LSTM(
            inputs, hidden, layers, batch_first=True, bidirectional=bidirectional
        )
        self.head = nn.Linear(hidden * (2 if bidirectional else 1), 1)

    def forward(self, x: Tensor) -> Tensor:
        y, _ = self.recurrent(x)
        output: Tensor = self.head(y[:, -1])
        return output


def session(module: nn.Module, width: int, target: Target) -> onnxruntime.InferenceSession:
    graph = GraphSpec(
        (TensorSpec("x", "float32", ("batch", "sequence_length", width)),),
        (TensorSpec("output", "float32", ("batch", 1)),),
    )
    content = export_graph(
        module, [torch.zeros(2, 5, width)], Contract("module", graph), target=target
    )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def measure(configuration: tuple[int, int, int, bool, int, int]) -> dict[str, object]:
    inputs, hidden, layers, bidirectional, batch, length = configuration
    torch.manual_seed(0)
    module = LastStep(inputs, hidden, layers, bidirectional).eval()
    portable, plain = (session(module, inputs, target) for target in ("portable", "onnxruntime"))
    x = np.random.default_rng(0).normal(size=(batch, length, inputs)).astype(np.float32)
    difference = np.abs(portable.run(None, {"x": x})[0] - plain.run(None, {"x": x})[0]).max()
    times: list[tuple[float, float]] = []
    end = time.perf_counter() + SECONDS_PER_CONFIGURATION
    while time.perf_counter() < end or len(times) < 20:
        # The order alternates, so that neither always runs in the other's warm cache.
        pair = {}
        for name, one in (("portable", portable), ("plain", plain))[:: 1 - 2 * (len(times) % 2)]:
            start = time.perf_counter()
            one.run(None, {"x": x})
            pair[name] = time.perf_counter() - start
        times.append((pair["portable"], pair["plain"]))
    ratios = [portable / plain for portable, plain in times]
    low, middle, high = statistics.quantiles(ratios, n=4)
    return {
        "input, hidden, layers, bidirectional, batch, length": configuration,
        "portable_us": round(statistics.median(t[0] for t in times) * 1e6, 1),
        "plain_us": round(statistics.median(t[1] for t in times) * 1e6, 1),
        "ratio": round(middle, 3),
        "ratio_quartiles": [round(low, 3), round(high, 3)],
        "pairs": len(times),
        "max_difference": float(difference),
    }


def main() -> None:
    results = []
    for configuration in CONFIGURATIONS:
        results.append(measure(configuration))
        print(results[-1], file=sys.stderr)
    print(json.dumps({"onnxruntime": onnxruntime.__version__, "results": results}, indent=2))


if __name__ == "__main__":
    main()
