"""What a caller knows of the future: values of the features that the model does not predict."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from lstm_export.contract import Forecast
from lstm_export.errors import InputError
from lstm_export.runtime.feed import as_array, as_float32, require_finite

if TYPE_CHECKING:
    from lstm_export.runtime.arrays import Float32, Positions


class Future:
    """The known features of the rows after the histories.

    `values` is (batch, steps − 1, known features), or (1, …) where it holds for every row.
    """

    __slots__ = ("values",)

    def __init__(self, values: Float32) -> None:
        self.values = values

    def rows(self, positions: Positions | None, batch: int) -> Float32:
        """The part that belongs to the histories at `positions`, all of them for None."""
        if len(self.values) == 1:
            return np.repeat(self.values, batch, axis=0)
        return self.values if positions is None else self.values[positions]


def read_future(
    terms: Forecast, future: object, steps: int, batch: int, *, check: bool
) -> Future | None:
    """`future`, a mapping from the names of `terms.known` to (horizon,) or (batch, horizon) values.

    The values are those of the rows after the history. A forecast of `steps` steps needs
    `steps` − 1 of them; more are not looked at. Raises InputError naming what is needed.
    """
    if future is None:
        return None
    names = [column.name for column in terms.known]
    if not isinstance(future, Mapping):
        raise InputError(
            f"future: expected a mapping from names to values, {_example(names)}; "
            f"got {type(future).__name__}"
        )
    if not future:
        return None
    _require_names(terms, names, future)
    parts = [_values(future[name], name, steps, batch, check=check) for name in names]
    rows = max(len(part) for part in parts)
    wide = [np.broadcast_to(part, (rows, steps - 1)) for part in parts]
    return Future(np.stack(wide, axis=2))


def _require_names(terms: Forecast, names: list[str], future: Mapping[object, object]) -> None:
    needed = f"it needs {', '.join(names)}" if names else "it needs none: it predicts them all"
    targets = [column.name for column in terms.targets]
    for name in future:
        if name in targets:
            raise InputError(
                f"future: {name!r} is a target, which the model forecasts by itself; {needed}"
            )
        if name not in names:
            from difflib import get_close_matches

            near = get_close_matches(str(name), names, 1)
            meant = f", did you mean {near[0]!r}?" if near else ""
            raise InputError(f"future: the model has no feature {name!r}{meant}; {needed}")
    if missing := [name for name in names if name not in future]:
        raise InputError(f"future: the values of {', '.join(missing)} are missing; {needed}")


def _values(value: object, name: str, steps: int, batch: int, *, check: bool) -> Float32:
    """(1 or batch, steps − 1)."""
    where, needed = f"future[{name!r}]", steps - 1
    array = as_array(value, where)
    single = array.ndim == 1
    if array.ndim not in (1, 2) or (not single and len(array) != batch):
        raise InputError(
            f"{where}: expected ({needed},) or more values, the same for every series, or "
            f"({batch}, {needed}), got shape {array.shape}"
        )
    if array.shape[-1] < needed:
        raise InputError(
            f"{where} is too short: {array.shape[-1]} values, and a horizon of {steps} needs "
            f"{needed}: those of the rows after the history, up to the last but one"
        )
    rows = as_float32(array[..., :needed], where)
    if check:
        require_finite(rows, where)
    return rows[np.newaxis] if single else rows


def _example(names: list[str]) -> str:
    return "{" + ", ".join(f"{name!r}: …" for name in names or ["name"]) + "}"
