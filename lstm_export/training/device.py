"""Where and how precisely a run computes."""

from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import Iterator
from typing import Any

import torch

from lstm_export.errors import MissingExtraError, OptionError
from lstm_export.training.options import TrainOptions


def open_fabric(options: TrainOptions) -> Any:
    """Lightning's Fabric on one device. Raises OptionError if the device is not there, or does
    not have the precision.

    The loop asks it for the device and the precision's autocast alone: its wrappers around module
    and optimiser would cost a small model 7 % of every step or more.
    """
    try:
        from lightning_fabric import Fabric
    except ImportError:
        raise MissingExtraError("lightning-fabric", "train", "training") from None
    available = torch.cuda.is_available()
    if options.device == "cuda" and not available:
        raise OptionError("--device cuda: this machine or this build of torch has no CUDA device")
    on_gpu = available and options.device != "cpu"
    if options.precision != "32-true" and not on_gpu:
        raise OptionError(
            f"--precision {options.precision} needs --device cuda and such a device: on a CPU it "
            "is no faster, and not every CPU has it for recurrent layers"
        )
    if on_gpu:
        # Without it cuBLAS may sum in another order each time; torch.nn.LSTM documents this.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    return Fabric(accelerator="cuda" if on_gpu else "cpu", devices=1, precision=options.precision)


@contextlib.contextmanager
def quiet_torch() -> Iterator[None]:
    """Within the block torch does not warn of slower ways that cannot be avoided."""
    with warnings.catch_warnings():
        # A projection on a CPU; weights in our vector instead of cuDNN's own on a GPU.
        warnings.filterwarnings("ignore", message="LSTM with projections is not supported")
        warnings.filterwarnings("ignore", message="RNN module weights are not part of single")
        yield


@contextlib.contextmanager
def threads(count: int) -> Iterator[None]:
    """Within the block torch computes with `count` threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
