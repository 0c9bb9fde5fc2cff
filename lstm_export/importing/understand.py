"""A file of weights, understood: its layers, and what became of every tensor in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lstm_export.errors import OptionError
from lstm_export.importing.description import Description
from lstm_export.importing.infer.infer import Inference, infer
from lstm_export.importing.infer.table import TensorRow, require_all_used, used_by
from lstm_export.importing.layers.bind import bind
from lstm_export.importing.layers.grammar import parse
from lstm_export.importing.layers.layers import Layers
from lstm_export.importing.layers.text import to_text
from lstm_export.importing.layers.toml import from_toml
from lstm_export.importing.raw import Array, RawFile
from lstm_export.importing.read import read


@dataclass(frozen=True, slots=True)
class Understood:
    """A model that can be built.

    `text` is the layer string of `layers`; `assumptions` are what neither the file nor the user
    has said, none where the user gave the layers. `tensors`, those of `description`, are in the
    layout of the file, float64 ones rounded to float32, in which the model will run.
    """

    raw: RawFile
    inference: Inference
    layers: Layers
    text: str
    description: Description
    table: tuple[TensorRow, ...]
    assumptions: tuple[str, ...]

    @property
    def notes(self) -> tuple[str, ...]:
        """What happened to the file's contents on the way."""
        return self.inference.notes

    def bound(self, layers: Layers) -> Description:
        """Other layers over the same tensors; raises CheckpointError where they do not fit."""
        return bind(layers, self.description.tensors, self.raw.layers or ())


def understand(
    path: str | Path,
    *,
    key: str | None = None,
    layers: str | None = None,
    allow_unused: bool = False,
) -> Understood:
    """The model in the file at `path`; with `key` the one under it, of several.

    `layers` is a layer string, or the path of a TOML file that says the same; without it the
    architecture is inferred. Raises CheckpointError for a file that is unreadable, damaged or
    fits no model, and for tensors that nothing uses, unless `allow_unused`; OptionError for a key
    or layers that make no sense, and for what sizes leave open.
    """
    raw = read(path)
    inference = infer(raw, key)
    if layers is None:
        inference.description()  # raises the question, where there is one
        assert inference.proposal is not None
        text, assumptions = inference.proposal.text, inference.proposal.assumptions
        parsed = parse(text)
    else:
        parsed = given_layers(layers)
        text, assumptions = to_text(parsed), ()
    tensors = in_float32(inference.state.tensors)
    description = bind(parsed, tensors, raw.layers or ())
    table = used_by(inference.table, inference.state, description.steps)
    require_all_used(str(path), table, allow_unused)
    return Understood(raw, inference, parsed, text, description, table, assumptions)


def given_layers(text: str) -> Layers:
    """Layers from a layer string, or from the TOML file that `text` is the path of.

    Raises OptionError, also where there is no such file.
    """
    if not text.strip().endswith(".toml"):
        return parse(text)
    path = Path(text.strip())
    try:
        content = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise OptionError(f"--layers {path} cannot be read: {reason}") from None
    return from_toml(content)


def in_float32(tensors: Mapping[str, Array]) -> dict[str, Array]:
    """Tensors as the model will have them: float64 rounded to float32, everything else as it is."""
    return {
        name: array.astype(np.float32) if array.dtype == np.float64 else array
        for name, array in tensors.items()
    }
