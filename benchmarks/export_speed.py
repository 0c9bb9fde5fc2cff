"""What an export costs beside torch's own two exporters, side by side in one warm process.

    python benchmarks/export_speed.py [--rounds N]

Each round exports every model once with each exporter, in turns, to a file; the first round, which
pays for imports and caches, is not counted. `ours` has batch and length dynamic; so has `legacy`
(dynamo=False). `dynamo` has the batch dynamic and the length baked in: after the first export of a
recurrent layer in a process it refuses a dynamic length, or bakes it in without a word. `static` is
the same with no dynamic axis, which it does fastest. Prints JSON: seconds are medians, ratios the
medians of each round's.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import lstm_export

LENGTH = 5


class LastStep(nn.Module):
    """Recurrent layers and a linear head on the last step."""

    def __init__(self, layers: nn.RNNBase) -> None:
        super().__init__()
        self.layers = layers
        self.head = nn.Linear(layers.hidden_size * (2 if layers.bidirectional else 1), 1)

    def forward(self, x: Tensor) -> Tensor:
        y, _ = self.layers(x)
        output: Tensor = self.head(y[:, -1])
        return output


def models() -> dict[str, LastStep]:
    torch.manual_seed(0)
    return {
        "LSTM 1x32": LastStep(nn.LSTM(8, 32, batch_first=True)),
        "GRU 2x64, two directions": LastStep(
            nn.GRU(8, 64, 2, batch_first=True, bidirectional=True)
        ),
        "LSTM 3x1024": LastStep(nn.LSTM(8, 1024, 3, batch_first=True)),
    }


def ours(module: nn.Module, args: tuple[Tensor], path: Path) -> None:
    lstm_export.export_onnx(module, args, path, verify=False)


def ours_verified(module: nn.Module, args: tuple[Tensor], path: Path) -> None:
    lstm_export.export_onnx(module, args, path)


def dynamo(module: nn.Module, args: tuple[Tensor], path: Path) -> None:
    shapes = ({0: torch.export.Dim("batch")},)
    torch.onnx.export(module, args, path, dynamo=True, dynamic_shapes=shapes, verbose=False)


def static(module: nn.Module, args: tuple[Tensor], path: Path) -> None:
    torch.onnx.export(module, args, path, dynamo=True, verbose=False)


def legacy(module: nn.Module, args: tuple[Tensor], path: Path) -> None:
    axes = {"x": {0: "batch", 1: "sequence_length"}, "output": {0: "batch"}}
    torch.onnx.export(
        module,
        args,
        str(path),
        dynamo=False,
        input_names=["x"],
        output_names=["output"],
        dynamic_axes=axes,
        opset_version=18,
    )


EXPORTERS: dict[str, Callable[[nn.Module, tuple[Tensor], Path], None]] = {
    "ours": ours,
    "ours verified": ours_verified,
    "dynamo": dynamo,
    "static": static,
    "legacy": legacy,
}


def seconds(name: str, module: nn.Module, folder: Path) -> float:
    args = (torch.zeros(2, LENGTH, 8),)
    start = time.perf_counter()
    EXPORTERS[name](module, args, folder / f"{name}.onnx")
    return time.perf_counter() - start


def measure(module: nn.Module, rounds: int, folder: Path) -> dict[str, Any]:
    """Seconds of every exporter, and ours divided by each other one's."""
    found: dict[str, list[float]] = {name: [] for name in EXPORTERS}
    for turn in range(rounds + 1):
        # The order turns round, so that nobody always follows the same other.
        for name in list(EXPORTERS)[:: 1 - 2 * (turn % 2)]:
            found[name].append(seconds(name, module, folder))
    counted = {name: times[1:] for name, times in found.items()}
    return {
        "seconds": {name: round(statistics.median(t), 3) for name, t in counted.items()},
        **{
            f"{name} / {other}": round(
                statistics.median(
                    a / b for a, b in zip(counted[name], counted[other], strict=True)
                ),
                2,
            )
            for name in ("ours", "ours verified")
            for other in ("dynamo", "static", "legacy")
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, module in models().items():
            with contextlib.redirect_stdout(sys.stderr):
                results[name] = measure(module.eval(), rounds, Path(folder))
            print(name, results[name], file=sys.stderr)
    versions = {"torch": torch.__version__, "threads": torch.get_num_threads()}
    print(json.dumps({**versions, "rounds": rounds, "results": results}, indent=2))


if __name__ == "__main__":
    main()
