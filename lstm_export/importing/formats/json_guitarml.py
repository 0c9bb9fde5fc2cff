"""GuitarML's JSON (Proteus, NeuralPi), written by Automated-GuitarAmpModelling.

Source: github.com/Alec-Wright/CoreAudioML, networks.py: SimpleRNN.save_model writes model_data
(model, input_size, skip, output_size, unit_type, num_layers, hidden_size, bias_fl) and state_dict
of torch's names (rec.weight_ih_l0, …, lin.weight). RecNet.save_model, its older form, writes blocks
(block_type, input_size, output_size, hidden_size) and names layers.block_1.rec.weight_ih_l0, ….
The first `skip` channels of the input are added to the output.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lstm_export.errors import CheckpointError
from lstm_export.importing.formats.json_arrays import array_of, whole_number
from lstm_export.importing.formats.json_state_dict import raw_file
from lstm_export.importing.pickles.values import shown
from lstm_export.importing.raw import Array, RawFile, RawLayer

NAME = "GuitarML"
_ROWS = {"LSTM": 4, "GRU": 3, "RNN": 1}


def matches(value: dict[str, Any]) -> bool:
    """Whether the object has model_data, as a mapping."""
    return isinstance(value.get("model_data"), dict)


def read(path: Path, value: dict[str, Any]) -> RawFile:
    """The layers that `value` declares: lstm, gru or rnn, linear, and skip where it is used.

    Their layout is "torch" and so are their roles (weight_ih_l0, …). Raises CheckpointError for
    another model, weights that were never saved, and shapes that the declared sizes contradict.
    """
    model = value["model_data"]
    name, state = model.get("model", "SimpleRNN"), value.get("state_dict")
    if not isinstance(state, dict):
        raise CheckpointError(
            f"{path}: expected the weights under state_dict, found none: they were never saved, "
            "only the sizes; save the model with save_state on"
        )
    tensors = {key: array_of(lists, f"{path}: {shown(key)}") for key, lists in state.items()}
    if name == "SimpleRNN":
        layers = _layers(path, model, "", tensors)
    elif name == "RecNet" and isinstance(value.get("blocks"), dict) and value["blocks"]:
        layers = []
        for index, block in enumerate(value["blocks"].values()):
            layers += _layers(path, block, f"layers.block_{index + 1}.", tensors)
    else:
        raise CheckpointError(
            f"{path}: model_data declares the model {name!r:.40}, expected SimpleRNN or RecNet"
        )
    if skip := whole_number(model, "skip", f"{path}: model_data", 0, default=0):
        layers.append(RawLayer("skip", "skip", {"channels": skip}, {}, "torch"))
    words = {key: item for key, item in value.items() if key != "state_dict"}
    return raw_file(path, NAME, tensors, words, layers=tuple(layers))


def _layers(path: Path, declared: Any, prefix: str, tensors: dict[str, Array]) -> list[RawLayer]:
    where = f"{path}: {prefix}rec"
    if not isinstance(declared, dict):
        raise CheckpointError(f"{where}: expected its sizes, found {str(declared)[:40]}")
    unit = declared.get("unit_type", declared.get("block_type"))
    if not isinstance(unit, str) or unit not in _ROWS:
        raise CheckpointError(
            f"{where}: expected unit_type {', '.join(_ROWS)}, found {str(unit)[:40]!r}"
        )
    width = whole_number(declared, "input_size", where, default=1)
    hidden = whole_number(declared, "hidden_size", where)
    depth = whole_number(declared, "num_layers", where, default=1)
    outputs = whole_number(declared, "output_size", where, default=1)
    if depth > len(tensors):
        raise CheckpointError(f"{where}: num_layers is {depth}, {len(tensors)} tensors are there")
    rows = _ROWS[unit] * hidden
    recurrent: dict[str, tuple[int, ...]] = {}
    for layer in range(depth):
        recurrent |= {
            f"weight_ih_l{layer}": (rows, hidden if layer else width),
            f"weight_hh_l{layer}": (rows, hidden),
            f"bias_ih_l{layer}": (rows,),
            f"bias_hh_l{layer}": (rows,),
        }
    head: dict[str, tuple[int, ...]] = {"weight": (outputs, hidden)}
    if declared.get("bias_fl", declared.get("lin_bias", f"{prefix}lin.bias" in tensors)):
        head["bias"] = (outputs,)
    sizes = f"{unit}, input_size {width}, hidden_size {hidden}, output_size {outputs}"
    return [
        RawLayer(
            unit.lower(),
            f"{prefix}rec",
            {},
            _roles(path, f"{prefix}rec", recurrent, tensors, sizes),
            "torch",
        ),
        RawLayer(
            "linear",
            f"{prefix}lin",
            {},
            _roles(path, f"{prefix}lin", head, tensors, sizes),
            "torch",
        ),
    ]


def _roles(
    path: Path,
    name: str,
    shapes: dict[str, tuple[int, ...]],
    tensors: dict[str, Array],
    sizes: str,
) -> dict[str, str]:
    for role, shape in shapes.items():
        array = tensors.get(f"{name}.{role}")
        if array is None:
            raise CheckpointError(
                f"{path}: expected {name}.{role} in the state_dict, which has "
                f"{shown(', '.join(list(tensors)[:8]), 160) or 'nothing'}"
            )
        if array.shape != shape:
            raise CheckpointError(
                f"{path}: {name}.{role} is {array.shape}, but {sizes} are declared, which make it "
                f"{shape}"
            )
    return {role: f"{name}.{role}" for role in shapes}
