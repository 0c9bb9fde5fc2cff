"""Inputs and steps one after the other into `Layers`: what text and TOML have in common.

Everything is checked here but the shapes. `MisfitError` says what was expected, and who reads the
text adds where.
"""

from __future__ import annotations

import difflib
import keyword
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from lstm_export.importing.description import Input, Step
from lstm_export.importing.layers.layers import KINDS, UNKNOWN, Layers, unnamed
from lstm_export.importing.ops.op import Option
from lstm_export.importing.ops.registry import OPS

OUTPUT = "output"
_KEPT = (*KINDS, "return", "true", "false", "self")
_INPUT_OPTIONS: dict[str, dict[str, Option]] = {
    # steps=false: one row of features for each of the batch; a number: always so many steps.
    "floats": {
        "size": Option(int),
        "steps": Option(bool, True),
        "batch": Option(bool, True),
        "time_major": Option(bool, False),
    },
    "ids": {
        "steps": Option(bool, True),
        "batch": Option(bool, True),
        "time_major": Option(bool, False),
    },
    "lengths": {},
    "state": {"rows": Option(int), "size": Option(int)},
}


class MisfitError(Exception):
    """What was expected; `at` is the name that it is about, where there is one."""

    def __init__(self, message: str, at: str | None = None) -> None:
        super().__init__(message)
        self.at = at


class Assembly:
    """Collects a model; every method raises MisfitError for what does not fit."""

    def __init__(self) -> None:
        self.inputs: list[Input] = []
        self.steps: list[Step] = []
        self.used: set[str] = set()

    @property
    def known(self) -> set[str]:
        """Every value there is so far."""
        return {each.name for each in self.inputs} | {n for s in self.steps for n in s.outputs}

    def declare(self, name: str, kind: str, options: Mapping[str, Any]) -> None:
        """Adds an input."""
        if kind not in KINDS:
            raise MisfitError(f"expected a kind of input ({', '.join(KINDS)}), found {kind}", kind)
        _checked(_INPUT_OPTIONS[kind], options, kind, ())
        self._fresh(name)
        self.inputs.append(Input(name, kind, axes_of(kind, options)))  # type: ignore[arg-type]

    def source(self, first: str) -> str:
        """The value that a flow begins with where it names none: the only sequence there is."""
        sequences = [each.name for each in self.inputs if each.kind in ("floats", "ids")]
        if not sequences and not self.steps:
            self.declare("x", "ids" if first == "embedding" else "floats", {})
            if len(self.inputs) > 1:
                self.inputs.insert(0, self.inputs.pop())
            return "x"
        if len(sequences) != 1:
            raise MisfitError(
                f"expected one of {', '.join(sorted(self.known))} to begin with", first
            )
        return sequences[0]

    def step(
        self,
        kind: str,
        name: str,
        inputs: Sequence[str],
        options: Mapping[str, Any],
        outputs: Sequence[str],
    ) -> None:
        """Adds a step. Options that an op takes inputs by (lengths=n) become inputs."""
        if kind not in OPS:
            close = difflib.get_close_matches(kind, OPS, n=1, cutoff=0.7)
            hint = f"; did you mean {close[0]}?" if close else f": there are {', '.join(OPS)}"
            raise MisfitError(f"expected a kind of layer, found {kind}{hint}", kind)
        op = OPS[kind]
        named = {key: options[key] for key in op.takes if key in options}
        rest = {key: value for key, value in options.items() if key not in named}
        _checked(op.options, rest, kind, op.takes)
        if missing := [key for key in op.takes if key not in named and key not in op.optional]:
            raise MisfitError(f"{kind} needs {missing[0]}, as in {kind}({missing[0]}=n)", kind)
        if op.joins and len(inputs) < 2:
            raise MisfitError(
                f"{kind} joins values: expected two or more, found {len(inputs)}", kind
            )
        if not op.joins and len(inputs) != 1:
            raise MisfitError(f"{kind} reads one value, found {', '.join(inputs)}", kind)
        if len(outputs) > op.outputs:
            raise MisfitError(
                f"{kind} gives at most {op.outputs} value(s), not {len(outputs)}", kind
            )
        reads = (*inputs, *named.values())
        for value in reads:
            if not isinstance(value, str) or value not in self.known:
                there = ", ".join(sorted(self.known)) or "there is none yet"
                raise MisfitError(f"expected a value ({there}), found {value}", str(value))
        for output in outputs:
            self._fresh(output)
        if len(set(outputs)) != len(outputs):
            raise MisfitError(f"{kind} gives {', '.join(outputs)}: expected different names", kind)
        if named:
            rest["takes"] = tuple(named)
        self.used.update(reads)
        self.steps.append(Step(kind, tuple(reads), tuple(outputs), name, rest))

    def finish(self, outputs: Iterable[str]) -> Layers:
        """The whole; raises MisfitError for values and inputs that nothing reads."""
        given = tuple(outputs)
        if not self.steps:
            raise MisfitError("expected at least one layer")
        for output in given:
            if output not in self.known:
                raise MisfitError(f"expected a value to return, found {output}", output)
        for each in self.inputs:
            if each.name not in self.used and each.name not in given:
                raise MisfitError(f"nothing reads the input {each.name}", each.name)
        for step in self.steps:
            if not any(name in self.used or name in given for name in step.outputs):
                name = step.outputs[0]
                called = step.name or step.op if name.startswith("_") else name
                raise MisfitError(f"nothing reads {called}: name it, and use or return it", called)
        return Layers(tuple(self.inputs), tuple(self.steps), given)

    def next_unnamed(self) -> str:
        """The name of the next step's value where the text gives none."""
        return unnamed(len(self.steps))

    def _fresh(self, name: str) -> None:
        if name in OPS or name in _KEPT or keyword.iskeyword(name):
            raise MisfitError(f"{name} has a meaning of its own: expected another name", name)
        if name in self.known:
            raise MisfitError(f"there is a value {name} already: expected another name", name)


def axes_of(kind: str, options: Mapping[str, Any]) -> tuple[str | int, ...]:
    """The axes of an input as it is declared."""
    if kind == "lengths":
        return ("batch",)
    if kind == "state":
        return (options.get("rows", UNKNOWN), "batch", options.get("size", UNKNOWN))
    steps = options.get("steps", True)
    axes: list[str | int] = ["batch"] if options.get("batch", True) else []
    if steps is not False:
        axes.insert(
            0 if options.get("time_major") else len(axes),
            "sequence_length" if steps is True else int(steps),
        )
    return (*axes, *((options.get("size", UNKNOWN),) if kind == "floats" else ()))


def _checked(
    known: Mapping[str, Option], given: Mapping[str, Any], kind: str, also: Sequence[str]
) -> None:
    for key, value in given.items():
        if key not in known:
            names = ", ".join((*known, *(name for name in also if name not in known)))
            raise MisfitError(f"{kind} has no option {key}: expected {names or 'none'}", key)
        if key == "steps" and type(value) is int and value > 0:
            continue
        if (expected := known[key].problem(value)) is not None:
            raise MisfitError(f"{kind}: expected {expected} for {key}, found {value}", key)
        if key in ("size", "rows") and value < 1:
            raise MisfitError(f"{kind}: expected {key} of at least 1, found {value}", key)
