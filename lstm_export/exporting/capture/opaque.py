"""Nodes of our own in torch's graphs: `lstm_export::…`, which `lowering` turns into ONNX.

torch carries them through tracing and translation without looking inside.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

DOMAIN = "lstm_export"
_FIXED = "_lstm_export_fixed"
"""Under which torch's record of a trace's symbols keeps what some are, and why."""


def opaque(
    op_type: str, inputs: Sequence[Tensor | None], dtype: torch.dtype, shape: Sequence[Any]
) -> Tensor:
    """The one output of a new node, `shape` of numbers and symbols; absent inputs are None."""
    output: Tensor = torch.onnx.ops.symbolic(
        f"{DOMAIN}::{op_type}", inputs, dtype=dtype, shape=shape, version=1
    )
    return output


def demand(condition: Any) -> None:
    """Tells torch what must hold of sizes, which makes equal ones one symbol."""
    torch._check(condition)  # type: ignore[no-untyped-call]


def fix(size: Any, expected: int, reason: str) -> None:
    """Notes that a size is one number. torch alone may leave a size of 1 open."""
    if isinstance(size, torch.SymInt):
        vars(size.node.shape_env).setdefault(_FIXED, {})[size.node._expr] = expected, reason
    demand(int(size) == expected)


def fixed_by_layers(size: Any) -> tuple[int, str] | None:
    """The number that a recurrent layer made of a symbolic size, and why; None if none did."""
    if not isinstance(size, torch.SymInt):
        return None
    found: tuple[int, str] | None = vars(size.node.shape_env).get(_FIXED, {}).get(size.node._expr)
    return found
