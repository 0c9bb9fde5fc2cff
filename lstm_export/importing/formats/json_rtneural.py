"""Layer lists as RTNeural reads them, with Keras's layouts; AIDA-X adds in_skip and gains.

Source: github.com/jatinchowdhury18/RTNeural, RTNeural/model_loader.h and python/model_utils.py, and
github.com/AidaDSP/AIDA-X for in_skip, in_gain and out_gain. `in_shape` and each layer's `shape`
are Keras's, the last entry the width. Weights are layer.get_weights(): dense (in, out), (out,);
lstm (in, 4H), (H, 4H), (4H,), gates i, f, c, o; gru (in, 3H), (H, 3H), (2, 3H), gates z, r, h;
conv1d (kernel, in / groups, out), (out,), causal; prelu (1, n); batchnorm gamma, beta, mean,
variance, (n,) each, or the last two alone. RTNeural gives an output at every step.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lstm_export.errors import CheckpointError
from lstm_export.importing.formats.json_arrays import array_of, whole_number
from lstm_export.importing.formats.json_state_dict import raw_file
from lstm_export.importing.pickles.values import shown
from lstm_export.importing.raw import Array, RawFile, RawLayer

NAME = "RTNeural"
_KINDS = {
    "dense": "linear",
    "time-distributed-dense": "linear",
    "lstm": "lstm",
    "gru": "gru",
    "conv1d": "conv1d",
    "prelu": "prelu",
    "batchnorm": "batch_norm",
    "activation": "activation",
}
_ACTIVATIONS = ("", "tanh", "relu", "sigmoid", "softmax", "elu")


def matches(value: dict[str, Any]) -> bool:
    """Whether the object has in_shape and a list of layers."""
    return "in_shape" in value and isinstance(value.get("layers"), list)


def read(path: Path, value: dict[str, Any]) -> RawFile:
    """The layers of `value`, layout "keras", roles as Keras names its weights; an activation after
    a layer is a layer of its own.

    Raises CheckpointError for a type of layer that RTNeural's description cannot hold here, and
    for arrays that a declared size contradicts.
    """
    width = _last(value["in_shape"], f"{path}: in_shape")
    tensors, layers, notes = dict[str, Array](), list[RawLayer](), list[str]()
    for index, entry in enumerate(value["layers"]):
        where = f"{path}: layers[{index}]"
        found = entry.get("type") if isinstance(entry, dict) else entry
        if not isinstance(entry, dict) or not isinstance(found, str) or found not in _KINDS:
            raise CheckpointError(
                f"{where}: expected a layer of type {', '.join(_KINDS)}, found {str(found)[:40]!r}"
            )
        name, kind = f"layers.{index}", _KINDS[found]
        layer, width = _layer(where, name, kind, entry, width, tensors)
        layers += [layer] if kind != "activation" else []
        activation = _activation(where, kind, entry)
        if activation:
            layers.append(RawLayer(activation, f"{name}.{activation}", {}, {}, "keras"))
        if (
            kind in ("lstm", "gru")
            and isinstance(entry["shape"], list)
            and len(entry["shape"]) == 2
        ):
            notes.append(
                f"{name} ends the sequence in Keras (its shape has no time axis); RTNeural goes on "
                "giving an output at every step, and so do these layers"
            )
    if not layers:
        raise CheckpointError(f"{path}: expected layers, found an empty list")
    if skip := whole_number(value, "in_skip", str(path), 0, default=0):
        layers.append(RawLayer("skip", "skip", {"channels": skip}, {}, "keras"))
    notes += [
        f"{gain} of {shown(str(value[gain]), 20)} dB is not applied: the plug-in does that around "
        "the network"
        for gain in ("in_gain", "out_gain")
        if value.get(gain)
    ]
    words = {name: item for name, item in value.items() if name != "layers"}
    return raw_file(path, NAME, tensors, words, layers=tuple(layers), notes=tuple(notes))


def _layer(
    where: str,
    name: str,
    kind: str,
    entry: dict[str, Any],
    width: int,
    tensors: dict[str, Array],
) -> tuple[RawLayer, int]:
    """The layer, and how many values a step it gives; its arrays go into `tensors`."""
    units = _last(entry.get("shape"), f"{where}: shape")
    given = entry.get("weights", [])
    if not isinstance(given, list):
        raise CheckpointError(f"{where}: expected a list of weights, found {str(given)[:40]}")
    arrays = [array_of(lists, f"{where}: weights[{i}]") for i, lists in enumerate(given)]
    options = _options(where, kind, entry)
    if kind in ("prelu", "batch_norm", "activation") and units != width:
        raise CheckpointError(
            f"{where}: a {kind} layer declares {units} values a step, the layer before it gives "
            f"{width}"
        )
    if kind == "conv1d" and width % options["groups"]:
        raise CheckpointError(f"{where}: {width} channels in {options['groups']} groups")
    if kind == "gru":
        options["reset_after"] = len(arrays) < 3 or arrays[2].ndim == 2
    kernel_size = (
        _last(entry.get("kernel_size"), f"{where}: kernel_size") if kind == "conv1d" else 1
    )
    shapes = _shapes(kind, width, units, options, kernel_size)
    if len(arrays) not in [len(choice) for choice in shapes]:
        counts = " or ".join(str(len(choice)) for choice in shapes)
        raise CheckpointError(
            f"{where}: expected {counts} arrays of weights for a {kind} layer, found {len(arrays)}"
        )
    wanted = next(choice for choice in shapes if len(choice) == len(arrays))
    for array, (role, needed) in zip(arrays, wanted.items(), strict=True):
        if array.shape != needed:
            raise CheckpointError(
                f"{where}: the {kind} declares {units} units on {width} inputs, so {role} is "
                f"{needed}; the array is {array.shape}"
            )
        tensors[f"{name}.{role}"] = array
    roles = {role: f"{name}.{role}" for role in wanted}
    return RawLayer(kind, name, options, roles, "keras"), units


def _activation(where: str, kind: str, entry: dict[str, Any]) -> str:
    """The activation after the layer, "" for none; a recurrent layer has its own within."""
    activation = entry.get("activation", "")
    if activation not in _ACTIVATIONS:
        raise CheckpointError(
            f"{where}: expected an activation of {', '.join(_ACTIVATIONS[1:])}, found "
            f"{str(activation)[:40]!r}"
        )
    if kind in ("lstm", "gru"):
        if activation not in ("", "tanh"):
            raise CheckpointError(
                f"{where}: the {kind} declares the activation {activation}, but RTNeural computes "
                "tanh whatever is written: write tanh there if that is meant"
            )
        return ""
    return str(activation) if kind in ("linear", "conv1d", "activation") else ""


def _options(where: str, kind: str, entry: dict[str, Any]) -> dict[str, Any]:
    if kind == "conv1d":
        return {
            "dilation": _last(entry.get("dilation"), f"{where}: dilation"),
            "groups": whole_number(entry, "groups", where, default=1),
            "padding": "causal",
        }
    if kind == "batch_norm":
        epsilon = entry.get("epsilon")
        if type(epsilon) not in (int, float):
            raise CheckpointError(f"{where}: expected epsilon as a number, found {epsilon!r:.40}")
        return {"eps": epsilon}
    return {}


def _shapes(
    kind: str, width: int, units: int, options: dict[str, Any], kernel_size: int
) -> list[dict[str, tuple[int, ...]]]:
    """The roles and shapes that a layer may have, in the order of its weights."""
    if kind in ("lstm", "gru"):
        columns = (4 if kind == "lstm" else 3) * units
        double = kind == "gru" and options["reset_after"]
        bare: dict[str, tuple[int, ...]] = {
            "kernel": (width, columns),
            "recurrent_kernel": (units, columns),
        }
        return [bare | {"bias": (2, columns) if double else (columns,)}, bare]
    if kind == "linear":
        return [{"kernel": (width, units), "bias": (units,)}, {"kernel": (width, units)}]
    if kind == "conv1d":
        kernel = (kernel_size, width // options["groups"], units)
        return [{"kernel": kernel, "bias": (units,)}, {"kernel": kernel}]
    if kind == "prelu":
        return [{"alpha": (1, units)}]
    if kind == "batch_norm":
        moving: dict[str, tuple[int, ...]] = {
            "moving_mean": (units,),
            "moving_variance": (units,),
        }
        return [{"gamma": (units,), "beta": (units,)} | moving, moving]
    return [{}]


def _last(value: object, where: str) -> int:
    size = value[-1] if isinstance(value, list) and value else value
    if type(size) is not int or not 1 <= size < 1 << 31:
        raise CheckpointError(
            f"{where}: expected a size, or a list that ends in one, found {str(value)[:40]}"
        )
    return size
