"""A proposal's steps on named values, and the layer string that reads back as the same steps.

The grammar is that of `importing.layers`: values without a name are `_0`, `_1`, … by step, the
last one is `output`, and a step whose prefix is its kind goes without one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lstm_export.importing.description import Input, Step
from lstm_export.importing.infer.group import Group
from lstm_export.importing.infer.sequential import Bare

Placed = Sequence[Group | Bare]
OUTPUT = "output"


class Flow:
    """Collects steps; `text` is the layer string of them."""

    def __init__(self) -> None:
        self.inputs: list[Input] = []
        self.steps: list[Step] = []
        self.outputs: tuple[str, ...] = ()
        self._statements: list[str] = []

    @property
    def text(self) -> str:
        declared = [_declaration(each) for each in self.inputs]
        if len(self.inputs) == 1 and declared[0] in ("x:floats", "x:ids"):
            declared = []
        return "; ".join([*declared, *self._statements])

    def read(self, given: Input) -> str:
        """An input."""
        self.inputs.append(given)
        return given.name

    def run(self, start: str, placed: Placed, end: str) -> str:
        """`placed` one after the other on the value `start`, its result called `end`."""
        explicit = len(self.inputs) > 1 or bool(self.steps)
        words = [start] if explicit else []
        self._extend(start, placed, end)
        self._state(words, placed, end)
        return end

    def join(self, values: Sequence[str], placed: Placed, end: str) -> str:
        """`values` beside each other, then `placed`."""
        joined = f"_{len(self.steps)}" if placed else end
        self.steps.append(Step("concat", tuple(values), (joined,)))
        self._extend(joined, placed, end)
        self._state([f"concat({', '.join(values)})"], placed, end)
        return end

    def finish(self, outputs: Sequence[str]) -> None:
        """What the model gives."""
        self.outputs = tuple(outputs)
        if self.outputs != (OUTPUT,):
            self._statements.append(f"return {', '.join(outputs)}")

    def _extend(self, value: str, placed: Placed, end: str) -> None:
        for index, step in enumerate(placed):
            result = end if index == len(placed) - 1 else f"_{len(self.steps)}"
            name, tensors = "", dict[str, str]()
            if isinstance(step, Group):
                name, tensors = step.prefix, dict(step.tensors)
            options: Mapping[str, object] = dict(step.options)
            self.steps.append(Step(step.kind, (value,), (result,), name, options, tensors))
            value = result

    def _state(self, words: Sequence[str], placed: Placed, end: str) -> None:
        flow = ", ".join([*words, *(step.text for step in placed)])
        self._statements.append(flow if end == OUTPUT else f"{end} = {flow}")


def _declaration(each: Input) -> str:
    time_major = each.axes[0] != "batch"
    return f"{each.name}:{each.kind}{'(time_major=true)' if time_major else ''}"
