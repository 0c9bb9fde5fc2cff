"""Attention that OpenVINO does not run as one.

OpenVINO (2026.4) compiles a product, Softmax and a second product in a row into one kernel. Where
the first call has a single key, that gives wrong numbers for more than some ten keys from then on,
without a word. It leaves the three apart where the weights between them are read more than once. So
they become max(w, w), which is w, NaN included.
"""

from __future__ import annotations

import onnx_ir as ir
from onnx_ir import tape

_ON_THE_WAY = frozenset(
    [
        *("Abs", "Add", "Cast", "Div", "Dropout", "Identity", "Mul", "Reshape", "Squeeze", "Sub"),
        *("Transpose", "Unsqueeze", "Where"),
    ]
)
"""Operators that may stand between Softmax and the product."""


def read_twice(model: ir.Model) -> None:
    """Parts attention weights from their product, in place, in the bodies of loops too."""
    for node in list(ir.traversal.RecursiveGraphIterator(model.graph)):
        if node.op_type == "Softmax" and not node.domain and _weighs(node.outputs[0]):
            assert isinstance(node.graph, ir.Graph)
            weights, recorded = node.outputs[0], tape.Tape()
            same = recorded.op("Max", [weights, weights])
            same.shape, same.type = weights.shape, weights.type
            users = list(weights.uses())
            node.graph.insert_after(node, recorded.nodes)
            for user, place in users:
                if user not in recorded.nodes:
                    user.replace_input_with(place, same)


def _weighs(value: ir.Value) -> bool:
    """Whether `value` goes into a product and nowhere else."""
    while len(value.uses()) == 1 and not value.is_graph_output():
        ((user, _),) = value.uses()
        if user.op_type == "MatMul":
            return True
        if user.op_type not in _ON_THE_WAY:
            return False
        value = user.outputs[0]
    return False
