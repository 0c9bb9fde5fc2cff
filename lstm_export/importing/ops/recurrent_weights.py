"""The tensors of a recurrent step, sorted into layers and directions, their sizes checked.

A role is what `cells` calls the tensor, then `_l0`, `_l1`, … for the layer (left out: layer 0, as
nn.LSTMCell and Keras have it) and `_reverse` for the second direction. `initial_h` and `initial_c`
are states to start from that the file holds: of one layer with the layer's number, or of all as
(layers · directions, [1,] size).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from lstm_export.importing.description import Step
from lstm_export.importing.ops.arrangement import arrangement, check_biases
from lstm_export.importing.ops.op import Float, Tensors, misfit, weight

GATES = {"lstm": 4, "gru": 3, "rnn": 1}
BASES = {
    "torch": ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr"),
    "keras": ("kernel", "recurrent_kernel", "bias"),
    "nam": ("weight", "bias"),
}
_ROLE = re.compile(r"(?P<base>[a-z_]+?)(?:_l(?P<layer>\d{1,4}))?(?P<reverse>_reverse)?")


Weights = Mapping[str, Float]


@dataclass(frozen=True, slots=True)
class Recurrence:
    """Sizes and weights of a recurrent step."""

    input_size: int
    hidden_size: int
    state_size: int
    """Features of h: hidden_size, or the projection's size."""
    directions: int
    layers: tuple[tuple[Weights, ...], ...]
    """By layer, then by direction: tensors by role, in the layout of the file."""
    reset_after: bool
    initial: Mapping[str, Float]
    """h and c to start from, (layers · directions, size), where the file has them and the
    step does not say initial=zeros."""


def recurrence(step: Step, tensors: Tensors) -> Recurrence:
    """The step's weights in order.

    Raises CheckpointError for tensors that are missing, misplaced or of the wrong shape, and for
    options that they contradict.
    """
    arrangement(step)
    found: dict[tuple[int, int], dict[str, str]] = {}
    for role in tensors:
        match = _ROLE.fullmatch(role)
        if match is None or match["base"] not in (*BASES[step.layout], "initial_h", "initial_c"):
            raise misfit(step, f"{step.tensors.get(role, role)} is no tensor of a {step.op}")
        if match["base"] in BASES[step.layout]:
            place = int(match["layer"] or 0), int(match["reverse"] is not None)
            if match["base"] in found.setdefault(place, {}):
                raise misfit(step, f"{role} and {found[place][match['base']]} are the same weight")
            found[place][match["base"]] = role
    depth, directions = _extent(step, found)
    places = [(layer, way) for layer in range(depth) for way in range(directions)]
    if missing := [place for place in places if place not in found]:
        layer, way = missing[0]
        raise misfit(
            step,
            f"expected weights for {depth} layers in {directions} direction(s); layer {layer} has "
            f"none{' for the second direction' * way}",
        )
    hidden, state = _sizes(step, tensors, found[0, 0])
    input_size, sorted_weights = 0, {}
    for place in places:
        columns = None if place[0] == 0 else state * directions
        if place == (0, 1):
            columns = input_size
        one = _layer(step, tensors, found[place], (hidden, state), columns)
        check_biases(step, one)
        sorted_weights[place] = one
        if place == (0, 0):
            input_size = _columns(step, one, state)
    initial = _initial(
        step, tensors, (depth, directions), {"initial_h": state, "initial_c": hidden}
    )
    return Recurrence(
        input_size,
        hidden,
        state,
        directions,
        tuple(
            tuple(sorted_weights[layer, way] for way in range(directions)) for layer in range(depth)
        ),
        _reset_after(step, sorted_weights[0, 0]),
        initial if step.options.get("initial", "file") == "file" else {},
    )


def _extent(step: Step, found: Mapping[tuple[int, int], object]) -> tuple[int, int]:
    if not found:
        wanted = ", ".join(BASES[step.layout][:2])
        raise misfit(step, f"it has no recurrent weights: expected {wanted}")
    depth = 1 + max(layer for layer, _ in found)
    directions = 1 + max(way for _, way in found)
    if (given := step.options.get("layers", depth)) != depth:
        raise misfit(step, f"layers={given}, but its tensors are those of {depth}")
    if (given := step.options.get("bidirectional", directions == 2)) != (directions == 2):
        word = str(bool(given)).lower()
        raise misfit(step, f"bidirectional={word}, but its tensors have {directions} direction(s)")
    return depth, directions


def _sizes(step: Step, tensors: Tensors, roles: Mapping[str, str]) -> tuple[int, int]:
    """hidden_size and state_size, by the first layer."""
    gates = GATES[step.op]
    matrix = BASES[step.layout][0 if step.layout == "nam" else 1]
    if matrix not in roles:
        raise misfit(step, f"expected a tensor {matrix}; it has {', '.join(roles.values())}")
    shape = tensors[roles[matrix]].shape
    rows = shape[-1] if step.layout == "keras" and shape else shape[0] if shape else 0
    hidden, rest = divmod(rows, gates)
    name = step.tensors.get(roles[matrix], roles[matrix])
    if rest or not hidden:
        raise misfit(step, f"expected {gates} gates of equal size in {name}, got the shape {shape}")
    state = hidden
    if "weight_hr" in roles:
        if step.op != "lstm":
            raise misfit(step, f"only an LSTM has a projection ({roles['weight_hr']})")
        state = weight(step, tensors, roles["weight_hr"], (None, hidden)).shape[0]
    if (given := step.options.get("proj", 0 if state == hidden else state)) and given != state:
        raise misfit(step, f"proj={given}, but the state's size by {name} is {state}")
    return hidden, state


def _layer(
    step: Step,
    tensors: Tensors,
    roles: Mapping[str, str],
    sizes: tuple[int, int],
    columns: int | None,
) -> dict[str, Float]:
    hidden, state = sizes
    rows = GATES[step.op] * hidden
    shapes: dict[str, tuple[int | None, ...]]
    if step.layout == "torch":
        shapes = {"weight_ih": (rows, columns), "weight_hh": (rows, state)}
        optional: dict[str, tuple[int | None, ...]] = {"bias_ih": (rows,), "bias_hh": (rows,)}
        if state != hidden or "weight_hr" in roles:
            shapes["weight_hr"] = (state, hidden)
    elif step.layout == "keras":
        shapes = {"kernel": (columns, rows), "recurrent_kernel": (hidden, rows)}
        doubled = "bias" in roles and step.op == "gru" and tensors[roles["bias"]].ndim == 2
        optional = {"bias": (2, rows) if doubled else (rows,)}
        _refuse_fused(step, tensors, roles.get("bias", ""), rows)
    else:
        shapes = {"weight": (rows, None if columns is None else columns + hidden)}
        optional = {"bias": (rows,)}
    for base, shape in optional.items():
        if base in roles:
            shapes[base] = shape
    return {base: weight(step, tensors, roles.get(base, base), s) for base, s in shapes.items()}


def _refuse_fused(step: Step, tensors: Tensors, bias: str, rows: int) -> None:
    """Raises CheckpointError for the arrays of Keras's CuDNNLSTM and CuDNNGRU: both biases one
    behind the other in one of 8H or 6H, and kernels turned gate by gate."""
    if bias in tensors and step.op != "rnn" and tensors[bias].shape == (2 * rows,):
        gates = GATES[step.op]
        raise misfit(
            step,
            f"{step.tensors.get(bias, bias)} has {2 * rows} values, {2 * gates} for each of "
            f"{rows // gates} units, as Keras's CuDNN{step.op.upper()} has, whose kernels are "
            f"arranged in another way; expected ({rows},): load the weights into "
            f"keras.layers.{step.op.upper()}, which converts them, and save that",
        )


def _columns(step: Step, layer: Mapping[str, Float], state: int) -> int:
    if step.layout == "torch":
        return int(layer["weight_ih"].shape[1])
    if step.layout == "keras":
        return int(layer["kernel"].shape[0])
    size = int(layer["weight"].shape[1]) - state
    if size < 1:
        raise misfit(
            step, f"expected more than {state} columns in its weight, got {layer['weight'].shape}"
        )
    return size


def _reset_after(step: Step, first: Mapping[str, Float]) -> bool:
    """Where a GRU applies its reset gate: torch always after; Keras as the bias's shape says."""
    if step.op != "gru":
        return True
    given = step.options.get("reset_after")
    if step.layout != "keras":
        if given is False:
            raise misfit(step, "reset_after=false is not what torch computes")
        return True
    if "bias" in first:
        doubled = first["bias"].ndim == 2
        if given is False and doubled:
            raise misfit(step, "reset_after=false has one bias, but this one is (2, 3H)")
        return doubled if given is None else bool(given)
    if given is None:
        raise misfit(
            step, "without a bias its shapes do not say where the reset gate is: give reset_after"
        )
    return bool(given)


def _initial(
    step: Step, tensors: Tensors, extent: tuple[int, int], sizes: Mapping[str, int]
) -> dict[str, Float]:
    directions, rows = extent[1], extent[0] * extent[1]
    states: dict[str, Float] = {}
    for base, size in sizes.items():
        parts = {role: tensors[role] for role in tensors if role.startswith(base)}
        if not parts:
            continue
        if base == "initial_c" and step.op != "lstm":
            raise misfit(step, "only an LSTM has an initial_c")
        if base in parts and len(parts) == 1:
            array = np.asarray(parts[base], dtype=np.float64)
            if array.shape not in {(rows, size), (rows, 1, size), (size,) * (rows == 1)}:
                name = step.tensors.get(base, base)
                raise misfit(step, f"expected {name} of shape ({rows}, {size}), got {array.shape}")
            states[base] = array.reshape(rows, size)
            continue
        ways = [divmod(row, directions) for row in range(rows)]
        ends = [(f"_l{layer}", "_reverse" * way, layer == 0) for layer, way in ways]
        names = [
            base + reverse if bare and base + reverse in parts else base + number + reverse
            for number, reverse, bare in ends
        ]
        states[base] = np.stack([weight(step, tensors, name, (size,)) for name in names])
        if left := parts.keys() - set(names):
            raise misfit(step, f"{min(left)} belongs to no layer and direction of it")
    return states
