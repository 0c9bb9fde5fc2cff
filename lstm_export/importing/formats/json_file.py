"""JSON, of whatever kind: one reader of the text, and a list of the kinds of content."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

from lstm_export.errors import CheckpointError
from lstm_export.importing.formats import (
    json_guitarml,
    json_nam,
    json_rtneural,
    json_state_dict,
)
from lstm_export.importing.formats.json_text import read_json
from lstm_export.importing.raw import RawFile

NAME = "JSON"
# Each has NAME, matches(value) and read(path, value). The last takes any object.
_KINDS: tuple[ModuleType, ...] = (json_nam, json_guitarml, json_rtneural, json_state_dict)


def matches(path: Path, head: bytes) -> bool:
    """Whether the first character that is no blank opens an object or a list."""
    return head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in (b"{", b"[")


def read(path: Path) -> RawFile:
    """What the JSON file at `path` holds. Raises CheckpointError."""
    value: Any = read_json(path)
    if not isinstance(value, dict):
        raise CheckpointError(
            f"{path}: expected a JSON object (names to nested lists, or a plug-in's model), found "
            f"a {type(value).__name__}: write {{name: nested list}}"
        )
    kind = next(kind for kind in _KINDS if kind.matches(value))
    file: RawFile = kind.read(path, value)
    return file
