"""Opening a bundle folder: nothing is handed out before its checksum has been compared.

Paths are plain strings on the way to a first prediction: importing pathlib alone would cost it
a thirtieth of what importing onnxruntime does.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from lstm_export.bundle.digest import sha256_hex, sha256_of_pieces
from lstm_export.bundle.layout import LAYOUT
from lstm_export.bundle.manifest import FileEntry, Manifest
from lstm_export.errors import BundleError, ChecksumError
from lstm_export.frozen import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_LARGE = 1 << 24


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle on disk, in the folder `folder`, and its manifest."""

    folder: str
    manifest: Manifest

    @property
    def path(self) -> Path:
        """The folder."""
        from pathlib import Path

        return Path(self.folder)

    def where(self, name: str) -> str:
        """The path of one file."""
        return os.path.join(self.folder, name)

    def read(self, name: str) -> bytes:
        """The bytes of one file. Raises BundleError if absent, ChecksumError if changed."""
        return _read_checked(self.where(name), self._entry(name))

    def check(self, name: str) -> None:
        """Compares one file's checksum, however large it is. Raises as `read` does."""
        _check(self.where(name), self._entry(name))

    def _entry(self, name: str) -> FileEntry:
        entry = self.manifest.files.get(name)
        if entry is None:
            raise BundleError(f"{self.folder}: the manifest lists no {name}")
        return entry

    def damages(self) -> tuple[str, ...]:
        """Every way in which the folder differs from its manifest, each as one sentence."""
        found: list[str] = []
        for name, entry in sorted(self.manifest.files.items()):
            try:
                _check(self.where(name), entry)
            except BundleError as error:
                found.append(str(error))
        expected = {*self.manifest.files, LAYOUT.manifest}
        for path in sorted(self.path.rglob("*")):
            name = path.relative_to(self.path).as_posix()
            if not path.is_dir() and name not in expected:
                found.append(f"{path} is not listed in the manifest: remove it")
        return tuple(found)


def open_bundle(path: str | Path) -> Bundle:
    """Reads and checks the manifest of the bundle at `path`.

    Raises BundleError where there is no bundle, ChecksumError where the manifest was changed and
    NewerFormatError where a newer version wrote it.
    """
    folder = os.fspath(path)
    if not os.path.exists(folder):
        raise BundleError(f"there is no bundle at {folder}")
    if not os.path.isdir(folder):
        raise BundleError(f"{folder} is a file; a bundle is a folder with a {LAYOUT.manifest}")
    file = os.path.join(folder, LAYOUT.manifest)
    if not os.path.isfile(file):
        raise BundleError(f"{folder} is not a bundle: it has no {LAYOUT.manifest}")
    manifest = Manifest.from_bytes(read_file(file), file)
    for name in manifest.files:
        _refuse_escape(folder, name)
    return Bundle(folder, manifest)


def _refuse_escape(folder: str, name: str) -> None:
    # A manifest that names "../weights" would have a reader open files it was never given.
    root = os.path.realpath(folder)
    if not os.path.realpath(os.path.join(root, name)).startswith(os.path.join(root, "")):
        file = os.path.join(folder, LAYOUT.manifest)
        raise BundleError(f"{file} names {name!r}, which leaves the bundle")


def _read_checked(path: str, entry: FileEntry) -> bytes:
    _refuse_size(path, entry)
    content = read_file(path)
    _refuse_change(path, entry, sha256_hex(content))
    return content


def _check(path: str, entry: FileEntry) -> None:
    if entry.bytes < _LARGE:
        _read_checked(path, entry)
        return
    _refuse_size(path, entry)
    _refuse_change(path, entry, sha256_of_pieces(pieces(path)))


def _refuse_size(path: str, entry: FileEntry) -> None:
    if not os.path.isfile(path):
        raise BundleError(f"{path} is listed in the manifest but missing")
    if (size := os.path.getsize(path)) != entry.bytes:
        raise ChecksumError(f"{path}: expected {entry.bytes} bytes, found {size}")


def _refuse_change(path: str, entry: FileEntry, digest: str) -> None:
    if digest != entry.sha256:
        raise ChecksumError(f"{path} was changed after it was written: its sha256 does not match")


def pieces(path: str) -> Iterator[bytes]:
    """The bytes of a file, some at a time. Raises BundleError."""
    try:
        with open(path, "rb") as stream:
            while piece := stream.read(_LARGE):
                yield piece
    except OSError as error:
        raise BundleError(f"cannot read {path}: {error.strerror or error}") from None


def read_file(path: str) -> bytes:
    """The bytes of a file. Raises BundleError."""
    try:
        with open(path, "rb") as stream:
            return stream.read()
    except OSError as error:
        raise BundleError(f"cannot read {path}: {error.strerror or error}") from None
