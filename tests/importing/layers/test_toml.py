"""The layers as TOML: what the layer string says, read and written."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from lstm_export.errors import OptionError
from lstm_export.importing.layers.grammar import parse
from lstm_export.importing.layers.toml import from_toml, to_toml

sys.path.insert(0, str(Path(__file__).parent))

from test_grammar import TOWERS


def test_toml_says_the_same() -> None:
    text = """
[[input]]
name = "x"
kind = "floats"
[[input]]
name = "n"
kind = "lengths"
[[input]]
name = "static"
kind = "floats"
steps = false
size = 4
[[layer]]
kind = "lstm"
prefix = "encoder.rnn"
inputs = ["x"]
lengths = "n"
[[layer]]
kind = "last_valid"
lengths = "n"
outputs = ["a"]
[[layer]]
kind = "linear"
prefix = "fc1"
inputs = ["static"]
[[layer]]
kind = "relu"
outputs = ["b"]
[[layer]]
kind = "concat"
inputs = ["a", "b"]
[[layer]]
kind = "linear"
prefix = "out"
"""
    assert from_toml(text) == parse(TOWERS)
    assert from_toml(to_toml(parse(TOWERS))) == parse(TOWERS)
    assert from_toml('[[layer]]\nkind="permute"\norder=[0,2,1]') == parse("permute(order=[0,2,1])")


def test_toml_as_it_is_written() -> None:
    text = (
        "x:floats(size=3); n:lengths; y, h = net.rnn:gru(lengths=n, gates=zrn); "
        "output = y, last; return h, output"
    )
    assert (
        to_toml(parse(text))
        == """\
outputs = ["h", "output"]

[[input]]
name = "x"
kind = "floats"
size = 3

[[input]]
name = "n"
kind = "lengths"

[[layer]]
kind = "gru"
prefix = "net.rnn"
inputs = ["x"]
outputs = ["y", "h"]
lengths = "n"
gates = "zrn"

[[layer]]
kind = "last"
outputs = ["output"]
"""
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[layer", "expected TOML"),
        ("[[layers]]\nkind='lstm'", "expected [[input]], [[layer]] and outputs, found layers"),
        ("[layer]\nkind='lstm'", "expected layer as a list of tables, [[layer]]"),
        ("[[layer]]\nprefix='lstm'", "layer 1: expected kind as a word, found nothing"),
        ("[[layer]]\nkind='scale'\nfactor=nan", "expected a number for factor, found nan"),
        ("[[layer]]\nkind='lstm'\ndepth=1", "layer 1: lstm has no option depth"),
        ("[[layer]]\nkind='lstm'\ninputs='x'", "layer 1: expected inputs as a list of names"),
        ("[[layer]]\nkind='lstm'\nlayers=1979-05-27", "expected layers as a number, a word"),
        ("outputs=['y']\n[[layer]]\nkind='lstm'", "expected a value to return, found y"),
    ],
)
def test_wrong_toml_is_refused_with_its_table(text: str, message: str) -> None:
    with pytest.raises(OptionError) as caught:
        from_toml(text)
    assert message in str(caught.value)
