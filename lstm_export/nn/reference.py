"""What a torch module answers, as the reference that exported graphs are held against."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy.typing as npt
import torch
from torch import nn

from lstm_export.contract import GraphSpec


def run_module(
    module: nn.Module, graph: GraphSpec, inputs: Mapping[str, npt.NDArray[Any]]
) -> dict[str, npt.NDArray[Any]]:
    """The outputs of `module` by name, for `inputs` by name, as `graph` orders and names them.

    On one thread: the same rounding on every machine, and no waiting for other threads at each of
    the sequence's steps.
    """
    feeds = [torch.from_numpy(inputs[spec.name]) for spec in graph.inputs]
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.inference_mode(), warnings.catch_warnings():
            # A choice of kernel that torch announces, and that is no one's business here.
            warnings.filterwarnings("ignore", "LSTM with projections is not supported")
            outputs = module(*feeds)
    finally:
        torch.set_num_threads(threads)
    tensors = outputs if isinstance(outputs, tuple) else (outputs,)
    return {spec.name: tensor.numpy() for spec, tensor in zip(graph.outputs, tensors, strict=True)}
