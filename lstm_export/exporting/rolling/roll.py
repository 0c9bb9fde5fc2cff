"""Every recorded loop of a traced program made one scan."""

from __future__ import annotations

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
    """What writing in place became, without reads of what is overwritten whole."""
    for node in list(graph.nodes):
        if node.target is not aten.copy.default:
            continue
        target, source = node.args[:2]
        before, after = value_of(source), value_of(target)
        if same_shape(before, after) and before.dtype == after.dtype:
            node.replace_all_uses_with(source)
            graph.erase_node(node)


def _refused(region: Region, difference: Mismatch) -> ExportError:
    lines: list[str] = []
    for node in difference.nodes:
        place = place_of(node) if isinstance(node, Node) else None
        if place is not None and str(place) not in lines:
            lines.append(str(place))
    where = "".join(f"\n  at {line}" for line in lines[:2])
    return ExportError(
        f"this time loop cannot be exported for any length, because its steps are not alike: "
        f"{difference.what}. Let every step compute the same from its input and from states of "
        f"fixed shape and dtype{where}\n  in the loop at {region.place}"
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
