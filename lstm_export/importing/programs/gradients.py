"""What a program computes under torch.no_grad, as part of the rest of its graph."""

from __future__ import annotations

from typing import Any

import torch
from torch import fx


def inline_gradients(module: fx.GraphModule) -> None:
    """Puts the graphs that are called with gradients off, or on, in the place of the calls."""
    calls = [
        node
        for node in module.graph.nodes
        if node.target is torch.ops.higher_order.wrap_with_set_grad_enabled
    ]
    for node in calls:
        _, called, *given = node.args
        inner: Any = module.get_submodule(str(called.target))
        inline_gradients(inner)
        placeholders = [one for one in inner.graph.nodes if one.op == "placeholder"]
        known: dict[fx.Node, Any] = dict(zip(placeholders, given, strict=True))
        with module.graph.inserting_before(node):
            results: Any = module.graph.graph_copy(inner.graph, known)
        for user in list(node.users):
            user.replace_all_uses_with(results[user.args[1]])
            module.graph.erase_node(user)
        module.graph.erase_node(node)
    if calls:
        module.graph.eliminate_dead_code()
        module.recompile()
