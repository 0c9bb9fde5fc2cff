"""Files and folders that are written whole or not at all."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from lstm_export.errors import OutputError


def write_atomic(path: Path, content: bytes | str) -> None:
    """Writes `content` to `path` so that a reader sees the old file or the new one, never a part.

    Raises OutputError if the folder is missing or the write fails; then the old file is untouched.
    """
    body = content.encode() if isinstance(content, str) else content
    temporary: str | None = None
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "wb") as stream:
            stream.write(body)
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except OSError as error:
        if temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
        raise _cannot_write(path, error) from None


@contextlib.contextmanager
def new_folder(path: Path, *, force: bool) -> Iterator[Path]:
    """A temporary folder that becomes `path` when the block ends well and vanishes when not.

    An existing `path` is refused unless it is an empty folder or `force` is given; with `force`
    the old folder is replaced only once the new one is complete. Raises OutputError.
    """
    refuse_existing(path, force=force)
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}."))
        os.chmod(temporary, 0o777 & ~_umask())
        yield temporary
        _replace_folder(temporary, path)
    except OSError as error:
        if isinstance(error, OutputError):
            raise
        raise _cannot_write(path, error) from None
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)


def refuse_existing(path: Path, *, force: bool) -> None:
    """Raises OutputError if writing `path` would replace something and `force` is not given."""
    if not os.path.lexists(path) or force:
        return
    if path.is_dir() and not any(path.iterdir()):
        return
    raise OutputError(f"{path} exists already: choose another path, or --force to replace it")


def _replace_folder(new: Path, path: Path) -> None:
    if not os.path.lexists(path):
        os.rename(new, path)
        return
    old = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.old-"))
    os.rename(path, old / "replaced")
    try:
        os.rename(new, path)
    except OSError:
        os.rename(old / "replaced", path)
        raise
    finally:
        shutil.rmtree(old, ignore_errors=True)


def _cannot_write(path: Path, error: OSError) -> OutputError:
    return OutputError(f"cannot write {path}: {error.strerror or error}; nothing was changed there")


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
