"""All layers of a state dict: names grouped by module, each group told by its names and shapes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lstm_export.importing.infer.choose import RECURRENT_LEAF
from lstm_export.importing.infer.classes import as_declared, other_class, torch_class
from lstm_export.importing.infer.group import Group
from lstm_export.importing.infer.plain_layers import as_embedding, batch_norm, plain_group
from lstm_export.importing.infer.recurrent import recurrent_group
from lstm_export.importing.infer.state import State

_STATE_LEAF = re.compile(
    r"_?(?:(?:init|initial|learned|start)_?)?(?P<which>h|c|hidden|cell|hx|cx|hn|cn)"
    r"(?:_?(?:0|init|initial|state|start|n))*",
    re.IGNORECASE,
)
_ATTENTION = "multi-head attention"
_ROLES = ("weight", "bias", "running_mean", "running_var")


@dataclass(frozen=True, slots=True)
class Found:
    """`groups` in the file's order; of the names in `State.tensors` that are in none: `ignored`,
    which no prediction reads, and `unused`, which one may."""

    groups: tuple[Group, ...]
    ignored: Mapping[str, str]
    unused: Mapping[str, str]
    assumptions: tuple[str, ...] = ()


def find_groups(state: State) -> Found:
    """Raises CheckpointError for recurrent weights that are not whole or contradict each other."""
    modules: dict[str, dict[str, str]] = {}
    positions: dict[str, int] = {}
    for index, name in enumerate(state.tensors):
        module, _, leaf = name.rpartition(".")
        modules.setdefault(module, {})[leaf] = name
        positions.setdefault(module, index)
    groups: list[Group] = []
    ignored: dict[str, str] = {}
    unused: dict[str, str] = {}
    wide: int | None = None
    for module, leaves in modules.items():
        recurrent = recurrent_group(state, module, leaves, positions[module])
        if recurrent is not None:
            groups.append(recurrent)
        rest = {leaf: n for leaf, n in leaves.items() if not RECURRENT_LEAF.fullmatch(leaf)}
        integers = [leaf for leaf, name in rest.items() if state.tensors[name].dtype.kind != "f"]
        for leaf in [leaf for leaf in integers if leaf not in _ROLES]:
            _beside(state, rest.pop(leaf), leaf, ignored, unused)
        if not rest:
            continue
        if (other := other_class(state.declared, module)) is not None:
            unused.update(dict.fromkeys(rest.values(), other))
            continue
        normed = "running_mean" in rest
        found = (batch_norm if normed else plain_group)(state, module, rest, positions[module])
        if isinstance(found, Group):
            found = as_declared(state.declared, found)
        shape = state.tensors[next(iter(rest.values()))].shape
        if not normed:
            wide = shape[0] if len(shape) > 3 else None
        elif wide is not None and shape == (wide,):
            found = "the norm of a convolution over more than time, which no layer here builds"
        if isinstance(found, Group):
            groups.append(found)
        else:
            unused.update(dict.fromkeys(rest.values(), found))
    groups = [group for group in groups if not _within_attention(state, group, unused)]
    groups, assumptions = _embeddings(groups, state.declared)
    groups = _without_copies(state, groups, ignored)
    return Found(tuple(_with_states(state, groups, unused)), ignored, unused, tuple(assumptions))


def _beside(
    state: State, name: str, leaf: str, ignored: dict[str, str], unused: dict[str, str]
) -> None:
    """Integers that a module keeps beside its weights: counters and positions go into `ignored`."""
    array = state.tensors[name]
    if leaf == "num_batches_tracked":
        ignored[name] = "counts batches of training"
    elif array.size and np.array_equal(array.ravel(), np.arange(array.size)):
        ignored[name] = "counts from 0, which takes no weights"
    else:
        unused[name] = "not floats, as no layer here has them"


def _within_attention(state: State, group: Group, unused: dict[str, str]) -> bool:
    """Whether `group` is the out_proj of an attention, which goes where the attention goes."""
    around, _, own = group.name.rpartition(".")
    prefix = f"{around}." if around else ""
    reason = unused.get(f"{prefix}in_proj_weight", unused.get(f"{prefix}q_proj_weight", ""))
    if own != "out_proj" or not reason.startswith(_ATTENTION):
        return False
    unused.update(dict.fromkeys(group.tensors.values(), reason))
    return True


def _embeddings(groups: list[Group], declared: Mapping[str, Any]) -> tuple[list[Group], list[str]]:
    """A matrix alone before the recurrent layers is a table if they take what its rows hold.

    Where they could take what it gives as a linear layer too, `order` asks.
    """
    recurrent = [group for group in groups if group.recurrent]
    result, assumptions = [], []
    for group in groups:
        if torch_class(declared, group.name) is not None:
            result.append(group)
            continue
        alone = group.kind == "linear" and "bias" not in group.tensors
        before = bool(recurrent) and group.position < recurrent[0].position
        widths = {r.takes for r in recurrent}
        if alone and before and group.takes in widths and group.gives not in widths:
            group = as_embedding(group)
            assumptions.append(
                f"{group.name or 'weight'} is an embedding: {group.gives} columns are what "
                "a recurrent layer takes, and it has no bias"
            )
        elif group.kind == "embedding":
            assumptions.append(
                f"{group.name} is an embedding, by its name; without a bias it could be a linear "
                "layer"
            )
        result.append(group)
    return result, assumptions


def _without_copies(state: State, groups: list[Group], ignored: dict[str, str]) -> list[Group]:
    """`groups` without a second name of one table: a module that two others share is saved twice.

    A table behind the recurrent layers with the numbers of one before them is a head tied to it.
    """
    last = max((group.position for group in groups if group.recurrent), default=-1)
    kept: list[Group] = []
    for group in groups:
        twin = next(
            (
                other
                for other in kept
                if "embedding" in (group.kind, other.kind)
                and set(group.tensors) == {"weight"} == set(other.tensors)
                and np.array_equal(
                    state.tensors[group.tensors["weight"]], state.tensors[other.tensors["weight"]]
                )
            ),
            None,
        )
        if twin is not None and group.position < last:
            why = f"the same numbers as {state.shown(twin.tensors['weight'])}: one table, two names"
            ignored[group.tensors["weight"]] = why
        else:
            kept.append(group)
    return kept


def _with_states(state: State, groups: list[Group], unused: dict[str, str]) -> list[Group]:
    """`groups`, the recurrent ones with the initial states that are saved as parameters.

    A state is (layers, 1, size), or the same without the batch; it goes to the layer whose module
    holds it, else to the only one that it fits.
    """
    for name in list(unused):
        match = _STATE_LEAF.fullmatch(name.rpartition(".")[2])
        if match is None:
            continue
        role = "initial_c" if match["which"].lower().startswith("c") else "initial_h"
        fitting = [
            i
            for i, group in enumerate(groups)
            if group.recurrent
            and role not in group.tensors
            and (role == "initial_h" or group.kind == "lstm")
            and _is_state(state.tensors[name].shape, group, role)
        ]
        module = name.rpartition(".")[0]
        near = [i for i in fitting if groups[i].name in (module, f"{module}.{_own(groups[i])}")]
        chosen = near if len(near) == 1 else fitting
        if len(chosen) == 1:
            group = groups[chosen[0]]
            groups[chosen[0]] = replace(group, tensors={**group.tensors, role: name})
            del unused[name]
        elif chosen:
            named = " and ".join(groups[i].name for i in chosen)
            unused[name] = f"an initial state that fits {named} alike"
    return groups


def _own(group: Group) -> str:
    return group.name.rpartition(".")[2]


def _is_state(shape: tuple[int, ...], group: Group, role: str) -> bool:
    sizes = group.sizes
    width = sizes["hidden_size"]
    if role == "initial_h":
        width = sizes.get("proj_size", width)
    rows = sizes["num_layers"] * sizes["num_directions"]
    return shape in ((rows, 1, width), (rows, width))
