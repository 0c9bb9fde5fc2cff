"""What names say that sizes do not: layers that chain, and are hardly a chain."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from lstm_export.importing.infer.group import Group

_ATTENTION = re.compile(r"(^|[._])\w*(attn|attention|attend)", re.IGNORECASE)
_CODERS = ("encoder", "decoder")


def in_doubt(groups: Sequence[Group]) -> str | None:
    """Why the layers may not stand one after the other although their sizes allow it.

    An attention weighs the steps by a formula that is in no file; a decoder may read all steps of
    its encoder, the last one again and again, or an input of its own.
    """
    weighing = [g.name for g in groups if g.kind == "linear" and _ATTENTION.search(g.name)]
    if weighing:
        return f"{', '.join(weighing)}: an attention by the name, and its formula is in no file"
    recurrent = [group for group in groups if group.recurrent]
    for one, other in pairwise(recurrent):
        if (_coder(one), _coder(other)) == _CODERS:
            return (
                f"{other.name} may read every step of {one.name}, its last step again and again, "
                "or an input of its own, and no size tells"
            )
    return None


def _coder(group: Group) -> str | None:
    parts = re.split(r"[._]", group.name.lower())
    return next((part for part in parts if part in _CODERS), None)
