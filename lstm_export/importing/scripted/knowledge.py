"""What can be said of an operator's result before it is run."""

from __future__ import annotations

import dataclasses
from typing import Any

import torch
from torch import Tensor

from lstm_export.importing.scripted import operators
from lstm_export.importing.scripted.namespace import NAMES
from lstm_export.importing.scripted.recurrent import KERNELS
from lstm_export.importing.scripted.terms import Term

_ZEROS = frozenset({"aten::zeros", "aten::new_zeros", "aten::zeros_like"})


def knowledge(node: Any, inputs: list[Term], pure: bool) -> dict[str, Any]:
    """Fields of the Term for the one result of an operator."""
    kind: str = node.kind()
    found: dict[str, Any] = {}
    if kind in _ZEROS and _batch_varies(inputs[1 if kind == "aten::new_zeros" else 0]):
        found["is_zeros"] = all(_only_reads(use.user) for use in node.output().uses())
    if kind == "aten::to":
        found["is_order"] = inputs[0].is_order
    if kind == "aten::size" and inputs[0].sizes_of:
        found["longest_of"] = inputs[0].sizes_of
    if pure and any(one.weight for one in inputs) and all(map(_is_fixed, inputs)):
        found["weight"] = lambda: _computed(node, inputs)
    return found


def is_packed_with(lengths: Any) -> bool:
    """Whether a batch is packed with these lengths."""
    return any(use.user.kind() == "aten::_pack_padded_sequence" for use in lengths.uses())


def _computed(node: Any, inputs: list[Term]) -> Tensor:
    """The result of an operator on weights and plain values alone."""
    values = [one.weight() if one.weight else one.known for one in inputs]
    stand_ins = [
        dataclasses.replace(one, text=f"given[{position}]") if one.weight else one
        for position, one in enumerate(inputs)
    ]
    text, _ = operators.expression(node, stand_ins)
    with torch.no_grad():
        result: Tensor = eval(text, {**NAMES, "given": values})
    return result


def _is_fixed(one: Term) -> bool:
    return one.weight is not None or one.is_known


def _only_reads(user: Any) -> bool:
    """Whether a user of a state of zeros does not write into it: a layer, or what leads there."""
    if user.kind() == "prim::CallMethod":
        return "torch.nn.modules.rnn" in str(user.inputsAt(0).type())
    return user.kind() in KERNELS or user.kind() in ("prim::ListConstruct", "prim::TupleConstruct")


def _is_packed_with(lengths: Any) -> bool:
    return any(use.user.kind() == "aten::_pack_padded_sequence" for use in lengths.uses())


def _batch_varies(sizes: Term) -> bool:
    """Whether a state of these sizes (layers, batch, width) is made for any batch.

    One of a batch of its own has to be kept: torch's kernels do not look whether it fits.
    """
    return sizes.parts is None or len(sizes.parts) < 3 or not sizes.parts[1].is_known
