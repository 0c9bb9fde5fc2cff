"""What ragged batches cost in onnxruntime without `sequence_lens`, beside the same with it.

One packed LSTM stack, exported for both targets, once returning the outputs and h, once c as
well; calls of the sessions alternate, and the ratio of each pair is what is summarised. Prints
JSON.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import get_args

import numpy as np
import onnxruntime
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from lstm_export.exporting.export import export_onnx
from lstm_export.exporting.target import Target

CONFIGURATIONS = [  # input_size, hidden_size, num_layers, bidirectional, batch, length
    (8, 32, 1, False, 1, 20),
    (32, 128, 2, True, 1, 100),
    (32, 128, 2, True, 16, 100),
    (8, 128, 2, False, 16, 100),
]
SECONDS_PER_CONFIGURATION = 4.0


class Ragged(nn.Module):
    """Packed LSTM layers that return what they computed, c where it is wanted."""

    def __init__(self, configuration: tuple[int, int, int, bool], final_c: bool) -> None:
        super().__init__()
        inputs, hidden, layers, two = configuration
        self.layers = nn.LSTM(inputs, hidden, layers, batch_first=True, bidirectional=two)
        self.final_c = final_c

    def forward(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, ...]:
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        packed, (h, c) = self.layers(packed)
        y, _ = pad_packed_sequence(packed, batch_first=True)
        return (y, h, c) if self.final_c else (y, h)


def session(module: nn.Module, width: int, target: Target) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        example = torch.zeros(2, 5, width), torch.tensor([3, 5])
        export_onnx(module, example, path, target=target, verify=False)
        return onnxruntime.InferenceSession(
            path.read_bytes(), options, providers=["CPUExecutionProvider"]
        )


def measure(
    configuration: tuple[int, int, int, bool, int, int], final_c: bool
) -> dict[str, object]:
    batch, length = configuration[4:]
    torch.manual_seed(0)
    module = Ragged(configuration[:4], final_c).eval()
    sessions = [session(module, configuration[0], target) for target in get_args(Target)]
    rng = np.random.default_rng(0)
    lengths = rng.integers(length // 4, length + 1, batch)
    lengths[0] = length
    x = rng.normal(size=(batch, length, configuration[0])).astype(np.float32)
    feeds = {"x": x, "lengths": lengths}
    times: list[tuple[float, ...]] = []
    end = time.perf_counter() + SECONDS_PER_CONFIGURATION
    while time.perf_counter() < end or len(times) < 20:
        pair = [0.0, 0.0]
        # The order alternates, so that neither always runs in the other's warm cache.
        for place in (0, 1)[:: 1 - 2 * (len(times) % 2)]:
            start = time.perf_counter()
            sessions[place].run(None, feeds)
            pair[place] = time.perf_counter() - start
        times.append(tuple(pair))
    low, middle, high = statistics.quantiles([mine / theirs for mine, theirs in times], n=4)
    return {
        "input, hidden, layers, bidirectional, batch, length": configuration,
        "final_c": final_c,
        "portable_us": round(statistics.median(pair[0] for pair in times) * 1e6, 1),
        "sequence_lens_us": round(statistics.median(pair[1] for pair in times) * 1e6, 1),
        "ratio": round(middle, 3),
        "ratio_quartiles": [round(low, 3), round(high, 3)],
        "pairs": len(times),
    }


def main() -> None:
    results = []
    for configuration in CONFIGURATIONS:
        for final_c in (False, True):
            results.append(measure(configuration, final_c))
            print(results[-1], file=sys.stderr)
    print(json.dumps({"onnxruntime": onnxruntime.__version__, "results": results}, indent=2))


if __name__ == "__main__":
    main()
