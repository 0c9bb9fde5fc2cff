"""Settings that `lstm-export bench --tune` measured on this machine, read from the user's cache.

    CACHE/tuned/HASH.json    HASH is that of the model; inside, by machine and by class of shapes

A file that is missing, damaged, of another machine or of another version counts as not there: the
rule of `settings.py` decides then, as it does for shapes that were never measured. Nothing here
writes, and where nothing was ever tuned this module is not even imported.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any

from lstm_export.bundle.digest import sha256_hex
from lstm_export.bundle.manifest import Manifest
from lstm_export.bundle.read import read_file
from lstm_export.errors import LstmExportError
from lstm_export.runtime.cache_folder import tuned_folder
from lstm_export.runtime.settings import Settings, available_cores, checked

CACHE_VERSION = 1
_LARGEST = 1 << 20


def tuned(model: Manifest | str) -> Callable[[int, int], Settings] | None:
    """What was measured for a bundle, or for the ONNX file at a path, on this machine.

    None if nothing was, or it is unreadable. The function takes (batch, sequence_length) and gives
    the settings of their class; for a class that was not measured, settings that leave everything
    to the rule.
    """
    document = read_cache(cache_file(model_hash(model)))
    if document is None:
        return None
    settings = settings_in(document["machines"].get(machine()))
    if settings is None:
        return None
    default = Settings()
    return lambda batch, length: settings.get(shape_class(batch, length), default)


def settings_in(entry: Any) -> dict[str, Settings] | None:
    """What a file holds for one machine, by class of shapes; None if any of it is damaged."""
    try:
        return {
            name: checked(Settings(**one["settings"])) for name, one in entry["classes"].items()
        }
    except (LstmExportError, KeyError, TypeError, AttributeError):
        return None


def shape_class(batch: int, length: int) -> str:
    """The name of the shapes that are run alike: both sizes to a factor of two.

    One class are all batches and all lengths of one number of binary digits: 32 to 63, 64 to 127.
    """
    rows, steps = (1 << max(size, 1).bit_length() - 1 for size in (batch, length))
    return f"batch {rows}, length {steps}"


def read_cache(path: str) -> dict[str, Any] | None:
    """The document at `path`, if it is there, whole, and of this version."""
    try:
        with open(path, "rb") as file:
            document = json.loads(file.read(_LARGEST))
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(document, dict) or document.get("format_version") != CACHE_VERSION:
        return None
    return document if isinstance(document.get("machines"), dict) else None


def cache_file(hashed: str) -> str:
    """Where the settings of the model of that hash are, or would be."""
    return os.path.join(tuned_folder(), f"{hashed}.json")


def model_hash(model: Manifest | str) -> str:
    """One hash of everything in a bundle, by its manifest; or of the ONNX file at a path.

    Raises BundleError if the file cannot be read.
    """
    if isinstance(model, Manifest):
        files = sorted(model.files.items())
        return sha256_hex("".join(f"{name} {entry.sha256}\n" for name, entry in files).encode())
    return sha256_hex(read_file(model))


def machine() -> str:
    """What settings depend on besides the model: processor, cores, release of onnxruntime."""
    import onnxruntime

    return f"{processor()}, {available_cores()} cores, onnxruntime {onnxruntime.__version__}"


def processor() -> str:
    """The name of the processor, as its maker has it."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            for line in file:
                key, _, value = line.partition(":")
                if key.strip() == "model name":
                    return value.strip()
    except OSError:  # not Linux
        pass
    import platform

    return platform.processor() or platform.machine()
