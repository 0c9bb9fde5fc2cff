"""ONNX files read with NumPy alone: what a file says of itself, before any runtime opens it.

Field numbers are those of onnx.proto (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto).
What is not needed to describe or check a model (documentation, training information) is skipped.
A damaged file raises BundleError, whatever its bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath

from lstm_export.bundle import wire
from lstm_export.bundle.onnx_graph import OnnxGraph, read_function, read_graph
from lstm_export.contract import GraphSpec
from lstm_export.errors import BundleError


@dataclass(frozen=True, slots=True)
class OnnxFile:
    """A ModelProto. `opset_imports` is by domain, "" being ONNX's own."""

    ir_version: int
    opset_imports: Mapping[str, int]
    producer_name: str
    producer_version: str
    metadata_props: Mapping[str, str]
    graph: OnnxGraph
    functions: tuple[OnnxGraph, ...] = ()
    """The bodies of operators that the file defines itself; they have no inputs of their own."""

    @property
    def opset_version(self) -> int:
        """Of the default ONNX domain; 0 where the file imports none."""
        return self.opset_imports.get("", 0)

    @property
    def spec(self) -> GraphSpec:
        """Inputs and outputs, to compare with a contract's."""
        return GraphSpec(self.graph.inputs, self.graph.outputs)

    def graphs(self) -> Iterator[OnnxGraph]:
        """The main graph, the bodies of functions, and the graphs inside their nodes."""
        for graph in (self.graph, *self.functions):
            yield graph
            yield from graph.subgraphs()

    @property
    def external_files(self) -> tuple[str, ...]:
        """Locations of external data, relative to the file's folder, each once."""
        return tuple(self.external_sizes)

    @property
    def external_sizes(self) -> Mapping[str, int]:
        """By location, how many bytes each file of external data has at least."""
        sizes: dict[str, int] = {}
        for graph in (self.graph, *self.functions):
            for tensor in graph.tensors():
                if tensor.location is not None:
                    sizes[tensor.location] = max(sizes.get(tensor.location, 0), tensor.end)
        return sizes

    def require_external(self, where: str | Path) -> None:
        """Raises BundleError if a file of external data beside `where` is missing or too short."""
        for location, size in self.external_sizes.items():
            file = Path(where).resolve().parent / location
            try:
                found = file.stat().st_size if file.is_file() else None
            except OSError as error:
                raise BundleError(f"cannot read {file}: {error.strerror or error}") from None
            if found is None:
                raise BundleError(f"{where}: its weights are in {location}, which is missing")
            if found < size:
                raise BundleError(
                    f"{where}: its weights need {size} bytes of {location}, which has {found}: "
                    "it is not whole, or of another model"
                )


def read_onnx(path: str | Path) -> OnnxFile:
    """The ONNX file at `path`. External data is named, not loaded.

    Raises BundleError if it is missing, no ONNX model, damaged, or if its external data lies
    outside its own folder.
    """
    file = Path(path)
    try:
        body = file.read_bytes()
    except OSError as error:
        raise BundleError(f"cannot read {file}: {error.strerror or error}") from None
    model = parse_onnx(body, str(file))
    folder = file.resolve().parent
    for location in model.external_files:
        # A link inside the folder may lead out of it.
        if folder not in (folder / location).resolve().parents:
            raise BundleError(f"{file}: its external data {location!r} leaves the folder")
    return model


def parse_onnx(body: bytes, where: str) -> OnnxFile:
    """The ONNX file whose bytes are `body`. Raises BundleError naming `where`."""
    if not body:
        raise BundleError(f"{where} is empty; expected an ONNX model")
    try:
        return _model(memoryview(body))
    except wire.WireError as error:
        raise BundleError(f"{where} is not a whole ONNX model: {error}") from None


def _model(message: memoryview) -> OnnxFile:
    ir_version, producer, version = 0, "", ""
    opsets: dict[str, int] = {}
    metadata: dict[str, str] = {}
    graph: OnnxGraph | None = None
    functions: list[OnnxGraph] = []
    for number, value in wire.fields(message):
        if number == 1:
            ir_version = wire.integer(value)
        elif number == 2:
            producer = wire.text(value)
        elif number == 3:
            version = wire.text(value)
        elif number == 7:
            if graph is not None:
                raise wire.WireError("it holds two graphs")
            graph = read_graph(wire.content(value))
        elif number == 8:
            domain, opset = _opset(wire.content(value))
            opsets[domain] = opset
        elif number == 14:
            key, text = _entry(wire.content(value))
            metadata[key] = text
        elif number == 25:
            functions.append(read_function(wire.content(value)))
    if ir_version < 1 or graph is None:
        missing = "no IR version" if ir_version < 1 else "no graph"
        raise wire.WireError(f"it has {missing}")
    if not graph.outputs:
        raise wire.WireError("its graph has no outputs")
    model = OnnxFile(ir_version, opsets, producer, version, metadata, graph, tuple(functions))
    for location in model.external_files:
        _refuse_escape(location)
    return model


def _opset(message: memoryview) -> tuple[str, int]:
    domain, version = "", 0
    for number, value in wire.fields(message):
        if number == 1:
            domain = wire.text(value)
        elif number == 2:
            version = wire.integer(value)
    # Both spellings mean the default domain.
    return ("" if domain == "ai.onnx" else domain), version


def _entry(message: memoryview) -> tuple[str, str]:
    parts = {number: wire.text(value) for number, value in wire.fields(message) if number in (1, 2)}
    return parts.get(1, ""), parts.get(2, "")


def _refuse_escape(location: str) -> None:
    posix, windows = PurePosixPath(location), PureWindowsPath(location)
    inside = not (posix.is_absolute() or windows.drive or windows.root or ".." in windows.parts)
    if not location or "\0" in location or not inside:
        raise wire.WireError(f"its external data {location!r} leaves the folder")
