"""Scaled dot-product attention over sequences without heads.

torch.onnx translates it over four axes, (batch, heads, sequence_length, width), and refuses
`F.scaled_dot_product_attention(y, y, y)` on what a recurrent layer gives. Over two or three axes it
is the same with one head.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.fx import Node

ATTENTION = torch.ops.aten.scaled_dot_product_attention.default


def lacks_axes(node: Node) -> bool:
    """Whether `node` is attention over fewer axes than have a translation."""
    query = node.args[0] if node.target is ATTENTION else None
    return isinstance(query, Node) and query.meta["val"].dim() < 4


def with_four_axes(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    *rest: Any,
    **named: Any,
) -> Any:
    """The same attention over four axes, as a decomposition; NotImplemented where it has them."""
    missing = 4 - query.dim()
    if missing < 1:
        return NotImplemented

    def widened(tensor: Tensor) -> Tensor:
        for _ in range(missing):
            tensor = tensor.unsqueeze(-3)
        return tensor

    # A mask over steps alone is the same for every sequence, with heads or without.
    mask = attn_mask if attn_mask is None or attn_mask.dim() < 3 else widened(attn_mask)
    result: Tensor = ATTENTION(widened(query), widened(key), widened(value), mask, *rest, **named)
    for _ in range(missing):
        result = result.squeeze(-3)
    return result
