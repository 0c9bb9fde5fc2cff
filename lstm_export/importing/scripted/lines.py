"""The statements of the Python that is written for a script, before they are text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

_NAME = re.compile(r"[A-Za-z_]\w*")


@dataclass(slots=True)
class Line:
    """`target = text`, or `text` alone. One that is `pure` may go where nobody reads its target."""

    target: str
    text: str
    pure: bool = True
    place: str = ""


@dataclass(slots=True)
class Block:
    """`head:` and what is under it, with `other` under its else."""

    head: str
    body: list[Line | Block]
    other: list[Line | Block] = field(default_factory=list)
    place: str = ""


Statements = list[Line | Block]


def prune(statements: Statements) -> None:
    """Leaves out what has no effect and nobody reads."""
    while _pruned(statements, _read(statements)):
        pass


def _read(statements: Sequence[Line | Block]) -> set[str]:
    found: set[str] = set()
    for one in statements:
        if isinstance(one, Line):
            found.update(_NAME.findall(one.text))
        else:
            found.update(_NAME.findall(one.head))
            found |= _read(one.body) | _read(one.other)
    return found


def _pruned(statements: Statements, read: set[str]) -> bool:
    kept: Statements = []
    changed = False
    for one in statements:
        if isinstance(one, Line):
            gone = one.pure and not read.intersection(_NAME.findall(one.target))
        else:
            changed |= _pruned(one.body, read)
            changed |= _pruned(one.other, read)
            gone = not one.body and not one.other and not one.head.startswith("while")
        changed |= gone
        if not gone:
            kept.append(one)
    statements[:] = kept
    return changed


def rendered(statements: Sequence[Line | Block], indent: int) -> Iterator[str]:
    """The lines of Python, each with the place in the script's source that it comes from."""
    margin = "    " * indent
    if not statements:
        yield f"{margin}pass"
    for one in statements:
        comment = f"  # {one.place}" if one.place else ""
        if isinstance(one, Line):
            start = f"{one.target} = " if one.target else ""
            yield f"{margin}{start}{one.text}{comment}"
            continue
        yield f"{margin}{one.head}:{comment}"
        yield from rendered(one.body, indent + 1)
        if one.other:
            yield f"{margin}else:"
            yield from rendered(one.other, indent + 1)
