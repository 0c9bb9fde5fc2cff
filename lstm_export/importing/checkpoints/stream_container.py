"""torch.save before 1.6: five pickles in a row, then the bytes of every storage.

A magic number, the protocol's version, what the machine was like, the object, the storages' keys;
then for each key its number of elements in eight bytes, and these. The order was read off files
that torch itself writes with `_use_new_zipfile_serialization=False`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from lstm_export.errors import CheckpointError
from lstm_export.importing.checkpoints.stored_tensors import Buffer, Saved
from lstm_export.importing.pickles.read import read_pickle
from lstm_export.importing.pickles.rebuilds import REBUILDS
from lstm_export.importing.pickles.torch_values import StorageRef, torch_persistent
from lstm_export.importing.stored_numbers import is_known, item_size

MAGIC = b"\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
"""The pickled magic number 0x1950a86a20f9469cfc6c, after the opcode of the protocol."""
_NUMBER = 0x1950A86A20F9469CFC6C
_PROTOCOL = 1001


def read_stream(data: bytes, where: str) -> Saved:
    """The file of bytes `data`. Raises CheckpointError if it is damaged or of another kind."""
    referred: dict[str, StorageRef] = {}

    def persistent(identifier: object) -> object:
        value = torch_persistent(identifier)
        if isinstance(value, StorageRef):
            known = referred.setdefault(value.key, value)
            if (known.dtype, known.numel) != (value.dtype, value.numel):
                raise CheckpointError(
                    f"{where}: storage {value.key[:40]!r} is declared as {known.numel} "
                    f"{known.dtype} and as {value.numel} {value.dtype}: save the file again"
                )
        return value

    calls: dict[str, None] = {}
    pickles = _pickles(data, where, persistent, calls)
    (number, _), (protocol, _), _ = next(pickles), next(pickles), next(pickles)
    if number != _NUMBER or protocol != _PROTOCOL:
        raise CheckpointError(
            f"{where} says that it is of protocol {_said(protocol)} of torch.save, expected "
            f"{_PROTOCOL}: save the state_dict with a newer torch"
        )
    (root, _), (keys, end) = next(pickles), next(pickles)
    if not isinstance(keys, list) or not all(isinstance(key, (str, int)) for key in keys):
        raise CheckpointError(f"{where} has no list of its storages: fetch a whole copy")
    bodies = _bodies(data, where, [str(key) for key in keys], referred, end)

    def storage(reference: StorageRef) -> Buffer:
        if reference.key not in bodies:
            raise CheckpointError(
                f"{where} has no storage {reference.key[:40]!r}, to which a tensor refers: "
                "fetch a whole copy"
            )
        return bodies[reference.key]

    return Saved(root, "torch.save, before the zip format", storage, calls=calls)


def _pickles(
    data: bytes,
    where: str,
    persistent: Callable[[object], object],
    calls: dict[str, None],
) -> Iterator[tuple[object, int]]:
    end = 0
    while True:
        value, end = read_pickle(data, where, REBUILDS, persistent, end, calls)
        yield value, end


def _said(value: object) -> str:
    return str(value) if isinstance(value, int) and abs(value) < 1 << 40 else "an unknown kind"


def _bodies(
    data: bytes, where: str, keys: list[str], referred: dict[str, StorageRef], start: int
) -> dict[str, Buffer]:
    whole, bodies = memoryview(data), dict[str, Buffer]()
    for key in keys:
        storage = referred.get(key)
        if storage is None or key in bodies or not is_known(storage.dtype):
            what = f"a {storage.dtype}" if storage is not None else "that no tensor refers to"
            raise CheckpointError(
                f"{where}: storage {key[:40]!r} is one {what} or occurs twice, so that those after "
                "it cannot be found: convert to float32 and save the state_dict again"
            )
        numel = int.from_bytes(whole[start : start + 8], "little")
        size = storage.numel * item_size(storage.dtype)
        if numel != storage.numel or start + 8 + size > len(data):
            raise CheckpointError(
                f"{where}: storage {key[:40]!r} is declared as {storage.numel} {storage.dtype}, "
                f"but {numel} follow, with {max(0, len(data) - start - 8)} bytes left in the file; "
                "fetch a whole copy"
            )
        bodies[key] = whole[start + 8 : start + 8 + size]
        start += 8 + size
    if start != len(data):
        raise CheckpointError(
            f"{where} goes on for {len(data) - start} bytes after its last storage: "
            "fetch a whole copy"
        )
    return bodies
