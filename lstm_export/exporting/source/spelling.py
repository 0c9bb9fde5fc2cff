"""How a module in a Python file is written: `path/to/file.py:name`."""

from __future__ import annotations

import re

SOURCE = re.compile(r"(?P<file>.+\.py)(?::(?P<name>[^:]*))?")


def is_factory(source: str) -> bool:
    """Whether `source` is written as a Python file, with or without a name in it."""
    return SOURCE.fullmatch(source) is not None
