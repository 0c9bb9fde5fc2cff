"""Activations, norms and pooling: torch's own modules in double against their formulas."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from lstm_export.errors import CheckpointError, InputError
from lstm_export.importing.layers.bind import unused
from lstm_export.importing.ops.activations import ACTIVATIONS
from lstm_export.importing.reference import run

sys.path.insert(0, str(Path(__file__).parent))

from descriptions import Weights
from test_numbers import agree

OPTIONS: dict[str, tuple[str, ...]] = {
    "gelu": ("", "(approximate=tanh)"),
    "leaky_relu": ("", "(slope=0.3)"),
    "elu": ("", "(alpha=0.5)"),
    "celu": ("", "(alpha=0.5)"),
    "softplus": ("", "(beta=0.5)"),
    "hardtanh": ("", "(min=-0.2, max=3)"),
    "hardsigmoid": ("", "(slope=0.2)"),
    "scale": ("", "(factor=2.5, offset=-7)"),
    "softmax": ("", "(axis=1)"),
}


@pytest.mark.parametrize("kind", [op.name for op in ACTIVATIONS])
@pytest.mark.parametrize("width", [1.0, 30.0])
def test_activations_near_zero_and_far_from_it(kind: str, width: float) -> None:
    weights = Weights(0)
    weights.tensors["fc.weight"] = np.array([[width], [-width]], np.float32)
    # exp grows with what it is given: the bound is of 1e-10 in relation to it.
    within = 1e-10 * math.exp(3 * width) if kind == "exp" else 1e-9
    for options in OPTIONS.get(kind, ("",)):
        agree(weights.description(f"fc:linear, {kind}{options}"), within)


def test_activations_by_hand() -> None:
    for text, given_values, expected in (
        ("hardsigmoid(slope=0.2)", [-3, -1, 0, 2, 3], [0, 0.3, 0.5, 0.9, 1]),
        ("hardsigmoid", [-3, -1.5, 0, 3], [0, 0.25, 0.5, 1]),
        ("scale(factor=2, offset=-1)", [0, 1, -3], [-1, 1, -7]),
        ("hardtanh(min=0, max=2)", [-1, 1.5, 7], [0, 1.5, 2]),
        ("softsign", [-1, 3], [-0.5, 0.75]),
        ("exp", [0, math.log(3)], [1, 3]),
    ):
        x = np.array(given_values, dtype=np.float64).reshape(1, -1, 1)
        found = run(Weights(0).description(f"x:floats(size=1), {text}"), {"x": x})["output"]
        np.testing.assert_allclose(found.ravel(), expected, rtol=0, atol=1e-12, err_msg=text)


@settings(deadline=None, max_examples=30)
@given(
    st.integers(0, 2**16),
    st.sampled_from(["torch", "keras"]),
    st.sampled_from(["last", "first", "none"]),
    st.sampled_from(["group_norm(groups=2", "group_norm(groups=1, eps=0.1", "batch_norm(eps=0.01"]),
    st.booleans(),
)
def test_norms_and_slopes(seed: int, layout: str, channels: str, norm: str, shared: bool) -> None:
    """On (batch, sequence_length, features), the axes turned, and (batch, features)."""
    weights, keras = Weights(seed), layout == "keras"
    kind = norm.split("(")[0]
    named = ("gamma", "beta") if keras else ("weight", "bias")
    if kind == "batch_norm":
        named += ("moving_mean", "moving_variance") if keras else ("running_mean", "running_var")
    weights.add(kind, "norm", layout, dict.fromkeys(named, (6,)))
    weights.add("rms_norm", "rms", layout, {"scale" if keras else "weight": (6,)})
    slopes: dict[str, tuple[int, ...]] = {"weight": (1,) if shared else (6,)}
    if keras:
        slopes = {"alpha": (6,) if shared else (1, 6)}
    weights.add("prelu", "act", layout, slopes)
    turn = {"first": ", permute(order=[0, 2, 1])", "none": ", last", "last": ""}[channels]
    where = "channels=first" if channels == "first" else "channels=last"
    back = turn if channels == "first" else ""
    description = weights.description(
        f"x:floats(size=6), rms:rms_norm{turn}, norm:{norm}, {where}), act:prelu({where}){back}"
    )
    assert not unused(description)
    agree(description)


@settings(deadline=None, max_examples=30)
@given(
    st.sampled_from(["max_pool1d", "avg_pool1d", "avg_pool1d(count_include_pad=false)"]),
    st.integers(1, 2),
    st.integers(1, 3),
    st.integers(0, 1),
    st.booleans(),
)
def test_pooling(kind: str, kernel: int, stride: int, padding: int, first: bool) -> None:
    numbers = f"kernel={kernel}, stride={stride}, padding={min(padding, kernel // 2)}"
    name, _, options = kind.rstrip(")").partition("(")
    turn = ", permute(order=[0, 2, 1])" if first else ""
    numbers += (f", {options}" if options else "") + (", channels=first" if first else "")
    agree(Weights(0).description(f"x:floats(size=3){turn}, {name}({numbers}){turn}"))


def test_the_size_of_an_input_is_found_behind_what_keeps_it() -> None:
    weights = Weights(0)
    weights.add("prelu", "act", "torch", {"weight": (1,)})
    weights.add("linear", "fc", "torch", {"weight": (2, 5)})
    text = "silu, max_pool1d(kernel=2), act:prelu, scale(factor=2), fc:linear"
    assert weights.description(text).inputs[0].axes == ("batch", "sequence_length", 5)


def test_defaults_of_eps_are_the_source_programs() -> None:
    x = np.array([[[0.001, -0.001]]])
    for kind, layout, role, eps in (
        ("rms_norm", "torch", "weight", float(np.finfo(np.float32).eps)),
        ("rms_norm", "keras", "scale", 1e-6),
        ("layer_norm", "keras", "gamma", 1e-3),
        ("group_norm", "torch", "weight", 1e-5),
        ("group_norm", "keras", "gamma", 1e-3),
    ):
        weights = Weights(0)
        weights.add(kind, "n", layout, {role: (2,)})
        weights.tensors[f"n.{role}"][:] = 1
        options = "(groups=1)" if kind == "group_norm" else ""
        found = run(weights.description(f"n:{kind}{options}"), {"x": x})["output"]
        expected = 0.001 / math.sqrt(1e-6 + eps)
        assert np.abs(found - [expected, -expected]).max() < 1e-15, (kind, layout)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x:floats(size=6), hardtanh(min=2, max=1)", "expected a min below max, got 2 and 1"),
        ("x:floats(size=6), celu(alpha=0)", "expected alpha above 0, got 0"),
        ("x:floats(size=6), max_pool1d", r"expected its kernel, as in max_pool1d\(kernel=2\)"),
        ("x:floats(size=6), avg_pool1d(kernel=2, padding=2)", "0 to half the kernel 2, got 2"),
        ("x:floats(size=6), avg_pool1d(kernel=2, stride=0)", "expected stride of at least 1"),
        ("x:floats(size=6, steps=3), max_pool1d(kernel=4)", "3 steps are too few for a window"),
        ("n:layer_norm(eps=-1)", "expected eps of at least 0, got -1"),
        ("n:group_norm", r"give groups, as in \(groups=4\)"),
        ("n:group_norm(groups=4)", "groups of equal size of 6 features, got 4"),
        ("n:rms_norm, permute(order=[0, 2, 1]), n:rms_norm", "expected 6 features"),
        ("x:floats(size=6), unbatched, n:group_norm(groups=2)", "an input with 2 or 3 axes"),
        ("x:floats(size=4), a:prelu", "expected 6 features .the slopes that it has., got 4"),
        ("x:floats(size=6), k:prelu", r"shape \(1, features\), shared by all steps, got \(3, 6\)"),
    ],
)
def test_what_does_not_fit_is_refused(text: str, message: str) -> None:
    weights = Weights(0)
    weights.add("norm", "n", "torch", {"weight": (6,)})
    weights.add("prelu", "a", "torch", {"weight": (6,)})
    weights.add("prelu", "k", "keras", {"alpha": (3, 6)})
    with pytest.raises(CheckpointError, match=message):
        weights.description(text)


def test_too_few_steps_are_refused_by_the_reference() -> None:
    description = Weights(0).description("x:floats(size=1), p:max_pool1d(kernel=4)")
    with pytest.raises(InputError, match="p: 3 steps are too few for a kernel of 4"):
        run(description, {"x": np.zeros((1, 3, 1))})


def test_the_channels_of_torchs_modules() -> None:
    """A stack as people write it, the axes turned around it, against its layer string."""
    torch.manual_seed(0)
    stack = nn.Sequential(
        nn.Conv1d(3, 4, 3), nn.BatchNorm1d(4), nn.PReLU(4), nn.MaxPool1d(2), nn.GroupNorm(2, 4)
    ).double()
    stack(torch.randn(5, 3, 8).double())
    state: dict[str, Any] = {name: value.numpy() for name, value in stack.state_dict().items()}
    names = ("0:conv1d", "1:batch_norm", "2:prelu", "max_pool1d(kernel=2", "4:group_norm(groups=2")
    x = torch.randn(2, 7, 3).double()
    expected = stack.eval()(x.transpose(1, 2)).transpose(1, 2).detach().numpy()
    for where in ("first", "last"):
        weights = Weights(0)
        weights.tensors = state
        turn = ", permute(order=[0, 2, 1])" if where == "first" else ""
        inner = ", ".join(f"{n}{', ' if '(' in n else '('}channels={where})" for n in names)
        found = run(weights.description(f"x:floats(size=3){turn}, {inner}{turn}"), {"x": x.numpy()})
        assert np.abs(found["output"] - expected).max() < 1e-12
