"""A place in the tokens of a layer string: what stands there, taken if it is what is expected."""

from __future__ import annotations

import re
from typing import Any

from lstm_export.importing.layers.tokens import Token, refusal, statements

NAME = re.compile(r"[^\W\d]\w*")


class Cursor:
    """Reads tokens one by one; what is not as expected raises OptionError with its column."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = statements(text)
        self.place = 0

    @property
    def now(self) -> Token:
        return self.tokens[self.place]

    def is_end(self) -> bool:
        return self.now.kind == "end"

    def is_sign(self, *signs: str) -> bool:
        return self.now.kind == "sign" and self.now.text in signs

    def wrong(self, expected: str, token: Token | None = None) -> Exception:
        token = token or self.now
        found = "the end" if token.kind == "end" else repr(token.text)
        return refusal(self.text, token.at, f"expected {expected}, found {found}")

    def take(self) -> Token:
        token = self.now
        if token.kind != "end":
            self.place += 1
        return token

    def sign(self, text: str) -> Token:
        if not self.is_sign(text):
            raise self.wrong(repr(text))
        return self.take()

    def name(self, what: str) -> Token:
        if self.now.kind != "word" or not NAME.fullmatch(self.now.text):
            raise self.wrong(what)
        return self.take()

    def options(self) -> tuple[list[str], dict[str, Any]]:
        values: list[str] = []
        options: dict[str, Any] = {}
        if not self.is_sign("("):
            return values, options
        self.take()
        while not self.is_sign(")"):
            token = self.name("an option, a value or ')'")
            if self.is_sign("="):
                if token.text in options:
                    raise self.wrong("each option once", token)
                self.take()
                options[token.text] = self.value()
            else:
                values.append(token.text)
            if not self.is_sign(")"):
                if not self.is_sign(","):
                    raise self.wrong("',' or ')'")
                self.take()
        self.take()
        return values, options

    def value(self) -> Any:
        if self.is_sign("["):
            self.take()
            numbers = [self.number()]
            while self.is_sign(","):
                self.take()
                numbers.append(self.number())
            self.sign("]")
            return tuple(numbers)
        if self.now.kind == "number":
            return self.number()
        word = self.name("a number, true, false, a word or '['").text
        return {"true": True, "false": False}.get(word, word)

    def number(self) -> int | float:
        if self.now.kind != "number":
            raise self.wrong("a number")
        text = self.take().text
        digits = text.lstrip("+-")
        return int(text) if digits.isdigit() and len(digits) < 19 else float(text)
