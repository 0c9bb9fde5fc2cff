"""The writing side of the cache that `runtime/tuned.py` reads."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lstm_export.bundle.read import open_bundle
from lstm_export.errors import BundleError, OutputError
from lstm_export.files import write_atomic, writing
from lstm_export.runtime.cache_folder import VARIABLE
from lstm_export.runtime.settings import Settings
from lstm_export.runtime.tuned import (
    CACHE_VERSION,
    cache_file,
    machine,
    model_hash,
    read_cache,
    settings_in,
)


def file_for(model: Path) -> Path:
    """Where the settings of a bundle or an ONNX file are kept. Raises BundleError."""
    if not model.exists():
        raise BundleError(f"there is no bundle or ONNX file at {model}")
    return Path(
        cache_file(model_hash(open_bundle(model).manifest if model.is_dir() else str(model)))
    )


def check_writable(file: Path) -> None:
    """Before an hour of measuring: raises OutputError if `file` could not be written afterwards."""
    try:
        with writing(file):
            file.parent.mkdir(parents=True, exist_ok=True)
            probe = file.with_name(f".{file.name}.probe")
            probe.write_bytes(b"")
            probe.unlink()
    except OutputError as error:
        raise OutputError(f"{error}. {VARIABLE} names another folder for the cache") from None


def keep(
    file: Path, classes: Mapping[str, Settings], measured: Mapping[str, Mapping[str, Any]]
) -> None:
    """Writes the settings of this machine by class of shapes; other machines' stay as they are.

    A file that cannot be read is replaced. Classes that are not named keep what they had. Raises
    OutputError.
    """
    document = read_cache(str(file)) or {"format_version": CACHE_VERSION, "machines": {}}
    here = document["machines"].get(machine())
    entries = dict(here["classes"]) if settings_in(here) is not None else {}
    for name, settings in classes.items():
        given = {key: value for key, value in asdict(settings).items() if value is not None}
        entries[name] = {"settings": given, "measured": dict(measured.get(name, {}))}
    document["machines"][machine()] = {"classes": entries}
    with writing(file):
        file.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(file, json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def forget(model: Path) -> tuple[str, bool]:
    """Removes what was kept for `model`: the file, and whether it was there. Raises OutputError."""
    file = file_for(model)
    with writing(file):
        there = file.exists()
        file.unlink(missing_ok=True)
    return str(file), there
