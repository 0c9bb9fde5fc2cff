"""How a recurrent layer's arrays are meant: the order of gates, which biases count, the states."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations

from lstm_export.importing.expect.alternatives.alternative import (
    Alternative,
    called,
    recurrent_steps,
)
from lstm_export.importing.expect.case import Case
from lstm_export.importing.expect.edits import changed
from lstm_export.importing.layers.layers import Layers

# Orders that programs have, before those that none is known to have: Keras and TensorFlow 2 as
# torch, TensorFlow 1's BasicLSTMCell, ONNX, CNTK and MXNet's fused kernels; of GRUs Keras, ONNX.
_KNOWN = {"lstm": ("ifgo", "igfo", "iofg", "ifog", "fiog", "figo", "gifo"), "gru": ("rzn", "zrn")}


def gate_order(case: Case) -> Iterator[Alternative]:
    """Every order of the gates, in all recurrent layers of a kind at once."""
    for op, known in _KNOWN.items():
        places = [i for i in recurrent_steps(case.layers) if case.layers.steps[i].op == op]
        if not places:
            continue
        rest = ["".join(order) for order in permutations(sorted(known[0]))]
        for order in dict.fromkeys((*known, *rest)):
            layers = _all(case.layers, places, "gates", order)
            names = " and ".join(called(case.layers, i) for i in places)
            sentence = f"the gates of {names} are stacked in the order {', '.join(order)}"
            yield Alternative(sentence, layers, f"gates {op}")


def biases(case: Case) -> Iterator[Alternative]:
    """One of two biases, none, or the only one counted twice."""
    places = recurrent_steps(case.layers)
    said = {
        "input": "only the input's bias counts (bias_hh is left out)",
        "recurrent": "only the recurrent bias counts (bias_ih is left out)",
        "twice": "the only bias counts twice, as it does copied into bias_ih and bias_hh",
        "none": "no bias counts",
        "both": "both biases count",
    }
    for word, sentence in said.items():
        layers = _all(case.layers, places, "bias", word)
        yield Alternative(f"of the recurrent layers {sentence}", layers, "bias")


def zero_start(case: Case) -> Iterator[Alternative]:
    """A file's initial states left aside."""
    places = recurrent_steps(case.layers)
    held = [
        i
        for i in places
        if any(role.startswith("initial_") for role in case.description.steps[i].tensors)
    ]
    if held:
        layers = _all(case.layers, held, "initial", "zeros")
        yield Alternative("the states start from zeros, not from the file's", layers, "start")


def _all(layers: Layers, places: list[int], option: str, value: str) -> Layers:
    default = {"bias": "both", "initial": "file"}.get(option)
    for index in places:
        layers = changed(layers, index, **{option: None if value == default else value})
    return layers
