"""gates, bias and initial: what they do to the tensors, against tensors rearranged by hand."""

from __future__ import annotations

import sys
from itertools import permutations
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lstm_export.errors import CheckpointError, OptionError
from lstm_export.importing.layers.grammar import parse
from lstm_export.importing.layers.text import to_text
from lstm_export.importing.layers.toml import from_toml
from lstm_export.importing.reference import run

sys.path.insert(0, str(Path(__file__).parent))

from descriptions import Arrays, Weights, recurrent_roles

KINDS = (("lstm", "torch", "ifgo"), ("gru", "torch", "rzn"), ("lstm", "keras", "ifgo"))
CASES = (*KINDS, ("gru", "keras", "zrn"), ("lstm", "nam", "ifgo"))


def made(kind: str, layout: str, bias: str = "both") -> Weights:
    """A layer on 3 features with 4 units, with states to start from."""
    weights = Weights(5)
    roles = recurrent_roles(kind, layout, (3, 4), bias=bias, suffix=False)
    weights.add(kind, "r", layout, roles | {"initial_h": (4,)})
    return weights


def output(weights: Weights, text: str) -> npt.NDArray[np.float64]:
    x = np.random.default_rng(9).normal(size=(2, 4, 3))
    return run(weights.description(text), {"x": x})["output"]


def restacked(tensors: Arrays, layout: str, before: str, after: str) -> Arrays:
    """The gates of every tensor that stacks them, `before` → `after`."""
    found = dict(tensors)
    for name, array in tensors.items():
        if "initial" not in name:
            axis = array.ndim - 1 if layout == "keras" else 0
            blocks = np.split(array, len(before), axis)
            found[name] = np.concatenate([blocks[before.index(gate)] for gate in after], axis)
    return found


@pytest.mark.parametrize(("kind", "layout", "own"), CASES)
@settings(deadline=None, max_examples=10)
@given(data=st.data())
def test_gates_in_any_order_are_the_layouts_own_restacked(
    kind: str, layout: str, own: str, data: st.DataObject
) -> None:
    weights = made(kind, layout)
    expected = output(weights, f"r:{kind}")
    order = "".join(data.draw(st.sampled_from([*permutations(own)])))
    weights.tensors = restacked(weights.tensors, layout, own, order)
    spelt = order.translate(data.draw(st.sampled_from([{}, str.maketrans("gzn", "cuh")])))
    assert np.array_equal(output(weights, f"r:{kind}(gates={spelt})"), expected)
    if order != own:
        assert not np.allclose(output(weights, f"r:{kind}"), expected)


@pytest.mark.parametrize("kind", ["lstm", "gru", "rnn"])
def test_biases_that_do_not_count_are_zeros(kind: str) -> None:
    for counted, zeroed in (
        ("input", ("bias_hh",)),
        ("recurrent", ("bias_ih",)),
        ("none", ("bias_ih", "bias_hh")),
    ):
        weights = made(kind, "torch")
        found = output(weights, f"r:{kind}(bias={counted})")
        assert not np.allclose(found, output(weights, f"r:{kind}"))
        for role in zeroed:
            weights.tensors[f"r.{role}"][:] = 0
        assert np.array_equal(found, output(weights, f"r:{kind}(bias=both)"))


@pytest.mark.parametrize("role", ["bias_ih", "bias_hh"])
@pytest.mark.parametrize("kind", ["lstm", "gru", "rnn"])
def test_the_only_bias_twice_is_a_copy_in_the_other_place(kind: str, role: str) -> None:
    weights = made(kind, "torch")
    weights.tensors["r.bias_hh"] = weights.tensors["r.bias_ih"].copy()
    expected = output(weights, f"r:{kind}")
    del weights.tensors[f"r.{role}"]
    assert not np.allclose(output(weights, f"r:{kind}"), expected)
    assert np.array_equal(output(weights, f"r:{kind}(bias=twice)"), expected)


def test_a_bias_twice_before_the_reset_gate_doubles() -> None:
    weights = Weights(5)
    roles = recurrent_roles("gru", "keras", (3, 4), reset_after=False, suffix=False)
    weights.add("gru", "r", "keras", roles)
    found = output(weights, "r:gru(bias=twice)")
    weights.tensors["r.bias"] *= 2
    assert np.allclose(found, output(weights, "r:gru"), rtol=0, atol=1e-15)


def test_initial_zeros_leaves_the_files_states_alone() -> None:
    weights = made("lstm", "nam")
    started = output(weights, "r:lstm")
    assert np.array_equal(started, output(weights, "r:lstm(initial=file)"))
    found = output(weights, "r:lstm(initial=zeros)")
    assert not np.allclose(found, started)
    for name in ("r.initial_h", "r.initial_c"):
        weights.tensors[name][:] = 0
    assert np.array_equal(found, output(weights, "r:lstm"))


def test_string_and_toml_say_them_the_same() -> None:
    text = "lstm(gates=ifco, bias=input, initial=zeros)"
    toml = '[[layer]]\nkind="lstm"\ngates="ifco"\nbias="input"\ninitial="zeros"'
    assert from_toml(toml) == parse(text)
    assert to_text(parse(text)) == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("lstm(gates=ifgg)", "expected the letters i, f, g, o in the order of the file for gates"),
        ("gru(gates=ifgo)", "expected the letters r, z, n in the order of the file for gates"),
        ("lstm(gates=3)", "for gates, found 3"),
        ("rnn(gates=n)", "rnn has no option gates"),
        ("lstm(bias=single)", "expected one of both, input, recurrent, none, twice for bias"),
        ("lstm(initial=0)", "expected one of file, zeros for initial, found 0"),
    ],
)
def test_other_words_are_refused(text: str, message: str) -> None:
    with pytest.raises(OptionError) as caught:
        parse(text)
    assert message in str(caught.value)


def test_biases_that_are_not_there_are_refused() -> None:
    for bias, option, message in (
        ("both", "twice", "it has the input bias and the recurrent bias"),
        ("none", "twice", "it has no bias"),
        ("none", "input", "bias=input, but it has no bias"),
        ("one", "recurrent", "bias=recurrent, but it has the input bias alone"),
    ):
        with pytest.raises(CheckpointError, match=message):
            made("lstm", "torch", bias).description(f"r:lstm(bias={option})")
