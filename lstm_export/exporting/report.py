"""What an export did, as frozen values."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lstm_export.contract import TensorSpec
from lstm_export.exporting.capture.found import FoundRecurrent, found_recurrent
from lstm_export.exporting.exported import Exported
from lstm_export.exporting.graph.files import WrittenFiles
from lstm_export.exporting.lowering.projection_scan import scan_pays
from lstm_export.exporting.options import GraphOptions
from lstm_export.exporting.target import Target
from lstm_export.exporting.verify.verification import Verification

_UNVERIFIED = "not verified: verify=False"
_WHATEVER = "the module gives this size whatever the sizes of its inputs"


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis of an input or output: dynamic under a name, or static and why.

    `shortest` and `longest` are the limits that the module's own checks set, where there are any.
    """

    name: str | None
    size: int | None
    reason: str = ""
    shortest: int | None = None
    longest: int | None = None

    @property
    def dynamic(self) -> bool:
        return self.name is not None

    def __str__(self) -> str:
        return self.name if self.name is not None else str(self.size)


@dataclass(frozen=True, slots=True)
class Tensor:
    """One input or output of the file."""

    name: str
    dtype: str
    axes: tuple[Axis, ...]

    def __str__(self) -> str:
        return f"{self.name}: {self.dtype} ({', '.join(map(str, self.axes))})"


@dataclass(frozen=True, slots=True)
class Layer:
    """A recurrent layer that was found, and what became of it."""

    path: str
    cell: str
    input_size: int
    hidden_size: int
    num_layers: int
    bidirectional: bool
    proj_size: int
    ragged: bool
    lowered: str

    def __str__(self) -> str:
        shape = f"{self.input_size} → {self.hidden_size}"
        parts = [f"{self.path or 'the module'}: {self.cell.upper()} {shape}"]
        if self.num_layers > 1:
            parts.append(f"{self.num_layers} layers")
        if self.bidirectional:
            parts.append("two directions")
        if self.proj_size:
            parts.append(f"projected to {self.proj_size}")
        return f"{', '.join(parts)}: {self.lowered}"


@dataclass(frozen=True, slots=True)
class ExportReport:
    """The file that was written and all that is to know of it.

    `notes` are the things that were done on the way and that the user may not expect: a module
    exported in eval mode, float64 made float32, an argument built in as a constant.
    """

    path: str
    external_data: str | None
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    layers: tuple[Layer, ...]
    loops: tuple[str, ...]
    constants: dict[str, str]
    target: Target
    opset_version: int
    ir_version: int
    nodes: int
    operators: dict[str, int]
    bytes: int
    verification: Verification | None
    notes: tuple[str, ...]
    seconds: float

    @property
    def static_axes(self) -> tuple[tuple[str, int, str], ...]:
        """Every static axis as (tensor, position, reason)."""
        return tuple(
            (tensor.name, position, axis.reason)
            for tensor in (*self.inputs, *self.outputs)
            for position, axis in enumerate(tensor.axes)
            if not axis.dynamic
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON, axes with their `dynamic` flag."""
        body = asdict(self)
        for end, tensors in (("inputs", self.inputs), ("outputs", self.outputs)):
            for entry, tensor in zip(body[end], tensors, strict=True):
                for row, axis in zip(entry["axes"], tensor.axes, strict=True):
                    row["dynamic"] = axis.dynamic
        body["verification"] = None if self.verification is None else self.verification.to_dict()
        return body

    def __str__(self) -> str:
        lines = [f"{Path(self.path).name}: {self.nodes} nodes, {self.bytes:,} bytes"]
        lines += [f"  in   {tensor}" for tensor in self.inputs]
        lines += [f"  out  {tensor}" for tensor in self.outputs]
        lines += [f"  {layer}" for layer in self.layers]
        lines += [f"  {loop}" for loop in self.loops]
        if self.verification is not None:
            lines.append(f"  {self.verification}")
        lines += [f"  note: {note}" for note in self.notes]
        return "\n".join(lines)


def report(
    result: Exported,
    options: GraphOptions,
    files: WrittenFiles,
    *,
    verification: Verification | None,
    seconds: float,
) -> ExportReport:
    """The report of a graph that was written to `files`."""
    names = result.opened.names
    spec = result.contract.graph
    operators = Counter(node.op_type for graph in result.model.graphs() for node in graph)
    return ExportReport(
        path=str(files.path),
        external_data=None if files.data is None else str(files.data),
        inputs=tuple(_tensor(tensor, result) for tensor in spec.inputs),
        outputs=tuple(_tensor(tensor, result) for tensor in spec.outputs),
        layers=tuple(
            _layer(found, options.target) for found in found_recurrent(names.traced.program)
        ),
        loops=result.loops,
        constants={name: repr(value) for name, value in result.call.constants.items()},
        target=options.target,
        opset_version=options.opset_version,
        ir_version=options.ir_version,
        nodes=sum(operators.values()),
        operators=dict(operators),
        bytes=files.bytes,
        verification=verification,
        notes=result.notes if verification is not None else (*result.notes, _UNVERIFIED),
        seconds=seconds,
    )


def _tensor(spec: TensorSpec, result: Exported) -> Tensor:
    axes = []
    for position, axis in enumerate(spec.axes):
        if isinstance(axis, str):
            shortest, longest = result.opened.limits.get((spec.name, position), (None, None))
            axes.append(Axis(axis, None, shortest=shortest, longest=longest))
        else:
            reason = result.opened.reasons.get((spec.name, position), _WHATEVER)
            axes.append(Axis(None, axis, reason))
    return Tensor(spec.name, spec.dtype, tuple(axes))


def _layer(found: FoundRecurrent, target: Target) -> Layer:
    told = found.attributes
    return Layer(
        path=found.path,
        cell=told["cell"],
        input_size=int(found.x.shape[2]),
        hidden_size=told["hidden_size"],
        num_layers=told["num_layers"],
        bidirectional=found.directions == 2,
        proj_size=found.proj_size,
        ragged=found.ragged,
        lowered=f"{told['num_layers']} × {_operator(found, target)}",
    )


def _operator(found: FoundRecurrent, target: Target) -> str:
    cell, hidden_size = found.attributes["cell"], found.attributes["hidden_size"]
    portable = target == "portable"
    if portable and cell == "rnn" and found.attributes["nonlinearity"] == "relu":
        return "Scan, because a runtime takes the ReLU of an RNN for tanh"
    projected = found.proj_size and not found.ragged
    if projected and not portable and scan_pays(hidden_size, found.proj_size):
        return "Scan, which is faster at this size"
    operator = {"lstm": "LSTM", "gru": "GRU", "rnn": "RNN"}[cell]
    if found.ragged:
        operator += ", each sequence to its own length "
        operator += "without sequence_lens" if portable else "by sequence_lens"
    return operator
