"""Where in its author's source a node of a program comes from, as far as the file says."""

from __future__ import annotations

import re

from torch import fx

_FRAME = re.compile(r'File "(?P<file>[^"]*)", line (?P<line>\d+), in \w+\n\s*(?P<code>[^\n]*)')


def place(node: fx.Node) -> str:
    """` at model.py:12: h = h + x`, to stand behind something; empty where nothing is known."""
    frames = list(_FRAME.finditer(str(node.meta.get("stack_trace") or "")))
    own = [one for one in frames if "/torch/nn/modules/" not in one["file"]] or frames
    if not own:
        return ""
    file = re.split(r"[\\/]", own[-1]["file"])[-1]
    return f" at {file}:{own[-1]['line']}: {' '.join(own[-1]['code'].split())[:80]}"
