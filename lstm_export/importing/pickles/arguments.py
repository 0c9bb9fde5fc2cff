"""The bytes of a pickle, taken piece by piece: opcodes' arguments, as `pickletools` lists them."""

from __future__ import annotations

import re
import struct
from typing import NoReturn

from lstm_export.errors import CheckpointError

_MAX_LINE = 1 << 26
_MAX_DIGITS = 4000
_MAX_LONG = 1024
"""Bytes of an integer: no size, offset or seed needs more."""
_ESCAPES = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"\\": b"\\", b"'": b"'", b'"': b'"'}


class Arguments:
    """A position in `data`, which moves on as arguments are taken.

    Lengths are believed only as far as there are bytes. Raises CheckpointError, naming `where`.
    """

    def __init__(self, data: bytes, where: str, start: int = 0) -> None:
        self.data, self.where, self.position = data, where, start

    def broken(self, what: str) -> NoReturn:
        """Raises CheckpointError: this is no whole pickle."""
        raise CheckpointError(
            f"{self.where} is not a whole pickle: {what} at byte {self.position}; "
            "save the file again, or fetch a whole copy"
        )

    def take(self, size: int) -> bytes:
        """The next `size` bytes."""
        end = self.position + size
        if end > len(self.data):
            self.broken(f"it ends {end - len(self.data)} bytes too early, counting")
        piece = self.data[self.position : end]
        self.position = end
        return piece

    def unsigned(self, size: int) -> int:
        """A little-endian integer of `size` bytes, 0 or more."""
        return int.from_bytes(self.take(size), "little")

    def signed(self, size: int) -> int:
        """A little-endian integer of `size` bytes in two's complement."""
        return int.from_bytes(self.take(size), "little", signed=True)

    def long(self, size: int) -> int:
        """A little-endian integer whose length stands before it in `size` bytes."""
        length = self.unsigned(size)
        if length > _MAX_LONG:
            self.broken(f"an integer of {length} bytes")
        return self.signed(length)

    def counted(self, size: int) -> bytes:
        """Bytes whose number stands before them in `size` bytes."""
        return self.take(self.unsigned(size))

    def text(self, size: int) -> str:
        """UTF-8 whose length stands before it in `size` bytes."""
        return self._decoded(self.counted(size), "utf-8", "surrogatepass")

    def line(self) -> bytes:
        """The bytes up to the next newline, which is taken too."""
        end = self.data.find(b"\n", self.position, self.position + _MAX_LINE)
        if end < 0:
            self.broken("a line that does not end")
        piece = self.data[self.position : end]
        self.position = end + 1
        return piece

    def line_text(self) -> str:
        """A line of UTF-8."""
        return self._decoded(self.line(), "utf-8", "strict")

    def line_unicode(self) -> str:
        """A line in Python's raw-unicode-escape."""
        return self._decoded(self.line(), "raw-unicode-escape", "strict")

    def line_string(self) -> str:
        """A quoted string as Python 2's repr wrote it; its bytes as Latin-1."""
        line = self.line().strip()
        if len(line) < 2 or line[:1] not in b"\"'" or line[:1] != line[-1:]:
            self.broken("a string without quotes")
        pattern = rb"\\(x[0-9a-fA-F]{2}|.)"
        return re.sub(pattern, _unescaped, line[1:-1]).decode("latin-1")

    def line_integer(self) -> int:
        """A decimal integer on a line, with or without Python 2's L."""
        line = self.line().strip().removesuffix(b"L")
        if len(line) > _MAX_DIGITS or not re.fullmatch(rb"[+-]?[0-9]+", line):
            self.broken("no integer where one belongs")
        return int(line)

    def line_float(self) -> float:
        """A decimal number on a line."""
        line = self.line()
        try:
            return float(line[:400])
        except ValueError:
            self.broken("no number where one belongs")

    def double(self) -> float:
        """Eight bytes, big-endian."""
        value: float = struct.unpack(">d", self.take(8))[0]
        return value

    def _decoded(self, piece: bytes, encoding: str, errors: str) -> str:
        try:
            return piece.decode(encoding, errors)
        except UnicodeDecodeError:
            self.broken("text that is none")


def _unescaped(match: re.Match[bytes]) -> bytes:
    code = match[1]
    if len(code) == 3:
        return bytes([int(code[1:], 16)])
    return _ESCAPES.get(code, match[0])
