"""What a file says beside its arrays, held against them: contradictions are refused by name.

A value is a layer's own where its path is the layer's name (`lstm.batch_first`, as pickled modules
and TorchScript have it), else it speaks of the whole model (`hyper_parameters.hidden_size`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from lstm_export.errors import CheckpointError
from lstm_export.importing.infer.group import Group
from lstm_export.importing.infer.state import State
from lstm_export.importing.ops.registry import OPS

_OPTIONS: Mapping[str, tuple[str, ...]] = {
    "lstm": ("batch_first",),
    "gru": ("batch_first",),
    "rnn": ("batch_first",),
    "conv1d": ("stride", "padding", "dilation", "groups"),
    "layer_norm": ("eps",),
    "rms_norm": ("eps",),
    "group_norm": ("eps",),
    "batch_norm": ("eps",),
}
_DEFAULTS = {
    "batch_first": True,
    "stride": 1,
    "padding": 0,
    "dilation": 1,
    "groups": 1,
    "eps": 1e-5,
}
_WHOLE = ("hidden_size", "num_layers", "proj_size", "bidirectional")
_CELL = ("mode", "unit_type", "cell_type", "rnn_type")
_CELLS = {"LSTM": "lstm", "GRU": "gru", "RNN": "rnn", "RNN_TANH": "rnn", "RNN_RELU": "rnn"}


def with_declared(state: State, groups: Sequence[Group]) -> tuple[Group, ...]:
    """`groups` with the options that the file declares of each.

    Raises CheckpointError if a declared size, direction or cell is not what the arrays have.
    """
    by_name = {group.name: group for group in groups}
    own: dict[str, dict[str, Any]] = {}
    for path, value in state.declared.items():
        module, _, key = path.rpartition(".")
        if module in by_name:
            own.setdefault(module, {})[key] = value
            _check_own(state, by_name[module], key, path, value)
        else:
            _check_whole(state, groups, key, path, value)
    return tuple(
        replace(group, options={**group.options, **_options(state, group, own.get(group.name, {}))})
        for group in groups
    )


def _options(state: State, group: Group, declared: Mapping[str, Any]) -> dict[str, Any]:
    options: dict[str, Any] = {}
    for key in _OPTIONS.get(group.kind, ()):
        value = _single(declared.get(key))
        default = None if group.kind == "rms_norm" else _DEFAULTS[key]
        if value is None or value == default:
            continue
        if (expected := OPS[group.kind].options[key].problem(value)) is not None:
            raise CheckpointError(
                f"{state.path} declares {group.name}.{key} = {value}, expected {expected}: no such "
                f"{group.kind} can be built; give the layers with --layers"
            )
        options[key] = value
    if group.kind == "rnn" and (
        declared.get("nonlinearity") == "relu" or declared.get("mode") == "RNN_RELU"
    ):
        options["activation"] = "relu"
    return options


def _check_own(state: State, group: Group, key: str, path: str, value: Any) -> None:
    has = _sizes(group).get(key)
    given = _single(value)
    if key in _CELL and isinstance(value, str) and value.upper() in _CELLS:
        has, given = group.kind, _CELLS[value.upper()]
    if (
        has is None
        or not isinstance(given, int | str)
        or isinstance(has, str) != (isinstance(given, str))
    ):
        return
    if key == "in_channels":
        groups = state.declared.get(f"{group.name}.groups", 1)
        has *= groups if isinstance(groups, int) else 1
    if has != given:
        raise _contradiction(state, path, value, [group], key)


def _check_whole(state: State, groups: Sequence[Group], key: str, path: str, value: Any) -> None:
    recurrent = [group for group in groups if group.recurrent]
    if not recurrent:
        return
    if key in _CELL and isinstance(value, str) and value.upper() in _CELLS:
        if _CELLS[value.upper()] not in {group.kind for group in recurrent}:
            raise _contradiction(state, path, value, recurrent, key)
        return
    if key not in _WHOLE or not isinstance(value, int):
        return
    has = {_sizes(group)[key] for group in recurrent}
    if key == "num_layers":
        has.add(len(recurrent))  # a stack of cells, or of layers one by one
    if value not in has:
        raise _contradiction(state, path, value, recurrent, key)


def _sizes(group: Group) -> dict[str, Any]:
    """The arguments of torch's constructor as the arrays have them."""
    sizes: dict[str, Any] = dict(group.sizes)
    if group.recurrent:
        sizes["bidirectional"] = sizes.pop("num_directions") == 2
        sizes.setdefault("proj_size", 0)
    return sizes


def _contradiction(
    state: State, path: str, value: Any, groups: Sequence[Group], key: str
) -> CheckpointError:
    told = " and ".join(_evidence(state, groups, key))
    return CheckpointError(
        f"{state.path} declares {path} = {value}, and its arrays contradict it: {told}; the two "
        "are not of one model, so take the weights and the settings from the same run"
    )


def _evidence(state: State, groups: Sequence[Group], key: str) -> Iterator[str]:
    for group in groups[:4]:
        role = "weight_hh_l0" if group.recurrent else "weight"
        name = group.tensors.get(role, next(iter(group.tensors.values())))
        sizes = _sizes(group)
        has = group.kind if key in _CELL else f"{key} {sizes[key]}"
        yield f"{state.shown(name)} {state.tensors[name].shape} is of {has}"


def _single(value: Any) -> Any:
    """(3,) as torch keeps the sizes of a convolution, as 3."""
    if isinstance(value, tuple | list) and len(value) == 1:
        return value[0]
    return value
