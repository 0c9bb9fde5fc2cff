"""Operators of torch on tensors: `aten::…` as a call.

Most are called as torch.ops has them, by the name and overload of the node's own schema. Those that
cut and join tensors are written as people write them, which is where the exporter looks for loops
over time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from lstm_export.importing.scripted.refusal import Unsupported
from lstm_export.importing.scripted.scalars import grouped
from lstm_export.importing.scripted.terms import Term

_ALL = 9223372036854775807
"""What a slice without an end has for one."""
_FORMATS = {
    0: "torch.contiguous_format",
    1: "torch.preserve_format",
    2: "torch.channels_last",
    3: "torch.channels_last_3d",
}
_LEFT_OUT = frozenset({"layout", "device", "pin_memory", "generator", "non_blocking"})

_WRITTEN = {
    "aten::cat": "torch.cat({0}, {1})",
    "aten::concat": "torch.cat({0}, {1})",
    "aten::stack": "torch.stack({0}, {1})",
    "aten::hstack": "torch.hstack({0})",
    "aten::vstack": "torch.vstack({0})",
    "aten::dstack": "torch.dstack({0})",
    "aten::column_stack": "torch.column_stack({0})",
    "aten::unbind": "{0}.unbind({1})",
    "aten::split": "{0}.split({1}, {2})",
    "aten::split_with_sizes": "{0}.split({1}, {2})",
    "aten::chunk": "{0}.chunk({1}, {2})",
    "aten::select": "{0}.select({1}, {2})",
    "aten::narrow": "{0}.narrow({1}, {2}, {3})",
    "aten::len": "{0}.size(0)",
    "aten::dim": "{0}.dim()",
    "aten::numel": "{0}.numel()",
    "aten::Int": "whole({0})",
    "aten::IntImplicit": "whole({0})",
    "aten::Float": "real({0})",
    "aten::FloatImplicit": "real({0})",
    "aten::Bool": "bool({0})",
    "aten::item": "{0}.item()",
    "aten::ScalarImplicit": "{0}.item()",
    "aten::is_floating_point": "{0}.is_floating_point()",
    "aten::__and__": "{0} & {1}",
    "aten::__or__": "{0} | {1}",
    "aten::contiguous": "{0}.contiguous()",
    "aten::cpu": "{0}",
    # What follows in it is about kernels for GPUs.
    "aten::_convolution": (
        "torch.ops.aten.convolution.default({0}, {1}, {2}, {3}, {4}, {5}, {6}, {7}, {8})"
    ),
    "aten::detach": "{0}.detach()",
    "aten::__contains__": "{1} in {0}",
}


def expression(node: Any, inputs: Sequence[Term]) -> tuple[str, bool]:
    """(text, whether it is pure) of a node on tensors. Raises Unsupported."""
    kind: str = node.kind()
    if kind == "aten::to":
        return _to(node, inputs), True
    if kind in _SPECIAL:
        text = _SPECIAL[kind](inputs)
        if text is not None:
            return text, True
    texts = [grouped(written(one)) for one in inputs]
    if kind in _WRITTEN:
        return _WRITTEN[kind].format(*texts), True
    if not kind.startswith("aten::"):
        raise Unsupported(f"{kind} is nothing that can be exported")
    schema = _schema(node)
    name, overload = kind.partition("::")[2], schema.overload_name or "default"
    operator = getattr(getattr(torch.ops.aten, name, None), overload, None)
    if operator is None:
        raise Unsupported(f"{kind}.{overload} is no operator that this torch has")
    given = []
    for argument, term, text in zip(schema.arguments, inputs, texts, strict=True):
        if argument.name in _LEFT_OUT and argument.kwarg_only:
            continue
        converted = _converted(str(argument.real_type), term, text)
        if argument.kwarg_only:
            if term.known is not None:
                given.append(f"{argument.name}={converted}")
        else:
            given.append(converted)
    return f"torch.ops.aten.{name}.{overload}({', '.join(given)})", not schema.is_mutable


def written(one: Term) -> str:
    """The text of `one` where a tensor is needed."""
    return f"tensor_of({one.text})" if one.is_number else one.text


def _schema(node: Any) -> Any:
    try:
        return torch._C.parse_schema(node.schema())
    except RuntimeError:
        raise Unsupported(f"{node.kind()} is no operator that this torch has") from None


def _converted(real_type: str, term: Term, text: str) -> str:
    if "ScalarType" in real_type:
        return _dtype(term)
    if "MemoryFormat" in real_type:
        return "None" if not isinstance(term.known, int) else _FORMATS[term.known]
    return text


def _dtype(term: Term) -> str:
    return "None" if term.known is None else f"dtype_of({term.text})"


def _slice(inputs: Sequence[Term]) -> str | None:
    x, dim, start, stop, step = inputs
    first = start.known is None or (start.is_known and start.known == 0)
    last = stop.known is None or stop.known == _ALL
    if first and last and step.known == 1:
        return x.text
    if not isinstance(dim.known, int) or dim.known < 0:
        return None
    ends = ["" if first else start.text, "" if last else stop.text]
    window = ":".join(ends if step.known == 1 else [*ends, step.text])
    return f"{x.text}[{':, ' * dim.known}{window}]"


def _size(inputs: Sequence[Term]) -> str:
    x = inputs[0].text
    return f"{x}.size({inputs[1].text})" if len(inputs) == 2 else f"list({x}.size())"


def _to(node: Any, inputs: Sequence[Term]) -> str:
    """Devices are left out: everything is computed on one."""
    named = {a.name: term for a, term in zip(_schema(node).arguments, inputs, strict=True)}
    x = written(inputs[0])
    if "other" in named:
        return f"{x}.to({named['other'].text}.dtype)"
    dtype = named.get("dtype")
    return x if dtype is None or dtype.known is None else f"{x}.to({_dtype(dtype)})"


def _tensor(inputs: Sequence[Term]) -> str:
    return f"torch.as_tensor({inputs[0].text}, dtype={_dtype(inputs[1])})"


def _dropout(inputs: Sequence[Term]) -> str:
    x, p, train = inputs
    if train.known is False or p.known == 0:
        return x.text
    raise Unsupported(
        "it drops values at random: it was traced in training mode, and has to be in eval mode"
    )


def _gone(inputs: Sequence[Term]) -> str:
    return "None"


_SPECIAL: dict[str, Callable[[Sequence[Term]], str | None]] = {
    "aten::slice": _slice,
    "aten::size": _size,
    "aten::tensor": _tensor,
    "aten::as_tensor": _tensor,
    "aten::warn": _gone,
    **{
        f"aten::{name}": _dropout
        for name in (
            *("dropout", "feature_dropout", "alpha_dropout", "feature_alpha_dropout"),
            *("dropout_", "feature_dropout_", "alpha_dropout_", "feature_alpha_dropout_"),
        )
    },
}
