"""A whole model of sequences in NumPy float64: rows in raw units, or ids, to answers.

Written apart from the torch module on purpose: a misunderstanding would have to be made twice to
go unseen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from lstm_export.contract import Sequences
from lstm_export.errors import ContractError, InputError
from lstm_export.oracle.layer import Array
from lstm_export.oracle.recurrent import run
from lstm_export.oracle.weights import Weights

_PREFIX = "recurrent."
_POOL: dict[str, Callable[[Array], Array]] = {
    "mean": lambda y: np.asarray(y.mean(axis=1)),
    "max": lambda y: np.asarray(y.max(axis=1)),
    "sum": lambda y: np.asarray(y.sum(axis=1)),
}
_EMBEDDING, _MATRIX, _BIAS = "front.weight", "head.weight", "head.bias"


def answer(terms: Sequences, weights: Weights, x: npt.NDArray[Any]) -> Array:
    """The answers to x, (batch, width), or (batch, sequence_length, width) where every step is
    answered.

    x is (batch, sequence_length, features) in raw units, or ids (batch, sequence_length).
    `weights` are those of a checkpoint. Raises InputError for an x of another shape, ContractError
    for weights that do not fit.
    """
    y, _, _ = run(terms.recurrent, _recurrent(terms, weights), _front(terms, weights, x))
    if terms.pooling == "last":
        half = terms.recurrent.state_size
        ends = y[:, -1].copy()
        ends[:, half:] = y[:, 0, half:]  # the backward direction ends at the first step
        y = ends if terms.recurrent.bidirectional else y[:, -1]
    elif terms.pooling is not None:
        y = _POOL[terms.pooling](y)
    return _answers(terms, weights, y)


def ragged(
    terms: Sequences, weights: Weights, x: npt.NDArray[Any], lengths: npt.NDArray[Any]
) -> Array:
    """The answers to the first `lengths` (batch,) steps of each row of x, every sequence alone.

    Where every step is answered, what stands behind the end is 0. Raises as `answer`.
    """
    alone = [
        answer(terms, weights, row[np.newaxis, : int(length)])[0]
        for row, length in zip(x, lengths, strict=True)
    ]
    if terms.pooling is not None:
        return np.stack(alone)
    result = np.zeros((*x.shape[:2], terms.width))
    for row, known in zip(result, alone, strict=True):
        row[: len(known)] = known
    return result


def stream(
    terms: Sequences, weights: Weights, inputs: Mapping[str, npt.NDArray[Any]]
) -> dict[str, Array]:
    """An answer after every step of `x`, carrying on from `initial_h` and, for an LSTM,
    `initial_c`; with the `final_*` of each. Raises as `answer`."""
    if not terms.causal:
        raise ContractError("an answer of this model needs the whole sequence: it cannot stream")
    y, final_h, final_c = run(
        terms.recurrent,
        _recurrent(terms, weights),
        _front(terms, weights, inputs["x"]),
        inputs["initial_h"],
        inputs.get("initial_c"),
    )
    outputs = {terms.output: _answers(terms, weights, y), "final_h": final_h}
    if final_c is not None:
        outputs["final_c"] = final_c
    return outputs


def _front(terms: Sequences, weights: Weights, x: npt.NDArray[Any]) -> Array:
    if terms.vocabulary is None:
        width = len(terms.features)
        if x.ndim != 3 or x.shape[2] != width or 0 in x.shape:
            raise InputError(f"x: expected (batch, rows, {width}), none of them 0, got {x.shape}")
        offset, scale = np.array(terms.input_scaling.offset), np.array(terms.input_scaling.scale)
        return np.asarray((x.astype(np.float64) - offset) / scale)
    if x.ndim != 2 or 0 in x.shape or x.dtype.kind not in "iu":
        raise InputError(f"x: expected ids (batch, symbols), got {x.dtype} {x.shape}")
    shape = (terms.vocabulary.size, terms.embedding_size)
    return np.asarray(_weight(weights, _EMBEDDING, shape)[x])


def _answers(terms: Sequences, weights: Weights, y: Array) -> Array:
    matrix = _weight(weights, _MATRIX, (terms.width, y.shape[-1]))
    scores = y @ matrix.T + _weight(weights, _BIAS, (terms.width,))
    if terms.classes:
        powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=-1, keepdims=True))
    assert terms.target_scaling is not None
    scaling = terms.target_scaling
    return np.asarray(scores * np.array(scaling.scale) + np.array(scaling.offset))


def _recurrent(terms: Sequences, weights: Weights) -> Weights:
    own = {_MATRIX, _BIAS} | ({_EMBEDDING} if terms.vocabulary else set())
    unknown = [n for n in weights if not n.startswith(_PREFIX) and n not in own]
    if unknown:
        raise ContractError(f"the weights {unknown} are not used by this model")
    return {n.removeprefix(_PREFIX): w for n, w in weights.items() if n.startswith(_PREFIX)}


def _weight(weights: Weights, name: str, shape: tuple[int, ...]) -> Array:
    if name not in weights:
        raise ContractError(f"the weight {name} is missing")
    if weights[name].shape != shape:
        raise ContractError(f"{name}: expected shape {shape}, got {weights[name].shape}")
    return np.asarray(weights[name], dtype=np.float64)
