"""torch's squeeze of an axis that is not 1 does nothing; ONNX's Squeeze of one is an error."""

from __future__ import annotations

import torch
from torch.fx import GraphModule, Node

_ONE, _SEVERAL = torch.ops.aten.squeeze.dim, torch.ops.aten.squeeze.dims


def without_idle_squeezes(module: GraphModule) -> GraphModule:
    """Makes copies, in place, of the squeezes that the trace saw do nothing, and leaves to the
    others only the axes that went. The nodes keep their names, which outputs are known by.
    """
    for node in list(module.graph.nodes):
        if node.op != "call_function" or node.target not in (_ONE, _SEVERAL):
            continue
        source = node.args[0]
        if "val" not in node.meta or not isinstance(source, Node) or "val" not in source.meta:
            continue
        before, after = source.meta["val"].shape, node.meta["val"].shape
        given = node.args[1]
        axes = [given] if node.target is _ONE else list(given)
        gone = [axis for axis in axes if isinstance(before[axis], int) and before[axis] == 1]
        if len(before) == len(after):
            node.target, node.args = torch.ops.aten.clone.default, (source,)
        elif node.target is _SEVERAL and len(gone) == len(before) - len(after) < len(axes):
            node.args = (source, gone)
    return module
