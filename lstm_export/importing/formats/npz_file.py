"""`.npz`: a zip archive of .npy arrays, as numpy.savez and savez_compressed write it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lstm_export.errors import CheckpointError
from lstm_export.importing.archive import MAGIC, member_names, opened
from lstm_export.importing.formats.npy_array import npy_array
from lstm_export.importing.pickles.values import shown
from lstm_export.importing.raw import Array, RawFile
from lstm_export.importing.stored_numbers import widened

NAME = "npz"


def matches(path: Path, head: bytes) -> bool:
    """Whether the file is an archive with a .npy file in it."""
    return head.startswith(MAGIC) and any(name.endswith(".npy") for name in member_names(path))


def read(path: Path) -> RawFile:
    """The arrays of the archive at `path`, under their keywords; words are in `declared`.

    Raises CheckpointError for a damaged or hostile archive, arrays of Python objects, and members
    that are no arrays.
    """
    tensors, stored, declared = dict[str, Array](), dict[str, str](), dict[str, Any]()
    with opened(path) as archive:
        for member in archive.names:
            name = member.removesuffix(".npy")
            if name == member:
                raise CheckpointError(
                    f"{path}: expected .npy arrays alone, found {shown(member)}: write the file "
                    "again with numpy.savez"
                )
            array = npy_array(archive.read(member), f"{path}: {shown(name)}")
            if array.dtype.kind == "U":
                declared[name] = array.tolist() if array.ndim == 0 else tuple(array.tolist())
            else:
                tensors[name], stored[name] = widened(array), array.dtype.name
    return RawFile(str(path), NAME, tensors, stored, declared=declared)
