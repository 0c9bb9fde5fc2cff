"""torch in float32 on a run's weights: the module that was trained."""

from __future__ import annotations

import importlib.metadata

from lstm_export.errors import MissingExtraError, OptionError
from lstm_export.parity.expected import graphs_of
from lstm_export.parity.runtimes.registry import Runner, Status, Subject, weights_of


def status() -> Status:
    """torch, with the extra for training."""
    limits = ("needs a run, as --against",)
    try:
        return Status(True, importlib.metadata.version("torch"), limits=limits)
    except importlib.metadata.PackageNotFoundError:
        return Status(False, "", "pip install 'lstm-export[train]'", limits)


def open_graph(subject: Subject) -> Runner:
    """The module behind one graph, on the CPU. Raises OptionError without a run."""
    checkpoint = weights_of(subject, "torch")
    try:
        from lstm_export.nn.build import build, build_sequence_model
    except ImportError:
        raise MissingExtraError("torch", "train", "verifying against a run") from None
    from lstm_export.nn.forms import module_of
    from lstm_export.nn.reference import run_module

    description = checkpoint.description
    graphs = graphs_of(description.terms)
    if subject.graph not in graphs:
        raise OptionError(f"the run has no module for {subject.graph}")
    spec = graphs[subject.graph]
    model = (build if description.task == "forecast" else build_sequence_model)(checkpoint)
    module = module_of(model, subject.graph)
    return lambda inputs: run_module(module, spec, inputs)
