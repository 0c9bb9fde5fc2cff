"""Neural Amp Modeler's `.nam` files of architecture LSTM.

Source: github.com/sdatkinson/neural-amp-modeler, nam/models/recurrent.py (`_export_config`,
`_export_weights`) and github.com/sdatkinson/NeuralAmpModelerCore, NAM/lstm.cpp. `weights` is one
flat list, row-major: for each layer [W_ih W_hh], (4H, I + H), gates i, f, g, o; the sum of both
biases, (4H,); the initial hidden and cell states, (H,) each; then the head's weight,
(out_channels, H), and bias, (out_channels,).
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from lstm_export.errors import CheckpointError
from lstm_export.importing.formats.json_arrays import array_of, whole_number
from lstm_export.importing.formats.json_state_dict import raw_file
from lstm_export.importing.raw import Array, RawFile, RawLayer

NAME = "Neural Amp Modeler"


def matches(value: dict[str, Any]) -> bool:
    """Whether an architecture, a config and weights are there."""
    return {"architecture", "config", "weights"} <= value.keys()


def read(path: Path, value: dict[str, Any]) -> RawFile:
    """The layers of the model in `value`, layout "nam", and its linear head, layout "torch".

    The roles are weight, bias, initial_h and initial_c. Raises CheckpointError for another
    architecture, and where the config and the number of weights disagree.
    """
    if value["architecture"] != "LSTM":
        raise CheckpointError(
            f"{path}: a Neural Amp Modeler file of architecture {value['architecture']!r:.40}, "
            "expected LSTM: the others have no recurrent layer"
        )
    config, where = value["config"], f"{path}: config"
    if not isinstance(config, dict):
        raise CheckpointError(f"{where}: expected an object, found {str(config)[:40]}")
    hidden, depth, width = (
        whole_number(config, name, where) for name in ("hidden_size", "num_layers", "input_size")
    )
    outputs = whole_number(config, "out_channels", where, default=1)
    numbers = array_of(value["weights"], f"{path}: weights")
    per_layer = 4 * hidden * (hidden + 1) + 2 * hidden
    needed = depth * per_layer + 4 * hidden * (width + (depth - 1) * hidden)
    needed += outputs * (hidden + 1)
    if numbers.shape != (needed,):
        raise CheckpointError(
            f"{path}: config declares input_size {width}, hidden_size {hidden}, num_layers {depth} "
            f"and {outputs} outputs, which take {needed} weights; the list has "
            f"{' x '.join(map(str, numbers.shape))}"
        )
    tensors, layers, at = dict[str, Array](), list[RawLayer](), 0
    for index in range(depth):
        inputs = width if index == 0 else hidden
        name = f"layers.{index}"
        shapes: dict[str, tuple[int, ...]] = {
            "weight": (4 * hidden, inputs + hidden),
            "bias": (4 * hidden,),
            "initial_h": (hidden,),
            "initial_c": (hidden,),
        }
        at = _take(numbers, at, name, shapes, tensors)
        roles = {role: f"{name}.{role}" for role in shapes}
        layers.append(RawLayer("lstm", name, {}, roles, "nam"))
    _take(numbers, at, "head", {"weight": (outputs, hidden), "bias": (outputs,)}, tensors)
    roles = {"weight": "head.weight", "bias": "head.bias"}
    layers.append(RawLayer("linear", "head", {}, roles, "torch"))
    return raw_file(
        path,
        NAME,
        tensors,
        {name: item for name, item in value.items() if name != "weights"},
        layers=tuple(layers),
        notes=("the initial states are the file's: a half second of silence, run before export",),
    )


def _take(
    numbers: Array,
    at: int,
    name: str,
    shapes: dict[str, tuple[int, ...]],
    tensors: dict[str, Array],
) -> int:
    for role, shape in shapes.items():
        count = math.prod(shape)
        tensors[f"{name}.{role}"] = numbers[at : at + count].reshape(shape)
        at += count
    return at
