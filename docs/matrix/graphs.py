"""Small graphs with dynamic axes: one recurrent node or loop, built as each trap wants it."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

WIDTH, HIDDEN = 3, 4
GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}


def recurrent_graph(
    op_type: str = "LSTM",
    *,
    directions: int = 1,
    states: str = "zeros",
    lengths: bool = False,
    outputs: int | None = None,
    bias: bool = True,
    peephole: bool = False,
    computed: bool = False,
    dtype: type = np.float32,
    value: bool = True,
    shape: bool = True,
    opset: int = 18,
    ir: int = 8,
    **attributes: Any,
) -> onnx.ModelProto:
    """x (batch, sequence_length, 3) → y (sequence_length, batch, 4 · directions).

    `states` is "zeros" (computed from x's shape), "joined" (those of each direction by Concat),
    "sliced" (cut out of more of them), "none" or "inputs".
    """
    rng = np.random.default_rng(0)
    lstm, gates = op_type == "LSTM", GATES[op_type]
    shapes = {
        "W": (gates * HIDDEN, WIDTH),
        "R": (gates * HIDDEN, HIDDEN),
        "B": (2 * gates * HIDDEN,),
    }
    if peephole:
        shapes["P"] = (3 * HIDDEN,)
    constants = {k: rng.normal(0, 0.4, (directions, *s)).astype(dtype) for k, s in shapes.items()}
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    fed = [("x", kind, ["batch", "sequence_length", WIDTH])]
    nodes = [helper.make_node("Transpose", ["x"], ["t"], perm=[1, 0, 2])]
    weights = ["W", "R", "B" if bias else ""]
    if computed:
        constants["one"] = np.ones(1, dtype)
        nodes.append(helper.make_node("Mul", ["W", "one"], ["Wc"]))
        weights[0] = "Wc"
    inputs = ["t", *weights, "lengths" if lengths else ""]
    if lengths:
        fed.append(("lengths", TensorProto.INT32, ["batch"]))
    if states == "inputs":
        names = ["h", "c"][: 1 + lstm]
        fed += [(name, kind, [directions, "batch", HIDDEN]) for name in names]
        inputs += names
    elif states != "none":
        lead = {"joined": 1, "sliced": 2 * directions}.get(states, directions)
        constants |= {"one_i": np.array([1]), "d": np.array([lead]), "w": np.array([HIDDEN])}
        fill = {"value": numpy_helper.from_array(np.zeros(1, dtype))} if value else {}
        zeros = "z" if states == "zeros" else "zeros"
        nodes += [
            helper.make_node("Shape", ["t"], ["shape"]),
            helper.make_node("Gather", ["shape", "one_i"], ["b"], axis=0),
            helper.make_node("Concat", ["d", "b", "w"], ["state_shape"], axis=0),
            helper.make_node("ConstantOfShape", ["state_shape"], [zeros], **fill),
        ]
        if states == "joined":
            nodes.append(helper.make_node("Concat", ["zeros"] * directions, ["z"], axis=0))
        if states == "sliced":
            constants["halves"] = np.array([directions, directions])
            nodes.append(helper.make_node("Split", ["zeros", "halves"], ["z", "rest"], axis=0))
        inputs += ["z"] * (1 + lstm)
    inputs += [""] * (7 - len(inputs)) + ["P"] if peephole else []
    while not inputs[-1]:
        inputs.pop()
    given = ["Y", "Y_h", "Y_c"][: outputs or 2 + lstm]
    if directions == 2:
        attributes["direction"] = "bidirectional"
    node = helper.make_node(op_type, inputs, given, name="cell", hidden_size=HIDDEN, **attributes)
    constants |= {"end": np.array([0, 0, directions * HIDDEN])}
    nodes += [
        node,
        helper.make_node("Transpose", ["Y"], ["swapped"], perm=[0, 2, 1, 3]),
        helper.make_node("Reshape", ["swapped", "end"], ["y"]),
    ]
    axes = ["sequence_length", "batch", directions * HIDDEN] if shape else None
    return model(nodes, constants, fed, [("y", kind, axes)], opset=opset, ir=ir)


def loop_graph(op_type: str, *, named: bool = True) -> onnx.ModelProto:
    """A tanh recurrence over time in a Loop or a Scan; y (sequence_length, batch, 3)."""
    info, floats = helper.make_tensor_value_info, TensorProto.FLOAT
    step = [
        helper.make_node("MatMul", ["h_in", "R"], ["r"]),
        helper.make_node("Add", ["r", "x_t"], ["s"]),
        helper.make_node("Tanh", ["s"], ["h_out"]),
        helper.make_node("Identity", ["h_out"], ["y_t"]),
    ]
    state = info("h_in", floats, ["batch", WIDTH])
    gives = [info(name, floats, ["batch", WIDTH]) for name in ("h_out", "y_t")]
    if op_type == "Loop":
        step.insert(0, helper.make_node("Gather", ["t", "i"], ["x_t"], axis=0))
        step.append(helper.make_node("Identity", ["go"], ["on"]))
        takes = [info("i", TensorProto.INT64, []), info("go", TensorProto.BOOL, []), state]
        gives.insert(0, info("on", TensorProto.BOOL, []))
        inputs, extra = ["T", "yes", "z"], {}
    else:
        takes = [state, info("x_t", floats, ["batch", WIDTH])]
        inputs, extra = ["z", "t"], {"num_scan_inputs": 1}
    recurrent = numpy_helper.from_array(
        np.random.default_rng(1).normal(0, 0.5, (WIDTH, WIDTH)).astype(np.float32), "R"
    )
    body = helper.make_graph(step, "step", takes, gives, [recurrent])
    nodes = [
        helper.make_node("Transpose", ["x"], ["t"], perm=[1, 0, 2]),
        helper.make_node("Shape", ["t"], ["shape"]),
        helper.make_node("Gather", ["shape", "zero"], ["T"], axis=0),
        helper.make_node("Gather", ["shape", "one"], ["b"], axis=0),
        helper.make_node("Concat", ["b", "w"], ["state_shape"], axis=0),
        helper.make_node(
            "ConstantOfShape",
            ["state_shape"],
            ["z"],
            value=numpy_helper.from_array(np.zeros(1, np.float32)),
        ),
        helper.make_node(op_type, inputs, ["final" if named else "", "y"], body=body, **extra),
    ]
    constants = {
        "zero": np.array(0),
        "one": np.array([1]),
        "w": np.array([WIDTH]),
        "yes": np.array(True),
    }
    fed = [("x", floats, ["batch", "sequence_length", WIDTH])]
    return model(nodes, constants, fed, [("y", floats, ["sequence_length", "batch", WIDTH])])


def model(
    nodes: list[onnx.NodeProto],
    constants: dict[str, Any],
    inputs: list[tuple[str, int, Any]],
    outputs: list[tuple[str, int, Any]],
    *,
    opset: int = 18,
    ir: int = 8,
) -> onnx.ModelProto:
    """A model of these nodes; inputs and outputs as name, type and shape."""
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info(*one) for one in inputs],
        [helper.make_tensor_value_info(*one) for one in outputs],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=ir)
