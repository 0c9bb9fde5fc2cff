"""Which axes a module lets vary, asked of the module itself.

Tracing leaves an axis open that a weight of width 1 fixes, and closes one that `int(x.size(1))`
touched. Eager torch, called at other sizes, says which of them can vary.
"""

from __future__ import annotations

from collections.abc import Iterator, Set
from dataclasses import dataclass, replace

from torch import nn

from lstm_export.contract import GraphSpec, TensorSpec
from lstm_export.exporting.audit.refusal import refusal_of
from lstm_export.exporting.tracing.call import Call
from lstm_export.exporting.verify.reference import Eager
from lstm_export.exporting.verify.trials import HEAVY, Trials

_PROBE = "probe"
Place = tuple[str, int]
"""An input by name, and one of its axes."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """What the module said to every other size that was tried."""

    sizes: tuple[int, ...]
    reason: str

    def __str__(self) -> str:
        tried = ", ".join(map(str, dict.fromkeys(self.sizes)))
        return f"the module refuses {tried} here: {self.reason}"


@dataclass
class Variation:
    """`module`, called as `call` says, at sizes other than those of the examples.

    To be used within `kept` and `eval_mode`.
    """

    module: nn.Module
    call: Call
    lengths: Set[str]

    @property
    def is_heavy(self) -> bool:
        """Whether running the module takes its time."""
        return sum(parameter.numel() for parameter in self.module.parameters()) > HEAVY

    def refused(self, graph: GraphSpec, skip: Set[str]) -> dict[str, Refusal]:
        """The named axes of `graph` that the module lets have one size alone."""
        names = {axis for spec in graph.inputs for axis in spec.axes if isinstance(axis, str)}
        found = {}
        for name in sorted(name for name in names - skip if name.isidentifier()):
            answer = self._tried(graph, name, needed=1)
            if isinstance(answer, Refusal):
                found[name] = answer
        return found

    def fixed(self, graph: GraphSpec, skip: Set[Place]) -> Iterator[tuple[Place, Refusal | None]]:
        """Each static axis of an input, and why the module fixes it; None if it does not.

        An axis is tried alone and together with all of its size, which may have to grow with it.
        """
        sizes = {
            (spec.name, axis): size
            for spec in graph.inputs
            for axis, size in enumerate(spec.axes)
            if isinstance(size, int) and (spec.name, axis) not in skip
        }
        answers: dict[frozenset[Place], Refusal | None] = {}
        for place, size in sizes.items():
            alike = frozenset(other for other in sizes if sizes[other] == size)
            groups = {frozenset([place]), alike}
            for group in groups - answers.keys():
                answers[group] = self._tried(_probing(graph, group), _PROBE, needed=2)
            refusals = [answers[group] for group in groups]
            yield place, None if None in refusals else refusals[0]

    def _tried(self, graph: GraphSpec, name: str, *, needed: int) -> Refusal | None:
        """None if the module takes `needed` sizes above 1 along `name`, other than the example's.

        1 may be taken for a size that is repeated, which says nothing of others.
        """
        trials = Trials(self.module, self.call, graph, self.lengths)
        if name not in trials.traced:
            return None
        eager = Eager(self.module, self.call)
        taken, sizes, reason = 0, [], ""
        with eager.float32():
            for plan in trials.other_sizes(name):
                if plan.sizes[name] == 1:
                    continue
                sizes.append(plan.sizes[name])
                for trial in trials.versions(plan):
                    try:
                        eager(trial.tensors)
                    except Exception as error:
                        reason = reason or refusal_of(error, self.module)
                        continue
                    taken += 1
                    break
                if taken == needed:
                    return None
        return Refusal(tuple(sizes), reason)


def _probing(graph: GraphSpec, places: Set[Place]) -> GraphSpec:
    """`graph` with `places` dynamic under a name of their own."""

    def opened(spec: TensorSpec) -> TensorSpec:
        axes = [
            _PROBE if (spec.name, axis) in places else size for axis, size in enumerate(spec.axes)
        ]
        return replace(spec, axes=tuple(axes))

    return replace(graph, inputs=tuple(map(opened, graph.inputs)))
