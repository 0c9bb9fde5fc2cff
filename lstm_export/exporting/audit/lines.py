"""Where in the source of its classes a module writes one of its attributes."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator

from torch import nn

from lstm_export.exporting.tracing.blame import Place


def written_at(name: str, owner: type, module: nn.Module, *, in_init: bool = False) -> Place | None:
    """The line that writes the attribute `name`, outside __init__ or in it; else one that uses it.

    It is looked for in the class `owner` first, then in all classes of `module`.
    """
    mentions: list[Place] = []
    classes = [*owner.__mro__, *(base for one in module.modules() for base in _mro(one))]
    for cls in dict.fromkeys(classes):
        if cls.__module__.startswith("torch.") or cls is object:
            continue
        try:
            lines, start = inspect.getsourcelines(cls)
            file = inspect.getsourcefile(cls) or "?"
            tree = ast.parse(textwrap.dedent("".join(lines)))
        except (OSError, TypeError, SyntaxError):
            continue
        for line, writes in _uses(tree, name, in_init):
            place = Place(file, start + line - 1, lines[line - 1].strip())
            if writes:
                return place
            mentions.append(place)
    return mentions[0] if mentions else None


def _mro(module: nn.Module) -> tuple[type, ...]:
    return type(module).__mro__


def _uses(tree: ast.AST, name: str, in_init: bool) -> Iterator[tuple[int, bool]]:
    """Lines that use the attribute, and whether they write it, by assignment or in place."""
    methods = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    for method in sorted(methods, key=lambda one: one.name != "forward"):
        if (method.name == "__init__") != in_init:
            continue
        for node in ast.walk(method):
            if isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                if any(_names(one, name) for target in targets for one in ast.walk(target)):
                    yield node.lineno, True
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                in_place = node.func.attr.endswith("_") or node.func.attr in _MUTATORS
                if in_place and any(_names(one, name) for one in ast.walk(node.func.value)):
                    yield node.lineno, True
            elif isinstance(node, ast.Attribute | ast.Name) and _names(node, name):
                yield node.lineno, False


_MUTATORS = {"append", "appendleft", "extend", "insert", "pop", "popleft", "update", "clear"}


def _names(node: ast.AST, name: str) -> bool:
    return (isinstance(node, ast.Attribute) and node.attr == name) or (
        isinstance(node, ast.Name) and node.id == name
    )
