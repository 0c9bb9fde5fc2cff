"""torch in float32 on a run's weights: the module that was trained."""

from __future__ import annotations

import warnings
from typing import Any

import numpy.typing as npt

from lstm_export.bundle.layout import LAYOUT
from lstm_export.errors import MissingExtraError, OptionError
from lstm_export.parity.expected import graphs_of
from lstm_export.parity.runtimes.registry import Runner, Subject, Tensors, weights_of


def open_graph(subject: Subject) -> Runner:
    """The module behind one graph, on the CPU. Raises OptionError without a run."""
    checkpoint = weights_of(subject, "torch")
    try:
        import torch
    except ImportError:
        raise MissingExtraError("torch", "train", "verifying against a run") from None
    from lstm_export.nn.build import build
    from lstm_export.nn.forecaster import ForecasterStream

    graphs = graphs_of(checkpoint.description.forecast)
    if subject.graph not in graphs:
        raise OptionError(f"the run has no module for {subject.graph}")
    spec = graphs[subject.graph]
    model = build(checkpoint)
    module = model if subject.graph == LAYOUT.model else ForecasterStream(model).eval()

    def run(inputs: Tensors) -> dict[str, npt.NDArray[Any]]:
        feeds = [torch.from_numpy(inputs[tensor.name]) for tensor in spec.inputs]
        # One thread: the same rounding on every machine, and no waiting for the others at each
        # of the sequence's steps.
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
        return {
            output.name: tensor.numpy()
            for output, tensor in zip(spec.outputs, tensors, strict=True)
        }

    return run
