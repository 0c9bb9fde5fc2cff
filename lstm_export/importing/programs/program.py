"""From a program of torch.export to a plain module with the same function."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, fx

from lstm_export.importing.programs.gradients import inline_gradients
from lstm_export.importing.programs.load import loaded
from lstm_export.importing.programs.place import place
from lstm_export.importing.programs.recurrent import with_layers
from lstm_export.importing.programs.sizes import freed
from lstm_export.importing.scripted.refusal import Unsupported, refusal

_ATEN = torch.ops.aten
_ASSERTIONS = (
    *(_ATEN._assert_tensor_metadata.default, _ATEN._assert_scalar.default),
    *(_ATEN.sym_constrain_range_for_size.default, _ATEN.sym_constrain_range.default),
)
_FLOATS = (torch.float64, torch.float16, torch.bfloat16)


@dataclass(frozen=True, slots=True)
class Program:
    """A program as a `module`; the `original`, which takes the sizes it was saved for alone; what
    was noticed; and the example that it was made with, None where the file has none.

    Both modules are on the CPU and in float32.
    """

    module: fx.GraphModule
    original: fx.GraphModule
    notes: tuple[str, ...]
    args: tuple[Any, ...] | None
    kwargs: dict[str, Any]


def program_module(path: Path) -> Program:
    """The whole function of the program at `path`.

    forward has the program's own arguments and gives results nested like its. Raises OptionError
    for a file of another format, CheckpointError if torch cannot load it or if it holds what has
    no counterpart; the message has the line in its source.
    """
    program = loaded(path)
    notes = []
    dtypes = {one.dtype for one in program.state_dict.values() if one.is_floating_point()}
    if other := sorted(str(one).removeprefix("torch.") for one in dtypes - {torch.float32}):
        notes.append(f"the program was not in float32 throughout ({', '.join(other)}): it is now")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module, original = (_plain(program.module(check_guards=one)) for one in (False, True))
    try:
        inline_gradients(module)
        _refuse(module)
        with_layers(module)
    except Unsupported as error:
        raise refusal(str(path), str(error), "", "program") from None
    notes += freed(module)
    # Programs come as modules that refuse eval(), and with hooks.
    module = fx.GraphModule(module, module.graph, class_name=_name(original.graph)).eval()
    args, kwargs = program.example_inputs or (None, {})
    return Program(module, original, tuple(notes), _example(args), _example(dict(kwargs or {})))


def _plain(module: fx.GraphModule) -> fx.GraphModule:
    """The module on the CPU and in float32, without assertions on its tensors."""
    module.to("cpu").float()
    for node in list(module.graph.nodes):
        if node.target in _ASSERTIONS:
            module.graph.erase_node(node)
            continue
        node.args, node.kwargs = fx.node.map_aggregate((node.args, node.kwargs), _settled)
    module.graph.eliminate_dead_code()
    module.recompile()
    return module


def _settled(value: Any) -> Any:
    if isinstance(value, torch.device):
        return torch.device("cpu")
    return torch.float32 if value in _FLOATS and isinstance(value, torch.dtype) else value


def _refuse(module: fx.GraphModule) -> None:
    """Raises Unsupported for what the graph calls that is no plain operator."""
    for node in module.graph.nodes:
        if isinstance(node.target, torch._ops.HigherOrderOperator):
            raise Unsupported(f"it calls {node.target}{place(node)}")
        if isinstance(node.target, torch._ops.OpOverload):
            namespace = node.target.namespace
            if namespace not in ("aten", "prims", "prim"):
                raise Unsupported(
                    f"it calls {node.target}, an operator of {namespace}{place(node)}"
                )


def _name(graph: fx.Graph) -> str:
    """What the exported module's class was called, where the graph says so."""
    for node in graph.nodes:
        for path, kind in (node.meta.get("nn_module_stack") or {}).values():
            name = str(kind).rpartition(".")[2]
            if not path and name.isidentifier():
                return name
    return "Program"


def _example(value: Any) -> Any:
    """The example on the CPU and in float32."""
    if isinstance(value, Tensor):
        tensor = value.detach().cpu()
        return tensor.float() if tensor.is_floating_point() else tensor
    if isinstance(value, dict):
        return {key: _example(one) for key, one in value.items()}
    if type(value) in (tuple, list):
        return type(value)(map(_example, value))
    return value
