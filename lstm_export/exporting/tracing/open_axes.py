"""A traced module all of whose axes are open that the module lets vary, and no others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor, nn

from lstm_export.contract import SEQUENCE_LENGTH, GraphSpec
from lstm_export.errors import ExportError
from lstm_export.exporting.audit.branches import SizeCondition, judged, size_conditions, size_limits
from lstm_export.exporting.audit.trial import eager_trial
from lstm_export.exporting.tracing.axes import AxisNames, asked_axes
from lstm_export.exporting.tracing.call import Call
from lstm_export.exporting.tracing.trace import Sizes, trace
from lstm_export.exporting.tracing.variation import Place, Variation


@dataclass(frozen=True, slots=True)
class OpenAxes:
    """The traced module, why each static axis of an input is static, and the shortest and longest
    size of those that the module limits, None where it does not.
    """

    names: AxisNames
    reasons: Mapping[Place, str]
    limits: Mapping[Place, tuple[int | None, int | None]]


def open_axes(
    module: nn.Module,
    call: Call,
    example: Mapping[str, Tensor],
    dynamic_axes: Mapping[str, Any] | None,
    shortest: Mapping[str, Mapping[int, int]] | None = None,
) -> OpenAxes:
    """`module` traced, its axes named; `example` has its outputs for the examples of `call`.

    `shortest` has the smallest size of every axis that varies, of the inputs where these are known
    beforehand: the others are fixed from the start.

    Raises ExportError where Python decided on a size, where an axis came out static that the
    module lets vary, or one that `dynamic_axes` asks for.
    """
    ranks = {leaf.name: leaf.example.dim() for leaf in call.inputs}
    asked = asked_axes(dynamic_axes, ranks | {k: v.dim() for k, v in example.items()})
    outputs = list(example)
    known = shortest or {}
    settled = {name: set(range(ranks[name])) - axes.keys() for name, axes in known.items()}
    sizes = Sizes(settled, known)
    first = names = AxisNames(trace(module, call, outputs, sizes), outputs, asked)
    variation = Variation(module, call, first.traced.lengths)
    reasons = {
        (name, axis): "dynamic_axes does not name it"
        for name, axes in first.unasked().items()
        for axis in axes
    }
    # Asking a large module costs seconds; and verification asks it again.
    certain = first.named_by_layers() if variation.is_heavy else set()
    for label, said in variation.refused(first.spec, skip=certain).items():
        reasons |= dict.fromkeys(first.places(label), str(said))
    reasons |= first.left_open()
    if reasons:
        fixed = {name: set(axes) for name, axes in settled.items()}
        for name, axis in reasons:
            fixed.setdefault(name, set()).add(axis)
        names = AxisNames(trace(module, call, outputs, replace(sizes, fixed=fixed)), outputs, asked)
    conditions = judged(size_conditions(names.traced.program), eager_trial(module, call))
    branches = [one for one in conditions if one.kind == "branch"]
    _refuse_branches(branches, first)
    for branch in branches:
        for symbol in branch.fixes:
            position, axis = branch.axes[symbol][0]
            raise ExportError(_baked((call.inputs[position].name, axis), call, first, branches))
    reasons |= names.fixed_by_layers()
    if first.traced.lengths:
        reasons = {**_beside_packed(names.spec), **reasons}
    for place, refusal in variation.fixed(names.spec, skip=set(reasons)):
        if refusal is None and asked is None:
            raise ExportError(_baked(place, call, first, branches))
        reasons[place] = str(refusal) if refusal else "the trace fixed it"
    for name, axis in names.missing():
        why = reasons.get((name, axis), "its size does not follow from any that varies")
        raise ExportError(
            f"dynamic_axes asks for axis {axis} of {name}, which came out static: {why}"
        )
    limits = {
        (call.inputs[position].name, axis): (shortest if shortest > 1 else None, longest)
        for (position, axis), (shortest, longest) in size_limits(conditions).items()
    }
    return OpenAxes(names, reasons, limits)


def _beside_packed(graph: GraphSpec) -> dict[Place, str]:
    """The static axes of states, which are not tried: with packed sequences torch does not check
    states, and one of another size can end the process.
    """
    return {
        (spec.name, axis): "torch takes states of one size beside packed sequences"
        for spec in graph.inputs
        if not any(str(name).startswith(SEQUENCE_LENGTH) for name in spec.axes)
        for axis, size in enumerate(spec.axes)
        if isinstance(size, int)
    }


def _refuse_branches(branches: Sequence[SizeCondition], names: AxisNames) -> None:
    told = [
        f"{branch.place}\n  Python decided here that {names.described(branch.condition)}, which "
        "the file would take for every input"
        for branch in branches
        if not branch.fixes
    ]
    if told:
        raise ExportError(
            "forward branches on a size:\n"
            + "\n".join(told)
            + "\n  compute both ways and choose with torch.where, or decide outside of forward"
        )


def _baked(place: Place, call: Call, names: AxisNames, branches: Sequence[SizeCondition]) -> str:
    name, axis = place
    size = next(leaf.example.shape[axis] for leaf in call.inputs if leaf.name == name)
    symbol = names.original(name, axis)
    lines = [str(branch.place) for branch in branches if symbol in branch.fixes]
    where = "".join(f"\n  {line}" for line in dict.fromkeys(lines))
    return (
        f"axis {axis} of {name} came out fixed at {size}, but the module takes other sizes"
        + (f"; forward made a plain number of it at{where}\n  " if where else "; ")
        + "keep it a size, in torch's own operations, without int() or float(); or export with "
        "dynamic_axes that leave it out"
    )
