"""From an exported program to an ONNX graph: torch.onnx's own translation, prepared once.

`torch.onnx.export` builds its table of translations anew on every call, by parsing the source of
some 500 functions, and retraces the program to decompose operators for which it has none: together
most of the time of an export. Here the table is built once per process, and a program without
such operators is not retraced.

The parts that do this are torch's own but not public. Where a version of torch has them otherwise,
`torch.onnx.export` does all of it, with the same graph for a result.
"""

from __future__ import annotations

import copy
import functools
import inspect
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import onnx_ir as ir
import onnx_ir.passes.common
import torch
from torch.export import ExportedProgram
from torch.fx import GraphModule
from torch.fx.experimental import _config as shape_settings

from lstm_export.exporting.attention import ATTENTION, lacks_axes, with_four_axes
from lstm_export.exporting.idle_squeezes import without_idle_squeezes

OPSET_VERSION = 18
"""What torch.onnx's translations are written in."""

Target = Any
"""What an FX node calls: an operator of torch, or a function of Python's."""


def translate(
    program: ExportedProgram, *, input_names: Sequence[str], output_names: Sequence[str]
) -> ir.Model:
    """`program` in ONNX's operators of opset 18, its inputs and outputs renamed.

    Symbolic sizes keep the program's own names ("s77", "2*s77"), which stand in the `meta["val"]`
    of its nodes too. `program` is left as it is, and the weights are shared with it, not copied.
    Like torch.export, this must not run in two threads at once. Raises what torch.onnx raises,
    torch.onnx.OnnxExporterError as a rule, where an operator has no translation.
    """
    parts = _parts()
    if parts is None:
        with shape_settings.patch(backed_size_oblivious=True):  # type: ignore[attr-defined]
            return _by_public_export(program, input_names, output_names)
    model = parts.to_model(_prepared(program, parts))
    for values, names in ((model.graph.inputs, input_names), (model.graph.outputs, output_names)):
        for value, name in zip(values, names, strict=True):
            value.name = name
    return model


@dataclass(frozen=True, slots=True)
class _Parts:
    """The parts of torch.onnx that are used one by one, over one table of translations."""

    translated: frozenset[Target]
    decompositions: dict[Target, Callable[..., Any]]
    is_composite: Callable[[Target], bool]
    is_kept: Callable[[Target], bool]
    finish: Callable[[GraphModule], GraphModule]
    to_model: Callable[[ExportedProgram], ir.Model]


@functools.cache
def _parts() -> _Parts | None:
    """None where this version of torch does not have them as expected."""
    try:
        return _found_parts()
    except (ImportError, AttributeError, TypeError):
        return None


def _found_parts() -> _Parts:
    from torch._export.utils import _check_valid_to_preserve, _is_cia_op
    from torch.onnx._internal.exporter import _core, _decomp, _fx_passes, _registration

    table = _registration.ONNXRegistry.from_torchlib(opset_version=OPSET_VERSION)
    translated = frozenset(_decomp.get_onnx_implemented_overloads(table))
    decompositions = _decomp.create_onnx_friendly_decomposition_table(set(translated))
    promote, strip = _fx_passes.insert_type_promotion_nodes, _fx_passes.remove_assertion_nodes
    convert = _core._exported_program_to_onnx_program
    inspect.signature(convert).bind(None, registry=table)  # TypeError if it takes something else

    def finish(module: GraphModule) -> GraphModule:
        promote(module)
        return without_idle_squeezes(strip(module))

    def to_model(program: ExportedProgram) -> ir.Model:
        translation = convert(program, registry=table)
        try:
            translation.optimize()
        except Exception:
            # The optimiser knows some operators less well than the translation does.
            translation = convert(program, registry=table)
            ir.passes.common.InlinePass()(translation.model)
        return translation.model

    return _Parts(
        translated,
        {**cast(dict[Target, Callable[..., Any]], decompositions), ATTENTION: with_four_axes},
        _is_cia_op,
        _check_valid_to_preserve,
        finish,
        to_model,
    )


def _prepared(program: ExportedProgram, parts: _Parts) -> ExportedProgram:
    """`program` with every operator one that has a translation, and dtypes made explicit."""
    # Without it torch guards that no length is ever 0 or 1.
    with shape_settings.patch(backed_size_oblivious=True):  # type: ignore[attr-defined]
        if _is_decomposed(program, parts):
            prepared = copy.copy(program)
            prepared._graph_module = _copied(program.graph_module)
        else:
            prepared = program.run_decompositions(parts.decompositions)
        prepared._graph_module = parts.finish(prepared.graph_module)
    return prepared


def _is_decomposed(program: ExportedProgram, parts: _Parts) -> bool:
    """Whether decomposing would give back `program` as it is.

    That is so if every operator has a translation and is functional, and torch would not take it
    apart all the same, as it does with composite operators that may alias their input.
    """
    subgraphs = any(program.graph_module.children())
    return not subgraphs and all(
        _stays(node.target, parts) and not lacks_axes(node)
        for node in program.graph.nodes
        if node.op not in ("placeholder", "output")
    )


def _stays(target: Target, parts: _Parts) -> bool:
    if target in _ASSERTIONS or target is operator.getitem:
        return True
    if target not in parts.translated:
        return False
    if not isinstance(target, torch._ops.OpOverload):
        return True
    if target._schema.is_mutable:
        return False
    return not parts.is_composite(target) or parts.is_kept(target)


# Dropped before translation in either case.
_ASSERTIONS = frozenset(
    {
        torch.ops.aten.sym_constrain_range_for_size.default,
        torch.ops.aten._assert_scalar.default,
        torch.ops.aten._assert_tensor_metadata.default,
    }
)


def _copied(module: GraphModule) -> GraphModule:
    copied = GraphModule(module, copy.deepcopy(module.graph))
    copied.meta.update(module.meta)
    return copied


def _by_public_export(
    program: ExportedProgram, input_names: Sequence[str], output_names: Sequence[str]
) -> ir.Model:
    translation = torch.onnx.export(
        program,
        (),
        dynamo=True,
        opset_version=OPSET_VERSION,
        input_names=list(input_names),
        output_names=list(output_names),
        optimize=True,
        verbose=False,
    )
    assert translation is not None
    return translation.model
