"""Any ONNX file as a function from named arrays to arrays, its feeds checked like our own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from lstm_export.bundle.layout import LAYOUT
from lstm_export.contract import BATCH, SEQUENCE_LENGTH, Contract, TensorSpec
from lstm_export.errors import InputError, OptionError
from lstm_export.runtime.casting import cast
from lstm_export.runtime.feed import OnNonfinite, as_array, require_finite
from lstm_export.runtime.names import checked_names
from lstm_export.runtime.quick import Quick

if TYPE_CHECKING:
    from lstm_export.runtime.arrays import Array
    from lstm_export.runtime.graphs import Graphs
    from lstm_export.runtime.streaming.graph import StreamGraph
    from lstm_export.runtime.streaming.module_pool import ModulePool
    from lstm_export.runtime.streaming.module_stream import ModuleStream

_FLOATS = ("float16", "float32", "float64")


class GraphModel:
    """An ONNX graph without terms of ours: a foreign model, or a stream graph on its own."""

    def __init__(self, contract: Contract, graphs: Graphs, *, on_nonfinite: OnNonfinite) -> None:
        self.contract = contract
        self._graphs = graphs
        self._on_nonfinite = on_nonfinite
        self._check = on_nonfinite == "raise"
        self._streaming: StreamGraph | None = None
        # What cannot be opened is told when it is loaded, not at the first call.
        self._first = graphs.open(LAYOUT.model)
        self._quick = (
            Quick(graphs, LAYOUT.model, check=self._check) if _is_simple(contract) else None
        )

    @property
    def providers(self) -> tuple[str, ...]:
        """The execution providers in use, first choice first."""
        return self._first.providers

    def __call__(self, feed: object = None, /, **feeds: object) -> Array | dict[str, Array]:
        """The graph's output, or a dict of them by name where there are several.

        Feeds are given by keyword, as one mapping by name, or, to a graph of one input, as that
        array. float64 and integers are cast to float32 where the graph wants it. Raises InputError.
        """
        if self._quick is not None and type(feed) is np.ndarray and not feeds:
            quick = self._quick(feed)
            if quick is not None:
                return quick
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
        batch, length = (sizes.get(axis, (1, ""))[0] for axis in (BATCH, SEQUENCE_LENGTH))
        session = self._graphs.open(LAYOUT.model, self._graphs.plan(batch, length))
        outputs = session.run(arrays)
        if len(outputs) > 1:
            return dict(zip(session.outputs, outputs, strict=True))
        if self._quick is not None and type(feed) is np.ndarray:
            self._quick.seen(feed, outputs[0], feed.shape, outputs[0].shape, batch, length)
        return outputs[0]

    def stream(self, batch: int = 1) -> ModuleStream:
        """A new stream over `batch` series.

        Raises OptionError, with the reason that the bundle gives, for a model that cannot stream.
        """
        from lstm_export.runtime.streaming.module_stream import ModuleStream

        return ModuleStream(self._stream_graph(), batch, self._on_nonfinite)

    def pool(self, capacity: int) -> ModulePool:
        """A pool of up to `capacity` series that come and go.

        Raises OptionError as `stream` does.
        """
        from lstm_export.runtime.streaming.module_pool import ModulePool

        return ModulePool(self._stream_graph(), capacity, self._on_nonfinite)

    def _stream_graph(self) -> StreamGraph:
        if self._streaming is not None:
            return self._streaming
        graphs = self._graphs
        if not graphs.has(LAYOUT.stream):
            reasons = [note for note in graphs.notes if "stream" in note]
            raise OptionError(
                "; ".join(reasons)
                or f"this model has no {LAYOUT.stream}, so it cannot stream: export a bundle of it"
            )
        from lstm_export.runtime.streaming.graph import StreamGraph

        graphs.open(LAYOUT.stream)
        self._streaming = StreamGraph(graphs, starts=graphs.stream_start)
        return self._streaming

    def _checked(self, value: object, spec: TensorSpec, sizes: dict[str, tuple[int, str]]) -> Array:
        name = spec.name
        array = as_array(value, name)
        if spec.axes != ("...",):
            _require_shape(array, spec, sizes)
        if array.size == 0:
            raise InputError(f"{name} is empty: shape {array.shape}")
        array = cast(array, name, spec.dtype)
        if self._check and spec.dtype in _FLOATS:
            require_finite(array, name)
        return array


def _is_simple(contract: Contract) -> bool:
    """Whether one float32 array goes in, and one comes out whose shape follows from it."""
    graph = contract.graph
    if len(graph.inputs) != 1 or len(graph.outputs) != 1:
        return False
    (x,), (output,) = graph.inputs, graph.outputs
    sized = {axis for axis in x.axes if isinstance(axis, str) and axis not in ("?", "...")}
    follows = all(isinstance(axis, int) or axis in sized for axis in output.axes)
    return follows and x.dtype == output.dtype == "float32"


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
