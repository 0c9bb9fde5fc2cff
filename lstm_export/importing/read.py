"""Any file of weights as a RawFile: the reader is chosen by the content, never by the name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Protocol

from lstm_export.errors import CheckpointError, OptionError
from lstm_export.importing.formats import (
    json_file,
    npz_file,
    pickled_arrays,
    pt2,
    safetensors_file,
    torch_file,
    torchscript,
)
from lstm_export.importing.raw import RawFile
from lstm_export.importing.unrecognised import appearance, is_onnx

_HEAD = 4096


class Format(Protocol):
    """What a module in `formats` offers."""

    NAME: str

    def matches(self, path: Path, head: bytes) -> bool:
        """Whether the file at `path`, which begins with `head`, is for this reader."""

    def read(self, path: Path) -> RawFile:
        """What the file holds; raises CheckpointError."""


# The first that matches reads: archives by what is in them, the most particular first.
FORMATS: tuple[Format, ...] = (
    safetensors_file,
    npz_file,
    pt2,
    torchscript,
    torch_file,
    pickled_arrays,
    json_file,
)


def is_weights(path: Path) -> bool:
    """Whether the file at `path` is for `read`: of one of its formats, or of none that is known.

    An ONNX model is not, nor is what is no file.
    """
    try:
        with path.open("rb") as stream:
            head = stream.read(_HEAD)
    except OSError:
        return False
    if any(form.matches(path, head) for form in FORMATS):
        return True
    return path.suffix != ".onnx" and not is_onnx(head)


def read(path: str | Path, key: str | None = None) -> RawFile:
    """What the file at `path` holds; with `key`, of several state dicts in it that one alone.

    Raises CheckpointError if there is no such file, it is of no known format, or is damaged;
    OptionError if it has no state dict `key`.
    """
    location = Path(path)
    if location.is_dir():
        raise CheckpointError(f"{location} is a folder, expected a file of weights")
    if not location.exists():
        raise CheckpointError(f"{location}: there is no such file")
    if not location.is_file():
        raise CheckpointError(f"{location} is a device or a pipe, expected a file of weights")
    try:
        with location.open("rb") as stream:
            head = stream.read(_HEAD)
        form = next((form for form in FORMATS if form.matches(location, head)), None)
        if form is None:
            known = ", ".join(form.NAME for form in FORMATS)
            raise CheckpointError(
                f"{location} is {appearance(location, head)}; expected one of: {known}"
            )
        file = form.read(location)
    except OSError as error:
        raise CheckpointError(f"{location} cannot be read: {error.strerror or error}") from None
    except MemoryError:
        raise CheckpointError(f"{location} does not fit into memory") from None
    return file if key is None else _one_of(file, key)


def _one_of(file: RawFile, key: str) -> RawFile:
    if key not in file.keys:
        has = (
            f"it has {', '.join(file.keys)}" if file.keys else "it holds one alone: leave --key out"
        )
        raise OptionError(f"{file.path}: there is no state dict {key!r}; {has}")
    start = f"{key}."
    own = [name for name in file.tensors if name.startswith(start)]
    return replace(
        file,
        tensors={name.removeprefix(start): file.tensors[name] for name in own},
        stored={name.removeprefix(start): file.stored[name] for name in own},
        keys=(),
        notes=(*file.notes, f"of {', '.join(file.keys)}, {key} alone was read"),
    )
