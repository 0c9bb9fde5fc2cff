"""Time per call of one window: torch in eager mode and the bundle, in turns."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
import numpy.typing as npt

from lstm_export.bench.interleave import Contender, take_turns
from lstm_export.checkpoint import read_checkpoint
from lstm_export.errors import MissingExtraError
from lstm_export.runtime.load import load

SECONDS = 2.0
_BUNDLE, _TORCH = "bundle", "torch"


@dataclass(frozen=True, slots=True)
class Latency:
    """Median seconds per call on the input shape (batch, sequence_length, features)."""

    torch: float
    torch_threads: int
    """The better of one thread and one a core."""
    bundle: float
    shape: tuple[int, ...]
    turns: int


def measure_latency(
    run: Path, bundle: Path, x: npt.NDArray[np.float32], *, seconds: float = SECONDS
) -> Latency:
    """Times the model of `run` in torch against `bundle`, both fed `x`.

    `x` is (batch, sequence_length, features) in raw units. Raises MissingExtraError without torch.
    """
    try:
        import torch
    except ImportError:
        raise MissingExtraError("torch", "train", "timing torch") from None
    from lstm_export.bench.torch_side import inference, torch_contenders
    from lstm_export.nn.build import build

    module, tensor = build(read_checkpoint(run)), torch.from_numpy(np.ascontiguousarray(x))
    model = load(bundle)
    eager, _ = torch_contenders(_TORCH, lambda: module(tensor))
    with inference():
        times = take_turns([Contender(_BUNDLE, lambda: model(x)), *eager], seconds=seconds)
    medians = {name: median(of) for name, of in times.items()}
    best = min((one.name for one in eager), key=lambda name: medians[name])
    threads = int(best.removeprefix(f"{_TORCH}, ").split()[0])
    return Latency(medians[best], threads, medians[_BUNDLE], x.shape, len(times[_BUNDLE]))
