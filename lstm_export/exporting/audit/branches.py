"""Sizes that Python decided on while a module was traced.

`if x.size(1) > 10:` takes one way for the example, and the file would take it for every input. The
tracer notes each such decision as a guard, with the line that asked. A check that only refuses
inputs (`assert x.size(1) >= 3`), or one inside torch (a kernel longer than the input), is no
branch: it limits the axis, and stands in the report.
"""

from __future__ import annotations

import ast
import linecache
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import sympy
import torch

from lstm_export.exporting.blame import Place, is_users

_TALK = ("warn", "warning", "info", "debug", "error", "print", "log", "warn_once")


@dataclass(frozen=True, slots=True)
class SizeBranch:
    """A decision on sizes in the user's own code. `fixes` are the symbols it made constants."""

    condition: sympy.Basic
    place: Place

    @property
    def fixes(self) -> frozenset[sympy.Symbol]:
        is_constant = isinstance(self.condition, sympy.Eq) and self.condition.rhs.is_number
        return frozenset(self.condition.free_symbols) if is_constant else frozenset()


def size_branches(program: torch.export.ExportedProgram) -> tuple[SizeBranch, ...]:
    """Every branch on a size in the user's code that tracing `program` went through."""
    found = {}
    for guard in _guards(program):
        frame = guard.sloc.framework_loc
        if frame is None or isinstance(frame, str) or not is_users(frame.filename):
            continue
        place = Place(frame.filename, frame.lineno, (frame.line or "").strip())
        if not _only_refuses(place):
            found[place, str(guard.expr)] = SizeBranch(guard.expr, place)
    return tuple(found.values())


def _guards(program: torch.export.ExportedProgram) -> list[Any]:
    for node in program.graph.nodes:
        mode = getattr(node.meta.get("val"), "fake_mode", None)
        if mode is not None and mode.shape_env is not None:
            return list(mode.shape_env.guards)
    return []


def _only_refuses(place: Place) -> bool:
    """Whether the line is a check: an assert, or an if that raises or talks and does no more."""
    source = "".join(linecache.getlines(place.file))
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return False
    statements = [s for s in ast.walk(tree) if isinstance(s, ast.Assert | ast.If | ast.While)]
    at_line = [s for s in statements if place.line in _lines_of_test(s)]
    return bool(at_line) and all(
        isinstance(s, ast.Assert)
        or (isinstance(s, ast.If) and not s.orelse and all(map(_refuses, s.body)))
        for s in at_line
    )


def _lines_of_test(statement: ast.Assert | ast.If | ast.While) -> range:
    return range(statement.lineno, (statement.test.end_lineno or statement.lineno) + 1)


def _refuses(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.Raise | ast.Pass | ast.Assert):
        return True
    return isinstance(statement, ast.Expr) and any(name in _TALK for name in _called(statement))


def _called(statement: ast.Expr) -> Iterator[str]:
    if isinstance(statement.value, ast.Call):
        function = statement.value.func
        if isinstance(function, ast.Attribute):
            yield function.attr
        elif isinstance(function, ast.Name):
            yield function.id
