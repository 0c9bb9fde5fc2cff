"""One name for every tensor: its layer's, then its role, as a layer string finds it.

A cell's weight_ih becomes weight_ih_l0, an initial state kept beside a layer its initial_h, and
layers without a module are called by their kind; the names in the file stay in `State.sources`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import count

from lstm_export.importing.infer.group import Group
from lstm_export.importing.infer.state import State


def canonical(state: State, groups: Sequence[Group]) -> tuple[State, tuple[Group, ...]]:
    """`state` and `groups` under those names; a name that is taken already is left as it was."""
    new: dict[str, str] = {}
    taken = {name.partition(".")[0] for name in state.tensors if "." in name}
    groups = [replace(group, name=group.name or _free(group.kind, taken)) for group in groups]
    for group in groups:
        for role, name in group.tensors.items():
            wanted = f"{group.name}.{role}"
            if wanted not in state.tensors:
                new[name] = wanted
    named = replace(
        state,
        tensors={new.get(name, name): array for name, array in state.tensors.items()},
        sources={new.get(name, name): files for name, files in state.sources.items()},
    )
    return named, tuple(
        replace(
            group,
            tensors={role: new.get(name, name) for role, name in group.tensors.items()},
        )
        for group in groups
    )


def _free(kind: str, taken: set[str]) -> str:
    """`kind`, or with a number where a layer of the file is called so."""
    return next(name for i in count() if (name := f"{kind}_{i}" if i else kind) not in taken)
