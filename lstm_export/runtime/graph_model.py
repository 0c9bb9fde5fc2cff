"""Any ONNX file as a function from named arrays to arrays, its feeds checked like our own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_export.bundle.layout import LAYOUT
from lstm_export.contract import BATCH, SEQUENCE_LENGTH, Contract, GraphSpec, TensorSpec
from lstm_export.errors import InputError, OptionError
from lstm_export.runtime.casting import cast
from lstm_export.runtime.feed import OnNonfinite, as_array, require_finite
from lstm_export.runtime.names import checked_names
from lstm_export.runtime.settings import LONG, USUAL_CALLS, width_in

if TYPE_CHECKING:
    from lstm_export.runtime.arrays import Array
    from lstm_export.runtime.graphs import Graphs
    from lstm_export.runtime.module_rows import ModuleRows
    from lstm_export.runtime.progress import Progress
    from lstm_export.runtime.quick import Quick
    from lstm_export.runtime.settings import Plan
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
        self._sequences: ModuleRows | None = None
        self._lengths_mean_rows = all(x.name != "lengths" for x in contract.graph.inputs)
        self._width = width_in(graphs.work)
        # What cannot be opened is told when it is loaded, not at the first call.
        self._first = graphs.open(LAYOUT.model)
        self._simple = _is_simple(contract)
        self._quick: Quick | None = None
        self._calls = 0

    @property
    def providers(self) -> tuple[str, ...]:
        """The execution providers in use, first choice first."""
        return self._first.providers

    def __call__(self, feed: object = None, /, **feeds: object) -> Any:
        """The graph's output, an array, or a dict of them by name where there are several.

        Feeds are given by keyword, as one mapping by name, or, to a graph of one input, as that
        array. float64 and integers are cast to float32 where the graph wants it.

        A list of arrays without the axis of the batch is one of sequences of any lengths, where
        the graph takes such (`runtime/module_rows.py`), and so are the rows of a padded batch with
        `lengths`, unless that is an input of the graph. Every result is that of the sequence
        alone: outputs for every step come as a list of arrays, all others stacked.
        Raises InputError.
        """
        if self._quick is not None and type(feed) is np.ndarray and not feeds:
            quick = self._quick(feed)
            if quick is not None:
                return quick
        specs = self.contract.graph.inputs
        if isinstance(feed, Mapping):
            feeds = {**feed, **feeds}
            feed = None
        lists = self._lengths_mean_rows and "lengths" in feeds
        if lists or any(type(x) in (list, tuple) for x in (feed, *feeds.values())):
            from lstm_export.runtime.module_lists import sequences_of

            sequences = sequences_of(self.contract.graph, feed, feeds)
            if sequences is not None:
                return sequences.run(self._rows())
        if feed is not None:
            if len(specs) != 1 or feeds:
                inputs = ", ".join(spec.name for spec in specs)
                raise InputError(f"the model has the inputs {inputs}: give each by its name")
            feeds = {specs[0].name: feed}
        named = checked_names(feeds, [spec.name for spec in specs])
        sizes: dict[str, tuple[int, str]] = {}
        arrays = {spec.name: self._checked(named[spec.name], spec, sizes) for spec in specs}
        batch, length = (sizes.get(axis, (1, ""))[0] for axis in (BATCH, SEQUENCE_LENGTH))
        how = self._graphs.plan(batch, length)
        if batch * length * self._width > LONG and self._in_chunks():
            from lstm_export.runtime.module_long import in_chunks

            stream, graph = self._stream_graph(), self.contract.graph
            outputs = in_chunks(stream, graph, arrays, batch, length, self._width, how)
        else:
            outputs = self._run(arrays, how, batch)
        if len(outputs) > 1:
            names = tuple(output.name for output in self.contract.graph.outputs)
            return dict(zip(names, outputs, strict=True))
        self._calls += 1
        if self._simple and type(feed) is np.ndarray and self._calls > USUAL_CALLS:
            shape, answer = feed.shape, outputs[0].shape
            self._quickly().seen(feed, outputs[0], shape, answer, batch, length)
        return outputs[0]

    def _quickly(self) -> Quick:
        if self._quick is None:
            from lstm_export.runtime.quick import Quick

            self._quick = Quick(self._graphs, LAYOUT.model, check=self._check)
        return self._quick

    def map(
        self,
        sequences: Iterable[object],
        *,
        batch_size: int | None = None,
        progress: Progress = None,
    ) -> Iterator[Any]:
        """What each of `sequences`, as in a list, would get alone, in order, as they come.

        Works as `ForecastModel.map` does. Raises InputError or OptionError.
        """
        from lstm_export.runtime.map import mapped

        return mapped(self._rows(), sequences, batch_size=batch_size, progress=progress)

    def _run(self, arrays: Mapping[str, Array], how: Plan, batch: int) -> list[Array]:
        session = self._graphs.open(LAYOUT.model, how)
        if how.shards > 1 and self._graphs.independent_rows:
            from lstm_export.runtime.module_shards import in_shards, splits

            if splits(self.contract.graph):
                return in_shards(session, self.contract.graph, arrays, batch, how.shards)
        return session.run(arrays)

    def _in_chunks(self) -> bool:
        """Whether the stream graph takes what the model takes: states that are given with a call
        are none of its data.
        """
        if not self._graphs.has(LAYOUT.stream):
            return False
        data = {spec.name for spec in self._stream_graph().data}
        return data == {spec.name for spec in self.contract.graph.inputs}

    def _rows(self) -> ModuleRows:
        if self._sequences is None:
            from lstm_export.runtime.module_rows import ModuleRows

            self._sequences = ModuleRows(
                self.contract.graph, self._graphs, self._stream_graph, check=self._check
            )
        return self._sequences

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

    def stream_spec(self) -> GraphSpec:
        """The inputs and outputs of the stream graph. Raises OptionError as `stream` does."""
        self._stream_graph()
        return self._graphs.spec(LAYOUT.stream)

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
