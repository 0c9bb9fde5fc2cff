"""A layer that names and shapes tell: its kind, its sizes, its tensors by role."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_WORD = re.compile(r"[^\W\d][\w.\-/]*|\d[\w.\-/]*[^\W\d][\w.\-/]*")
RECURRENT = ("lstm", "gru", "rnn")


@dataclass(frozen=True, slots=True)
class Group:
    """One layer.

    `tensors` maps the roles of torch's module of this kind to names in `State.tensors`. `takes`
    and `gives` are features per step in and out; None where any number fits (`takes`) or as many
    come out as went in (`gives`). An embedding takes ids. `position` orders groups as the file
    does.
    """

    kind: str
    name: str
    tensors: Mapping[str, str]
    takes: int | None
    gives: int | None
    position: int
    options: Mapping[str, Any] = field(default_factory=dict)
    """What the file itself declares of this layer, as the layer string writes it."""
    sizes: Mapping[str, int] = field(default_factory=dict)
    """The arguments of torch's constructor that the shapes give."""

    @property
    def recurrent(self) -> bool:
        return self.kind in RECURRENT

    @property
    def text(self) -> str:
        """The group in a layer string: `fc:linear`, or `lstm` where the name says the kind."""
        return prefix_text(self.prefix) + self.kind + option_text(self.options)

    @property
    def prefix(self) -> str:
        """The name, unless a layer string leaves it out because the kind says it."""
        return "" if self.name == self.kind else self.name

    @property
    def sized(self) -> str:
        """The group and its sizes, for messages: `fc:linear (64 → 10)`."""
        takes = "ids" if self.kind == "embedding" else "any" if self.takes is None else self.takes
        gives = "as many" if self.gives is None else self.gives
        return f"{self.text} ({takes} → {gives})"


def prefix_text(name: str) -> str:
    """`name:` as a layer string writes it, quoted if it is no plain word; nothing for none."""
    if not name:
        return ""
    return f"{name}:" if _WORD.fullmatch(name) and name != "return" else f'"{name}":'


def option_text(options: Mapping[str, Any]) -> str:
    """Options as a layer string writes them: `(padding=1, channels=first)`, nothing for none."""
    inside = ", ".join(f"{key}={_value(value)}" for key, value in options.items())
    return f"({inside})" if inside else ""


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple | list):
        return f"[{', '.join(map(_value, value))}]"
    return str(value)
