"""Kernels of recurrent layers in a program's graph, as torch's own layers."""

from __future__ import annotations

import operator
from typing import Any

import torch
from torch import Tensor, fx, nn

from lstm_export.importing.programs.place import place
from lstm_export.importing.scripted.recurrent import made
from lstm_export.importing.scripted.refusal import Unsupported

_ATEN = torch.ops.aten
KINDS = {
    _ATEN.lstm.input: "lstm",
    _ATEN.gru.input: "gru",
    _ATEN.rnn_tanh.input: "rnn_tanh",
    _ATEN.rnn_relu.input: "rnn_relu",
}
_PACKED = (_ATEN.lstm.data, _ATEN.gru.data, _ATEN.rnn_tanh.data, _ATEN.rnn_relu.data)


def with_layers(module: fx.GraphModule) -> None:
    """Puts an nn.LSTM, nn.GRU or nn.RNN in the place of every kernel of one, in place.

    Raises Unsupported, with the line, for weights that depend on the input, packed sequences, and
    dropout between the layers in training mode.
    """
    layers: dict[str, nn.RNNBase] = {}
    for node in list(module.graph.nodes):
        if node.op == "call_function" and node.target in _PACKED:
            raise Unsupported(f"{node.target} takes packed sequences{place(node)}")
        if node.op == "call_function" and node.target in KINDS:
            _replace(module, node, layers)
    for path, layer in layers.items():
        owner, name = _parent(module, path)
        owner._modules[name] = layer
    module.graph.eliminate_dead_code()
    module.recompile()


def _replace(module: fx.GraphModule, node: fx.Node, layers: dict[str, nn.RNNBase]) -> None:
    kind = KINDS[node.target]  # type: ignore[index]
    # Arguments of aten/src/ATen/native/native_functions.yaml.
    x, hx, weights, has_biases, num_layers, dropout, train, bidirectional, batch_first = node.args
    if train and dropout and num_layers != 1:
        raise Unsupported(
            f"{node.target} drops values at random: it was exported in training mode, and has to "
            f"be in eval mode{place(node)}"
        )
    tensors = [constant(module, one) for one in weights]  # type: ignore[union-attr]
    if any(one is None for one in tensors):
        raise Unsupported(f"{node.target} has weights that are computed from input{place(node)}")
    options = {
        "num_layers": num_layers,
        "bias": has_biases,
        "batch_first": batch_first,
        "bidirectional": bidirectional,
    }
    path = _placed(module, weights, kind, tensors, options, layers)
    states: Any = tuple(hx) if kind == "lstm" else hx  # type: ignore[arg-type]
    parts = states if kind == "lstm" else (states,)
    given = (x,) if all(_is_zeros(one) for one in parts) else (x, states)
    graph = module.graph

    def part(value: fx.Node, index: int) -> fx.Node:
        return graph.call_function(operator.getitem, (value, index))

    with graph.inserting_before(node):
        called = graph.call_module(path, given)
        results = [part(called, 0), part(called, 1)]
        if kind == "lstm":
            results[1:] = [part(results[1], 0), part(results[1], 1)]
    if "stack_trace" in node.meta:
        called.meta["stack_trace"] = node.meta["stack_trace"]
    for user in list(node.users):
        if user.target is not operator.getitem:
            raise Unsupported(f"the results of {node.target} are used as a whole{place(node)}")
        user.replace_all_uses_with(results[user.args[1]])  # type: ignore[index]
        graph.erase_node(user)
    graph.erase_node(node)


def constant(module: fx.GraphModule, node: Any) -> Tensor | None:
    """What `node` gives where it is made of the module's own tensors alone, else None."""
    if not isinstance(node, fx.Node):
        return None
    if node.op == "get_attr":
        value = _attribute(module, str(node.target))
        return value if isinstance(value, Tensor) else None
    if node.op != "call_function" or not node.all_input_nodes:
        return None
    found = {one: constant(module, one) for one in node.all_input_nodes}
    if any(value is None for value in found.values()):
        return None
    args, kwargs = fx.map_arg((node.args, node.kwargs), lambda one: found[one])
    with torch.no_grad():
        value = node.target(*args, **kwargs)  # type: ignore[operator]
    return value if isinstance(value, Tensor) else None


def _placed(
    module: fx.GraphModule,
    weights: Any,
    kind: str,
    tensors: Any,
    options: dict[str, Any],
    layers: dict[str, nn.RNNBase],
) -> str:
    """Where the layer is, made the first time; one that is called twice is one layer."""
    layer = made(kind, tensors, options)
    names = [str(one.target) if one.op == "get_attr" else "" for one in weights]
    owners = {name.rpartition(".")[0] for name in names}
    own = owners.pop() if len(owners) == 1 else ""
    for path, other in layers.items():
        if type(other) is type(layer) and repr(other) == repr(layer):
            pairs = zip(other.parameters(), layer.parameters(), strict=True)
            if all(torch.equal(a, b) for a, b in pairs):
                return path
    held = _held(module, own) if own else set()
    if own in layers or not own or not held <= {name.rpartition(".")[2] for name in names}:
        number = len(layers)
        while hasattr(module, f"recurrent_{number}"):
            number += 1
        own = f"recurrent_{number}"
        module.add_module(own, nn.Module())
    layers[own] = layer
    return own


def _held(module: fx.GraphModule, path: str) -> set[str]:
    """What the module at `path` holds."""
    one = module.get_submodule(path)
    return {*one._parameters, *one._buffers, *one._modules}


def _attribute(module: nn.Module, path: str) -> Any:
    value: Any = module
    for part in path.split("."):
        value = getattr(value, part)
    return value


def _parent(module: nn.Module, path: str) -> tuple[nn.Module, str]:
    owner, _, name = path.rpartition(".")
    return module.get_submodule(owner), name


def _is_zeros(node: fx.Node) -> bool:
    if node.target in (_ATEN.zeros.default, _ATEN.new_zeros.default, _ATEN.zeros_like.default):
        return not any(_writes(user) for user in node.users)
    full = node.target in (_ATEN.full.default, _ATEN.new_full.default)
    value: Any = node.args[-1] if full else None
    return bool(value == 0) and not any(_writes(user) for user in node.users)


def _writes(user: fx.Node) -> bool:
    mutable: Any = isinstance(user.target, torch._ops.OpOverload) and user.target._schema.is_mutable
    return mutable is True
