"""What `inspect` says of a file of weights: all that an export would use, and nothing is run."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lstm_export.errors import CheckpointError, OptionError
from lstm_export.importing.description import Description, Input
from lstm_export.importing.infer.infer import infer
from lstm_export.importing.infer.table import TensorRow, table_dicts, used_by
from lstm_export.importing.layers.bind import bind
from lstm_export.importing.layers.grammar import parse
from lstm_export.importing.layers.layers import Layers
from lstm_export.importing.layers.text import to_text
from lstm_export.importing.layers.toml import to_toml
from lstm_export.importing.ops.op import Axes
from lstm_export.importing.read import read
from lstm_export.importing.shapes import shapes
from lstm_export.importing.understand import given_layers, in_float32


@dataclass(frozen=True, slots=True)
class FoundLayer:
    """A layer that names and shapes tell, and its sizes."""

    name: str
    kind: str
    sizes: dict[str, int]


@dataclass(frozen=True, slots=True)
class WeightsInspection:
    """`layers` is the layer string that an export would take and `toml` the same as TOML, None
    where there is a `question` to answer first; `inputs` and `outputs` are those of it.
    `parameters` counts the numbers in tensors that are used.
    """

    path: str
    format: str
    bytes: int
    keys: tuple[str, ...]
    parameters: int
    found: tuple[FoundLayer, ...]
    layers: str | None
    toml: str | None
    inputs: tuple[Input, ...]
    outputs: tuple[tuple[str, Axes], ...]
    assumptions: tuple[str, ...]
    question: str | None
    notes: tuple[str, ...]
    table: tuple[TensorRow, ...]

    @property
    def unused(self) -> int:
        """How many tensors nothing uses, which an export refuses unless it is allowed."""
        return sum(row.use == "unused" for row in self.table)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for `--json`."""
        return {
            "kind": "weights",
            "path": self.path,
            "format": self.format,
            "bytes": self.bytes,
            "keys": list(self.keys),
            "parameters": self.parameters,
            "found": [asdict(each) for each in self.found],
            "layers": self.layers,
            "toml": self.toml,
            "inputs": [{**asdict(each), "axes": list(each.axes)} for each in self.inputs],
            "outputs": [{"name": name, "axes": list(axes)} for name, axes in self.outputs],
            "assumptions": list(self.assumptions),
            "question": self.question,
            "notes": list(self.notes),
            "unused": self.unused,
            "tensors": table_dicts(self.table),
        }


def inspect_weights(
    path: str | Path, *, key: str | None = None, layers: str | None = None
) -> WeightsInspection:
    """The file at `path`, as an export with the same `key` and `layers` would understand it.

    Raises CheckpointError for a file that cannot be read or whose weights no model can have, and
    OptionError for a key or layers that make no sense. What only the user can tell is the
    `question`.
    """
    raw = read(path)
    inference = infer(raw, key)
    table, question = inference.table, inference.question
    assumptions: tuple[str, ...] = ()
    parsed: Layers | None = None
    description: Description | None = None
    if layers is not None:
        parsed, question = given_layers(layers), None
    elif inference.proposal is not None:
        parsed, assumptions = parse(inference.proposal.text), inference.proposal.assumptions
    if parsed is not None:
        description, question = _bound(parsed, inference.state.tensors, raw.layers, layers)
    if description is not None:
        table = used_by(table, inference.state, description.steps)
    used = {row.name for row in table if row.use == "used"}
    return WeightsInspection(
        str(path),
        raw.format,
        Path(path).stat().st_size,
        raw.keys,
        sum(int(raw.tensors[name].size) for name in used),
        tuple(FoundLayer(g.name, g.kind, dict(g.sizes)) for g in inference.groups),
        to_text(parsed) if description and parsed else None,
        to_toml(parsed) if description and parsed else None,
        description.inputs if description else (),
        _outputs(description) if description else (),
        assumptions,
        None if question is None else str(question),
        inference.notes,
        table,
    )


def _bound(
    parsed: Layers, tensors: Any, declared: Any, given: str | None
) -> tuple[Description | None, CheckpointError | OptionError | None]:
    """The description; where the file's own proposal does not bind, the question that this is."""
    try:
        return bind(parsed, in_float32(tensors), declared or ()), None
    except (CheckpointError, OptionError) as error:
        if given is not None:
            raise
        return None, error


def _outputs(description: Description) -> tuple[tuple[str, Axes], ...]:
    axes = shapes(description)
    return tuple((name, axes[name]) for name in description.outputs)
