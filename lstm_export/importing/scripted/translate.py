"""A script's graphs as the statements of one Python function."""

from __future__ import annotations

import contextlib
import dataclasses
import re
from collections.abc import Iterator, Sequence
from typing import Any

import torch

from lstm_export.errors import CheckpointError
from lstm_export.importing.scripted import control, numbers, operators, scalars
from lstm_export.importing.scripted.attributes import Attributes
from lstm_export.importing.scripted.knowledge import is_packed_with, knowledge
from lstm_export.importing.scripted.lines import Block, Line, Statements
from lstm_export.importing.scripted.place import place
from lstm_export.importing.scripted.primitives import HANDLERS
from lstm_export.importing.scripted.recurrent import FUNCTIONS, KERNELS, called, layer_of
from lstm_export.importing.scripted.refusal import Unsupported, refusal
from lstm_export.importing.scripted.terms import Held, Term

_MOST_CALLS = 64
_SURPRISES = (ValueError, LookupError, TypeError, AttributeError, RuntimeError)
"""What a graph of another version of torch, or a damaged one, may lead to."""
_FEW = 4
"""Entries of a tensor that are taken one by one, from which on they are taken for a loop's."""


class Translator:
    """Writes Python for the graphs of one script; `functions` are those outside its modules."""

    def __init__(self, file: str, script: torch.jit.ScriptModule, functions: Any) -> None:
        self.file, self.script, self.functions = file, script, functions
        self.attributes = Attributes(script)
        self.statements: Statements = []
        self.packed_lengths: dict[str, str] = {}
        self._frames: list[dict[str, Term]] = []
        self._used: set[str] = set()
        self._near = ""
        self._steps: dict[tuple[str, int], set[int]] = {}

    def run(self, graph: Any, inputs: Sequence[Term]) -> list[Term]:
        """Writes the whole of `graph`; gives its results. Raises CheckpointError."""
        if len(self._frames) >= _MOST_CALLS:
            raise Unsupported(f"calls in calls, more than {_MOST_CALLS} deep")
        self._frames.append({})
        try:
            for value, term in zip(graph.inputs(), inputs, strict=True):
                self.bind(value, term)
            return self.block(graph)
        finally:
            self._frames.pop()

    def block(self, block: Any) -> list[Term]:
        """Writes the nodes of a block or a graph; gives its results."""
        for node in block.nodes():
            own = place(node)
            # Assignments to attributes have no place of their own.
            if own and node.kind() != "prim::Constant":
                self._near = own
            try:
                self._node(node)
            except CheckpointError:
                raise
            except (Unsupported, *_SURPRISES) as error:
                what = str(error) or type(error).__name__
                if not isinstance(error, Unsupported):
                    what = f"{node.kind()} is not as expected here ({what})"
                where = f"at {own}" if own else f"near {self._near}" if self._near else ""
                raise refusal(self.file, what, where) from None
        return [self._frames[-1][value.debugName()] for value in block.outputs()]

    def bind(self, value: Any, term: Term) -> None:
        """Notes that `term` is what `value` of the current graph stands for."""
        kind = value.type().kind()
        if term.kind and kind in ("OptionalType", "UnionType", "AnyType"):
            kind = term.kind
        self._frames[-1][value.debugName()] = dataclasses.replace(term, kind=kind)

    def fresh(self, name: str) -> str:
        """A variable that is not used yet, called like `name`."""
        base = re.sub(r"\W.*|_*\d*$", "", name) or "v"
        base = base if base[0].isalpha() else "v"
        number = 1
        while f"{base}_{number}" in self._used:
            number += 1
        self._used.add(f"{base}_{number}")
        return f"{base}_{number}"

    def argument(self, name: str) -> str:
        """`name` as that of a variable that is used from now on."""
        self._used.add(name)
        return name

    def texts(self, terms: Sequence[Term]) -> list[str]:
        """The terms as expressions for what they are in the graph."""
        return [operators.written(term) for term in terms]

    def add(self, statement: Line | Block) -> None:
        self.statements.append(statement)

    def line(self, target: str, text: str, node: Any, *, pure: bool = True) -> None:
        self.add(Line(target, text, pure, place(node)))

    def assign(self, name: str, text: str, node: Any, *, pure: bool = True) -> Term:
        """A new variable for the result of `node`."""
        outputs = list(node.outputs())
        if len(outputs) == 1 and not outputs[0].debugName().isdigit():
            name = outputs[0].debugName()
        target = self.fresh(name)
        self.line(target, text, node, pure=pure)
        return Term(target)

    def assign_all(self, node: Any, text: str, *, pure: bool = True) -> list[Term]:
        """New variables for all results of `node`."""
        targets = [self.fresh(output.debugName()) for output in node.outputs()]
        if targets:
            comma = "," * (len(targets) == 1)
            self.line(f"{', '.join(targets)}{comma}", text, node, pure=pure)
        return [Term(target) for target in targets]

    @contextlib.contextmanager
    def collecting(self) -> Iterator[Statements]:
        """Within the block statements go into the list that it gives."""
        outer, self.statements = self.statements, []
        try:
            yield self.statements
        finally:
            self.statements = outer

    def unrolled(self) -> int:
        """How many steps a loop had that was traced step by step; 0 where none was."""
        counts = [len(taken) for taken in self._steps.values() if taken == set(range(len(taken)))]
        return max((count for count in counts if count >= _FEW), default=0)

    def _node(self, node: Any) -> None:
        frame, kind = self._frames[-1], node.kind()
        inputs = [frame[value.debugName()] for value in node.inputs()]
        if kind == "prim::If":
            results = control.branch(self, node, inputs)
        elif kind == "prim::Loop":
            results = control.loop(self, node, inputs)
        elif kind in ("prim::CallMethod", "prim::CallFunction"):
            results = [self._call(node, inputs)]
        elif kind in HANDLERS:
            results = HANDLERS[kind](self, node, inputs)
        elif kind in KERNELS:
            results = KERNELS[kind](self, node, inputs)
        else:
            results = self._operator(node, kind, inputs)
        for value, term in zip(node.outputs(), results, strict=True):
            self.bind(value, term)

    def _call(self, node: Any, inputs: list[Term]) -> Term:
        if node.kind() == "prim::CallFunction":
            name = str(inputs[0].known)
            plain = re.sub(r"___torch_mangle_\d+\.", "", name.removeprefix("__torch__."))
            if plain in FUNCTIONS:
                return FUNCTIONS[plain](self, node, inputs[1:])[0]
            function = self.functions.find_function(name)
            if function is None:
                raise Unsupported(f"it calls {name}, which the archive does not hold")
            return self.run(function.graph, inputs[1:])[0]
        held, method = inputs[0].known, node.s("name")
        if not isinstance(held, Held):
            raise Unsupported(f"{method} is a method of an object that is no module")
        if layer_of(held, method):
            return called(self, held, method, node, *inputs[1:3])
        return self.run(held.script._c._get_method(method).graph, inputs)[0]

    def _operator(self, node: Any, kind: str, inputs: list[Term]) -> list[Term]:
        if kind in ("aten::__is__", "aten::__isnot__"):
            word = "is" if kind == "aten::__is__" else "is not"
            known = scalars.identity(kind, inputs)
            return [known or self.assign("same", f"{inputs[0].text} {word} {inputs[1].text}", node)]
        if (
            kind == "aten::select"
            and (lengths := self.packed_lengths.get(inputs[0].sizes_of))
            and inputs[1].known == inputs[2].known == 0
        ):
            # All sequences have a first step.
            batch = self.assign("batch", f"{lengths}.size(0)", node)
            return [dataclasses.replace(batch, is_number=True)]
        if (found := numbers.number(kind, inputs)) is not None:
            text, is_number = found
            longest = inputs[0].longest_of if text == inputs[0].text else ""
            made = Term(text) if text.isidentifier() else self.assign("size", text, node)
            return [Term(made.text, is_number=is_number, longest_of=longest)]
        if (plain := scalars.expression(kind, inputs)) is not None:
            text, pure, itself = plain
            if pure and (folded := scalars.folded(text, inputs)) is not None:
                return [folded]
            if itself or node.outputsSize() == 0:
                self.line("", text, node, pure=False)
                return inputs[: node.outputsSize()]
            return [self.assign("v", text, node, pure=pure)]
        if kind == "aten::select" and all(type(one.known) is int for one in inputs[1:]):
            self._steps.setdefault((inputs[0].text, inputs[1].known), set()).add(inputs[2].known)
        text, pure = operators.expression(node, inputs)
        if text in ("None", inputs[0].text if inputs else ""):
            return [dataclasses.replace(inputs[0], text=text)] * node.outputsSize()
        if kind == "aten::index_select" and inputs[2].is_order:
            x, dim, order = (one.text for one in inputs)
            self.line("", f"expect_one_batch({x}, {dim}, {order})", node, pure=False)
        if node.outputsSize() != 1:
            made_all = self.assign_all(node, text, pure=pure)
            if kind == "aten::sort" and is_packed_with(node.outputsAt(0)):
                made_all[1] = dataclasses.replace(made_all[1], is_order=True)
            return made_all
        made = self.assign("v", text, node, pure=pure)
        return [dataclasses.replace(made, **knowledge(node, inputs, pure))]
