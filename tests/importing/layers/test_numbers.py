"""The torch module in double against the float64 equations from the source layout."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lstm_export.errors import CheckpointError, InputError
from lstm_export.importing.build import build
from lstm_export.importing.description import Description
from lstm_export.importing.layers.bind import unused
from lstm_export.importing.raw import RawLayer
from lstm_export.importing.reference import run

sys.path.insert(0, str(Path(__file__).parent))

from descriptions import RECURRENT, Arrays, Weights, feed, recurrent_models, recurrent_roles

SHAPES = ((1, 5), (3, 5), (3, 2), (1, 9))
SEEDS = st.integers(0, 2**16)


def agree(description: Description, within: float = 1e-10) -> None:
    """Both sides at several batches and lengths."""
    module = build(description).double()
    for batch, time in SHAPES:
        inputs = feed(description, batch, time, seed=batch * time)
        expected = run(description, inputs)
        found = by_name(module, description, inputs)
        assert list(found) == list(expected)
        for name, values in expected.items():
            assert found[name].shape == values.shape, name
            assert np.abs(found[name] - values).max() <= within, name


def by_name(module: torch.nn.Module, description: Description, inputs: Arrays) -> Arrays:
    with torch.inference_mode():
        given = module(*(torch.from_numpy(inputs[each.name]) for each in description.inputs))
    outputs = given if isinstance(given, dict) else {"output": given}
    return {name: tensor.numpy() for name, tensor in outputs.items()}


@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported")
@pytest.mark.parametrize(("kind", "layout", "reset_after"), RECURRENT)
@settings(deadline=None, max_examples=20)
@given(st.data())
def test_recurrent_steps_of_every_layout(
    kind: str, layout: str, reset_after: bool, data: st.DataObject
) -> None:
    description, text = data.draw(recurrent_models(kind, layout, reset_after))
    assert not unused(description), text
    agree(description)


@settings(deadline=None, max_examples=40)
@given(
    SEEDS,
    st.sampled_from(["torch", "keras"]),
    st.sampled_from(["relu", "softmax", "log_softmax", "softmax(axis=1)", "all", "dropout"]),
    st.sampled_from(["last", "first", "mean", "max", "last_valid(lengths=n)", "mean(lengths=n)"])
    | st.just("max(lengths=n)"),
    st.booleans(),
)
def test_chains_of_plain_layers(
    seed: int, layout: str, activation: str, over: str, bias: bool
) -> None:
    weights, keras = Weights(seed), layout == "keras"
    biases = {"bias": (5,)} if bias else {}
    matrix = {"kernel": (4, 5)} if keras else {"weight": (5, 4)}
    table = {"embeddings": (7, 4)} if keras else {"weight": (7, 4)}
    scale, shift = ("gamma", "beta") if keras else ("weight", "bias")
    mean, variance = (
        ("moving_mean", "moving_variance") if keras else ("running_mean", "running_var")
    )
    weights.add("embedding", "emb", layout, table)
    weights.add("linear", "fc", layout, matrix | biases)
    weights.add("layer_norm", "ln", layout, {scale: (5,), shift: (5,)})
    weights.add("batch_norm", "bn", layout, dict.fromkeys((scale, shift, mean, variance), (5,)))
    declared = "n:lengths; " if "=n" in over else ""
    description = weights.description(
        f"tokens:ids; {declared}emb:embedding, fc:linear, ln:layer_norm, {activation}, "
        f"bn:batch_norm, {over}"
    )
    assert not unused(description)
    agree(description)


@settings(deadline=None, max_examples=40)
@given(
    SEEDS,
    st.sampled_from(["torch", "keras"]),
    st.integers(1, 2),
    st.integers(1, 2),
    st.sampled_from(["same", "causal", "2", "valid"]),
    st.sampled_from([1, 2]),
    st.sampled_from(["first", "last"]),
)
def test_convolutions(
    seed: int, layout: str, stride: int, dilation: int, padding: str, groups: int, channels: str
) -> None:
    if padding in ("same", "causal"):
        stride = 1
    kernel = 2 if padding == "valid" and dilation == 1 else 1 if padding == "valid" else 3
    weights, per_group = Weights(seed), 4 // groups
    shape = (6, per_group, kernel) if layout == "torch" else (kernel, per_group, 6)
    role = "weight" if layout == "torch" else "kernel"
    weights.add("conv1d", "conv", layout, {role: shape, "bias": (6,)})
    options = f"stride={stride}, dilation={dilation}, padding={padding}, groups={groups}"
    turned = ", permute(order=[0, 2, 1])" if channels == "first" else ""
    text = f"x:floats(size=4){turned}, conv:conv1d({options}, channels={channels}){turned}, tanh"
    agree(weights.description(text))


@pytest.mark.parametrize(
    "text",
    [
        "x:floats(size=4); y:floats(size=3); concat(x, y), tanh",
        "x:floats(size=4); y:floats(size=4); a = add(x, y, x); mul(a, y, x)",
        "x:floats(size=4); fc1:linear, skip(x)",
        "x:floats(size=4); fc2:linear, skip(x, channels=1)",
        "x:floats(size=4, steps=3), flatten, tanh",
        "x:floats(size=4); y, h = g:gru; s = h, pick(index=-1); e = fc1:linear, last; return s, e",
        "x:floats(batch=false), unbatched, g:gru, pick, fc3:linear",
        "x:floats, time_major, g:gru(batch_first=false), last(batch_first=false), fc3:linear",
        "x:floats, fc1:linear, squeeze, tanh",
        "a = fc1:linear; b = fc1:linear, tanh; concat(a, b, axis=1)",
    ],
)
def test_joins_and_axes(text: str) -> None:
    weights = Weights(1)
    weights.add("linear", "fc1", "torch", {"weight": (1, 4), "bias": (1,)})
    weights.add("linear", "fc2", "torch", {"weight": (6, 4)})
    weights.add("linear", "fc3", "torch", {"weight": (2, 5)})
    weights.add("gru", "g", "torch", recurrent_roles("gru", "torch", (4, 5)))
    agree(weights.description(text))


def test_what_is_added_to_a_variance_is_the_source_programs() -> None:
    for layout, scale, shift, eps in (
        ("torch", "weight", "bias", 1e-5),
        ("keras", "gamma", "beta", 1e-3),
    ):
        weights = Weights(0)
        weights.tensors = {"ln.s": np.ones(2, np.float32), "ln.b": np.zeros(2, np.float32)}
        roles = {scale: "ln.s", shift: "ln.b"}
        weights.declared = [RawLayer("layer_norm", "ln", {}, roles, layout)]
        x = np.array([[[0.01, -0.01]]])
        expected = 0.01 / np.sqrt(0.01**2 + eps)
        found = run(weights.description("ln:layer_norm"), {"x": x})["output"]
        assert np.abs(found - [expected, -expected]).max() < 1e-15


def test_equations_by_hand() -> None:
    """A GRU of one unit in every form, by arithmetic written out here."""

    def s(a: float) -> float:
        return 1 / (1 + math.exp(-a))

    x, h = 0.7, -0.4
    w, r = {"z": 0.3, "r": -0.8, "n": 0.5}, {"z": 0.9, "r": 0.6, "n": -1.1}
    b, c = {"z": 0.1, "r": 0.2, "n": -0.3}, {"z": 0.05, "r": -0.15, "n": 0.25}
    z = s(w["z"] * x + b["z"] + r["z"] * h + c["z"])
    reset = s(w["r"] * x + b["r"] + r["r"] * h + c["r"])
    after = z * h + (1 - z) * math.tanh(w["n"] * x + b["n"] + reset * (r["n"] * h + c["n"]))
    reset_0, z_0 = s(w["r"] * x + b["r"] + r["r"] * h), s(w["z"] * x + b["z"] + r["z"] * h)
    before = z_0 * h + (1 - z_0) * math.tanh(w["n"] * x + b["n"] + r["n"] * (reset_0 * h))

    def row(values: dict[str, float], order: str) -> list[float]:
        return [values[gate] for gate in order]

    torch_roles = {
        "g.weight_ih_l0": np.array([row(w, "rzn")]).T,
        "g.weight_hh_l0": np.array([row(r, "rzn")]).T,
        "g.bias_ih_l0": np.array(row(b, "rzn")),
        "g.bias_hh_l0": np.array(row(c, "rzn")),
    }
    kernels = {
        "g.kernel": np.array([row(w, "zrn")]),
        "g.recurrent_kernel": np.array([row(r, "zrn")]),
    }
    both = np.array([row(b, "zrn"), row(c, "zrn")])
    for layout, tensors, expected in (
        ("torch", torch_roles, after),
        ("keras", kernels | {"g.bias": both}, after),
        ("keras", kernels | {"g.bias": both[0]}, before),
    ):
        weights = Weights(0)
        weights.tensors = tensors
        roles = {name.removeprefix("g."): name for name in tensors}
        weights.declared = [RawLayer("gru", "g", {}, roles, layout)]
        description = weights.description("x:floats; h0:state; g:gru(initial_h=h0)")
        found = run(description, {"x": np.full((1, 1, 1), x), "h0": np.full((1, 1, 1), h)})
        assert abs(found["output"].item() - expected) < 1e-15


def test_softplus_and_gelu_far_from_zero() -> None:
    weights = Weights(0)
    weights.tensors["fc.weight"] = np.full((1, 2), 30.0, np.float32)
    for kind in ("softplus", "gelu", "sigmoid", "elu", "log_softmax"):
        agree(weights.description(f"fc:linear, {kind}"), within=1e-9)


def lstm_weights() -> Weights:
    weights = Weights(0)
    weights.add("lstm", "rnn", "torch", recurrent_roles("lstm", "torch", (3, 4), layers=2))
    weights.add("linear", "fc", "torch", {"weight": (2, 4), "bias": (2,)})
    return weights


@pytest.mark.parametrize(
    ("change", "text", "message"),
    [
        (
            {},
            "lstm",
            r"lstm \(lstm\): expected tensors that begin with lstm\..*the file has fc, rnn",
        ),
        ({}, "rnn:lstm(layers=3)", r"rnn \(lstm\): layers=3, but its tensors are those of 2"),
        ({}, "rnn:lstm(bidirectional=true)", r"its tensors have 1 direction"),
        ({}, "rnn:lstm(proj=2)", r"proj=2, but the state's size by rnn.weight_hh_l0 is 4"),
        (
            {},
            "rnn:gru",
            r"expected 3 gates of equal size in rnn.weight_hh_l0, got the shape \(16, 4\)",
        ),
        ({}, "fc:linear, rnn:lstm", r"expected 3 features .*got 2 in an input"),
        ({}, "h0:state; x:floats; rnn:lstm(initial_h=h0)", r"initial_h and initial_c together"),
        ({}, "x:floats; n:lengths; y, h = rnn:lstm(lengths=n); concat(y, h)", r"differ in axis 2"),
        ({}, "relu", r"no tensor says how many features the input x has.*x:floats\(size=3\)"),
        (
            {"rnn.weight_ih_l1": (16, 5)},
            "rnn:lstm",
            r"expected rnn.weight_ih_l1 of shape \(16, 4\), got \(16, 5\)",
        ),
        ({"rnn.weight_ih_l1": None}, "rnn:lstm", r"expected a tensor weight_ih"),
        ({"fc.bias": (3,)}, "rnn:lstm, fc:linear", r"expected fc.bias of shape \(2\), got \(3,\)"),
        ({"rnn.weight_hh_l0": (16,)}, "rnn:lstm", r"expected rnn.weight_hh_l0 of shape \(16, 4\)"),
        ({"rnn.weight_hh_l0": (0, 4)}, "rnn:lstm", r"expected 4 gates of equal size"),
    ],
)
def test_what_does_not_fit_is_named(
    change: dict[str, tuple[int, ...] | None], text: str, message: str
) -> None:
    weights = lstm_weights()
    for name, shape in change.items():
        weights.tensors.pop(name)
        if shape is not None:
            weights.tensors[name] = weights.array(*shape)
    with pytest.raises(CheckpointError, match=message):
        weights.description(text)


def test_a_keras_gru_says_where_its_reset_gate_is() -> None:
    weights = Weights(0)
    weights.add("gru", "g", "keras", recurrent_roles("gru", "keras", (3, 4), bias="none"))
    with pytest.raises(CheckpointError, match="give reset_after"):
        weights.description("g:gru")
    agree(weights.description("g:gru(reset_after=false)"))
    weights.add("gru", "two", "keras", recurrent_roles("gru", "keras", (3, 4)))
    with pytest.raises(CheckpointError, match=r"reset_after=false has one bias.*\(2, 3H\)"):
        weights.description("two:gru(reset_after=false)")


@pytest.mark.parametrize(("kind", "times", "name"), [("lstm", 8, "LSTM"), ("gru", 6, "GRU")])
def test_biases_of_kerass_fused_layers_are_refused_by_name(
    kind: str, times: int, name: str
) -> None:
    weights = Weights(0)
    roles = recurrent_roles(kind, "keras", (3, 4), suffix=False) | {"bias": (times * 4,)}
    weights.add(kind, "r", "keras", roles)
    message = rf"r.bias has {times * 4} values, {times} for each of 4 units, as Keras's CuDNN{name}"
    with pytest.raises(CheckpointError, match=message):
        weights.description(f"r:{kind}")


def test_inputs_that_do_not_fit_are_refused_by_the_reference() -> None:
    description = lstm_weights().description("x:floats; n:lengths; rnn:lstm(lengths=n)")
    x = np.zeros((2, 3, 3))
    for inputs, message in (
        ({"x": x}, "expected the inputs x, n; got x"),
        ({"x": x[0], "n": np.array([1, 1])}, r"x: expected \(batch, sequence_length, 3\)"),
        ({"x": x, "n": np.array([1, 4])}, r"lengths: expected 1 to 3, got \[1, 4\]"),
        ({"x": x, "n": np.array([1.0, 2.0])}, "n: expected integers, got float64"),
    ):
        with pytest.raises(InputError, match=message):
            run(description, inputs)
