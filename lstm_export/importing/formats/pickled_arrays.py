"""pickle.dump of dicts and lists of NumPy arrays, or of torch's tensors; nothing is executed.

A pickled tensor carries its storage as the bytes of a torch.save of its own.
"""

from __future__ import annotations

import re
from pathlib import Path

from lstm_export.errors import CheckpointError
from lstm_export.importing.checkpoints.flattened import raw_file
from lstm_export.importing.checkpoints.stored_tensors import Buffer, Saved
from lstm_export.importing.checkpoints.stream_container import MAGIC, read_stream
from lstm_export.importing.pickles.machine import Machine
from lstm_export.importing.pickles.read import read_pickle
from lstm_export.importing.pickles.rebuilds import REBUILDS
from lstm_export.importing.pickles.torch_values import StorageRef
from lstm_export.importing.pickles.values import Global
from lstm_export.importing.raw import RawFile

NAME = "pickle"
_LOAD = Global("torch.storage", "_load_from_bytes")
# Protocols 2 and later begin with their number, 0 and 1 with a mark, a container or a name.
_BEGINNING = re.compile(rb"\x80[\x02-\x05]|\(d|\(l|\(i|[\]}]q|c[\w.]+\n[\w.]+\n")


def matches(path: Path, head: bytes) -> bool:
    """Whether the file, which begins with `head`, is a pickle, and not one of torch.save."""
    return _BEGINNING.match(head) is not None and MAGIC not in head[:16]


def read(path: Path) -> RawFile:
    """The arrays in the pickle at `path` by dotted path, numbers and words in `declared`.

    Raises CheckpointError if it is no whole pickle, hostile, or has no arrays.
    """
    data = path.read_bytes()
    storages = _Storages(str(path))
    rebuilds, calls = {**REBUILDS, _LOAD: storages.load}, dict[str, None]()
    root, end = read_pickle(data, str(path), rebuilds, calls=calls)
    if end != len(data):
        raise CheckpointError(
            f"{path} is a pickle that ends at byte {end} of {len(data)}: expected one value, save "
            "all weights in one dict"
        )
    return raw_file(Saved(root, NAME, storages.bytes_of, calls=calls), path)


class _Storages:
    """Storages that stand in the pickle itself, each under a key of its own."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._known: dict[int, tuple[bytes, StorageRef]] = {}
        self._bodies: dict[str, Buffer] = {}

    def load(self, machine: Machine, arguments: tuple[object, ...]) -> object:
        """What torch.storage._load_from_bytes would give: a storage, as a reference."""
        match arguments:
            case (bytes() as data,) if id(data) in self._known:
                return self._known[id(data)][1]
            case (bytes() as data,):
                saved = read_stream(data, f"{self._where}: a tensor in it")
                if not isinstance(saved.root, StorageRef):
                    return NotImplemented
                key = str(len(self._bodies))
                self._bodies[key] = saved.storage(saved.root)
                reference = StorageRef(saved.root.dtype, key, saved.root.numel)
                self._known[id(data)] = (data, reference)
                return reference
            case _:
                return NotImplemented

    def bytes_of(self, storage: StorageRef) -> Buffer:
        """The bytes of a storage that `load` gave."""
        return self._bodies[storage.key]
