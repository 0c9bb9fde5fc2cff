"""Every recorded loop of a traced program made one scan."""

from __future__ import annotations

from typing import Any

from torch.export import ExportedProgram
from torch.export.graph_signature import TensorArgument
from torch.fx import Graph, Node

from lstm_export.errors import ExportError
from lstm_export.exporting.capture.step_ops import STEP
from lstm_export.exporting.rolling.nodes import aten, place_of, same_shape, value_of
from lstm_export.exporting.rolling.pattern import Mismatch
from lstm_export.exporting.rolling.regions import (
    Region,
    close_implicit,
    is_functional,
    keep_steps,
    regions,
)
from lstm_export.exporting.rolling.scan import roll


def roll_loops(program: ExportedProgram) -> ExportedProgram:
    """`program`, as `loop_capture` recorded it, with one scan in place of each loop's steps.

    Raises ExportError, with the line of the user's code, for a loop whose steps differ in a way
    that no scan has.
    """
    if not any(node.target is STEP for node in program.graph.nodes):
        return program
    close_implicit(program.graph)
    regions(program.graph)
    keep_steps(program.graph)
    if not is_functional(program.graph):
        program.graph_module.recompile()
        program = program.run_decompositions({})
        _simplify(program.graph)
    graph = program.graph
    waiting = regions(graph)
    while waiting:
        region, *waiting = waiting
        try:
            roll(program, region, waiting)
        except Mismatch as difference:
            raise _refused(region, difference) from difference
        for other in waiting:
            other.locate()
    _finish(program)
    return program


def _simplify(graph: Graph) -> None:
    """What writing in place became, without reads of what is overwritten or was just written."""
    for node in list(graph.nodes):
        if node.target is aten.copy.default:
            target, source = node.args[:2]
            before, after = value_of(source), value_of(target)
            if same_shape(before, after) and before.dtype == after.dtype:
                node.replace_all_uses_with(source)
        elif node.target is aten.select.int and _writes(node.args[0], node.args[1:]):
            node.replace_all_uses_with(node.args[0].args[1])
        elif node.target is aten.select_scatter.default and _writes(node.args[0], node.args[2:]):
            node.replace_input_with(node.args[0], node.args[0].args[0])
    graph.eliminate_dead_code()


def _writes(node: Any, place: Any) -> bool:
    """Whether `node` is a tensor with its entry at `place`, an axis and an index, exchanged."""
    is_scatter = isinstance(node, Node) and node.target is aten.select_scatter.default
    return is_scatter and tuple(node.args[2:]) == tuple(place)


def _refused(region: Region, difference: Mismatch) -> ExportError:
    lines: list[str] = []
    for node in difference.nodes:
        place = place_of(node) if isinstance(node, Node) else None
        if place is not None and str(place) not in lines:
            lines.append(str(place))
    where = "".join(f"\n  at {line}" for line in lines[:2])
    return ExportError(
        f"this time loop cannot be exported for any length: {difference.what}; "
        f"{difference.advice}{where}\n  in the loop at {region.place}"
    )


def _finish(program: ExportedProgram) -> None:
    output = program.graph.output_node()
    results = output.args[0]
    assert isinstance(results, list | tuple)
    for spec, node in zip(program.graph_signature.output_specs, results, strict=True):
        if isinstance(node, Node) and isinstance(spec.arg, TensorArgument):
            spec.arg = TensorArgument(node.name)
    # Of an inner loop only the body that the outer one kept is still in use.
    program.graph_module.delete_all_unused_submodules()
    program.graph.lint()
    program.graph_module.recompile()
