"""What a trace asks of sizes, and who asks.

Every decision on a symbolic size passes through torch's ShapeEnv. Here each is noted with the
expression of the user's code that was being computed, and whether that code asked itself, as in
`if x.size(1) > 10:`, or a torch function that it called. torch's own guards keep one line, and
leave out what follows from an earlier guard.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import itertools
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import CodeType, FrameType
from typing import Any, Literal
from weakref import WeakKeyDictionary

import sympy
import torch
from torch.fx.experimental.symbolic_shapes import ShapeEnv

from lstm_export.exporting.tracing.blame import is_users

Asker = Literal["test", "number", "torch"]
"""User code that tested a size, or made a plain number of it; or a torch function it called."""


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of a source file, lines from 1 and columns from 0, as the interpreter gives it."""

    file: str
    first: tuple[int, int]
    last: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Decision:
    """A condition on sizes that held while tracing, and the symbols that it made constants."""

    condition: sympy.Basic
    asker: Asker
    span: Span | None
    fixed: frozenset[sympy.Symbol]


_notes: WeakKeyDictionary[ShapeEnv, dict[tuple[Any, ...], Decision]] = WeakKeyDictionary()
_lock = threading.Lock()
_users = 0
_original: Callable[..., Any] | None = None
_watching = threading.local()

_NUMBERS = frozenset(["__int__", "__index__", "__float__", "__round__", "__trunc__", "__complex__"])
_DEMANDS = frozenset(["_check", "_check_with", "_check_is_size", "expect_true"])
_SYMBOLIC = (torch.__file__, "sym_node.py", "symbolic_shapes.py", "recording.py")


@contextlib.contextmanager
def watched_sizes() -> Iterator[None]:
    """Within the block, in this thread, decisions on sizes are noted for `decisions`."""
    global _users, _original
    with _lock:
        if _users == 0:
            _original = ShapeEnv.evaluate_expr
            ShapeEnv.evaluate_expr = _noting(_original)  # type: ignore[method-assign]
        _users += 1
    depth = getattr(_watching, "depth", 0)
    _watching.depth = depth + 1
    try:
        yield
    finally:
        _watching.depth = depth
        with _lock:
            _users -= 1
            if _users == 0 and _original is not None:
                ShapeEnv.evaluate_expr = _original  # type: ignore[method-assign]
                _original = None


def decisions(program: torch.export.ExportedProgram) -> tuple[Decision, ...]:
    """What was noted while `program` was traced, in order, each once."""
    environment = shape_env(program)
    return () if environment is None else tuple(_notes.get(environment, {}).values())


def shape_env(program: torch.export.ExportedProgram) -> ShapeEnv | None:
    for node in program.graph.nodes:
        mode = getattr(node.meta.get("val"), "fake_mode", None)
        if mode is not None and mode.shape_env is not None:
            found: ShapeEnv = mode.shape_env
            return found
    return None


def _noting(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def evaluate_expr(self: ShapeEnv, expr: sympy.Basic, *args: Any, **kwargs: Any) -> Any:
        if not getattr(_watching, "depth", 0) or expr.is_number or expr in _TRUTHS:
            return original(self, expr, *args, **kwargs)
        guards, known = len(self.guards), len(self.replacements)
        value = original(self, expr, *args, **kwargs)
        added = len(self.guards) > guards
        _note(self, expr, value, added, _constants(self, known))
        return value

    return evaluate_expr


_TRUTHS = (sympy.true, sympy.false)


def _constants(environment: ShapeEnv, known: int) -> frozenset[sympy.Symbol]:
    """The symbols that a decision has just made numbers."""
    new = itertools.islice(environment.replacements.items(), known, None)
    return frozenset(symbol for symbol, to in new if to.is_number)


def _note(
    environment: ShapeEnv,
    expr: sympy.Basic,
    value: Any,
    added: bool,
    fixed: frozenset[sympy.Symbol],
) -> None:
    asker, frame = _asker()
    if not added and asker == "torch":
        return
    if value in _TRUTHS:
        condition = expr if value is sympy.true else sympy.Not(expr)
    else:
        condition = sympy.Eq(expr, value)
    span = None if frame is None else _span(frame)
    found = _notes.setdefault(environment, {})
    found.setdefault((condition, span), Decision(condition, asker, span, fixed))


def _asker() -> tuple[Asker, FrameType | None]:
    """Who asked, and the innermost frame of the user's code."""
    frame = _above(_note)
    asker: Asker = "torch"
    demanded = False
    while frame is not None and frame.f_code.co_filename.endswith(_SYMBOLIC):
        name = frame.f_code.co_name
        demanded |= name in _DEMANDS
        if name == "__bool__":
            asker = "test"
        elif name in _NUMBERS:
            asker = "number"
        frame = frame.f_back
    direct = frame
    while direct is not None and _is_transparent(direct.f_code, asker):
        direct = direct.f_back
    if demanded or direct is None or not is_users(direct.f_code.co_filename):
        asker = "torch"
    while frame is not None and not is_users(frame.f_code.co_filename):
        frame = frame.f_back
    return asker, frame


@functools.lru_cache(4096)
def _is_transparent(code: CodeType, asker: Asker) -> bool:
    """Whether a function acts for its caller: NumPy's and Python's own, range() as captured."""
    file = code.co_filename
    if "/exporting/capture/" in file:
        return asker == "number"
    return not is_users(file) and "/torch/" not in file and "/lstm_export/" not in file


def _above(function: Callable[..., Any]) -> FrameType | None:
    frame = inspect.currentframe()
    while frame is not None and frame.f_code is not function.__code__:
        frame = frame.f_back
    while frame is not None and frame.f_code.co_filename == __file__:
        frame = frame.f_back
    return frame


def _span(frame: FrameType) -> Span:
    positions = itertools.islice(frame.f_code.co_positions(), frame.f_lasti // 2, None)
    line, end_line, column, end_column = next(positions, (None, None, None, None))
    line = line or frame.f_lineno
    return Span(
        frame.f_code.co_filename, (line, column or 0), (end_line or line, end_column or 10**6)
    )
