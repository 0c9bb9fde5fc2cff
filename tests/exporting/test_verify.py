"""Verification says yes to a right file, and no to every kind of wrong one.

The files are built by hand, so that nothing here depends on the exporter.
"""

from __future__ import annotations

import contextlib
import json
import re
import threading
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from lstm_export.bundle.golden import golden_bytes, read_golden
from lstm_export.contract import GraphSpec, TensorSpec
from lstm_export.errors import OptionError
from lstm_export.exporting.gates import onnx_layers
from lstm_export.exporting.tracing.call import describe_call
from lstm_export.exporting.unchanged.precision import in_dtype
from lstm_export.exporting.verify.golden import golden_cases
from lstm_export.exporting.verify.verification import Verification
from lstm_export.exporting.verify.verify import verify_graph

TYPES = {
    "float32": TensorProto.FLOAT,
    "float64": TensorProto.DOUBLE,
    "int64": TensorProto.INT64,
    "int32": TensorProto.INT32,
    "bool": TensorProto.BOOL,
}
X = TensorSpec("x", "float32", ("batch", "sequence_length", 3))
SCORES = TensorSpec("scores", "float32", ("batch", "sequence_length", 4))
BEST = TensorSpec("best", "int64", ("batch", "sequence_length"))
GRAPH = GraphSpec((X,), (SCORES, BEST))

Node = tuple[Any, ...]


class Tagger(nn.Module):
    """Scores for every step, and the best of them."""

    def __init__(self, hidden_size: int = 6) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.layers = nn.LSTM(3, hidden_size, batch_first=True)
            self.head = nn.Linear(hidden_size, 4)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        scores = self.head(self.layers(x)[0])
        return {"scores": scores, "best": scores.argmax(-1)}


def file(
    graph: GraphSpec, nodes: Sequence[Node], weights: dict[str, Any] | None = None
) -> onnx.ModelProto:
    """An ONNX file; a node is (operator, inputs, outputs, attributes)."""

    def value(spec: TensorSpec) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(spec.name, TYPES[spec.dtype], spec.axes)

    built = helper.make_graph(
        [
            helper.make_node(kind, given.split(), made.split(), **(rest[0] if rest else {}))
            for kind, given, made, *rest in nodes
        ],
        "model",
        [value(spec) for spec in graph.inputs],
        [value(spec) for spec in graph.outputs],
        [
            numpy_helper.from_array(np.asarray(array), name)
            for name, array in (weights or {}).items()
        ],
    )
    opset = helper.make_opsetid("", 18)
    return helper.make_model(built, opset_imports=[opset], ir_version=8)


def tagger_file(module: Tagger, graph: GraphSpec = GRAPH, extra: Sequence[Node] = ()) -> Any:
    """The right file for a Tagger; its scores are named `raw` where `extra` makes others of it."""
    (layer,) = onnx_layers(module.layers)
    raw = "raw" if extra else "scores"
    nodes: list[Node] = [
        ("Transpose", "x", "steps", {"perm": [1, 0, 2]}),
        ("LSTM", "steps W R B", "y", {"hidden_size": module.layers.hidden_size}),
        ("Squeeze", "y one", "flat"),
        ("Transpose", "flat", "rows", {"perm": [1, 0, 2]}),
        ("MatMul", "rows head", "scaled"),
        ("Add", "scaled bias", raw),
        *extra,
    ]
    if not any("best" in node[2] for node in extra):
        nodes.append(("ArgMax", "scores", "best", {"axis": -1, "keepdims": 0}))
    weights = {
        **{name: getattr(layer, name).numpy() for name in "WRB"},
        "head": module.head.weight.detach().numpy().T.copy(),
        "bias": module.head.bias.detach().numpy(),
        "one": np.array([1]),
        "five": np.array([5]),
        "zero": np.array([0]),
        "nan": np.array(np.nan, np.float32),
        "unit": np.array(1),
    }
    return file(graph, nodes, weights)


def verified(
    module: nn.Module,
    example: Any,
    content: Any,
    graph: GraphSpec = GRAPH,
    **options: Any,
) -> Verification:
    call = describe_call(module, example)
    return verify_graph(module, call, graph, content.SerializeToString(), **options)


EXAMPLE = torch.zeros(2, 5, 3)


def test_a_right_file_is_verified_at_many_shapes() -> None:
    module = Tagger()
    result = verified(module, EXAMPLE, tagger_file(module))
    assert result.passed, result
    assert not result.problems
    assert not result.notes
    assert not result.refused
    assert len(result.cases) == 8
    pairs = set(zip(result.sizes["batch"], result.sizes["sequence_length"], strict=True))
    assert {(1, 1), (2, 13), (4, 5)} <= pairs
    assert len({batch for batch, _ in pairs}) > 3
    assert len({length for _, length in pairs}) > 3
    assert "batch 1 to 7" in str(result)
    body = json.loads(json.dumps(result.to_dict()))
    assert body["passed"] is True
    assert len(body["comparisons"]) == 16
    assert result.worst is not None
    assert result.worst.comparison.severity < 1


def test_the_module_and_the_random_numbers_are_left_alone() -> None:
    module = Tagger().train()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    state = torch.get_rng_state()
    attributes = list(vars(module.layers))
    content = tagger_file(module)
    assert verified(module, EXAMPLE, content).passed
    assert all(child.training for child in module.modules())
    assert torch.equal(torch.get_rng_state(), state)
    assert list(vars(module.layers)) == attributes
    assert all(torch.equal(before[name], value) for name, value in module.state_dict().items())


def moved(name: str, function: Callable[[Any], Any]) -> Callable[[Any], None]:
    """A fault: an initializer with other values."""

    def change(content: Any) -> None:
        tensor = next(one for one in content.graph.initializer if one.name == name)
        array = function(numpy_helper.to_array(tensor).copy())
        tensor.CopyFrom(numpy_helper.from_array(array, name))

    return change


def swapped(W: Any) -> Any:
    """Input and output gate exchanged."""
    return np.concatenate([W[:, 6:12], W[:, :6], W[:, 12:]], axis=1)


def off_by(array: Any) -> Any:
    array[0] += 1e-4
    return array


@pytest.mark.parametrize(
    ("name", "function"),
    [("R", swapped), ("bias", off_by), ("B", lambda B: B * 1.001), ("head", lambda W: -W)],
    ids=["a swapped gate", "a wrong bias", "biases in low precision", "a sign"],
)
def test_wrong_weights_are_found(name: str, function: Callable[[Any], Any]) -> None:
    module = Tagger()
    content = tagger_file(module)
    moved(name, function)(content)
    result = verified(module, EXAMPLE, content)
    assert not result.passed
    (problem, *_) = result.problems
    assert problem.startswith("scores is wrong in")
    assert "batch=" in problem
    assert "sequence_length=" in problem
    assert "torch" in problem


WIDE = TensorSpec("scores", "float64", SCORES.axes)
FIXED = TensorSpec("scores", "float32", ("batch", 5, 4))
FREE = TensorSpec("scores", "float32", ("batch", "length", 4))
FAULTS: list[tuple[str, list[Node], TensorSpec, str]] = [
    (
        "a baked length",
        [("Slice", "raw zero five one", "scores")],
        SCORES,
        r"expected shape \(4, 13, 4\), got \(4, 5, 4\): axis 1, sequence_length, was baked in",
    ),
    (
        "a baked length that the contract admits",
        [("Slice", "raw zero five one", "scores")],
        FIXED,
        r"axis 1 is promised as 5, but the module gives 13: it was baked in",
    ),
    (
        "NaN",
        [("Add", "raw nan", "scores")],
        SCORES,
        "values are off",
    ),
    (
        "an integer off by one",
        [
            ("Identity", "raw", "scores"),
            ("ArgMax", "raw", "there", {"axis": -1, "keepdims": 0}),
            ("Add", "there unit", "best"),
        ],
        SCORES,
        r"best is wrong in 8 of 8 trials.*integers are exact",
    ),
    (
        "a wrong dtype",
        [("Cast", "raw", "scores", {"to": TensorProto.DOUBLE})],
        WIDE,
        "expected dtype float32, got float64",
    ),
    (
        "a time axis reversed",
        [("Slice", "raw last first one back", "scores")],
        SCORES,
        "scores is wrong",
    ),
]


@pytest.mark.parametrize(
    ("extra", "scores", "message"), [fault[1:] for fault in FAULTS], ids=[f[0] for f in FAULTS]
)
def test_every_wrong_file_is_found(extra: list[Node], scores: TensorSpec, message: str) -> None:
    module = Tagger()
    graph = GraphSpec((X,), (scores, BEST))
    content = tagger_file(module, graph, extra)
    ends = {"last": [-1], "first": [-(2**40)], "back": [-1]}
    content.graph.initializer.extend(
        numpy_helper.from_array(np.array(array), name) for name, array in ends.items()
    )
    # So that onnxruntime cannot hold a shape against the file before it is run.
    for value in content.graph.output:
        value.type.tensor_type.ClearField("shape")
    result = verified(module, EXAMPLE, content, graph)
    assert not result.passed
    assert any(re.search(message, problem) for problem in result.problems), result
    assert str(result).startswith("not verified")


def test_a_missing_output_a_file_that_does_not_load_and_one_that_does_not_run() -> None:
    module = Tagger()
    content = tagger_file(module)
    del content.graph.output[1]
    (problem,) = verified(module, EXAMPLE, content).problems
    assert "expected the outputs scores, best in the exported file, got scores" in problem

    content = tagger_file(module)
    content.graph.node[1].op_type = "LSTMM"
    (problem,) = verified(module, EXAMPLE, content).problems
    assert problem.startswith("onnxruntime cannot load the file")

    content = tagger_file(module, extra=[("Reshape", "raw shape", "scores")])
    content.graph.initializer.append(numpy_helper.from_array(np.array([2, 5, 4]), "shape"))
    result = verified(module, EXAMPLE, content)
    assert any("batch=4, sequence_length=13: onnxruntime cannot run" in p for p in result.problems)
    assert len(result.problems) == len(result.cases) - 1


def test_fixed_tolerances_replace_the_rule() -> None:
    module = Tagger()
    content = tagger_file(module)
    moved("bias", off_by)(content)
    assert not verified(module, EXAMPLE, content, atol=1e-5).passed
    result = verified(module, EXAMPLE, content, atol=1e-3)
    assert [one.comparison.passed for one in result.comparisons if one.comparison.name == "scores"]
    assert "0.001" in result.rule
    with pytest.raises(OptionError, match="atol"):
        verified(module, EXAMPLE, content, atol=-1.0)


class Forgetful(nn.Module):
    """Draws random numbers where it should not."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind
        self.head = nn.Linear(3, 3)

    def forward(self, x: Tensor) -> Tensor:
        if self.kind == "dropout":
            return nn.functional.dropout(self.head(x), 0.5, training=True)
        if self.kind == "numpy":
            return self.head(x) + float(np.random.rand())
        return self.head(x) + torch.randn(3)


@pytest.mark.parametrize("kind", ["dropout", "numpy", "normal"])
def test_a_module_that_draws_random_numbers_cannot_be_verified(kind: str) -> None:
    graph = GraphSpec((X,), (TensorSpec("output", "float32", X.axes),))
    content = file(graph, [("Identity", "x", "output")])
    (problem,) = verified(Forgetful(kind), EXAMPLE, content, graph).problems
    assert "draws random numbers in forward" in problem
    assert "output" in problem


class Picky(nn.Module):
    """Takes sequences that some rule allows."""

    def __init__(self, rule: Callable[[int], bool]) -> None:
        super().__init__()
        self.rule = rule

    def forward(self, x: Tensor) -> Tensor:
        if not self.rule(x.size(1)):
            raise ValueError(f"I do not take {x.size(1)} steps")
        return x * 2


@pytest.mark.parametrize(
    ("rule", "sizes", "note"),
    [
        (lambda n: n >= 4, {5, 7, 13, 10}, ""),
        (lambda n: n % 5 == 0, {5, 10}, ""),
        (lambda n: n in (5, 9), {5, 9}, ""),
        (lambda n: n == 5, {5}, "refuses every other sequence_length than 5"),
    ],
    ids=["from four on", "multiples of five", "five or nine", "five alone"],
)
def test_what_the_module_refuses_is_recorded_and_gone_around(
    rule: Callable[[int], bool], sizes: set[int], note: str
) -> None:
    graph = GraphSpec((X,), (TensorSpec("output", "float32", X.axes),))
    content = file(graph, [("Mul", "x two", "output")], {"two": np.float32(2)})
    result = verified(Picky(rule), EXAMPLE, content, graph)
    assert result.passed, result
    assert set(result.sizes["sequence_length"]) <= sizes
    assert (len(set(result.sizes["sequence_length"])) > 1) == (not note)
    assert any("I do not take" in refused.reason for refused in result.refused)
    assert (note in str(result.notes)) if note else not result.notes


def test_a_module_that_refuses_its_own_example_is_not_verified() -> None:
    graph = GraphSpec((X,), (TensorSpec("output", "float32", X.axes),))
    content = file(graph, [("Identity", "x", "output")])
    (problem,) = verified(Picky(lambda n: False), EXAMPLE, content, graph).problems
    assert "refuses its own example: ValueError: I do not take 5 steps" in problem


class Ragged(nn.Module):
    """The last true step of each sequence."""

    def __init__(self, enforce_sorted: bool) -> None:
        super().__init__()
        self.enforce_sorted = enforce_sorted

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        packed = pack_padded_sequence(x, lengths, True, self.enforce_sorted)
        y, there = pad_packed_sequence(packed, True)
        return y[torch.arange(len(there)), there - 1]


LENGTHS = TensorSpec("lengths", "int64", ("batch",))


@pytest.mark.parametrize("enforce_sorted", [False, True])
@pytest.mark.parametrize("known", [False, True], ids=["recognised", "known"])
def test_lengths_are_valid_and_ragged(enforce_sorted: bool, known: bool) -> None:
    graph = GraphSpec((X, LENGTHS), (TensorSpec("output", "float32", ("batch", 3)),))
    nodes: list[Node] = [
        ("Sub", "lengths unit", "last"),
        ("Unsqueeze", "last one", "places"),
        ("GatherND", "x places", "output", {"batch_dims": 1}),
    ]
    content = file(graph, nodes, {"unit": np.array(1), "one": np.array([1])})
    module = Ragged(enforce_sorted)
    example = (torch.randn(3, 5, 3), torch.tensor([5, 3, 2] if enforce_sorted else [2, 5, 3]))
    given = frozenset({"lengths"} if known else ())
    result = verified(module, example, content, graph, lengths=given)
    assert result.passed, result
    assert not result.refused
    assert any("ragged" in case for case in result.cases)
    assert any("full" in case for case in result.cases)
    wrong = file(graph, [("Gather", "x minus", "output", {"axis": 1})], {"minus": np.array(-1)})
    assert not verified(module, example, wrong, graph, lengths=given).passed


def test_nan_in_the_padding_must_not_reach_a_result() -> None:
    graph = GraphSpec((X, LENGTHS), (TensorSpec("output", "float32", ("batch", 3)),))

    class Mean(nn.Module):
        def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
            valid = torch.arange(x.size(1)) < lengths.unsqueeze(1)
            return x.masked_fill(~valid.unsqueeze(-1), 0).sum(1) / lengths.unsqueeze(1)

    def content(masked: list[Node]) -> Any:
        nodes: list[Node] = [
            ("Shape", "x", "length", {"start": 1, "end": 2}),
            ("Squeeze", "length", "end"),
            ("Range", "zero end unit", "steps"),
            ("Unsqueeze", "lengths one", "ends"),
            ("Less", "steps ends", "flat"),
            ("Unsqueeze", "flat two", "valid"),
            *masked,
            ("ReduceSum", "masked one", "sum", {"keepdims": 0}),
            ("Cast", "ends", "count", {"to": TensorProto.FLOAT}),
            ("Div", "sum count", "output"),
        ]
        numbers = {"zero": 0, "unit": 1, "one": [1], "two": [2]}
        weights = {name: np.array(value) for name, value in numbers.items()}
        return file(graph, nodes, {**weights, "nothing": np.float32(0)})

    example = (torch.randn(3, 5, 3), torch.tensor([2, 5, 3]))
    selected = content([("Where", "valid x nothing", "masked")])
    result = verified(Mean(), example, selected, graph)
    assert result.passed, result
    assert "NaN in the padding" in result.cases[0]
    multiply: list[Node] = [
        ("Cast", "valid", "factor", {"to": TensorProto.FLOAT}),
        ("Mul", "x factor", "masked"),
    ]
    result = verified(Mean(), example, content(multiply), graph)
    assert [one.case for one in result.comparisons if not one.comparison.passed] == [
        result.cases[0]
    ]


def test_a_double_module_is_judged_as_float32() -> None:
    single, double = Tagger(), Tagger().double()
    result = verified(double, EXAMPLE, tagger_file(single))
    assert result.passed, result
    assert double.head.weight.dtype == torch.float64


class Insists(Tagger):
    """Says float64 wherever it can, as a double module may."""

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        x = x.double() + torch.zeros(3, dtype=torch.float64)
        return super().forward(x)


def test_a_double_module_may_say_so_in_forward() -> None:
    single, double = Tagger(), Insists().double()
    for outer in (contextlib.nullcontext(), in_dtype(double, torch.float32)):
        with outer:
            result = verified(double, EXAMPLE, tagger_file(single))
        assert result.passed, result


class Ties(nn.Module):
    """An argmax that rounding decides."""

    def forward(self, x: Tensor) -> Tensor:
        y = torch.stack([x.sum(-1), x[..., 0] + (x[..., 1] + x[..., 2])], -1)
        return y.argmax(-1)


def test_where_torch_contradicts_itself_either_integer_is_right() -> None:
    graph = GraphSpec((X,), (TensorSpec("output", "int64", BEST.axes),))
    nodes: list[Node] = [
        ("ReduceSum", "x last", "a", {"keepdims": 1}),
        ("Split", "x", "x0 x1 x2", {"axis": -1, "num_outputs": 3}),
        ("Add", "x1 x2", "tail"),
        ("Add", "x0 tail", "b"),
        ("Concat", "a b", "both", {"axis": -1}),
        ("ArgMax", "both", "output", {"axis": -1, "keepdims": 0}),
    ]
    content = file(graph, nodes, {"last": np.array([-1])})
    result = verified(Ties(), EXAMPLE, content, graph)
    assert any("float32 and float64 differ" in note for note in result.notes)


class Masked(nn.Module):
    """Filled with the smallest number of its dtype, which is another one in float64."""

    def forward(self, x: Tensor) -> Tensor:
        return x.masked_fill(x > 0, torch.finfo(x.dtype).min)


def test_numbers_that_only_float64_has_do_not_blow_up_the_bound() -> None:
    graph = GraphSpec((X,), (TensorSpec("output", "float32", X.axes),))
    weights = {"zero": np.float32(0), "low": np.finfo(np.float32).min}
    nodes: list[Node] = [("Greater", "x zero", "where"), ("Where", "where low x", "output")]
    result = verified(Masked(), EXAMPLE, file(graph, nodes, weights), graph)
    assert result.passed, result
    assert result.worst is not None
    assert (result.worst.comparison.bound or 0) < 1e33


class Sensitive(nn.Module):
    """A factor that moves a hundred times as far as its weight does."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(0.9))

    def forward(self, x: Tensor) -> Tensor:
        return x * (1 + 100 * (self.weight - 0.9))


def test_rounding_is_measured_on_moved_weights_where_torch_was_lucky() -> None:
    graph = GraphSpec((X,), (TensorSpec("output", "float32", X.axes),))
    exact = 1 + 100 * (np.float64(np.float32(0.9)) - 0.9)
    for off, passes in ((1e-5, True), (1e-4, False)):
        factor = np.float32(exact * (1 + off))
        content = file(graph, [("Mul", "x factor", "output")], {"factor": factor})
        result = verified(Sensitive(), EXAMPLE, content, graph)
        assert result.passed == passes, result
        assert any(one.moved for one in result.comparisons) == passes
    assert not any("amplifies" in note for note in result.notes)


class Warns(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        warnings.warn("as some modules do", stacklevel=1)
        return x + 0


def test_a_module_may_warn_and_two_threads_may_verify_at_once(tmp_path: Path) -> None:
    graph = GraphSpec((X,), (TensorSpec("output", "float32", X.axes),))
    path = tmp_path / "model.onnx"
    onnx.save(file(graph, [("Identity", "x", "output")]), path)
    filters, number = list(warnings.filters), torch.get_num_threads()
    results: list[bool] = []

    def work() -> None:
        module = Warns()
        for _ in range(5):
            call = describe_call(module, EXAMPLE)
            results.append(verify_graph(module, call, graph, path).passed)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [True] * 15
    assert warnings.filters == filters
    assert torch.get_num_threads() == number


def test_golden_cases_hold_both_precisions_at_several_shapes() -> None:
    module = Tagger()
    call = describe_call(module, EXAMPLE)
    cases = golden_cases(module, call, GRAPH)
    assert len({case.name for case in cases}) == len(cases) == 7
    assert len({case.inputs["x"].shape[:2] for case in cases[:5]}) == 5
    assert np.abs(cases[5].inputs["x"]).max() < 1e-2
    assert np.abs(cases[6].inputs["x"]).max() > 1e2
    for case in cases:
        assert case.inputs["x"].dtype == case.torch["scores"].dtype == np.float32
        assert case.oracle["scores"].dtype == np.float64
        assert case.torch["best"].dtype == case.oracle["best"].dtype == np.int64
        assert 0 < np.abs(case.torch["scores"] - case.oracle["scores"]).max() < 1e-5
    again = read_golden(golden_bytes(cases), "golden.npz")
    assert [case.name for case in again] == [case.name for case in cases]
