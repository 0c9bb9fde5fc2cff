"""The oracle on a run's weights: NumPy float64, the reference of everyone else."""

from __future__ import annotations

from lstm_export.bundle.layout import LAYOUT
from lstm_export.errors import OptionError
from lstm_export.oracle import forecaster
from lstm_export.parity.runtimes.registry import Runner, Subject, weights_of


def open_graph(subject: Subject) -> Runner:
    """The equations behind one graph. Raises OptionError without a run."""
    checkpoint = weights_of(subject, "oracle")
    terms, weights = checkpoint.description.forecast, checkpoint.weights
    if subject.graph == LAYOUT.model:
        return lambda inputs: {"output": forecaster.forecast(terms, weights, inputs["x"])}
    if subject.graph == LAYOUT.stream:
        return lambda inputs: forecaster.stream(terms, weights, inputs)
    raise OptionError(f"the oracle has no equations for {subject.graph}")
