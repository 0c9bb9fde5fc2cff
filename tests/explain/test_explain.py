"""`explain`: the oracle's gates give the runtime's numbers, and say what they should."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lstm_export.errors import BundleError, DataError, InputError, OptionError
from lstm_export.explain import layer as layer_module
from lstm_export.explain.explain import explain
from lstm_export.explain.graph import TappedGraph
from lstm_export.explain.inputs.choice import Choice
from lstm_export.explain.layer import run_node
from lstm_export.explain.nodes import recurrent_nodes
from lstm_export.explain.source import open_source
from lstm_export.runtime.load import load

ARTIFACTS = Path(__file__).resolve().parents[2] / "artifacts"
WEATHER = ARTIFACTS / "weather" / "bundle"
TABLE = str(ARTIFACTS / "weather" / "weather.csv")


@pytest.mark.parametrize(("name", "cell"), [("weather", "lstm"), ("sunspots", "gru")])
def test_a_forecaster_is_reproduced(name: str, cell: str) -> None:
    found = explain(ARTIFACTS / name / "bundle", TABLE if name == "weather" else name)
    assert found.passed
    assert found.sequences == 64
    (layer,) = found.layers
    assert layer.cell == cell
    names = {check.name for check in layer.checks}
    assert names == {"Y", "Y_h", "answer"} | ({"Y_c"} if cell == "lstm" else set())
    for gate in layer.gates:
        assert 0 <= gate.near_zero + gate.near_one <= 1
        assert 0 < layer.trace.values[gate.name].min() < layer.trace.values[gate.name].max() < 1
    # One row, or more, is spent on differences.
    assert layer.trace.values["state"].shape[0] == layer.trace.edges[-1] < found.steps
    assert {effect.rms > 0 for effect in layer.switches} == {True}


@pytest.mark.parametrize(
    ("op", "attributes"),
    [
        ("LSTM", {"direction": "reverse"}),
        ("LSTM", {"direction": "bidirectional"}),
        ("GRU", {}),  # the reset gate before the product, as ONNX has it by default
        ("GRU", {"linear_before_reset": 1, "direction": "bidirectional"}),
        ("RNN", {}),
        ("RNN", {"activations": ["Relu"]}),
    ],
    ids=str,
)
def test_operators_of_foreign_files_are_reproduced(
    one_node: Callable[..., Path], two_features: str, op: str, attributes: dict[str, Any]
) -> None:
    found = explain(one_node(op, **attributes), two_features)
    assert found.passed
    backward = {"reverse": [True], "bidirectional": [False, True]}
    expected = backward.get(attributes.get("direction", ""), [False])
    assert [layer.backward for layer in found.layers] == expected
    if len(found.layers) == 2:
        one, other = (layer.trace.values["state"] for layer in found.layers)
        assert not np.allclose(one, other)


def test_a_wrong_gate_order_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(layer_module._ORDER, "lstm", (0, 1, 2, 3))
    found = explain(WEATHER, TABLE)
    assert not found.passed
    assert {check.name for layer in found.layers for check in layer.checks if not check.passed}


def test_memory_is_that_of_a_known_forget_gate(
    one_node: Callable[..., Path], two_features: str
) -> None:
    forget = np.array([0.05, 0.5, 0.95])
    bias = np.zeros((1, 24), "f4")
    bias[0, 6:9] = np.log(forget / (1 - forget))  # i, o, f, c: three units each
    flat = {"W": np.zeros((1, 12, 2), "f4"), "R": np.zeros((1, 12, 3), "f4"), "B": bias}
    (layer,) = explain(one_node("LSTM", weights=flat), two_features).layers
    assert layer.memory is not None
    np.testing.assert_allclose(layer.memory, -1 / np.log(forget), rtol=1e-6)
    gate = next(gate for gate in layer.gates if gate.name == "forget")
    assert (gate.near_zero, gate.near_one) == (pytest.approx(1 / 3), pytest.approx(1 / 3))
    np.testing.assert_allclose(gate.unit_means, forget, rtol=1e-6)
    # The gates have no input, so c stays 0: what switching one of them off does is nothing.
    assert {effect.rms for effect in layer.switches} == {0.0}
    assert {effect.relative for effect in layer.switches} == {None}


def test_a_switch_is_what_its_equation_says(
    one_node: Callable[..., Path], two_features: str
) -> None:
    """A forget gate held at 0 is one whose bias is −∞, as far as float32 goes."""
    rng = np.random.default_rng(3)
    bias = rng.normal(size=(1, 24)).astype("f4")
    shut = bias.copy()
    shut[0, 6:9] = -200
    x = np.loadtxt(two_features, delimiter=",", skiprows=1, dtype="f4")[np.newaxis]
    answers = [np.asarray(load(one_node("LSTM", weights={"B": b}))(x)) for b in (bias, shut)]
    found = explain(one_node("LSTM", weights={"B": bias}), two_features)
    effects = {effect.name: effect for effect in found.layers[0].switches}
    expected = math.sqrt(np.mean((answers[1] - answers[0]).astype("f8") ** 2))
    assert effects["forget gate at 0"].rms == pytest.approx(expected, rel=1e-5)
    assert effects["forget gate at 0"].rms_chosen == effects["forget gate at 0"].rms


def test_lengths_end_a_sequence(one_node: Callable[..., Path], tmp_path: Path) -> None:
    source = open_source(one_node("LSTM", lengths=True, direction="bidirectional"))
    (node,) = recurrent_nodes(source.model, source.where)
    x = np.random.default_rng(4).normal(size=(4, 9, 2)).astype("f4")
    feeds = {"x": x, "lengths": np.array([9, 4, 7, 4], "i4")}
    entering, leaving = TappedGraph(source, (node,)).run(node, feeds)
    found = run_node(node, entering)
    for role, value in leaving.items():
        np.testing.assert_allclose(value, found[role], atol=2e-6)
    assert not found["Y"][4:, :, 1].any()

    data = tmp_path / "batch.npz"
    np.savez(data, **feeds)
    with pytest.raises(InputError, match="not known to be independent"):
        explain(Path(source.where), str(data))
    np.savez(data, x=x[2], lengths=np.array([7], "i4"))
    assert explain(Path(source.where), str(data)).steps == 7


def test_sequences_of_a_batch_are_those_that_they_are_alone(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    feeds = {"x": rng.normal(size=(3, 8, 3)), "lengths": np.array([8, 5, 5])}
    batch, alone = tmp_path / "batch.npz", tmp_path / "alone.npz"
    np.savez(batch, **feeds)
    np.savez(alone, x=feeds["x"][1:2, :5])
    bundle = ARTIFACTS / "classifier" / "bundle"
    many, one = (
        explain(bundle, str(data), Choice(index=i)) for data, i in ((batch, 1), (alone, 0))
    )
    assert many.passed
    assert one.passed
    assert (many.sequences, one.sequences) == (3, 1)
    assert many.steps == one.steps == 5
    assert [layer.backward for layer in one.layers] == [False, True, False, True]
    for layer, other in zip(many.layers, one.layers, strict=True):
        np.testing.assert_allclose(layer.trace.values["state"], other.trace.values["state"])


def test_layers_can_be_chosen() -> None:
    projected = ARTIFACTS / "projected" / "bundle"
    with pytest.raises(OptionError, match=r"--layer 3: the graph has 2 recurrent layers"):
        explain(projected, TABLE, layers=[3])


@pytest.mark.parametrize(
    ("attributes", "words"),
    [
        ({"clip": 1.0}, "values that are clipped"),
        ({"activations": ["Sigmoid", "Relu", "Tanh"]}, "the activations sigmoid, relu, tanh"),
    ],
)
def test_other_equations_are_refused(
    one_node: Callable[..., Path], two_features: str, attributes: dict[str, Any], words: str
) -> None:
    with pytest.raises(BundleError, match=words):
        explain(one_node("LSTM", **attributes), two_features)


def test_a_table_of_another_width_is_refused(one_node: Callable[..., Path]) -> None:
    with pytest.raises(DataError, match="expected 2 columns of numbers"):
        explain(one_node("RNN"), TABLE)
