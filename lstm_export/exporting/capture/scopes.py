"""Where the code that a module runs looks up its names."""

from __future__ import annotations

import sysconfig
import types
from collections.abc import Iterator
from typing import Any

from torch import nn

from lstm_export.exporting.tracing.blame import is_users

_THIRD_PARTY = tuple(sysconfig.get_paths()[name] for name in ("purelib", "platlib"))


def scopes_of(module: nn.Module) -> Iterator[dict[str, Any]]:
    """The globals of every function that a module's own code consists of or refers to.

    Code of torch is left out, and that of other installed packages unless classes of `module` are
    theirs.
    """
    seen: dict[int, Any] = {}
    waiting: list[Any] = [cls for child in module.modules() for cls in type(child).__mro__]
    waiting += [value for child in module.modules() for value in vars(child).values()]
    scopes: dict[int, dict[str, Any]] = {}
    while waiting:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen[id(one)] = one
        if isinstance(one, type):
            if not _is_torchs(one.__module__):
                waiting += vars(one).values()
            continue
        function = _function(one)
        if function is None or _is_torchs(function.__globals__.get("__name__", "")):
            continue
        waiting += map(_content, function.__closure__ or ())
        if hasattr(function, "__wrapped__"):
            waiting.append(function.__wrapped__)
        scope = function.__globals__
        if id(scope) in scopes:
            continue
        scopes[id(scope)] = scope
        waiting += [value for value in scope.values() if _is_own(value)]
        yield scope


def _is_own(value: Any) -> bool:
    """Whether a name in a scope leads to further code of the same people."""
    if isinstance(value, types.FunctionType):
        return _is_own_file(value.__code__.co_filename)
    if isinstance(value, type):
        return any(_is_own(member) for member in vars(value).values())
    return False


def _is_own_file(file: str) -> bool:
    return is_users(file) and not file.startswith(_THIRD_PARTY) and "site-packages" not in file


def _function(one: Any) -> types.FunctionType | None:
    if isinstance(one, staticmethod | classmethod | types.MethodType):
        one = one.__func__
    if isinstance(one, property):
        one = one.fget
    return one if isinstance(one, types.FunctionType) else None


def _content(cell: types.CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # not assigned yet
        return None


def _is_torchs(name: str) -> bool:
    return name.partition(".")[0] in {"torch", "builtins"}
