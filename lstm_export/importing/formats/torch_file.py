"""torch.save: state dicts, checkpoints around them, and whole modules; nothing in it is executed.

Zip archives (torch 1.6 and later) and the files before them, .pt, .pth, .ckpt or .bin.
"""

from __future__ import annotations

from pathlib import Path

from lstm_export.errors import CheckpointError
from lstm_export.importing.archive import MAGIC as ZIP
from lstm_export.importing.archive import member_names, root_of
from lstm_export.importing.checkpoints.flattened import raw_file
from lstm_export.importing.checkpoints.stream_container import MAGIC, read_stream
from lstm_export.importing.checkpoints.zip_container import PICKLE, opened_zip
from lstm_export.importing.raw import RawFile

NAME = "torch.save"
_TAR_MEMBERS = (b"sys_info", b"pickle", b"storages", b"tensors")


def matches(path: Path, head: bytes) -> bool:
    """Whether the file at `path`, which begins with `head`, is one of torch.save.

    A torch.jit.save archive, which has a constants.pkl beside its data.pkl, is not.
    """
    if head.startswith(ZIP):
        names = member_names(path)
        if not names:  # a damaged directory: the first member's own name is at byte 30
            size = int.from_bytes(head[26:28], "little")
            return head[30 : 30 + size].endswith(b"/" + PICKLE.encode())
        root = root_of(names, PICKLE)
        return root is not None and f"{root}constants.pkl" not in names
    return MAGIC in head[:16] or _is_tar(head)


def read(path: Path) -> RawFile:
    """The tensors in the file at `path` by dotted path, as a module's state_dict names them.

    Beside them `declared` has plain values by dotted path: hyper parameters, counters, and of
    modules that were pickled whole the class names and attributes. Raises CheckpointError if the
    file is damaged, hostile, or holds no tensors that can be read without executing it.
    """
    head = _head(path)
    if head.startswith(ZIP):
        with opened_zip(path) as saved:
            return raw_file(saved, path)
    if _is_tar(head):
        raise CheckpointError(
            f"{path} was saved by a torch before 0.1.10, as a tar archive, which is not read: "
            "load it with a later torch and save the state_dict again"
        )
    return raw_file(read_stream(path.read_bytes(), str(path)), path)


def _head(path: Path) -> bytes:
    with path.open("rb") as stream:
        return stream.read(512)


def _is_tar(head: bytes) -> bool:
    return head[257:262] == b"ustar" and head.split(b"\0")[0] in _TAR_MEMBERS
