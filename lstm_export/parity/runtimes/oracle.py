"""The oracle on a run's weights: NumPy float64, the reference of everyone else.

Verified as a runtime itself, it answers in float32, as a bundle does: the best that one can do.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

import lstm_export
from lstm_export.bundle.layout import LAYOUT
from lstm_export.errors import OptionError
from lstm_export.oracle import forecaster
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
    terms, weights = checkpoint.description.forecaster, checkpoint.weights
    if subject.graph == LAYOUT.model:
        return lambda inputs: {"output": forecaster.forecast(terms, weights, inputs["x"])}
    if subject.graph == LAYOUT.stream:
        return lambda inputs: forecaster.stream(terms, weights, inputs)
    if subject.graph == LAYOUT.forecast:
        return lambda inputs: {
            "output": forecaster.feed_back(
                terms, weights, inputs["x"], int(inputs["horizon"]), inputs.get("future")
            )
        }
    if subject.graph == LAYOUT.ragged:
        return lambda inputs: {
            "output": forecaster.ragged(terms, weights, inputs["x"], inputs["lengths"])
        }
    raise OptionError(f"the oracle has no equations for {subject.graph}")
