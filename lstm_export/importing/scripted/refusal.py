"""What a script gets that cannot be converted."""

from __future__ import annotations

from lstm_export.errors import CheckpointError

WAY_OUT = (
    "describe its layers with --layers (its weights are read without running it), or export the "
    "module that it was made of, as --module model.py:Class"
)


class Unsupported(Exception):  # noqa: N818 - no error of the user's, becomes one in `refusal`
    """A node that has no counterpart; the message says why."""


def refusal(file: str, what: str, where: str, kind: str = "script") -> CheckpointError:
    """The error for the script, or what `kind` names, in `file`; `where` says at or near which line
    of its source.
    """
    at = f"\n  {where}" if where else ""
    return CheckpointError(f"{file}: this {kind} cannot be converted: {what}: {WAY_OUT}{at}")
