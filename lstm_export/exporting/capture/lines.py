"""Which line of the user's code is running, and how its expressions read."""

from __future__ import annotations

import ast
import dis
import linecache
import sys
from types import FrameType
from typing import Any

from lstm_export.errors import ExportError
from lstm_export.exporting.tracing.blame import Place, is_users


def users_frame() -> FrameType | None:
    """The innermost running frame of the user's own code."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and not is_users(frame.f_code.co_filename):
        frame = frame.f_back
    return frame


def users_place() -> Place | None:
    """The line of the user's own code that is running."""
    frame = users_frame()
    if frame is None:
        return None
    file, line = frame.f_code.co_filename, frame.f_lineno
    return Place(file, line, linecache.getline(file, line, frame.f_globals).strip())


def refusal(place: Place | None, what: str, rewrite: str) -> ExportError:
    """The error that a loop cannot be exported, because of `what`, unless one does `rewrite`."""
    where = f"\n  at {place}" if place is not None else ""
    return ExportError(f"{what}: {rewrite}{where}")


def unpacked_into(frame: FrameType) -> int | None:
    """How many names `frame` is assigning an iterable to, None if it is doing something else."""
    code = frame.f_code.co_code
    operation, argument = dis.opname[code[frame.f_lasti]], code[frame.f_lasti + 1]
    return argument if operation == "UNPACK_SEQUENCE" else None


def subscripted(frame: FrameType) -> Any:
    """The object that `frame` is taking an item of, None if its source does not say.

    Only names and attributes are followed, which has no effects of its own.
    """
    text = _running_source(frame)
    try:
        expression = ast.parse(text, mode="eval").body if text else None
    except SyntaxError:
        return None
    if not isinstance(expression, ast.Subscript):
        return None
    return _value(expression.value, frame)


def _value(expression: ast.expr, frame: FrameType) -> Any:
    if isinstance(expression, ast.Name):
        return frame.f_locals.get(expression.id, frame.f_globals.get(expression.id))
    if isinstance(expression, ast.Attribute):
        return vars(_value(expression.value, frame) or object).get(expression.attr)
    if isinstance(expression, ast.Subscript) and isinstance(expression.slice, ast.Constant):
        holder, key = _value(expression.value, frame), expression.slice.value
        if isinstance(holder, dict):
            return holder.get(key)
        return holder[key] if isinstance(holder, list | tuple) and isinstance(key, int) else None
    return None


def _running_source(frame: FrameType) -> str:
    """The source of the expression that `frame` is evaluating."""
    positions = list(frame.f_code.co_positions())[frame.f_lasti // 2]
    first, last, start, stop = positions
    if first is None or last is None or start is None or stop is None:
        return ""
    file = frame.f_code.co_filename
    lines = [linecache.getline(file, line, frame.f_globals) for line in range(first, last + 1)]
    if not any(lines):
        return ""
    # Columns are counted in bytes.
    lines[-1] = lines[-1].encode()[:stop].decode()
    lines[0] = lines[0].encode()[start:].decode()
    return "".join(lines)
