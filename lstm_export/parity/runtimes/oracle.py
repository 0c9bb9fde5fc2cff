"""The oracle on a run's weights: NumPy float64, the reference of everyone else.

Verified as a runtime itself, it answers in float32, as a bundle does: the best that one can do.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

import lstm_export
from lstm_export.bundle.layout import LAYOUT
from lstm_export.checkpoint import Weights
from lstm_export.contract import Forecast, Sequences
from lstm_export.errors import OptionError
from lstm_export.oracle import forecaster, sequences
from lstm_export.parity.runtimes.registry import Runner, Status, Subject, Tensors, weights_of


def status() -> Status:
    """The oracle is a part of this package, and needs the weights."""
    return Status(True, lstm_export.__version__, limits=("needs a run, as --against",))


def open_graph(subject: Subject) -> Runner:
    """The equations behind one graph, rounded to float32. Raises OptionError without a run."""
    exact = reference(subject)

    def run(inputs: Tensors) -> dict[str, npt.NDArray[Any]]:
        return {name: value.astype(np.float32) for name, value in exact(inputs).items()}

    return run


def reference(subject: Subject) -> Runner:
    """The equations behind one graph, in float64. Raises OptionError without a run."""
    checkpoint = weights_of(subject, "oracle")
    terms, weights = checkpoint.description.terms, checkpoint.weights
    if isinstance(terms, Sequences):
        run = _of_sequences(terms, weights, subject.graph)
    else:
        run = _of_forecaster(terms, weights, subject.graph)
    if run is None:
        raise OptionError(f"the oracle has no equations for {subject.graph}")
    return run


def _of_forecaster(terms: Forecast, weights: Weights, graph: str) -> Runner | None:
    if graph == LAYOUT.model:
        return lambda inputs: {"output": forecaster.forecast(terms, weights, inputs["x"])}
    if graph == LAYOUT.stream:
        return lambda inputs: forecaster.stream(terms, weights, inputs)
    if graph == LAYOUT.forecast:
        return lambda inputs: {
            "output": forecaster.feed_back(
                terms, weights, inputs["x"], int(inputs["horizon"]), inputs.get("future")
            )
        }
    if graph == LAYOUT.ragged:
        return lambda inputs: {
            "output": forecaster.ragged(terms, weights, inputs["x"], inputs["lengths"])
        }
    return None


def _of_sequences(terms: Sequences, weights: Weights, graph: str) -> Runner | None:
    name = terms.output
    if graph == LAYOUT.model:
        return lambda inputs: {name: sequences.answer(terms, weights, inputs["x"])}
    if graph == LAYOUT.stream:
        return lambda inputs: sequences.stream(terms, weights, inputs)
    if graph == LAYOUT.ragged:
        return lambda inputs: {
            name: sequences.ragged(terms, weights, inputs["x"], inputs["lengths"])
        }
    return None
