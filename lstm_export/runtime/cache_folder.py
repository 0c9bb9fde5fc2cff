"""Where the user's system keeps what can be measured again."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

VARIABLE = "LSTM_EXPORT_CACHE"


def cache_folder(environment: Mapping[str, str] | None = None, system: str = sys.platform) -> str:
    """The user's folder for what can be measured again: LSTM_EXPORT_CACHE, else the system's own.

    That is XDG_CACHE_HOME or ~/.cache, ~/Library/Caches on macOS, %LOCALAPPDATA% on Windows.
    """
    known = os.environ if environment is None else environment
    if own := known.get(VARIABLE):
        return own
    if system == "win32":
        home = known.get("LOCALAPPDATA") or os.path.expanduser("~\\AppData\\Local")
    elif system == "darwin":
        home = os.path.expanduser("~/Library/Caches")
    else:
        # The specification has relative paths ignored.
        home = known.get("XDG_CACHE_HOME", "")
        home = home if os.path.isabs(home) else os.path.expanduser("~/.cache")
    return os.path.join(home, "lstm-export")


def tuned_folder() -> str:
    """Where `bench --tune` keeps the settings it measured; it may not be there."""
    return os.path.join(cache_folder(), "tuned")
