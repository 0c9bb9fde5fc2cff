"""Any ONNX file as a function from named arrays to arrays, its feeds checked like our own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_export.contract import Contract, TensorSpec
from lstm_export.errors import InputError
from lstm_export.runtime.feed import OnNonfinite, as_array, as_float32, require_finite
from lstm_export.runtime.names import checked_names
from lstm_export.runtime.session import Session

if TYPE_CHECKING:
    from lstm_export.runtime.arrays import Array

_FLOATS = ("float16", "float32", "float64")


class GraphModel:
    """An ONNX graph without terms of ours: a foreign model, or a stream graph on its own."""

    def __init__(self, contract: Contract, session: Session, *, on_nonfinite: OnNonfinite) -> None:
        self.contract = contract
        self._session = session
        self._check = on_nonfinite == "raise"

    @property
    def providers(self) -> tuple[str, ...]:
        """The execution providers in use, first choice first."""
        return self._session.providers

    def __call__(self, feed: object = None, /, **feeds: object) -> Array | dict[str, Array]:
        """The graph's output, or a dict of them by name where there are several.

        Feeds are given by keyword, as one mapping by name, or, to a graph of one input, as that
        array. float64 and integers are cast to float32 where the graph wants it. Raises InputError.
        """
        specs = self.contract.graph.inputs
        if isinstance(feed, Mapping):
            feeds = {**feed, **feeds}
        elif feed is not None:
            if len(specs) != 1 or feeds:
                names = ", ".join(spec.name for spec in specs)
                raise InputError(f"the model has the inputs {names}: give each by its name")
            feeds = {specs[0].name: feed}
        named = checked_names(feeds, [spec.name for spec in specs])
        sizes: dict[str, tuple[int, str]] = {}
        arrays = {spec.name: self._checked(named[spec.name], spec, sizes) for spec in specs}
        outputs = self._session.run(arrays)
        if len(outputs) == 1:
            return outputs[0]
        return dict(zip(self._session.outputs, outputs, strict=True))

    def _checked(self, value: object, spec: TensorSpec, sizes: dict[str, tuple[int, str]]) -> Array:
        name = spec.name
        array = as_array(value, name)
        if spec.axes != ("...",):
            _require_shape(array, spec, sizes)
        if array.size == 0:
            raise InputError(f"{name} is empty: shape {array.shape}")
        array = _cast(array, name, spec.dtype)
        if self._check and spec.dtype in _FLOATS:
            require_finite(array, name)
        return array


def _require_shape(array: Array, spec: TensorSpec, sizes: dict[str, tuple[int, str]]) -> None:
    expected = f"{spec.name}: expected ({', '.join(map(str, spec.axes))}), got shape {array.shape}"
    if array.ndim != len(spec.axes):
        raise InputError(expected)
    for axis, size in zip(spec.axes, array.shape, strict=True):
        if isinstance(axis, int):
            if size != axis:
                raise InputError(expected)
        elif axis != "?" and sizes.setdefault(axis, (size, spec.name))[0] != size:
            other, source = sizes[axis]
            raise InputError(f"{expected}: {axis!r} is {size} here and {other} in {source}")


def _cast(array: Array, name: str, wanted: str) -> Array:
    if wanted == "float32":
        return as_float32(array, name)
    if array.dtype.name == wanted or (wanted == "string" and array.dtype.kind in "UO"):
        return np.asarray(array, order="C")
    got: np.dtype[Any] = array.dtype
    if wanted == "float64" and (got.kind in "iu" or got == np.float32):
        return array.astype(np.float64)
    if wanted.startswith(("int", "uint")) and got.kind in "iu":
        return _in_range(array, name, np.dtype(wanted))
    raise InputError(f"{name}: expected {wanted}, got {got}")


def _in_range(array: Array, name: str, wanted: np.dtype[Any]) -> Array:
    limits = np.iinfo(wanted)
    smallest, largest = int(array.min()), int(array.max())
    if smallest < limits.min or largest > limits.max:
        raise InputError(f"{name}: {smallest} to {largest} does not fit into {wanted}")
    return array.astype(wanted)
