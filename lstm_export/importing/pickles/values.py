"""What stands in a pickle that was read and not run.

Plain values are themselves: None, bool, int, float, complex, str, bytes, list, tuple, dict. The
rest is data about what a program would have made of it.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Global:
    """A class or function that the pickle names. It was not imported."""

    module: str
    name: str

    def __str__(self) -> str:
        return shown(f"{self.module}.{self.name}")


SETS = (Global("builtins", "set"), Global("builtins", "frozenset"))


@dataclass(slots=True, eq=False, repr=False)
class Inert:
    """What calling `function`, or making an instance of it, would have given. It was not done.

    `state` is what the instance's attributes would have been set to, `elements` and `items` what
    would have been put into it, were it a list or a dict.
    """

    function: object
    arguments: tuple[object, ...] = ()
    called: bool = True
    state: object = None
    elements: list[object] | None = None
    items: dict[object, object] | None = None

    @property
    def name(self) -> str:
        """The class or function, for messages: of a call of a call's result, the inner one."""
        function, calls = self.function, 0
        while isinstance(function, Inert) and calls < 3:
            function, calls = function.function, calls + 1
        name = str(function) if isinstance(function, Global) else type(function).__name__
        return "the result of " * calls + name

    def __str__(self) -> str:
        return f"a call of {self.name}" if self.called else f"an instance of {self.name}"


@dataclass(slots=True, eq=False, repr=False)
class Persistent:
    """An object that the pickle leaves to somebody else, by this identifier."""

    identifier: object


@dataclass(slots=True, eq=False, repr=False)
class OddKey:
    """A key of a dict that is no name and no small integer.

    Such keys are told apart by identity: hashing what a file dictates is work that it dictates.
    """

    value: object = field()


def shown(text: str, limit: int = 80) -> str:
    """`text` of a file as it can stand in a message: one line, short, without control codes."""
    text = text if len(text) <= limit else f"{text[:limit]}…"
    return "".join(c if c.isprintable() else "?" for c in text)
