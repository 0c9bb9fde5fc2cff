"""Inputs to time a graph with, of any batch and length.

Their values do not change how long a recurrent layer takes, but they must be ones that the model
takes: rows in the range of the training data, indices that the golden inputs hold too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from lstm_export.bench.subject import Subject
from lstm_export.bundle.layout import LAYOUT
from lstm_export.bundle.onnx_graph import UNKNOWN_AXIS, UNKNOWN_RANK
from lstm_export.contract import BATCH, SEQUENCE_LENGTH, TensorSpec
from lstm_export.errors import OptionError

Feeds = Mapping[str, npt.NDArray[Any]]


def feeds_for(subject: Subject, name: str, batch: int, length: int) -> dict[str, npt.NDArray[Any]]:
    """An array for each input of the graph `name`; the same ones each time.

    Raises OptionError if the graph fixes an axis that was asked to be something else, or has an
    input that cannot be made up.
    """
    generator = np.random.default_rng(0)
    specs = subject.spec(name).inputs
    if name == LAYOUT.model:
        _refuse(subject, specs, batch, length)
    return {
        spec.name: _array(subject, name, spec, _shape(spec, batch, length), length, generator)
        for spec in specs
    }


def default_length(subject: Subject) -> int:
    """The length that the model was made for: a forecaster's history, or its longest golden one."""
    if subject.terms is not None:
        return subject.terms.window.history
    lengths = [
        case.inputs[spec.name].shape[spec.axes.index(SEQUENCE_LENGTH)]
        for case in subject.golden
        for spec in subject.spec(LAYOUT.model).inputs
        if case.graph == LAYOUT.model and SEQUENCE_LENGTH in spec.axes
    ]
    return max(lengths, default=100)


def _refuse(subject: Subject, specs: Sequence[TensorSpec], batch: int, length: int) -> None:
    terms = subject.terms
    if terms is not None and length < terms.window.shortest:
        raise OptionError(
            f"--length {length}: the model needs at least {terms.window.shortest} steps"
        )
    fixed = "its inputs are " + "; ".join(map(str, specs))
    if batch != 1 and not any(BATCH in spec.axes for spec in specs):
        raise OptionError(f"--batch {batch}: the model has no axis named {BATCH}; {fixed}")


def _shape(spec: TensorSpec, batch: int, length: int) -> tuple[int, ...]:
    if spec.axes == UNKNOWN_RANK:
        raise OptionError(f"the input {spec.name} does not say its rank: it cannot be made up")
    named = {BATCH: batch, UNKNOWN_AXIS: 1}
    return tuple(axis if isinstance(axis, int) else named.get(axis, length) for axis in spec.axes)


def _array(
    subject: Subject,
    graph: str,
    spec: TensorSpec,
    shape: tuple[int, ...],
    length: int,
    generator: np.random.Generator,
) -> npt.NDArray[Any]:
    if spec.dtype.startswith("float"):
        return _numbers(subject, spec, shape, generator).astype(spec.dtype)
    if spec.dtype == "bool":
        return np.ones(shape, np.bool_)
    if not spec.dtype.startswith(("int", "uint")):
        raise OptionError(f"the input {spec.name} is {spec.dtype}: it cannot be made up")
    seen = [case.inputs for case in subject.golden if case.graph == graph]
    if _are_lengths(spec, seen):
        return np.full(shape, length, spec.dtype)
    values = [inputs[spec.name].ravel() for inputs in seen]
    return generator.choice(np.concatenate(values) if values else [0], shape).astype(spec.dtype)


def _numbers(
    subject: Subject, spec: TensorSpec, shape: tuple[int, ...], generator: np.random.Generator
) -> npt.NDArray[Any]:
    terms = subject.terms or subject.sequences
    if terms is None or spec.name != "x":
        return generator.normal(size=shape)
    low = np.array([column.minimum for column in terms.features])
    high = np.array([column.maximum for column in terms.features])
    return np.asarray(low + (high - low) * generator.random(shape))


def _are_lengths(spec: TensorSpec, seen: Sequence[Mapping[str, npt.NDArray[Any]]]) -> bool:
    """Whether an input of integers, one a row, tells how long the rows are: always the longest of
    them is as long as another input has steps."""
    if spec.axes != (BATCH,):
        return False
    steps = [{size for value in inputs.values() for size in value.shape[1:2]} for inputs in seen]
    largest = [int(inputs[spec.name].max()) for inputs in seen]
    return all(most in sizes for most, sizes in zip(largest, steps, strict=True))
