"""LSTM, GRU and RNN over a sequence: layers on top of each other, in one direction or two.

In: x (batch, sequence_length, input_size), or with batch_first=false (sequence_length, batch,
input_size); lengths (batch,); initial_h and initial_c (layers · directions, batch, size).
Out: y like x with directions · state_size features, then the final h and, of an LSTM, c. Zeros
are where no state is given. With lengths, y is zero behind a sequence's end, the second direction
starts at it, and the final states are those at it, as torch's packed sequences have it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lstm_export.errors import InputError
from lstm_export.importing.description import Step
from lstm_export.importing.ops.arrangement import arrangement
from lstm_export.importing.ops.arrangement import options as arrangement_options
from lstm_export.importing.ops.cells import Cell, State, gru_cell, lstm_cell, rnn_cell
from lstm_export.importing.ops.op import (
    Axes,
    Float,
    Op,
    Option,
    Tensors,
    misfit,
    of_rank,
    of_size,
    shown,
    taken,
)
from lstm_export.importing.ops.recurrent_weights import BASES, Recurrence, Weights, recurrence
from lstm_export.importing.ops.steps import valid_lengths
from lstm_export.importing.raw import Array


def is_batch_first(step: Step) -> bool:
    """Whether the first axis of x is the batch, as it is unless said otherwise."""
    return bool(step.options.get("batch_first", True))


def _axes(step: Step, tensors: Tensors, inputs: Sequence[Axes]) -> tuple[Axes, ...]:
    sizes, x = recurrence(step, tensors), of_rank(step, inputs[0], 3)
    of_size(step, x, 2, sizes.input_size, "the columns of its input weights")
    batch, rows = x[0 if is_batch_first(step) else 1], len(sizes.layers) * sizes.directions
    h: Axes = (rows, batch, sizes.state_size)
    c: Axes = (rows, batch, sizes.hidden_size)
    wanted: dict[str, Axes] = {"lengths": (batch,), "initial_h": h, "initial_c": c}
    given = taken(step, inputs)
    for name, axes in given.items():
        if axes != wanted[name]:
            raise misfit(step, f"{name}: expected {shown(wanted[name])}, got {shown(axes)}")
    if step.op == "lstm" and ("initial_h" in given) != ("initial_c" in given):
        raise misfit(step, "an LSTM takes initial_h and initial_c together")
    y: Axes = (*x[:2], sizes.directions * sizes.state_size)
    return (y, h, c)[: 3 if step.op == "lstm" else 2]


def _cell(step: Step, weights: Weights, reset_after: bool) -> Cell:
    arranged = arrangement(step)
    if step.op == "lstm":
        return lstm_cell(weights, arranged)
    if step.op == "gru":
        return gru_cell(weights, arranged, reset_after)
    return rnn_cell(weights, arranged, step.options.get("activation", "tanh"))


def _oracle(step: Step, tensors: Tensors, inputs: Sequence[Array]) -> tuple[Array, ...]:
    sizes, given = recurrence(step, tensors), taken(step, inputs)
    x = np.asarray(inputs[0], dtype=np.float64)
    if not is_batch_first(step):
        x = x.swapaxes(0, 1)
    batch, time = x.shape[:2]
    lengths = given.get("lengths", np.full(batch, time))
    valid = np.arange(time)[None, :] < valid_lengths(lengths, batch, time)[:, None]
    states = _initial(step, sizes, given, batch)
    finals: list[State] = []
    for layer in sizes.layers:
        outputs = []
        for way, weights in enumerate(layer):
            state = tuple(part[len(finals)] for part in states)
            cell = _cell(step, weights, sizes.reset_after)
            y, state = _direction(cell, x, valid, state, backward=way == 1)
            outputs.append(y)
            finals.append(state)
        x = np.concatenate(outputs, axis=2)
    y = x if is_batch_first(step) else x.swapaxes(0, 1)
    return (y, *(np.stack(part) for part in zip(*finals, strict=True)))


def _direction(
    cell: Cell, x: Float, valid: Array, state: State, *, backward: bool
) -> tuple[Float, State]:
    """One layer one way: a sequence keeps its state at every step that is not valid."""
    y = np.zeros((*x.shape[:2], state[0].shape[1]))
    order = range(x.shape[1])
    for t in reversed(order) if backward else order:
        now = valid[:, t, None]
        new = cell(x[:, t], state)
        state = tuple(np.where(now, a, b) for a, b in zip(new, state, strict=True))
        y[:, t] = np.where(now, new[0], 0.0)
    return y, state


def _initial(
    step: Step, sizes: Recurrence, given: dict[str, Array], batch: int
) -> tuple[Float, ...]:
    rows, states = len(sizes.layers) * sizes.directions, []
    for name, size in (("initial_h", sizes.state_size), ("initial_c", sizes.hidden_size)):
        if name == "initial_c" and step.op != "lstm":
            continue
        shape = (rows, batch, size)
        if name in given:
            if given[name].shape != shape:
                raise InputError(f"{name}: expected {shape}, got {given[name].shape}")
            states.append(np.asarray(given[name], dtype=np.float64))
        elif name in sizes.initial:
            states.append(np.broadcast_to(sizes.initial[name][:, None, :], shape))
        else:
            states.append(np.zeros(shape))
    return tuple(states)


_OPTIONS = {
    "layers": Option(int),
    "bidirectional": Option(bool),
    "batch_first": Option(bool, True),
    # Nothing between layers is dropped at inference.
    "dropout": Option(float, 0.0),
}
_OWN = {
    "lstm": {"proj": Option(int)},
    "gru": {"reset_after": Option(bool)},
    "rnn": {"activation": Option(str, "tanh", ("tanh", "relu"))},
}


def _roles(layout: str) -> tuple[str, ...]:
    bases = "|".join((*BASES[layout], "initial_h", "initial_c"))
    return (rf"({bases})(_l\d{{1,4}})?(_reverse)?",)


def _op(name: str) -> Op:
    takes = ("lengths", "initial_h", "initial_c")[: 3 if name == "lstm" else 2]
    layouts = ("torch", "keras", "nam") if name == "lstm" else ("torch", "keras")
    return Op(
        name,
        _axes,
        _oracle,
        {**_OPTIONS, **_OWN[name], **arrangement_options(name)},
        roles={layout: _roles(layout) for layout in layouts},
        takes=takes,
        outputs=3 if name == "lstm" else 2,
        input_size=lambda step, tensors: recurrence(step, tensors).input_size,
        optional=frozenset(takes),
    )


RECURRENT = tuple(map(_op, ("lstm", "gru", "rnn")))
