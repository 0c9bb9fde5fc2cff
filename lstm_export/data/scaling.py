"""Differencing and scaling, as the exported graph will do them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from lstm_export.contract import Scaler, Scaling
from lstm_export.data.series import Segment
from lstm_export.errors import DataError, OptionError

Values = npt.NDArray[np.float64]

_LARGEST = float(np.finfo(np.float32).max)
_EPSILON = float(np.finfo(np.float32).eps)


def difference(values: Values, lag: int, segments: Sequence[Segment]) -> Values:
    """values[t] − values[t − lag] within each segment, the same shape (rows, columns).

    The first `lag` rows of a segment have nothing before them: NaN. `lag` 0 leaves the values as
    they are.
    """
    if lag < 0:
        raise OptionError(f"the difference must be 0 or a number of rows, got {lag}")
    if lag == 0:
        return values
    result = np.full_like(values, np.nan)
    for segment in segments:
        rows = values[segment.start : segment.stop]
        np.subtract(rows[lag:], rows[:-lag], out=result[segment.start + lag : segment.stop])
    return result


def fit_scaling(
    values: Values, kind: Scaler, names: Sequence[str], *, what: str = "value"
) -> Scaling:
    """Offset and scale per column of `values` (rows, columns), which are the training part alone.

    standard: mean and standard deviation (of the population); minmax: minimum and range, so that
    the part lies in [0, 1]; none: 0 and 1. NaN rows are left out. Both numbers are float32 values,
    so that float64 and float32 code scale by the same ones. `what` is what messages call
    a value. Raises DataError naming every column that does not vary, or whose values float32 does
    not hold.
    """
    known = values[~np.isnan(values).any(axis=1)]
    if not len(known):
        raise DataError("the training part holds no complete row to fit the scaling on")
    largest = np.abs(known).max(axis=0)
    _refuse(
        names,
        largest > _LARGEST,
        "values beyond ±3.4e38, which float32 does not hold",
        "use another unit, or correct them",
    )
    if kind == "none":
        return Scaling(kind, (0.0,) * len(names), (1.0,) * len(names))
    if kind == "standard":
        offset, scale = known.mean(axis=0), known.std(axis=0)
    else:
        offset = known.min(axis=0)
        scale = known.max(axis=0) - offset
    # Finer than float32 resolves at this level is rounding noise, not variation.
    constant = scale <= _EPSILON * largest
    _refuse(
        names,
        constant,
        f"the same {what} in every row of the training part",
        "there is nothing to learn from; leave it out, or use rows in which it varies",
    )
    return Scaling(kind, _as_float32(offset), _as_float32(scale))


def apply(values: Values, scaling: Scaling) -> Values:
    """(values − offset) / scale along the last axis, float64."""
    return np.asarray((values - np.array(scaling.offset)) / np.array(scaling.scale))


def _refuse(names: Sequence[str], bad: npt.NDArray[np.bool_], what: str, advice: str) -> None:
    guilty = [repr(name) for name, is_bad in zip(names, bad.tolist(), strict=True) if is_bad]
    if guilty:
        columns = "the columns" if len(guilty) > 1 else "the column"
        verb = "have" if len(guilty) > 1 else "has"
        raise DataError(f"{columns} {', '.join(guilty)} {verb} {what}: {advice}")


def _as_float32(values: Values) -> tuple[float, ...]:
    return tuple(values.astype(np.float32).astype(np.float64).tolist())
