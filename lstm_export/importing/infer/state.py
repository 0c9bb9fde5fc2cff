"""One model's arrays under its own names, and what became of every other name in the file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from lstm_export.errors import CheckpointError
from lstm_export.importing.infer.choose import choose
from lstm_export.importing.infer.parametrized import resolve
from lstm_export.importing.infer.prefixes import clean_names
from lstm_export.importing.raw import Array, RawFile


@dataclass(frozen=True, slots=True)
class State:
    """The state dict of one model.

    `tensors` are in the file's order, `sources` the names in the file of which each was made: one
    for most, two for a weight under weight norm. `ignored` says of names in the file why they play
    no part in a prediction, `unused` why others that might are not here. `declared` are the values
    that the file has beside the arrays, under the same names.
    """

    path: str
    tensors: Mapping[str, Array]
    sources: Mapping[str, tuple[str, ...]]
    ignored: Mapping[str, str]
    unused: Mapping[str, str]
    declared: Mapping[str, Any]
    notes: tuple[str, ...]

    def shown(self, name: str) -> str:
        """`name` as the file has it, for messages."""
        return " and ".join(self.sources[name])


def normalise(raw: RawFile, key: str | None = None) -> State:
    """The state dict in `raw`, or the one under `key` where there are several.

    Raises OptionError if `key` is needed or is none of the file's, CheckpointError for a
    parametrization of unknown function and for numbers that are not finite.
    """
    chosen = choose(raw, key)
    cleaned = clean_names(chosen.names)
    names = cleaned.names
    resolved = resolve(raw.path, {new: raw.tensors[old] for old, new in names.items()})
    back = {new: old for old, new in names.items()}
    sources = {
        name: tuple(back[part] for part in resolved.made_of.get(name, (name,)))
        for name in resolved.tensors
    }
    _refuse_not_finite(raw.path, resolved.tensors, sources)
    declared = {cleaned.renamed(chosen.within(path)): v for path, v in raw.declared.items()}
    return State(
        raw.path,
        resolved.tensors,
        sources,
        {**chosen.ignored, **{back[name]: why for name, why in resolved.ignored.items()}},
        chosen.unused,
        declared,
        (
            *raw.notes,
            *chosen.notes,
            *cleaned.notes,
            *resolved.notes,
            *_conversions(raw, sources),
        ),
    )


def as_stored(raw: RawFile) -> State:
    """All of `raw` under its own names, for a file that says itself what they are."""
    sources = {name: (name,) for name in raw.tensors}
    _refuse_not_finite(raw.path, raw.tensors, sources)
    notes = (*raw.notes, *_conversions(raw, sources))
    return State(raw.path, raw.tensors, sources, {}, {}, raw.declared, notes)


def _refuse_not_finite(
    path: str, tensors: Mapping[str, Array], sources: Mapping[str, tuple[str, ...]]
) -> None:
    for name, array in tensors.items():
        if array.dtype.kind not in "fc":
            continue
        bad = ~np.isfinite(array)
        if bad.any():
            place = tuple(int(i) for i in np.argwhere(bad)[0])
            raise CheckpointError(
                f"{path}: {' and '.join(sources[name])} has {array[place]} at {list(place)}, and "
                f"{int(bad.sum())} of its {array.size} numbers are not finite: such a model "
                "predicts nothing; take a checkpoint from before the training diverged"
            )


def _conversions(raw: RawFile, sources: Mapping[str, tuple[str, ...]]) -> list[str]:
    """What the conversion to float32 does to the arrays that were stored as something else."""
    of: dict[str, list[str]] = {}
    for files in sources.values():
        for name in files:
            of.setdefault(raw.stored.get(name, str(raw.tensors[name].dtype)), []).append(name)
    notes = [
        f"{_count(of[dtype])} stored as {dtype}: read as float32, without loss"
        for dtype in ("float16", "bfloat16")
        if dtype in of
    ]
    if names := of.get("float64"):
        worst = max(_rounding(raw.tensors[name]) for name in names)
        notes.append(
            f"{_count(names)} stored as float64: rounded to float32, which moves a number by "
            f"{worst:.1e} at most"
        )
    return notes


def _count(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{len(names)} tensors"


def _rounding(array: Array) -> float:
    if array.dtype != np.float64 or not array.size:
        return 0.0
    with np.errstate(over="ignore"):
        return float(np.abs(array - array.astype(np.float32)).max())
