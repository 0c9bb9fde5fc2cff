"""What a value of a script's graph is in the Python that is written for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

UNKNOWN = object()


@dataclass(frozen=True, slots=True)
class Held:
    """A module of the script, at `path` in it."""

    script: torch.jit.ScriptModule
    path: str


@dataclass(frozen=True, slots=True, eq=False)
class Term:
    """An expression, and what is known of its value while the script is converted."""

    text: str
    known: Any = UNKNOWN
    """A number, a word, None, a device, a Held or a function's name; UNKNOWN for all else."""
    parts: tuple[Term, ...] | None = None
    """Of a tuple, or of a list that nobody changes."""
    is_number: bool = False
    """In the graph this is a 0-d integer tensor; in Python it is the number alone."""
    is_zeros: bool = False
    """A tensor of zeros into which nobody writes."""
    weight: Callable[[], Tensor] | None = None
    """Gives the tensor where it is made of the module's weights alone."""
    path: str = ""
    """Where the module has it as an attribute."""
    packed: str = ""
    """The packed sequence of which these are the data."""
    sizes_of: str = ""
    """The packed sequence of which these are the batch sizes."""
    longest_of: str = ""
    """The packed sequence of whose longest member this is the length."""
    is_order: bool = False
    """What sorts a batch by the lengths with which it is packed."""
    kind: str = ""
    """The kind of its type in the graph: TensorType, OptionalType, …"""

    @property
    def is_known(self) -> bool:
        return self.known is not UNKNOWN

    @property
    def is_none(self) -> bool | None:
        """Whether it is None; None where that shows at run time alone."""
        if self.is_known:
            return self.known is None
        if self.parts is not None or self.weight is not None:
            return False
        return None if self.kind in ("OptionalType", "NoneType", "AnyType", "") else False


def constant(value: Any) -> Term:
    """A plain value that stands in the text itself."""
    if isinstance(value, torch.device):
        # Everything is computed on the CPU.
        return Term('torch.device("cpu")', value)
    if isinstance(value, list | tuple | dict):
        return Term(repr(value))
    return Term(repr(value), value)
