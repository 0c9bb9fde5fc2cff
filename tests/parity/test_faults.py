"""Faults planted in a bundle whose checksums match: each is found, by the check that should."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from lstm_export.bundle.golden import GoldenCase, golden_bytes, read_golden
from lstm_export.bundle.manifest import Manifest
from lstm_export.contract import METADATA_KEY, Contract, GraphSpec
from lstm_export.parity.report import ParityReport
from lstm_export.parity.verify import verify

MODEL, STREAM = "model.onnx", "stream.onnx"
CELLS = ("lstm", "gru", "rnn")
GATES = {"lstm": 4, "gru": 3}


def checks(report: ParityReport) -> set[str]:
    assert report.passed == (not report.failures)
    return {failure.check for failure in report.failures}


def messages(report: ParityReport) -> str:
    return "\n".join(str(failure) for failure in report.failures)


def change_weight(
    model: onnx.ModelProto, suffix: str, change: Callable[[np.ndarray], np.ndarray]
) -> None:
    """Changes every float initializer whose name ends so, and makes sure that there is one."""
    found = [i for i in model.graph.initializer if i.name.endswith(suffix)]
    assert found, [i.name for i in model.graph.initializer]
    for initializer in found:
        value = change(numpy_helper.to_array(initializer).copy())
        initializer.CopyFrom(numpy_helper.from_array(value, initializer.name))


def flip(value: np.ndarray, bit: int, index: int = 0) -> np.ndarray:
    value.reshape(-1).view(np.uint32)[index] ^= np.uint32(1 << bit)
    return value


def nodes(model: onnx.ModelProto, *operators: str) -> Iterable[onnx.NodeProto]:
    found = [node for node in model.graph.node if node.op_type in operators]
    assert found, [node.op_type for node in model.graph.node]
    return found


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("graph", [MODEL, STREAM])
def test_the_bundle_itself_passes(made: Any, rewrite: Any, cell: str, graph: str) -> None:
    # Without this, a fault would be "found" by whatever rewriting alone breaks.
    assert verify(rewrite(made(cell).bundle, {graph: lambda model: None})).passed


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("graph", [MODEL, STREAM])
@pytest.mark.parametrize("weight", [".W", ".R", ".B", "head.bias"])
@pytest.mark.parametrize("bit", [23, 30])
def test_an_exponent_bit_of_one_weight(
    made: Any, rewrite: Any, cell: str, graph: str, weight: str, bit: int
) -> None:
    faulty = rewrite(
        made(cell).bundle, {graph: lambda m: change_weight(m, weight, lambda v: flip(v, bit))}
    )
    report = verify(faulty)
    assert checks(report) == {"golden"}
    assert f"{graph} in onnxruntime, output output" in messages(report)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("graph", [MODEL, STREAM])
def test_two_gates_in_each_others_place(made: Any, rewrite: Any, cell: str, graph: str) -> None:
    def swap(value: np.ndarray) -> np.ndarray:
        gates = value.reshape(-1, GATES[cell], 4, *value.shape[2:])
        return gates[:, [1, 0, *range(2, GATES[cell])]].reshape(value.shape)

    def change(model: onnx.ModelProto) -> None:
        for suffix in (".W", ".R", ".B"):
            change_weight(model, suffix, swap)

    assert checks(verify(rewrite(made(cell).bundle, {graph: change}))) == {"golden"}


@pytest.mark.parametrize("graph", [MODEL, STREAM])
def test_the_reset_gate_on_the_wrong_side(made: Any, rewrite: Any, graph: str) -> None:
    def change(model: onnx.ModelProto) -> None:
        for node in nodes(model, "GRU"):
            (attribute,) = (a for a in node.attribute if a.name == "linear_before_reset")
            attribute.i = 0

    assert checks(verify(rewrite(made("gru").bundle, {graph: change}))) == {"golden"}


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("graph", [MODEL, STREAM])
def test_a_bias_left_out(made: Any, rewrite: Any, cell: str, graph: str) -> None:
    def change(model: onnx.ModelProto) -> None:
        for node in nodes(model, "LSTM", "GRU", "RNN"):
            node.input[3] = ""

    assert checks(verify(rewrite(made(cell).bundle, {graph: change}))) == {"golden"}


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("graph", [MODEL, STREAM])
def test_a_scaler_with_the_wrong_std(made: Any, rewrite: Any, cell: str, graph: str) -> None:
    change = {graph: lambda m: change_weight(m, "scale", lambda v: v * np.float32(1.01))}
    assert checks(verify(rewrite(made(cell).bundle, change))) == {"golden"}


def test_another_std_in_the_manifest_than_in_the_file(made: Any, rewrite: Any) -> None:
    def change(manifest: Manifest) -> Manifest:
        assert manifest.forecast is not None
        scaling = replace(manifest.forecast.target_scaling, scale=(17.0,))
        return replace(manifest, forecast=replace(manifest.forecast, target_scaling=scaling))

    report = verify(rewrite(made("lstm").bundle, manifest=change))
    assert checks(report) == {"contract"}
    assert "forecast.target_scaling.scale[0] is 16.25, not 17.0" in messages(report)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("graph", [MODEL, STREAM])
@pytest.mark.parametrize(("axis", "name"), [(0, "batch"), (1, "sequence_length")])
def test_a_baked_axis_in_the_signature(
    made: Any, rewrite: Any, cell: str, graph: str, axis: int, name: str
) -> None:
    def change(model: onnx.ModelProto) -> None:
        model.graph.input[0].type.tensor_type.shape.dim[axis].dim_value = 3

    report = verify(rewrite(made(cell).bundle, {graph: change}))
    assert {"contract", "runtime"} == checks(report)
    assert f"{graph}: input x: {name} (axis {axis}) is baked in as 3" in messages(report)


def test_a_baked_axis_that_everyone_agrees_on(made: Any, rewrite: Any) -> None:
    # Manifest, metadata and file say the same; the task's own terms say otherwise.
    def baked(graphs: dict[str, GraphSpec]) -> dict[str, GraphSpec]:
        x = replace(graphs[MODEL].inputs[0], axes=(3, "sequence_length", 1))
        return {**graphs, MODEL: replace(graphs[MODEL], inputs=(x,))}

    def change(model: onnx.ModelProto) -> None:
        model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 3
        (entry,) = (e for e in model.metadata_props if e.key == METADATA_KEY)
        contract = Contract.from_json(entry.value, "")
        entry.value = replace(contract, graph=baked({MODEL: contract.graph})[MODEL]).to_json()

    faulty = rewrite(
        made("lstm").bundle,
        {MODEL: change},
        lambda manifest: replace(manifest, graphs=baked(manifest.graphs)),
    )
    report = verify(faulty)
    assert "model.onnx in the manifest: input x: batch (axis 0) is baked in as 3" in messages(
        report
    )


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("graph", [MODEL, STREAM])
@pytest.mark.parametrize("shape", [(-1, 7, 1), (3, -1, 1)], ids=["length", "batch"])
def test_a_baked_axis_inside_the_graph(
    made: Any, rewrite: Any, cell: str, graph: str, shape: tuple[int, ...]
) -> None:
    def change(model: onnx.ModelProto) -> None:
        for node in model.graph.node:
            for position, name in enumerate(node.input):
                if name == "x":
                    node.input[position] = "baked"
        constant = numpy_helper.from_array(np.array(shape), "baked_shape")
        model.graph.initializer.append(constant)
        model.graph.node.insert(0, helper.make_node("Reshape", ["x", "baked_shape"], ["baked"]))

    report = verify(rewrite(made(cell).bundle, {graph: change}))
    assert checks(report) <= {"golden", "runtime"}
    assert not report.passed


@pytest.mark.parametrize("cell", CELLS)
def test_a_missing_output(made: Any, rewrite: Any, cell: str) -> None:
    def change(model: onnx.ModelProto) -> None:
        (output,) = (o for o in model.graph.output if o.name == "final_h")
        model.graph.output.remove(output)

    report = verify(rewrite(made(cell).bundle, {STREAM: change}))
    assert checks(report) == {"contract", "golden"}
    assert "stream.onnx: output final_h is missing" in messages(report)
    assert "output final_h: 4 of 4 cases disagree" in messages(report)


@pytest.mark.parametrize("graph", [MODEL, STREAM])
def test_a_renamed_output(made: Any, rewrite: Any, graph: str) -> None:
    def change(model: onnx.ModelProto) -> None:
        for node in model.graph.node:
            for position, name in enumerate(node.output):
                if name == "output":
                    node.output[position] = "forecast"
        model.graph.output[0].name = "forecast"

    report = verify(rewrite(made("gru").bundle, {graph: change}))
    assert checks(report) == {"contract", "golden"}
    assert f"{graph}: output output is missing" in messages(report)
    assert f"{graph}: output forecast is unexpected" in messages(report)


def test_an_extra_output(made: Any, rewrite: Any) -> None:
    def change(model: onnx.ModelProto) -> None:
        (node,) = nodes(model, "LSTM")
        model.graph.output.append(
            helper.make_tensor_value_info(node.output[2], onnx.TensorProto.FLOAT, [1, "batch", 4])
        )

    report = verify(rewrite(made("lstm").bundle, {MODEL: change}))
    assert checks(report) == {"contract", "golden"}
    assert "there is no reference for this output" in messages(report)


def test_state_outputs_in_each_others_place(made: Any, rewrite: Any) -> None:
    swapped = {"final_h": "final_c", "final_c": "final_h"}

    def change(model: onnx.ModelProto) -> None:
        for node in model.graph.node:
            for position, name in enumerate(node.output):
                node.output[position] = swapped.get(name, name)

    report = verify(rewrite(made("lstm").bundle, {STREAM: change}))
    assert checks(report) == {"golden"}
    assert "output final_h" in messages(report)
    assert "output final_c" in messages(report)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("graph", [MODEL, STREAM])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_weight_that_is_not_finite(
    made: Any, rewrite: Any, cell: str, graph: str, value: float
) -> None:
    def poison(weight: np.ndarray) -> np.ndarray:
        weight[...] = value
        return weight

    change = {graph: lambda m: change_weight(m, "head.bias", poison)}
    report = verify(rewrite(made(cell).bundle, change))
    assert checks(report) == {"golden"}
    assert (
        report.worst_by_output()[0 if graph == MODEL else 1].worst.comparison.worst_error == np.inf
    )


def test_evidence_that_is_not_finite_either(made: Any, rewrite: Any) -> None:
    def poison(weight: np.ndarray) -> np.ndarray:
        weight[...] = np.nan
        return weight

    def nothing(case: GoldenCase) -> GoldenCase:
        def lost(tensors: Any) -> Any:
            return {n: np.full_like(v, np.nan) if n == "output" else v for n, v in tensors.items()}

        return replace(case, torch=lost(case.torch), oracle=lost(case.oracle))

    bundle = made("lstm").bundle
    golden = [nothing(c) for c in read_golden((bundle / "golden.npz").read_bytes(), "")]
    change = {name: lambda m: change_weight(m, "head.bias", poison) for name in (MODEL, STREAM)}
    report = verify(rewrite(bundle, change, contents={"golden.npz": golden_bytes(golden)}))
    assert checks(report) == {"golden"}
    assert "not finite, here and in the reference: nothing is proved" in messages(report)


@pytest.mark.parametrize(
    ("keep", "message"),
    [
        (lambda case: case.graph == MODEL, "has no case for stream.onnx"),
        (
            lambda case: case.graph == STREAM or "batch2" in case.name,
            "every case of model.onnx has the same batch, so a baked one would go unseen",
        ),
    ],
)
def test_golden_values_that_prove_too_little(
    made: Any, rewrite: Any, keep: Callable[[GoldenCase], bool], message: str
) -> None:
    bundle = made("lstm").bundle
    cases = [c for c in read_golden((bundle / "golden.npz").read_bytes(), "") if keep(c)]
    report = verify(rewrite(bundle, contents={"golden.npz": golden_bytes(cases)}))
    assert checks(report) == {"golden"}
    assert message in messages(report)


def test_golden_values_without_torch_or_of_no_graph(made: Any, rewrite: Any) -> None:
    bundle = made("lstm").bundle
    cases = list(read_golden((bundle / "golden.npz").read_bytes(), ""))
    cases[0] = replace(cases[0], torch={})
    cases.append(replace(cases[0], graph="other.onnx"))
    report = verify(rewrite(bundle, contents={"golden.npz": golden_bytes(cases)}))
    assert checks(report) == {"golden"}
    assert "torch's output is missing" in messages(report)
    assert "has cases for other.onnx, which the bundle lacks" in messages(report)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [("opset_version", 17, "opset 18, the manifest says 17"), ("ir_version", 9, "says 9")],
)
def test_versions_that_are_not_the_files(
    made: Any, rewrite: Any, field: str, value: int, message: str
) -> None:
    report = verify(rewrite(made("lstm").bundle, manifest=lambda m: replace(m, **{field: value})))
    assert checks(report) == {"contract"}
    assert message in messages(report)


def test_a_graph_without_its_contract(made: Any, rewrite: Any) -> None:
    report = verify(rewrite(made("lstm").bundle, {MODEL: lambda m: m.ClearField("metadata_props")}))
    assert checks(report) == {"contract"}
    assert "model.onnx carries no contract" in messages(report)


def test_a_file_that_is_no_graph(made: Any, rewrite: Any) -> None:
    report = verify(rewrite(made("lstm").bundle, contents={MODEL: b"\x08\x08no graph at all"}))
    assert {"contract", "runtime"} <= checks(report)


@pytest.mark.parametrize("name", [STREAM, "golden.npz", "README.md"])
def test_a_file_that_is_not_there(made: Any, rewrite: Any, name: str) -> None:
    report = verify(rewrite(made("lstm").bundle, contents={name: None}))
    assert "contract" in checks(report)
    assert f"the manifest lists no file {name}" in messages(report)


def test_a_graph_that_no_one_mentions(made: Any, rewrite: Any, tmp_path: Path) -> None:
    report = verify(rewrite(made("lstm").bundle, contents={"other.onnx": b"stray"}))
    assert checks(report) == {"contract"}
    assert "says nothing about the graph other.onnx" in messages(report)
