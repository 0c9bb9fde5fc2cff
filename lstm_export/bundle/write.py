"""Writing a bundle: all its files and the manifest that covers them, or nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from lstm_export.bundle.digest import sha256_of_pieces
from lstm_export.bundle.layout import LAYOUT
from lstm_export.bundle.manifest import FileEntry, Manifest
from lstm_export.files import new_folder

Body = bytes | Sequence[bytes | memoryview]
"""A file's bytes, whole or in pieces."""


def write_bundle(
    path: Path, manifest: Manifest, contents: Mapping[str, Body], *, force: bool = False
) -> Manifest:
    """Writes the bundle at `path`; `manifest.files` is filled in from `contents`.

    Returns the manifest as written. Raises OutputError; then nothing is left behind and an older
    bundle at `path` is untouched.
    """
    pieces = {name: (body,) if isinstance(body, bytes) else body for name, body in contents.items()}
    entries = {
        name: FileEntry(sum(map(len, body)), sha256_of_pieces(body))
        for name, body in sorted(pieces.items())
    }
    complete = replace(manifest, files=entries)
    with new_folder(path, force=force, marker=LAYOUT.manifest) as folder:
        for name, body in pieces.items():
            with (folder / name).open("wb") as stream:
                stream.writelines(body)
        (folder / LAYOUT.manifest).write_bytes(complete.to_bytes())
    return complete
