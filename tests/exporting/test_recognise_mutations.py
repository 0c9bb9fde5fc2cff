"""Cells with something changed: whatever is recognised computes what it did before.

Steps are written as trees, changed at random places, and run in onnxruntime as a Scan and as what
recognition makes of it. A change may leave a cell a cell (operands swapped, a gate negated) or not.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx_ir as ir
import onnxruntime
import pytest
from onnx_ir import tape

from lstm_export.exporting.lowering.recognise.scans import recognise_cells

X, H = 3, 4
Tree = tuple[Any, ...]

SIGMOIDS = [("Sigmoid", ("linear", k)) for k in range(4)]


def lstm() -> list[Tree]:
    i, f, o = SIGMOIDS[:3]
    c = ("Add", ("Mul", f, ("state", 1)), ("Mul", i, ("Tanh", ("linear", 3))))
    return [("Mul", o, ("Tanh", c)), c]


def coupled() -> list[Tree]:
    f, o = SIGMOIDS[:2]
    new = ("Mul", ("Sub", ("one",), f), ("Tanh", ("linear", 3)))
    c = ("Add", ("Mul", f, ("state", 1)), new)
    return [("Mul", o, ("Tanh", c)), c]


def gru() -> list[Tree]:
    z, r = SIGMOIDS[:2]
    n = ("Tanh", ("Add", ("of input", 2), ("Mul", r, ("of state", 3))))
    return [("Add", ("Mul", z, ("state", 0)), ("Mul", ("Sub", ("one",), z), n))]


def early_reset_gru() -> list[Tree]:
    z, r = SIGMOIDS[:2]
    n = ("Tanh", ("Add", ("of input", 2), ("product", 3, ("Mul", r, ("state", 0)))))
    return [("Add", n, ("Mul", z, ("Sub", ("state", 0), n)))]


def rnn() -> list[Tree]:
    return [("Tanh", ("Add", ("of input", 0), ("product", 1, ("state", 0))))]


CELLS = [lstm, coupled, gru, early_reset_gru, rnn]
BINARY, UNARY = ["Add", "Sub", "Mul"], ["Sigmoid", "Tanh", "Relu", "Neg"]


def places(tree: Tree, path: tuple[int, ...] = ()) -> Iterator[tuple[int, ...]]:
    yield path
    for position, child in enumerate(tree):
        if isinstance(child, tuple):
            yield from places(child, (*path, position))


def at(tree: Tree, path: tuple[int, ...]) -> Tree:
    for position in path:
        tree = tree[position]
    return tree


def put(tree: Tree, path: tuple[int, ...], new: Tree) -> Tree:
    if not path:
        return new
    position, *rest = path
    changed = put(tree[position], tuple(rest), new)
    return (*tree[:position], changed, *tree[position + 1 :])


def changed(trees: list[Tree], rng: random.Random) -> list[Tree]:
    """One change somewhere. What several places share may change in one of them alone."""
    index = rng.randrange(len(trees))
    path = rng.choice(list(places(trees[index])))
    old = at(trees[index], path)
    kind, *rest = old
    choices: list[Tree] = [("Neg", old), ("Sub", ("one",), old), ("Mul", old, ("two",))]
    choices += [("linear", rng.randrange(4)), ("state", rng.randrange(len(trees)))]
    if kind in BINARY:
        choices += 3 * [(kind, *rest[::-1])] + [(other, *rest) for other in BINARY]
    if kind in UNARY:
        choices += [(other, *rest) for other in UNARY] + [rest[0]]
    new = rng.choice(choices)
    if rng.random() < 0.5:  # everywhere that the same tree stands
        return [_everywhere(tree, old, new) for tree in trees]
    return [put(tree, path, new) if i == index else tree for i, tree in enumerate(trees)]


def _everywhere(tree: Tree, old: Tree, new: Tree) -> Tree:
    if tree == old:
        return new
    return tuple(_everywhere(t, old, new) if isinstance(t, tuple) else t for t in tree)


def model_of(trees: list[Tree], seed: int) -> ir.Model:
    """A Scan over x (T, B, X) with given initial states; final states and the first one's steps."""
    rng = np.random.default_rng(seed)
    outer, inner = tape.Tape(), tape.Tape()

    def constant(name: str, *shape: int) -> ir.Value:
        array = (rng.normal(size=shape) * 0.7).astype(np.float32)
        value = outer.initializer(ir.tensor(array), name=name)
        value.shape = ir.Shape(shape)
        return value

    weights = [
        (constant(f"W{k}", X, H), constant(f"R{k}", H, H), constant(f"b{k}", H)) for k in range(4)
    ]
    numbers = {
        name: outer.initializer(ir.tensor(np.array(number, np.float32)), name=name)
        for name, number in (("one", 1), ("two", 2))
    }
    step = value_of("x_t", "B", X)
    states = [value_of(f"state_{k}", "B", H) for k in range(len(trees))]
    made: dict[Tree, ir.Value] = {}

    def op(op_type: str, *inputs: ir.Value) -> ir.Value:
        output = inner.op(op_type, inputs)
        output.shape, output.dtype = ir.Shape(["B", H]), ir.DataType.FLOAT
        return output

    def build(tree: Tree) -> ir.Value:
        if tree not in made:
            made[tree] = _build(tree)
        return made[tree]

    def _build(tree: Tree) -> ir.Value:
        kind, *rest = tree
        if kind == "state":
            return states[rest[0]]
        if kind in numbers:
            return numbers[kind]
        if kind == "product":
            return op("MatMul", build(rest[1]), weights[rest[0]][1])
        if kind in ("linear", "of input", "of state"):
            W, R, b = weights[rest[0]]
            terms = []
            if kind != "of state":
                terms.append(op("MatMul", step, W))
            if kind != "of input":
                terms.append(op("MatMul", states[0], R))
            total = terms[0] if len(terms) == 1 else op("Add", *terms)
            return op("Add", total, b)
        return op(kind, *(build(part) for part in rest))

    after = [op("Identity", build(tree)) for tree in trees]
    body = ir.Graph(
        [*states, step], [*after, op("Identity", after[0])], nodes=inner.nodes, name="step"
    )
    x = value_of("x", "T", "B", X)
    initial = [value_of(f"initial_{k}", "B", H) for k in range(len(trees))]
    outputs = outer.op_multi_out(
        "Scan",
        [*initial, x],
        {"body": body, "num_scan_inputs": 1},
        num_outputs=len(trees) + 1,
    )
    for position, output in enumerate(outputs):
        output.name, output.dtype = f"output_{position}", ir.DataType.FLOAT
        output.shape = ir.Shape(["B", H] if position < len(trees) else ["T", "B", H])
    graph = ir.Graph(
        [x, *initial],
        outputs,
        nodes=outer.nodes,
        initializers=outer.initializers,
        opset_imports={"": 18},
        name="model",
    )
    return ir.Model(graph, ir_version=8)


def value_of(name: str, *shape: int | str) -> ir.Value:
    return ir.Value(name=name, shape=ir.Shape(shape), type=ir.TensorType(ir.DataType.FLOAT))


def run(model: ir.Model) -> list[Any]:
    content = ir.to_proto(model).SerializeToString()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # the weights of gates that a change cut off
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    rng = np.random.default_rng(0)
    feeds = {
        value.name: rng.normal(size=(5, 3, X) if value.name == "x" else (3, H)).astype(np.float32)
        for value in session.get_inputs()
    }
    return session.run(None, feeds)  # type: ignore[no-any-return]


def recognised(trees: list[Tree], seed: int) -> bool:
    """Whether it is a cell; if so, that the operator gives the numbers of the loop."""
    model = model_of(trees, seed)
    expected = run(model)
    (said,) = recognise_cells(model, "onnxruntime")
    if "stays a Scan" in said:
        assert any(node.op_type == "Scan" for node in model.graph)
        return False
    assert not any(node.op_type == "Scan" for node in model.graph)
    for got, reference in zip(run(model), expected, strict=True):
        # What a change lets grow without bound grows in both.
        np.testing.assert_allclose(got, reference, rtol=2e-5, atol=2e-6, err_msg=str(trees))
    return True


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.__name__)
def test_the_unchanged_cell_is_recognised(cell: Any) -> None:
    assert recognised(cell(), seed=0)


@pytest.mark.parametrize("changes", [1, 2, 3])
@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.__name__)
def test_what_is_recognised_computes_the_same(cell: Any, changes: int) -> None:
    rng = random.Random(f"{cell.__name__} {changes}")
    results = []
    for seed in range(25):
        trees = cell()
        for _ in range(changes):
            trees = changed(trees, rng)
        results.append(recognised(trees, seed))
    # Neither everything nor nothing is a cell: the comparison above was made.
    assert 0 < sum(results) < len(results)
