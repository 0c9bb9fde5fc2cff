"""Names that a caller gives against the names that a model has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lstm_export.errors import InputError


def checked_names(feeds: Mapping[str, object], expected: Sequence[str]) -> Mapping[str, object]:
    """`feeds` if its keys are exactly `expected`. Raises InputError naming the nearest name."""
    if feeds.keys() == set(expected):
        return feeds
    wanted = ", ".join(expected)
    missing = [name for name in expected if name not in feeds]
    for name in feeds:
        if name not in expected:
            raise InputError(
                f"the model has no input {name!r}{_nearest(str(name), missing)}; "
                f"its inputs are {wanted}"
            )
    raise InputError(f"the input {missing[0]!r} is missing; the model's inputs are {wanted}")


def _nearest(name: str, candidates: Sequence[str]) -> str:
    from difflib import get_close_matches

    found = get_close_matches(name, candidates, 1)
    return f", did you mean {found[0]!r}?" if found else ""
