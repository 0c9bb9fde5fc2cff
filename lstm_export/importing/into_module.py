"""Weights from any file into a module of the user's own: every one of them, or none.

Files differ in where they keep the state dict and in what wrapped the module when it was saved;
both are found by the names that the module itself has.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lstm_export.errors import CheckpointError, OptionError
from lstm_export.importing.infer.state import normalise
from lstm_export.importing.raw import Array, RawFile
from lstm_export.importing.read import read

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True, slots=True)
class Loaded:
    """What the weights came from, for people: the format of their file, and what was done."""

    format: str
    notes: tuple[str, ...]


Named = Mapping[str, str]
"""Names in the file, by the names in the module."""
_SHOWN = 12


def load_into(
    module: nn.Module, path: str | Path, *, key: str | None = None, allow_unused: bool = False
) -> Loaded:
    """Loads the weights in the file at `path` into `module`.

    Nothing in the file is executed. Raises CheckpointError if it cannot be read, or its names and
    shapes are not the module's, all of which are listed; with `allow_unused` tensors that the
    module does not have are left, and noted. Raises OptionError if there is nothing under `key`,
    or more than one mapping in the file fits.
    """
    import torch

    wanted = {k: v for k, v in module.state_dict().items() if isinstance(v, torch.Tensor)}
    raw = read(path)
    tensors, found = _found(raw, key, wanted)
    problems = list(_mismatches(module, wanted, tensors, found))
    if problems:
        raise CheckpointError(f"{path} does not fit {type(module).__name__}: {'; '.join(problems)}")
    extra = _beside(tensors, found)
    if extra and not allow_unused:
        raise CheckpointError(
            f"{path} does not fit {type(module).__name__}: not in the module: {_listed(extra)}; "
            "--allow-unused leaves them"
        )
    state = {name: torch.tensor(np.asarray(tensors[own])) for name, own in found.items()}
    module.load_state_dict(state, strict=False)
    unused = [f"unused: {name} is not in the module" for name in extra]
    return Loaded(raw.format, (*raw.notes, *unused))


def _found(
    raw: RawFile, key: str | None, wanted: Mapping[str, object]
) -> tuple[Mapping[str, Array], Named]:
    """The tensors, and which of them has each name of the module."""
    tensors: Mapping[str, Array] = raw.tensors
    if key is not None:
        tensors = {name: t for name, t in raw.tensors.items() if name.startswith(f"{key}.")}
        if not tensors:
            raise OptionError(f"--key {key}: {raw.path} has no such part")
    prefixes = {""} | {
        name.removesuffix(own)
        for own in wanted
        for name in tensors
        if name.endswith(f".{own}") or name == own
    }
    counts = {p: sum(p + own in tensors for own in wanted) for p in prefixes}
    most = max(counts.values())
    best = sorted((p for p in prefixes if counts[p] == most), key=len)
    if most == len(wanted):
        if len(best) > 1 and not _alike(tensors, best, wanted):
            parts = ", ".join(p.removesuffix(".") or "the top" for p in best)
            raise OptionError(
                f"{raw.path} has the module's names more than once, under {parts}: choose one, "
                f"--key {best[0].removesuffix('.')}"
            )
        return tensors, {own: best[0] + own for own in wanted}
    # Weights under weight norm, or renamed by a wrapper in the middle.
    state = normalise(raw, key)
    direct = {own: own for own in wanted if own in state.tensors}
    if len(direct) > most:
        return state.tensors, direct
    return tensors, {own: best[0] + own for own in wanted if best[0] + own in tensors}


def _alike(
    tensors: Mapping[str, Array], prefixes: Iterable[str], wanted: Mapping[str, object]
) -> bool:
    """Whether every prefix has the same numbers: then it does not matter which is taken."""
    first, *others = prefixes
    return all(
        np.array_equal(tensors[first + own], tensors[p + own]) for p in others for own in wanted
    )


def _beside(tensors: Mapping[str, Array], found: Named) -> list[str]:
    """Tensors under the same prefix as those found that the module has no name for."""
    own, taken = next(iter(found.items())), set(found.values())
    prefix = own[1].removesuffix(own[0])
    return [name for name in tensors if name.startswith(prefix) and name not in taken]


def _mismatches(
    module: nn.Module, wanted: Mapping[str, object], tensors: Mapping[str, Array], found: Named
) -> Iterator[str]:
    if not found:
        names = ", ".join(list(wanted)[:3])
        yield f"no tensor in it has a name of the module ({names}{', …' * (len(wanted) > 3)})"
        return
    if missing := [name for name in wanted if name not in found]:
        yield f"missing {_listed(missing)}"
        if extra := _beside(tensors, found):
            yield f"not in the module: {_listed(extra)}"
    for name, own in found.items():
        shape = tuple(getattr(wanted[name], "shape", ()))
        if tensors[own].shape != shape:
            yield f"{name} is {tensors[own].shape}, the module's is {shape}"


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
