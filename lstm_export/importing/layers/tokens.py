"""A layer string as words, numbers and signs, each with the place where it stands."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from lstm_export.errors import OptionError

WORD = re.compile(r"\w[\w.\-/]*")
"""What a prefix may be without quotes; names are words of letters, digits and "_" alone."""
_TOKEN = re.compile(
    r"(?P<space>\s+|\#[^\n]*)"
    r"|(?P<number>[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?(?![\w.\-/]))"
    rf"|(?P<word>{WORD.pattern})"
    r'|(?P<quoted>"[^"\n]*")'
    r"|(?P<sign>[,;>:=()\[\]])"
)
LONGEST = 100_000
"""Characters: far more than any model needs."""


@dataclass(frozen=True, slots=True)
class Token:
    """`text` at `at` (counted from 0) of the string; a quoted word without its quotes."""

    kind: Literal["number", "word", "quoted", "sign", "end"]
    text: str
    at: int


def refusal(text: str, at: int, message: str) -> OptionError:
    """The error about the character `at` of `text`, with the line and a mark below it."""
    start = text.rfind("\n", 0, at) + 1
    line = text[start:].split("\n", 1)[0]
    row, column = text.count("\n", 0, at) + 1, at - start + 1
    where = f"line {row}, column {column}" if "\n" in text.strip() else f"column {column}"
    # A window of a long line, so that the mark stays in sight.
    left = max(0, column - 61)
    shown = line[left : left + 100]
    return OptionError(f"layers, {where}: {message}\n  {shown}\n  {' ' * (column - 1 - left)}^")


def tokens(text: str) -> list[Token]:
    """The tokens of `text` and an end; raises OptionError for a character that means nothing."""
    if len(text) > LONGEST:
        raise OptionError(f"layers: expected at most {LONGEST} characters, got {len(text)}")
    found: list[Token] = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise refusal(text, at, f"expected a word, a number or a sign, found {text[at]!r}")
        kind = match.lastgroup
        if kind == "quoted":
            found.append(Token("quoted", match[0][1:-1], at))
        elif kind != "space":
            found.append(Token(kind, match[0], at))  # type: ignore[arg-type]
        at = match.end()
    found.append(Token("end", "", len(text)))
    return found


def statements(text: str) -> list[Token]:
    """`tokens` with a `;` where a line ends that nothing carries on; raises OptionError."""
    placed: list[Token] = []
    depth = 0
    for token in tokens(text):
        before = placed[-1] if placed else None
        if (
            before is not None
            and depth == 0
            and "\n" in text[before.at : token.at]
            and before.text not in (",", ">", "=", ";", ":")
            and token.text not in (",", ">", "=", ":")
        ):
            placed.append(Token("sign", ";", token.at))
        if token.kind == "sign":
            depth += (token.text in "([") - (token.text in ")]")
        placed.append(token)
    return placed
