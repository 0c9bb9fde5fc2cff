"""The layer string: read, written, read again; and what is said about a wrong one."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lstm_export.errors import OptionError
from lstm_export.importing.description import Input, Step
from lstm_export.importing.layers.grammar import parse
from lstm_export.importing.layers.layers import UNKNOWN, Layers
from lstm_export.importing.layers.text import to_text
from lstm_export.importing.layers.toml import from_toml, to_toml
from lstm_export.importing.ops.registry import OPS

SIMPLE = "emb:embedding, lstm, last, relu, fc:linear"
TOWERS = """
x:floats; n:lengths  # true lengths
static:floats(steps=false, size=4)
a = x > encoder.rnn:lstm(lengths=n) > last_valid(lengths=n)
b = static >
    fc1:linear
    > relu
concat(a, b) > out:linear
"""
STATES = "x:floats; h0:state; c0:state; y, h, c = lstm(initial_h=h0, initial_c=c0); return y, h, c"


def test_the_shortest_form_reads_ids_through_layers_in_sequence() -> None:
    assert parse(SIMPLE) == Layers(
        (Input("x", "ids", ("batch", "sequence_length")),),
        (
            Step("embedding", ("x",), ("_0",), "emb"),
            Step("lstm", ("_0",), ("_1",)),
            Step("last", ("_1",), ("_2",)),
            Step("relu", ("_2",), ("_3",)),
            Step("linear", ("_3",), ("output",), "fc"),
        ),
        ("output",),
    )
    assert to_text(parse(SIMPLE)) == SIMPLE


def test_towers_lengths_and_sizes() -> None:
    layers = parse(TOWERS)
    assert [each.axes for each in layers.inputs] == [
        ("batch", "sequence_length", UNKNOWN),
        ("batch",),
        ("batch", 4),
    ]
    assert layers.steps[0] == Step(
        "lstm", ("x", "n"), ("_0",), "encoder.rnn", {"takes": ("lengths",)}
    )
    assert layers.steps[-2].inputs == ("a", "b")
    assert to_text(layers) == (
        "x:floats; n:lengths; static:floats(size=4, steps=false); "
        "a = x, encoder.rnn:lstm(lengths=n), last_valid(lengths=n); "
        "b = static, fc1:linear, relu; concat(a, b), out:linear"
    )


def test_states_go_in_and_come_out() -> None:
    layers = parse(STATES)
    assert layers.outputs == ("y", "h", "c")
    assert layers.steps[0].inputs == ("x", "h0", "c0")
    assert parse(to_text(layers)) == layers


_NAMES = st.sampled_from(["a", "b2", "_3", "hidden", "lstm1", "return_", "e1", "größe"])
_PREFIXES = st.one_of(
    st.sampled_from(["", "0", "3.rnn", "net.0.lstm", "-a", "1e5", "a/b", "ids", "x-1", ".5"]),
    st.text("abc019._-/ :;,é=\\\t\x7f😀", max_size=6),
)


def _options(draw: st.DrawFn, kind: str) -> dict[str, object]:
    found: dict[str, object] = {}
    for name, option in OPS[kind].options.items():
        if not draw(st.booleans()):
            continue
        if name == "gates":
            found[name] = "".join(draw(st.permutations({"lstm": "ifgo", "gru": "urn"}[kind])))
            continue
        values: dict[type, st.SearchStrategy[object]] = {
            bool: st.booleans(),
            int: st.integers(-3, 10**6),
            float: st.floats(allow_nan=False, allow_infinity=False),
            tuple: st.lists(st.integers(-3, 9), min_size=1, max_size=4).map(tuple),
        }
        words = st.sampled_from(option.choices) if option.choices else None
        other = values.get(option.type)
        found[name] = draw(words if other is None else other if words is None else other | words)
    return found


@st.composite
def texts(draw: st.DrawFn) -> Layers:
    """Layers as any program may put them together, of values known at each place."""
    from lstm_export.importing.layers.assemble import Assembly
    from lstm_export.importing.layers.layers import unnamed

    assembly = Assembly()
    assembly.declare("x", draw(st.sampled_from(["floats", "ids"])), {})
    if draw(st.booleans()):
        assembly.declare("s", "floats", {"steps": draw(st.sampled_from([False, 3])), "size": 4})
    if draw(st.booleans()):
        assembly.declare("n", "lengths", {})
    for index in range(draw(st.integers(1, 6))):
        kind = draw(st.sampled_from(sorted(OPS)))
        known = sorted(assembly.known)
        values = st.sampled_from(known)
        count = 2 + draw(st.integers(0, 1)) if OPS[kind].joins else 1
        inputs = [draw(values) for _ in range(count)]
        options = _options(draw, kind)
        options |= {
            name: draw(values)
            for name in OPS[kind].takes
            if name not in OPS[kind].optional or draw(st.booleans())
        }
        free = draw(_NAMES)
        outputs = [free if free not in known and draw(st.booleans()) else unnamed(index)]
        if outputs[0] in known:
            outputs = [f"v{index}"]
        if OPS[kind].outputs > 1 and draw(st.booleans()):
            outputs.append(f"w{index}")
        prefix = draw(_PREFIXES).replace('"', "")
        assembly.step(kind, prefix, inputs, options, outputs)
    everything = [name for step in assembly.steps for name in step.outputs]
    unread = [each.name for each in assembly.inputs if each.name not in assembly.used]
    return assembly.finish([*everything, *unread] if draw(st.booleans()) or unread else everything)


@settings(deadline=None, max_examples=150)
@given(texts())
def test_what_is_written_reads_back_the_same(layers: Layers) -> None:
    assert parse(to_text(layers)) == layers
    assert from_toml(to_toml(layers)) == layers


@settings(deadline=None, max_examples=300)
@given(
    st.one_of(
        st.text(max_size=40),
        st.text('abx,;>:=()[]"#\n .1-', max_size=40),
        st.tuples(
            st.sampled_from([SIMPLE, TOWERS, STATES]), st.integers(0, 200), st.text(max_size=2)
        ).map(lambda t: t[0][: t[1]] + t[2] + t[0][t[1] + 1 :]),
    )
)
@example("return")
@example("a,")
@example(":")
@example("a:")
@example("0:")
@example("conv1d(padding=" + "9" * 5000 + ")")
def test_any_text_is_read_or_refused_with_its_place(text: str) -> None:
    said = None
    try:
        layers = parse(text)
    except OptionError as error:
        said = str(error)
    if said is None:
        assert parse(to_text(layers)) == layers
    else:
        assert re.match(r"layers, (line \d+, )?column \d+: ", said), said


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "column 1: expected at least one layer"),
        ("lstm,", "column 6: expected a layer, found the end"),
        ("lsmt, last", "column 1: expected a layer (embedding, lstm, gru"),
        ("emb:embeding", "found embeding; did you mean embedding?"),
        ("lstm(layers=x)", "column 6: lstm: expected a whole number for layers, found x"),
        ("lstm(depth=2)", "column 6: lstm has no option depth: expected layers, bidirectional"),
        ("lstm(layers=1", "column 14: expected ',' or ')', found the end"),
        ("lstm ? relu", "column 6: expected a word, a number or a sign, found '?'"),
        ("x:floats; y:floats; lstm", "column 21: expected one of x, y to begin with"),
        ("lstm, a:ids", "column 9: expected a layer: inputs are declared at the beginning"),
        ("lstm, last_valid", "column 7: last_valid needs lengths, as in last_valid(lengths=n)"),
        ("a = lstm; b = gru", "column 1: nothing reads a: name it, and use or return it"),
        ("x:floats; n:lengths; lstm", "column 11: nothing reads the input n"),
        ("a = lstm; a = gru", "column 11: there is a value a already"),
        ("y, h = last", "column 8: last gives at most 1 value(s), not 2"),
        ("concat(x, x)", "column 8: expected a value (there is none yet), found x"),
        ("concat(x)", "column 1: concat joins values: expected two or more, found 1"),
        ("x:floats; lstm, add", "column 17: add joins values: expected two or more, found 1"),
        ("lstm; return y", "column 14: expected a value to return, found y"),
        ("relu = lstm", "column 1: relu has a meaning of its own: expected another name"),
        ("lambda:floats > lstm", "column 1: lambda has a meaning of its own"),
        ("lstm\n  ? relu", "line 2, column 3: expected a word"),
    ],
)
def test_what_is_wrong_is_said_where_it_stands(text: str, message: str) -> None:
    with pytest.raises(OptionError) as caught:
        parse(text)
    assert message in str(caught.value)
