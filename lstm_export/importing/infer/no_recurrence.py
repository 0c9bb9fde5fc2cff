"""A file without recurrent weights: none were ever there, or they were and were not saved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lstm_export.errors import CheckpointError
from lstm_export.importing.infer.group import Group
from lstm_export.importing.infer.state import State


def no_recurrence(state: State, groups: Sequence[Group]) -> CheckpointError:
    """None in the file at all; or none although what is left asks for one between."""
    if written := _by_hand(groups):
        return CheckpointError(
            f"{state.path} has no torch.nn recurrent layer, and {written} look like a cell that is "
            "written by hand, whose formula is not in the file: give your own class with --module"
        )
    advice = (
        "A Python list of layers is not saved; torch.nn.ModuleList is. Save the whole module's "
        "state_dict() again"
    )
    sizes: Mapping[str, object] = state.declared
    hidden = {v for path, v in sizes.items() if path.rpartition(".")[2] == "hidden_size"}
    for before, after in zip([None, *groups], groups, strict=False):
        given = before.gives if before is not None else None
        if after.kind != "linear" or after.takes is None:
            continue
        apart = given is not None and given != after.takes
        name = after.name or "the head"
        if before is not None and apart:
            gap = f"{before.name or before.kind} gives {given} features and {name} takes"
        elif before is None and after.takes in hidden:
            gap = f"the file declares hidden_size = {after.takes}, and {name} takes"
        else:
            continue
        return CheckpointError(
            f"{state.path}: the recurrent weights were never saved: {gap} {after.takes}, and "
            f"nothing in the file stands between. {advice}"
        )
    keras = next((n for n in state.tensors if "recurrent_kernel" in n), None)
    if keras is not None:
        return CheckpointError(
            f"{state.path}: {state.shown(keras)} is a recurrent weight under Keras's name, whose "
            "gate order only Keras's own file tells: export from that file"
        )
    names = [state.shown(name) for name in state.tensors]
    if not names and state.ignored:
        return CheckpointError(
            f"{state.path} holds {len(state.ignored)} tensors of an optimizer or other states of "
            f"training ({next(iter(state.ignored))}, …) and no model: expected its state_dict(); "
            "save that beside them"
        )
    if names and all(name.replace(".", "").isdecimal() for name in names):
        return CheckpointError(
            f"{state.path} holds tensors without names ({', '.join(names[:6])}), as a list of "
            "parameters has them: expected module.state_dict(), which names them; save that"
        )
    held = ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")
    return CheckpointError(
        f"{state.path} holds no recurrent weights: expected weight_ih_l0 and weight_hh_l0 of an "
        f"LSTM, GRU or RNN, or a cell's weight_ih and weight_hh; it holds {held or 'no tensors'}. "
        "A recurrence of other layers needs your own class, with --module"
    )


def _by_hand(groups: Sequence[Group]) -> str | None:
    """Linear layers for the input and the state of a cell: both give its 4 or 3 gates."""
    linear = [g for g in groups if g.kind == "linear" and g.gives is not None]
    for group in linear:
        if group.takes and group.gives in (3 * group.takes, 4 * group.takes):
            other = next((g for g in linear if g is not group and g.gives == group.gives), None)
            if other is not None:
                return " and ".join(sorted((group.name, other.name)))
    return None
