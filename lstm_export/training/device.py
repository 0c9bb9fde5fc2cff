"""Where and how precisely a run computes."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any

import torch

from lstm_export.contract import Recurrent
from lstm_export.errors import MissingExtraError, OptionError
from lstm_export.training.options import TrainOptions

_WORTH_TWO_THREADS = 2_000_000
"""Multiplications per time step and layer; below, threads wait for each other more than they
work."""


def open_fabric(options: TrainOptions) -> Any:
    """Lightning's Fabric on one device. Raises OptionError if the device is not there.

    The loop asks it for the device and the precision's autocast alone: its wrappers around module
    and optimiser would cost a small model a tenth of every step.
    """
    try:
        from lightning_fabric import Fabric
    except ImportError:
        raise MissingExtraError("lightning-fabric", "train", "training") from None
    available = torch.cuda.is_available()
    if options.device == "cuda" and not available:
        raise OptionError("--device cuda: this machine or this build of torch has no CUDA device")
    on_gpu = available and options.device != "cpu"
    if on_gpu:
        # Without it cuBLAS may sum in another order each time; torch.nn.LSTM documents this.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    return Fabric(accelerator="cuda" if on_gpu else "cpu", devices=1, precision=options.precision)


def threads_for(recurrent: Recurrent, batch_size: int) -> int:
    """How many threads a step is worth: one for small models, else what torch would take.

    The products of one time step are all that threads can share, since the steps follow each
    other.
    """
    gates = {"lstm": 4, "gru": 3, "rnn": 1}[recurrent.cell]
    width = max(recurrent.input_size, recurrent.state_size * recurrent.num_directions)
    products = batch_size * gates * recurrent.hidden_size * (width + recurrent.state_size)
    return torch.get_num_threads() if products >= _WORTH_TWO_THREADS else 1


@contextlib.contextmanager
def threads(count: int) -> Iterator[None]:
    """Within the block torch computes with `count` threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
