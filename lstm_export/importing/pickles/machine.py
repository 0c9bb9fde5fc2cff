"""The machine that pickles are programs for, without any way to run something: it moves data.

What would import gives a `Global`, what would call an `Inert`, unless there is a function of our
own for that very name. There is no recursion and the work is counted, so neither depth nor sharing
("billion laughs") costs more than the bytes that ask for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NoReturn

from lstm_export.errors import CheckpointError
from lstm_export.importing.pickles.arguments import Arguments
from lstm_export.importing.pickles.harmful import is_harmful
from lstm_export.importing.pickles.values import SETS, Global, Inert, OddKey

MAX_STEPS = 4_000_000
"""Opcodes in a pickle. A checkpoint needs about sixty for a tensor."""
_MAX_CALLS = 50
_SMALL_KEY = 1 << 32
_OLD_MODULES = {"__builtin__": "builtins", "copy_reg": "copyreg"}

Rebuild = Callable[["Machine", tuple[object, ...]], object]
"""What a call gives, made by us of plain arguments; NotImplemented where they are not as known."""


class Settable:
    """A value of ours that takes the state which a pickle gives it after it was made."""

    def set_state(self, machine: Machine, state: object) -> None:
        """Takes `state`, or keeps that it is none that is known."""
        raise NotImplementedError


class Machine:
    """The stack, the memo and the position of one pickle."""

    def __init__(
        self,
        data: bytes,
        where: str,
        rebuild: Mapping[Global, Rebuild],
        persistent: Callable[[object], object],
        start: int,
    ) -> None:
        self.arguments = Arguments(data, where, start)
        self.rebuild, self.persistent = rebuild, persistent
        self.stack: list[object] = []
        self.marks: list[int] = []
        self.memo: dict[int, object] = {}
        self.encoded: dict[int, tuple[str, bytes]] = {}
        """Strings turned into bytes, by identity, so that none is turned twice."""
        self.steps = 0
        self.calls: dict[str, None] = {}
        """Names of what would have been called, the first of them."""

    def broken(self, what: str) -> NoReturn:
        """Raises CheckpointError: this is no whole pickle."""
        self.arguments.broken(what)

    def refuse(self, what: str) -> NoReturn:
        """Raises CheckpointError: the pickle asks for what is not done for any file."""
        raise CheckpointError(
            f"{self.arguments.where} asks for {what}, which weights never need; nothing was "
            "executed. Do not open this file with anything that would"
        )

    def charge(self, steps: int) -> None:
        """Counts work. Raises CheckpointError when there was too much."""
        self.steps += steps
        if self.steps > MAX_STEPS:
            raise CheckpointError(
                f"{self.arguments.where} takes more than {MAX_STEPS:,} steps to read, expected a "
                "file of weights: save the state_dict alone, or as safetensors"
            )

    def push(self, value: object) -> None:
        self.stack.append(value)

    def pop(self) -> object:
        if len(self.stack) <= (self.marks[-1] if self.marks else 0):
            self.broken("a value that is not there is used")
        return self.stack.pop()

    def top(self) -> object:
        value = self.pop()
        self.stack.append(value)
        return value

    def to_mark(self) -> list[object]:
        """What was pushed since the last mark, which goes away."""
        if not self.marks:
            self.broken("a mark that is not there is used")
        start = self.marks.pop()
        values = self.stack[start:]
        del self.stack[start:]
        return values

    def name(self, module: object, name: object) -> None:
        if not (isinstance(module, str) and isinstance(name, str)):
            self.broken("a class or function without a name")
        named = Global(_OLD_MODULES.get(module, module), name)
        if is_harmful(module, name):
            self.refuse(str(named))
        self.push(named)

    def call(self, function: object, arguments: object) -> None:
        """A call, as what it would have made of; by a function of ours if there is one."""
        if not isinstance(arguments, tuple):
            self.broken("a call without a tuple of arguments")
        value: object = NotImplemented
        if isinstance(function, Global) and function in self.rebuild:
            value = self.rebuild[function](self, arguments)
        if value is NotImplemented:
            value = Inert(function, arguments)
            if function not in SETS and len(self.calls) < _MAX_CALLS:
                self.calls[value.name] = None
        self.push(value)

    def instance(self, of: object, arguments: object) -> None:
        if not isinstance(arguments, tuple):
            self.broken("an instance without a tuple of arguments")
        self.push(Inert(of, arguments, called=False))

    def set_state(self, state: object) -> None:
        target = self.top()
        if isinstance(target, Inert):
            target.state = state
        elif isinstance(target, Settable):
            target.set_state(self, state)
        elif not isinstance(target, dict):  # attributes beside an OrderedDict's items: _metadata
            of = str(target) if isinstance(target, Global) else type(target).__name__
            self.refuse(f"attributes of {of} to be set")

    def extend(self, values: list[object]) -> None:
        target = self.top()
        if isinstance(target, list):
            target.extend(values)
        elif isinstance(target, Inert):
            target.elements = [] if target.elements is None else target.elements
            target.elements.extend(values)
        else:
            self.broken("elements of what is no list")

    def update(self, values: list[object]) -> None:
        if len(values) % 2:
            self.broken("a key without a value")
        target = self.top()
        if isinstance(target, Inert):
            target.items = {} if target.items is None else target.items
            target = target.items
        if not isinstance(target, dict):
            self.broken("items of what is no dict")
        fill(target, zip(values[::2], values[1::2], strict=True))

    def encode_latin1(self, text: str) -> bytes | None:
        """`text` as bytes, one for each character; None if it has others than Latin-1's."""
        if id(text) not in self.encoded:
            try:
                self.encoded[id(text)] = (text, text.encode("latin-1"))
            except UnicodeEncodeError:
                return None
        return self.encoded[id(text)][1]


def fill(target: dict[object, object], pairs: Iterable[tuple[object, object]]) -> None:
    """Puts `pairs` into `target`, keys that are costly to hash as `OddKey`."""
    for key, value in pairs:
        small = isinstance(key, int) and -_SMALL_KEY < key < _SMALL_KEY
        target[key if small or key is None or isinstance(key, (str, bytes)) else OddKey(key)] = (
            value
        )
