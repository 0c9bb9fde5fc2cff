"""`prim::` nodes: constants, tuples, lists, attributes, and words that Python has too."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import torch

from lstm_export.importing.scripted.refusal import Unsupported
from lstm_export.importing.scripted.scalars import CHANGING
from lstm_export.importing.scripted.terms import Held, Term, constant

if TYPE_CHECKING:
    from lstm_export.importing.scripted.translate import Translator

Handler = Callable[["Translator", Any, list[Term]], list[Term]]

_PYTHON = {
    "IntType": "(int, torch.SymInt)",
    "FloatType": "float",
    "BoolType": "bool",
    "StringType": "str",
    "TensorType": "torch.Tensor",
    "ListType": "list",
    "TupleType": "tuple",
    "DictType": "dict",
    "NoneType": "type(None)",
}


def _constant(translator: Translator, node: Any, inputs: list[Term]) -> list[Term]:
    output = node.output()
    if output.type().kind() == "FunctionType":
        return [Term("None", str(output.type()))]
    return [translator.attributes.plain(output.toIValue(), "a constant")]


def _list(translator: Translator, node: Any, inputs: list[Term]) -> list[Term]:
    made = translator.assign("items", f"[{', '.join(translator.texts(inputs))}]", node)
    if any(_changes(use.user) for use in node.output().uses()):
        return [made]
    return [Term(made.text, parts=tuple(inputs))]


def _changes(user: Any) -> bool:
    """Whether a user of a list may change it: only of operators is it known that they do not."""
    return not user.kind().startswith("aten::") or user.kind() in CHANGING


def _tuple(translator: Translator, node: Any, inputs: list[Term]) -> list[Term]:
    texts = translator.texts(inputs)
    return [Term(f"({', '.join(texts)}{',' * (len(texts) == 1)})", parts=tuple(inputs))]


def _dict(translator: Translator, node: Any, inputs: list[Term]) -> list[Term]:
    texts = translator.texts(inputs)
    pairs = zip(texts[::2], texts[1::2], strict=True)
    return [translator.assign("table", "{" + ", ".join(f"{k}: {v}" for k, v in pairs) + "}", node)]


def _unpack(translator: Translator, node: Any, inputs: list[Term]) -> list[Term]:
    (whole,) = inputs
    if whole.parts is not None and len(whole.parts) == node.outputsSize():
        return list(whole.parts)
    return translator.assign_all(node, whole.text)


def _index(translator: Translator, node: Any, inputs: list[Term]) -> list[Term]:
    whole, position = inputs
    if whole.parts is not None and isinstance(position.known, int):
        return [whole.parts[position.known]]
    return [translator.assign("item", f"{whole.text}[{position.text}]", node)]


def _tuple_slice(translator: Translator, node: Any, inputs: list[Term]) -> list[Term]:
    text = f"{inputs[0].text}[{node.i('beg')}:{node.i('end')}]"
    return [translator.assign("items", text, node)]


def _attribute(translator: Translator, node: Any, inputs: list[Term]) -> list[Term]:
    holder, name = inputs[0].known, node.s("name")
    if not isinstance(holder, Held):
        raise Unsupported(f"{name} is an attribute of an object that is no module")
    return [translator.attributes.get(holder, name)]


def _set_attribute(translator: Translator, node: Any, inputs: list[Term]) -> list[Term]:
    raise Unsupported(
        f"forward sets self.{node.s('name')}, so that a call depends on the calls before it; a "
        "state has to be an argument and a result"
    )


def _same(translator: Translator, node: Any, inputs: list[Term]) -> list[Term]:
    return [inputs[0]]


def _number(translator: Translator, node: Any, inputs: list[Term]) -> list[Term]:
    one = inputs[0]
    return [Term(one.text, is_number=True, longest_of=one.longest_of)]


def _none(translator: Translator, node: Any, inputs: list[Term]) -> list[Term]:
    return [constant(None)] * node.outputsSize()


def _raise(translator: Translator, node: Any, inputs: list[Term]) -> list[Term]:
    translator.line("", f"stop({inputs[0].text})", node, pure=False)
    return []


def _is_instance(translator: Translator, node: Any, inputs: list[Term]) -> list[Term]:
    kinds = [kind.kind() for kind in node.tys("types")]
    if unknown := [kind for kind in kinds if kind not in _PYTHON]:
        raise Unsupported(f"isinstance of {', '.join(unknown)}")
    if inputs[0].kind == "TensorType":
        return [constant("TensorType" in kinds)]
    names = ", ".join(_PYTHON[kind] for kind in kinds)
    return [translator.assign("is_a", f"isinstance({inputs[0].text}, ({names},))", node)]


def _dtype(translator: Translator, node: Any, inputs: list[Term]) -> list[Term]:
    return [translator.assign("dtype", f"code_of({inputs[0].text})", node)]


def _device(translator: Translator, node: Any, inputs: list[Term]) -> list[Term]:
    return [constant(torch.device("cpu"))]


def _device_type(translator: Translator, node: Any, inputs: list[Term]) -> list[Term]:
    return [constant("cpu")]


def _layout(translator: Translator, node: Any, inputs: list[Term]) -> list[Term]:
    return [constant(0)]


def _no(translator: Translator, node: Any, inputs: list[Term]) -> list[Term]:
    return [constant(False)]


def _yes(translator: Translator, node: Any, inputs: list[Term]) -> list[Term]:
    return [constant(True)]


def _data(translator: Translator, node: Any, inputs: list[Term]) -> list[Term]:
    return [translator.assign("data", f"{inputs[0].text}.detach()", node)]


HANDLERS: Mapping[str, Handler] = {
    "prim::Constant": _constant,
    "prim::ListConstruct": _list,
    "prim::TupleConstruct": _tuple,
    "prim::DictConstruct": _dict,
    "prim::TupleUnpack": _unpack,
    "prim::ListUnpack": _unpack,
    "prim::TupleIndex": _index,
    "prim::TupleSlice": _tuple_slice,
    "prim::GetAttr": _attribute,
    "prim::SetAttr": _set_attribute,
    "prim::unchecked_cast": _same,
    "prim::unchecked_unwrap_optional": _same,
    "aten::_unwrap_optional": _same,
    "prim::NumToTensor": _number,
    "prim::Uninitialized": _none,
    "prim::Print": _none,
    "prim::RaiseException": _raise,
    "prim::isinstance": _is_instance,
    "prim::dtype": _dtype,
    "prim::device": _device,
    "prim::type": _device_type,
    "prim::layout": _layout,
    "prim::is_cuda": _no,
    "prim::is_nested": _no,
    "prim::is_quantized": _no,
    # As where gradients are wanted: what torch has for inference alone, ONNX has no word for.
    "prim::requires_grad": _yes,
    "aten::is_grad_enabled": _yes,
    "aten::is_scripting": _no,
    "prim::data": _data,
}
