"""What a piece of the user's source does, read from its syntax tree."""

from __future__ import annotations

import ast
import functools
import linecache
from typing import Literal

from lstm_export.exporting.audit.watch import Span
from lstm_export.exporting.tracing.blame import Place

Use = Literal["check", "talk", "branch"]
"""A size is checked and refused; only talked about; or decides what is computed."""

_TALK = frozenset(
    ["warn", "warning", "warn_once", "info", "debug", "error", "exception", "print", "log"]
)


def place_of(span: Span) -> Place:
    """The first line of `span`, as it is shown to the user."""
    line = span.first[0]
    return Place(span.file, line, linecache.getline(span.file, line).strip())


def text_of(span: Span) -> str:
    """The source of `span` alone, in one line; empty where it cannot be read."""
    lines = linecache.getlines(span.file)[span.first[0] - 1 : span.last[0]]
    if not lines:
        return ""
    lines[-1] = _cut(lines[-1], 0, span.last[1])
    lines[0] = _cut(lines[0], span.first[1], None)
    return " ".join(" ".join(lines).split())


def use_of(span: Span) -> Use:
    """What the test that computes `span` is for."""
    tree = _tree(span.file)
    inner: ast.AST | None = None
    for outer in reversed(_chain(tree, span) if tree else []):
        # A jump on `not …` has the place of the whole statement.
        in_test = inner is None or inner is getattr(outer, "test", None)
        if isinstance(outer, ast.Assert):
            return "check"
        if isinstance(outer, ast.If) and in_test:
            return _of_if(outer)
        if isinstance(outer, ast.stmt) or (isinstance(outer, ast.IfExp) and in_test):
            return "branch"
        inner = outer
    return "branch"


def _of_if(statement: ast.If) -> Use:
    if _refuses(statement.body) or _refuses(statement.orelse):
        return "check"
    if not statement.orelse and all(map(_talks, statement.body)):
        return "talk"
    return "branch"


def _refuses(body: list[ast.stmt]) -> bool:
    """Whether every way through `body` ends with an exception."""
    if not body:
        return False
    last = body[-1]
    if isinstance(last, ast.If):
        return _refuses(last.body) and _refuses(last.orelse)
    if isinstance(last, ast.With):
        return _refuses(last.body)
    if isinstance(last, ast.Assert):
        return isinstance(last.test, ast.Constant) and not last.test.value
    return isinstance(last, ast.Raise)


def _talks(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.Pass):
        return True
    if not isinstance(statement, ast.Expr):
        return False
    value = statement.value
    if isinstance(value, ast.Call):
        called = value.func
        name = getattr(called, "attr", None) or getattr(called, "id", "")
        return name in _TALK
    return isinstance(value, ast.Constant)


def _chain(node: ast.AST, span: Span) -> list[ast.AST]:
    """The nodes around `span`, outermost first."""
    chain = [node]
    while True:
        inner = next((n for n in ast.iter_child_nodes(chain[-1]) if _holds(n, span)), None)
        if inner is None:
            return chain
        chain.append(inner)


def _holds(node: ast.AST, span: Span) -> bool:
    if not isinstance(node, ast.stmt | ast.expr | ast.pattern):
        # Has no place of its own, as the arguments of a call or a case of a match.
        return any(_holds(inner, span) for inner in ast.iter_child_nodes(node))
    first = (node.lineno, node.col_offset)
    last = (node.end_lineno or node.lineno, node.end_col_offset or 0)
    if span.last[1] >= 10**6:  # a line without columns
        return first[0] <= span.first[0] <= last[0]
    return first <= span.first and span.last <= last


@functools.lru_cache(64)
def _tree(file: str) -> ast.Module | None:
    try:
        return ast.parse("".join(linecache.getlines(file)))
    except SyntaxError:
        return None


def _cut(line: str, start: int, stop: int | None) -> str:
    """A part of `line` between columns, which count bytes."""
    return line.encode()[start:stop].decode(errors="replace")
