"""Why a module has no stream."""

from __future__ import annotations

from lstm_export.errors import ExportError


class NoStreamError(ExportError):
    """The module cannot stream. The message is the reason, to follow "cannot stream: "."""
