"""The state of a stream as plain arrays, for np.savez, and back.

A snapshot has every `initial_*` of the stream graph, `seen` (batch,), the rows that each series has
had as far as differencing counts them, and `model`, the sha256 of the graph and its weights.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from lstm_export.errors import InputError
from lstm_export.runtime.feed import all_finite
from lstm_export.runtime.streaming.graph import StreamGraph

if TYPE_CHECKING:
    from lstm_export.runtime.arrays import Array, Positions

MODEL, SEEN = "model", "seen"


def snapshot_of(
    graph: StreamGraph, carried: Mapping[str, Array], seen: Positions
) -> dict[str, Array]:
    """Copies of everything that a stream remembers."""
    state = {name: np.array(array) for name, array in carried.items()}
    return {MODEL: graph.fingerprint.copy(), SEEN: seen.astype(np.int64), **state}


def restored(
    graph: StreamGraph, snapshot: object, batch: int, *, check: bool
) -> tuple[dict[str, Array], Positions]:
    """The state in a snapshot, as copies, for a stream over `batch` series.

    `snapshot` is a mapping, as `snapshot_of` or np.load gives it. With `check` every number must
    be finite. Raises InputError.
    """
    if not isinstance(snapshot, Mapping):
        kind = type(snapshot).__name__
        raise InputError(f"a snapshot is a mapping of names to arrays, got {kind}")
    arrays = _arrays(graph, snapshot)
    if arrays[MODEL].shape != (32,) or arrays[MODEL].dtype != np.uint8:
        raise InputError("the snapshot is damaged: its 'model' is not a sha256")
    if not np.array_equal(arrays[MODEL], graph.fingerprint):
        raise InputError(
            "the snapshot is of another model: it was made with the stream graph "
            f"{_short(arrays[MODEL])}, and this one is {_short(graph.fingerprint)}"
        )
    seen = arrays[SEEN]
    if seen.ndim != 1 or seen.dtype.kind not in "iu":
        raise InputError(f"the snapshot is damaged: 'seen' is {seen.dtype} {seen.shape}")
    if len(seen) != batch:
        raise InputError(f"the snapshot has a batch of {len(seen)}, and this stream one of {batch}")
    if batch and not 0 <= int(seen.min()) <= int(seen.max()) <= graph.lag:
        raise InputError(f"the snapshot is damaged: 'seen' leaves 0 to {graph.lag}")
    for state in graph.states:
        array, expected = arrays[state.name], state.shape_for(batch)
        if array.shape != expected or array.dtype != state.dtype:
            raise InputError(
                f"the snapshot's {state.name!r} is {array.dtype} {array.shape}, "
                f"expected {state.dtype} {expected}"
            )
        if check and array.dtype.kind == "f" and not all_finite(array):
            raise InputError(
                f"the snapshot's {state.name!r} has values that are not finite: start anew, or "
                'load the model with on_nonfinite="pass"'
            )
    carried = {state.name: np.array(arrays[state.name], order="C") for state in graph.states}
    return carried, seen.astype(np.intp)


def _arrays(graph: StreamGraph, snapshot: Mapping[str, object]) -> dict[str, Array]:
    expected = [MODEL, SEEN, *(state.name for state in graph.states)]
    try:
        names = list(snapshot)
        if set(names) != set(expected):
            found = ", ".join(sorted(map(str, names))) or "nothing"
            raise InputError(
                f"the snapshot is not of this model: expected {', '.join(expected)}; got {found}"
            )
        return {name: np.asarray(snapshot[name]) for name in expected}
    except InputError:
        raise
    except Exception as error:  # an npz file is only read here, and may be damaged in many ways
        raise InputError(f"the snapshot cannot be read: {error}") from None


def _short(fingerprint: Array) -> str:
    return fingerprint[:6].tobytes().hex()
