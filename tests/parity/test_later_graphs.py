"""forecast.onnx and ragged.onnx are verified like the others, and older bundles do without."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from lstm_export.bundle.golden import golden_bytes, read_golden
from lstm_export.bundle.manifest import Manifest
from lstm_export.parity.report import ParityReport
from lstm_export.parity.verify import verify

FORECAST, RAGGED = "forecast.onnx", "ragged.onnx"


def checks(report: ParityReport) -> set[str]:
    return {failure.check for failure in report.failures}


def instead_of(
    model: onnx.ModelProto, name: str, nodes: list[onnx.NodeProto], *constants: Any
) -> None:
    """Every node that reads the input `name` reads "other", which `nodes` make."""
    for node in model.graph.node:
        for i, given in enumerate(node.input):
            if given == name:
                node.input[i] = "other"
    for i, value in enumerate(constants):
        model.graph.initializer.append(numpy_helper.from_array(np.array(value), f"given_{i}"))
    for node in reversed(nodes):
        model.graph.node.insert(0, node)


def test_other_weights_are_noticed(made: Any, rewrite: Any) -> None:
    def change(model: onnx.ModelProto) -> None:
        (bias,) = (i for i in model.graph.initializer if i.name == "head.bias")
        value = numpy_helper.to_array(bias) + np.float32(0.01)
        bias.CopyFrom(numpy_helper.from_array(value, bias.name))

    one = made("gru")
    report = verify(rewrite(one.bundle, {FORECAST: change}), against=one.run)
    assert checks(report) == {"golden", "live"}
    assert all(FORECAST in str(failure) for failure in report.failures)


def test_a_horizon_that_is_built_in_is_noticed(made: Any, rewrite: Any) -> None:
    def change(model: onnx.ModelProto) -> None:
        instead_of(
            model, "horizon", [helper.make_node("Add", ["given_0", "given_1"], ["other"])], 10, 2
        )

    one = made("projected")
    report = verify(rewrite(one.bundle, {FORECAST: change}))
    assert checks(report) == {"golden"}
    failed = {c.case for c in report.comparisons if not c.comparison.passed}
    assert failed
    assert not any("horizon12" in case for case in failed)


def test_lengths_that_are_ignored_are_noticed(made: Any, rewrite: Any) -> None:
    def change(model: onnx.ModelProto) -> None:
        nodes = [
            helper.make_node("ReduceMax", ["lengths"], ["longest"], keepdims=1),
            helper.make_node("Mul", ["lengths", "given_0"], ["none"]),
            helper.make_node("Add", ["none", "longest"], ["other"]),
        ]
        instead_of(model, "lengths", [], 0)
        for node in reversed(nodes):
            model.graph.node.insert(0, node)

    one = made("bidirectional")
    report = verify(rewrite(one.bundle, {RAGGED: change}), against=one.run)
    assert checks(report) == {"golden", "live"}
    assert all(RAGGED in str(failure) for failure in report.failures)


@pytest.mark.parametrize(("kind", "graph"), [("gru", FORECAST), ("bidirectional", RAGGED)])
def test_a_bundle_from_before_they_were_is_whole(
    made: Any, rewrite: Any, kind: str, graph: str
) -> None:
    one = made(kind)

    def without(manifest: Manifest) -> Manifest:
        return replace(manifest, graphs={n: s for n, s in manifest.graphs.items() if n != graph})

    cases = read_golden((one.bundle / "golden.npz").read_bytes(), "")
    golden = golden_bytes(case for case in cases if case.graph != graph)
    older = rewrite(one.bundle, manifest=without, contents={graph: None, "golden.npz": golden})
    report = verify(older, against=one.run)
    assert report.passed, report.failures


@pytest.mark.parametrize(
    ("kind", "graph", "same", "message"),
    [
        (
            "gru",
            FORECAST,
            lambda case: "horizon12" in case.name,
            "has the same horizon, so a baked",
        ),
        ("bidirectional", RAGGED, lambda case: "batch3" in case.name, "has the same batch, so a"),
        ("gru", FORECAST, lambda case: False, f"has no case for {FORECAST}"),
    ],
)
def test_golden_values_that_prove_too_little(
    made: Any, rewrite: Any, kind: str, graph: str, same: Callable[[Any], bool], message: str
) -> None:
    bundle = made(kind).bundle
    cases = read_golden((bundle / "golden.npz").read_bytes(), "")
    kept = [case for case in cases if case.graph != graph or same(case)]
    report = verify(rewrite(bundle, contents={"golden.npz": golden_bytes(kept)}))
    assert checks(report) == {"golden"}
    assert any(message in str(failure) for failure in report.failures)


def test_a_graph_that_the_terms_do_not_allow_is_a_stranger(made: Any, rewrite: Any) -> None:
    def wrong(manifest: Manifest) -> Manifest:
        terms = manifest.forecast
        assert terms is not None
        return replace(manifest, forecast=replace(terms, window=replace(terms.window, horizon=2)))

    report = verify(rewrite(made("gru").bundle, manifest=wrong))
    assert any("no graph forecast.onnx" in str(failure) for failure in report.failures)
