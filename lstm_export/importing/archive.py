"""Zip archives of strangers: names, sizes and checksums are held against the file first."""

from __future__ import annotations

import contextlib
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from lstm_export.errors import CheckpointError
from lstm_export.importing.pickles.values import shown

MAGIC = b"PK\x03\x04"
# Weights hardly compress; zeros do, a thousand times. Small archives of them are no danger.
_HARMLESS = 256 << 20
_MOST_RATIO = 100
_END = struct.Struct("<4s4H2LH")  # the record at the end of the directory: APPNOTE.TXT 4.3.16
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_DAMAGE = (
    *(zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, struct.error),
    *(OSError, EOFError, ValueError, RuntimeError, NotImplementedError, OverflowError, KeyError),
)


class Archive:
    """An open archive whose names and declared sizes were found harmless."""

    def __init__(self, path: Path, file: zipfile.ZipFile) -> None:
        self._path, self._file = path, file
        self.names = tuple(file.namelist())
        self._members = frozenset(self.names)

    def __contains__(self, name: str) -> bool:
        return name in self._members

    def read(self, name: str) -> bytes:
        """The whole member `name`, never more than its declared size.

        Raises CheckpointError if there is none, it is cut off, or its checksum is another.
        """
        if name not in self:
            raise CheckpointError(
                f"{self._path}: expected {shown(name)} in the archive, found none: it is "
                "incomplete, write or download it again"
            )
        with _reading(self._path, name):
            body = self._file.read(name)
            declared = self._file.getinfo(name).file_size
        if len(body) != declared:
            raise _damaged(self._path, f"{name} declares {declared} bytes and has {len(body)}")
        return body


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Archive]:
    """The archive at `path` while the block runs.

    Raises CheckpointError for a damaged archive, a name that leaves its folder or occurs twice, an
    encrypted member, an unusual compression, and sizes out of proportion to the file (a zip bomb).
    """
    try:
        file = zipfile.ZipFile(path)
    except _DAMAGE as error:
        raise _damaged(path, str(error)) from None
    with file:
        _check(path, file)
        yield Archive(path, file)


def member_names(path: Path) -> frozenset[str]:
    """The names in the archive at `path`; none where its directory cannot be read."""
    try:
        with zipfile.ZipFile(path) as file:
            return frozenset(file.namelist()) if _is_whole(file) else frozenset()
    except _DAMAGE:
        return frozenset()


def root_of(names: Iterable[str], member: str) -> str | None:
    """The folder, with its slash, in which `member` stands, as torch's archives have exactly one;
    None where no name ends so."""
    ends = sorted(
        (name for name in names if name == member or name.endswith(f"/{member}")), key=len
    )
    return ends[0].removesuffix(member) if ends else None


def _check(path: Path, file: zipfile.ZipFile) -> None:
    if not _is_whole(file):
        raise _damaged(path, "its first bytes belong to no member")
    members, seen = file.infolist(), set()
    for info in members:
        name = info.filename
        if (
            name.startswith(("/", "\\"))
            or "\\" in name
            or ":" in name.split("/")[0]
            or ".." in PurePosixPath(name).parts
        ):
            raise CheckpointError(
                f"{path}: expected names inside the archive, found {shown(name)}, which leaves its "
                "folder: do not trust this file"
            )
        if name in seen:
            raise CheckpointError(
                f"{path}: expected every name once, found {shown(name)} twice, so that two readers "
                "may see different weights: write the file again"
            )
        seen.add(name)
        if info.flag_bits & 1:
            raise CheckpointError(f"{path}: {shown(name)} is encrypted: decrypt the archive first")
        if info.compress_type not in _METHODS:
            raise CheckpointError(
                f"{path}: {shown(name)} is compressed by method {info.compress_type}, expected "
                "stored or deflated: write the archive again"
            )
        with _reading(path, name), file.open(info):
            pass  # it holds the name that stands before the member against the directory's
    unpacked, packed = sum(info.file_size for info in members), path.stat().st_size
    if unpacked > max(_HARMLESS, _MOST_RATIO * packed):
        raise CheckpointError(
            f"{path}: {packed} bytes declare {unpacked} unpacked, more than {_MOST_RATIO} times as "
            "many; that is a zip bomb, not weights"
        )


@contextlib.contextmanager
def _reading(path: Path, name: str) -> Iterator[None]:
    try:
        yield
    except _DAMAGE as error:
        raise _damaged(path, f"{shown(name)}: {error}") from None


def _is_whole(file: zipfile.ZipFile) -> bool:
    """What zipfile lets pass: members that the last record counts and the directory lacks, and a
    file that is cut off within a member which is an archive itself, and so passes for that one."""
    members = file.infolist()
    if min((info.header_offset for info in members), default=0) or file.fp is None:
        return False
    file.fp.seek(-_END.size - len(file.comment), 2)
    mark, *_, count, _, _, _ = _END.unpack(file.fp.read(_END.size))
    return bool(mark == b"PK\5\6" and count in (len(members), 0xFFFF))


def _damaged(path: Path, why: str) -> CheckpointError:
    return CheckpointError(
        f"{path} is a damaged or truncated archive ({shown(why, 160)}): write or download it again"
    )
