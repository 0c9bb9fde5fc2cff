"""The model's answer over time, to draw beside the gates."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lstm_export.contract import SEQUENCE_LENGTH, GraphSpec, TensorSpec
from lstm_export.errors import BundleError, InputError
from lstm_export.explain.explanation import Answers
from lstm_export.explain.graph import Answering
from lstm_export.explain.inputs.module import steps_of
from lstm_export.explain.subject import Subject
from lstm_export.explain.watch import COLUMNS

_ENDS = 100
"""At most so many ends of a sequence are tried."""


def answer_spec(graph: GraphSpec) -> TensorSpec:
    """The output that is the model's answer: the first one of floating-point numbers.

    Raises BundleError if there is none: what a change does to it could not be measured.
    """
    for spec in graph.outputs:
        if spec.dtype == "float32":
            return spec
    raise BundleError(f"none of the outputs {', '.join(map(str, graph.outputs))} is float32")


def answers_over_time(
    subject: Subject, graph: GraphSpec, spec: TensorSpec, run: Answering, shortest: int
) -> Answers | None:
    """The chosen series' answers; None where the sequence cannot be shortened.

    `shortest` is the least number of steps that the graph takes.
    """
    chosen = subject.batches[0]
    whole = run(chosen)
    if SEQUENCE_LENGTH in spec.axes:
        values = np.moveaxis(whole, spec.axes.index(SEQUENCE_LENGTH), 0)
        rows = values.reshape(len(values), -1).astype(np.float64)
        picked = np.linspace(0, len(rows) - 1, min(len(rows), COLUMNS)).astype(np.int64)
        return Answers(picked, rows[picked], _columns(subject, spec, rows), every_step=True)
    if not any(SEQUENCE_LENGTH in one.axes for one in graph.inputs):
        return None
    ends = np.unique(np.linspace(shortest, subject.steps, _ENDS).astype(np.int64))
    steps: list[int] = []
    found: list[npt.NDArray[np.float64]] = []
    for end in ends.tolist():
        try:
            answer = run(steps_of(chosen, graph.inputs, slice(0, end)))
        except InputError:  # the graph wants more than its recurrent layers do
            continue
        steps.append(end - 1)
        found.append(answer.ravel().astype(np.float64))
    if not found:
        return None
    rows = np.stack(found)
    return Answers(np.array(steps), rows, _columns(subject, spec, rows), every_step=False)


def _columns(subject: Subject, spec: TensorSpec, rows: npt.NDArray[np.float64]) -> tuple[str, ...]:
    count = rows.shape[1]
    if len(subject.targets) == count:
        return subject.targets
    return (spec.name,) if count == 1 else tuple(f"{spec.name} {i}" for i in range(count))
