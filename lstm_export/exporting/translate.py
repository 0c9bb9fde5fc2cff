"""From an exported program to an ONNX graph: torch.onnx's own translation, prepared once.

`torch.onnx.export` builds its table of translations anew on every call, by parsing the source of
some 500 functions, and retraces the program to decompose operators for which it has none: together
most of the time of an export. Here the table is built once per process, and such operators are
taken apart where they stand, without retracing the program.

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
from torch._dispatch.python import enable_python_dispatcher
from torch.export import ExportedProgram
from torch.export.graph_signature import TensorArgument
from torch.fx import GraphModule, Node
from torch.fx.experimental import _config as shape_settings
from torch.fx.experimental.proxy_tensor import make_fx

from lstm_export.exporting.attention import ATTENTION, lacks_axes, with_four_axes
from lstm_export.exporting.idle_squeezes import without_idle_squeezes
from lstm_export.exporting.take_apart import NotApartError, Rules, taken_apart

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

    decompositions: dict[Target, Callable[..., Any]]
    rules: Rules
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
    from torch._subclasses.functional_tensor import dispatch_functionalize
    from torch.export.exported_program import (
        _override_composite_implicit_decomp,
        _split_decomp_table_to_cia_and_python_decomp,
    )
    from torch.onnx._internal.exporter import _core, _decomp, _fx_passes, _registration

    table = _registration.ONNXRegistry.from_torchlib(opset_version=OPSET_VERSION)
    translated = frozenset(_decomp.get_onnx_implemented_overloads(table))
    decompositions: dict[Target, Callable[..., Any]] = {
        **cast(Any, _decomp.create_onnx_friendly_decomposition_table(set(translated))),
        ATTENTION: with_four_axes,
    }
    composites, others = cast(Any, _split_decomp_table_to_cia_and_python_decomp)(
        dict(decompositions)
    )
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

    def stays(node: Node) -> bool:
        target = node.target
        if target in _ASSERTIONS or target is operator.getitem:
            return True
        if target not in translated or lacks_axes(node):
            return False
        if not isinstance(target, torch._ops.OpOverload):
            return True
        if target._schema.is_mutable:
            return False
        return not _is_cia_op(target) or _check_valid_to_preserve(target)

    def traced(function: Callable[..., Any], values: Sequence[Any]) -> GraphModule:
        functional = dispatch_functionalize(function)
        with values[0].fake_mode, enable_python_dispatcher():
            return make_fx(functional, decomposition_table=others)(*values)

    # Four in five would run the operator's own kernel, as torch does unasked: only slower to enter.
    changed = {one: body for one, body in composites.items() if not _is_own_kernel(one, body)}
    tracing = functools.partial(_override_composite_implicit_decomp, changed)
    return _Parts(decompositions, Rules(stays, traced, tracing), finish, to_model)


def _is_own_kernel(target: Target, body: Callable[..., Any]) -> bool:
    return isinstance(body, functools.partial) and body.keywords.get("kernel") is target


def _prepared(program: ExportedProgram, parts: _Parts) -> ExportedProgram:
    """`program` with every operator one that has a translation, and dtypes made explicit."""
    # Without it torch guards that no length is ever 0 or 1.
    with shape_settings.patch(backed_size_oblivious=True):  # type: ignore[attr-defined]
        try:
            prepared = _with_graph(program, taken_apart(program.graph_module, parts.rules))
        except NotApartError:
            prepared = program.run_decompositions(parts.decompositions)
        prepared._graph_module = parts.finish(prepared.graph_module)
    return prepared


def _with_graph(program: ExportedProgram, module: GraphModule) -> ExportedProgram:
    prepared = copy.copy(program)
    prepared._graph_module = module
    prepared._graph_signature = copy.deepcopy(program.graph_signature)
    results: Any = module.graph.output_node().args[0]
    for spec, node in zip(prepared.graph_signature.output_specs, results, strict=True):
        if isinstance(node, Node) and isinstance(spec.arg, TensorArgument):
            spec.arg = TensorArgument(node.name)
    return prepared


# Dropped before translation in either case.
_ASSERTIONS = frozenset(
    {
        torch.ops.aten.sym_constrain_range_for_size.default,
        torch.ops.aten._assert_scalar.default,
        torch.ops.aten._assert_tensor_metadata.default,
    }
)


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
