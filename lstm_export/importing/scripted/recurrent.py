"""Recurrent kernels of a script, and packing, as torch's own layers and functions.

A scripted nn.LSTM, nn.GRU or nn.RNN is called whole. In a traced graph its forward is taken apart
into aten::lstm and what makes the zeros of its initial state; these zeros are left to the layer.
Source of the operators' arguments: aten/src/ATen/native/native_functions.yaml.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from lstm_export.importing.scripted.attributes import reached
from lstm_export.importing.scripted.refusal import Unsupported
from lstm_export.importing.scripted.terms import Held, Term

if TYPE_CHECKING:
    from lstm_export.importing.scripted.primitives import Handler
    from lstm_export.importing.scripted.translate import Translator

_GATES = {"lstm": 4, "gru": 3, "rnn_tanh": 1, "rnn_relu": 1}
_CLASSES = {"LSTM", "GRU", "RNN"}


def layer_of(held: Held, method: str) -> bool:
    """Whether this is a method of a scripted nn.LSTM, nn.GRU or nn.RNN that runs the layer."""
    owner, _, name = str(held.script._c._type()).rpartition(".")
    return (
        "torch.nn.modules.rnn" in owner
        and name in _CLASSES
        and method.startswith("forward__")
        and held.script._c.hasattr("weight_ih_l0")
    )


def called(translator: Translator, held: Held, method: str, node: Any, x: Term, hx: Term) -> Term:
    """The call of a scripted layer: x and y are tensors or packed, as its author had them."""
    script: Any = held.script
    mode = str(script.mode)
    options = {
        "num_layers": script.num_layers,
        "bias": script.bias,
        "batch_first": script.batch_first,
        "bidirectional": script.bidirectional,
    }
    kind = mode.lower()
    dim = 2 * script.num_layers if script.bidirectional else script.num_layers
    names = [
        f"{role}_l{index // 2 if script.bidirectional else index}"
        + "_reverse" * (index % 2 if script.bidirectional else 0)
        for index in range(dim)
        for role in (
            *("weight_ih", "weight_hh"),
            *(("bias_ih", "bias_hh") if script.bias else ()),
            *(("weight_hr",) if script.proj_size else ()),
        )
    ]
    tensors = [script._c.getattr(name) for name in names]
    path = _placed(translator, held.path, kind, tensors, options)
    packed_in = x.kind == "TupleType" or method == "forward__1"
    given = f"packed({x.text})" if packed_in and not x.packed else x.text
    state = "" if hx.is_none or _all_zeros(hx) else f", {hx.text}"
    return translator.assign("recurrent", f"{reached(path)}({given}{state})", node)


def _kernel(translator: Translator, node: Any, inputs: list[Term]) -> list[Term]:
    kind = node.kind().partition("::")[2]
    # Those of padded input end with batch_first, those of packed ones have batch_sizes instead.
    ragged = inputs[3].kind == "ListType"
    data, *rest = inputs
    sizes = rest.pop(0) if ragged else None
    hx, params, has_biases, num_layers, dropout, train, bidirectional = rest[:7]
    options = {
        "num_layers": num_layers.known,
        "bias": has_biases.known,
        "bidirectional": bidirectional.known,
    }
    if not ragged:
        options["batch_first"] = rest[7].known
    if not all(isinstance(value, bool | int) for value in options.values()):
        raise Unsupported(f"{node.kind()} has sizes that are computed where it runs")
    if train.known is not False and dropout.known != 0 and num_layers.known != 1:
        raise Unsupported(
            f"{node.kind()} drops values at random: it was traced in training mode, and has to be "
            "in eval mode"
        )
    tensors, paths = _weights(node, params)
    path = _placed(translator, _owner(paths), kind, tensors, options)
    if kind == "lstm" and hx.parts is not None:
        state = f"({', '.join(translator.texts(hx.parts))})"
    else:
        state = f"tuple({hx.text})" if kind == "lstm" else translator.texts([hx])[0]
    last = "" if _all_zeros(hx) else f", {state}"
    if sizes is None:
        given = data.text
    else:
        given = data.packed or f"PackedSequence({data.text}, {sizes.text})"
    y, h, c = (translator.fresh(name) for name in ("y", "h", "c"))
    target = f"{y}, ({h}, {c})" if kind == "lstm" else f"{y}, {h}"
    translator.line(target, f"{reached(path)}({given}{last})", node)
    states = [Term(h), Term(c)] if kind == "lstm" else [Term(h)]
    if sizes is None:
        return [Term(y), *states]
    rows = translator.assign("data", f"{y}.data", node)
    return [Term(rows.text, packed=y), *states]


def _weights(node: Any, params: Term) -> tuple[list[Tensor], list[str]]:
    if params.parts is None or any(one.weight is None for one in params.parts):
        raise Unsupported(f"{node.kind()} has weights that are computed from the input")
    return [one.weight() for one in params.parts if one.weight], [one.path for one in params.parts]


def _owner(paths: list[str]) -> str:
    """The module to which all weights belong; empty if they belong to several, or to none."""
    owners = {path.rpartition(".")[0] for path in paths}
    return owners.pop() if len(owners) == 1 and all(paths) else ""


def _all_zeros(hx: Term) -> bool:
    if hx.parts is not None:
        return all(one.is_zeros for one in hx.parts)
    return hx.is_zeros


def _placed(
    translator: Translator, path: str, kind: str, tensors: list[Tensor], options: Mapping[str, Any]
) -> str:
    """Where in the module the layer with these weights is, which is made the first time."""
    layers = translator.attributes.layers
    for place, layer in layers.items():
        own = [layer.get_parameter(name) for name in layer._flat_weights_names]
        if (
            len(own) == len(tensors)
            and all(a.data_ptr() == b.data_ptr() for a, b in zip(own, tensors, strict=True))
            and all(getattr(layer, name) == value for name, value in options.items())
        ):
            return place
    if not path or path in layers:
        path = translator.attributes.free("recurrent")
    layers[path] = made(kind, tensors, options)
    return path


def made(kind: str, tensors: list[Tensor], options: Mapping[str, Any]) -> nn.RNNBase:
    """The layer whose weights are `tensors`, in the order in which torch's kernels take them.

    Raises Unsupported where their number or shapes are not a layer's.
    """
    directions = 2 if options["bidirectional"] else 1
    each, over = divmod(len(tensors), directions * options["num_layers"])
    projected = kind == "lstm" and each == (5 if options["bias"] else 3)
    if over or each != (4 if options["bias"] else 2) + projected:
        raise Unsupported(f"aten::{kind} with {len(tensors)} weights is none of torch's layers")
    rows, input_size = tensors[0].shape
    named: dict[str, Any] = {**options, "device": "meta"}
    name = kind.partition("_")[0]
    if name == "rnn":
        named["nonlinearity"] = kind.partition("_")[2]
    if projected:
        named["proj_size"] = tensors[1].shape[1]
    cls = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}[name]
    layer: nn.RNNBase = cls(input_size, rows // _GATES[kind], **named)
    for one, tensor in zip(list(layer._flat_weights_names), tensors, strict=True):
        if layer.get_parameter(one).shape != tensor.shape:
            raise Unsupported(
                f"aten::{kind} has {one} of {tuple(tensor.shape)}, expected "
                f"{tuple(layer.get_parameter(one).shape)}"
            )
        setattr(layer, one, nn.Parameter(tensor.detach().float()))
    return layer.eval()


def _pack(translator: Translator, node: Any, inputs: list[Term]) -> list[Term]:
    x, lengths, batch_first = (one.text for one in inputs)
    # Scripts sort before they pack.
    packed = translator.assign(
        "packed",
        f"pack_padded_sequence({x}, {lengths}, batch_first={batch_first}, enforce_sorted=True)",
        node,
    ).text
    translator.packed_lengths[packed] = lengths
    data = translator.assign("data", f"{packed}.data", node)
    sizes = translator.assign("batch_sizes", f"{packed}.batch_sizes", node)
    return [Term(data.text, packed=packed), Term(sizes.text, sizes_of=packed)]


def _pad(translator: Translator, node: Any, inputs: list[Term]) -> list[Term]:
    data, sizes, batch_first, padding, total = inputs
    sequence = data.packed or f"PackedSequence({data.text}, {sizes.text})"
    length = ""
    # Without a length of its own, a script gives that of the longest sequence.
    if total.known != -1 and not (sizes.sizes_of and total.longest_of == sizes.sizes_of):
        length = f", total_length={total.text}"
    return translator.assign_all(
        node,
        f"pad_packed_sequence({sequence}, batch_first={batch_first.text}, "
        f"padding_value={padding.text}{length})",
    )


def _pack_whole(translator: Translator, node: Any, inputs: list[Term]) -> list[Term]:
    x, lengths, batch_first, is_sorted = (one.text for one in inputs)
    made = translator.assign(
        "packed",
        f"pack_padded_sequence({x}, {lengths}, batch_first={batch_first}, "
        f"enforce_sorted={is_sorted})",
        node,
    )
    return [Term(made.text, packed=made.text)]


def _pad_whole(translator: Translator, node: Any, inputs: list[Term]) -> list[Term]:
    sequence, batch_first, padding, total = inputs
    given = sequence.text if sequence.packed else f"packed({sequence.text})"
    text = (
        f"pad_packed_sequence({given}, batch_first={batch_first.text}, "
        f"padding_value={padding.text}, total_length={total.text})"
    )
    return [translator.assign("padded", text, node)]


KERNELS: Mapping[str, Handler] = {
    **{f"aten::{kind}": _kernel for kind in _GATES},
    "aten::_pack_padded_sequence": _pack,
    "aten::_pad_packed_sequence": _pad,
}
FUNCTIONS: Mapping[str, Handler] = {
    "torch.nn.utils.rnn.pack_padded_sequence": _pack_whole,
    "torch.nn.utils.rnn.pad_packed_sequence": _pad_whole,
}
"""Functions of torch that a script calls whole, by name."""
