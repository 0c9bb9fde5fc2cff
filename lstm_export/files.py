"""Files and folders that are written whole or not at all."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from lstm_export.errors import OutputError


def write_atomic(path: Path, content: bytes | str) -> None:
    """Writes `content` to `path` so that a reader sees the old file or the new one, never a part.

    A link is followed. Raises OutputError if the folder is missing, `path` is no regular file or
    the write fails; then the old file is untouched.
    """
    body = content.encode() if isinstance(content, str) else content
    path = _followed(path)
    _refuse_special(path)
    temporary: Path | None = None
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        temporary = Path(name)
        with os.fdopen(handle, "wb") as stream:
            stream.write(body)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    except OSError as error:
        if temporary is not None:
            with contextlib.suppress(OSError):
                temporary.unlink()
        raise _cannot_write(path, error) from None


@contextlib.contextmanager
def new_folder(path: Path, *, force: bool, marker: str) -> Iterator[Path]:
    """A temporary folder that becomes `path` when the block ends well and vanishes when not.

    An existing `path` is refused as by `refuse_existing_folder`; with `force` the old folder is
    replaced only once the new one is complete. A link is followed. Raises OutputError.
    """
    refuse_existing_folder(path, force=force, marker=marker)
    path = _followed(path)
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}."))
        temporary.chmod(0o777 & ~_umask())
        yield temporary
        _replace_folder(temporary, path)
    except OSError as error:
        if isinstance(error, OutputError):
            raise
        raise _cannot_write(path, error) from None
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)


@contextlib.contextmanager
def new_files(folder: Path, names: Sequence[str]) -> Iterator[Path]:
    """A temporary folder, out of which the files `names` go to `folder` when the block ends well.

    They go in this order, all of them or none: those that they replaced come back if one cannot be
    written. Raises OutputError, as `write_atomic` does.
    """
    for name in names:
        _refuse_special(folder / name)
    target = folder / names[-1]
    with writing(target):
        temporary = Path(tempfile.mkdtemp(dir=folder, prefix=f".{target.name}."))
    try:
        yield temporary
        with writing(target):
            mode = 0o666 & ~_umask()
            for name in names:
                (temporary / name).chmod(mode)
                with (temporary / name).open("r+b") as stream:
                    os.fsync(stream.fileno())
            _replace_files(temporary, folder, names)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Within the block a failure of the file system is an OutputError that names `path`."""
    try:
        yield
    except OutputError:
        raise
    except OSError as error:
        raise _cannot_write(path, error) from None


def refuse_existing(path: Path, *, force: bool) -> None:
    """Raises OutputError if writing the file `path` would replace something and `force` is not
    given, or something that is no regular file."""
    _refuse_special(path)
    if os.path.lexists(path) and not force:
        raise OutputError(f"{path} exists already: choose another path, or --force to replace it")


def refuse_existing_folder(path: Path, *, force: bool, marker: str) -> None:
    """Raises OutputError unless the folder `path` is absent, empty, or may be replaced.

    `force` replaces only what is known for what it is by the file `marker`: a slip of the hand
    (`--out . --force`) must not cost anybody a folder of their own. The working directory and the
    folders around it are never replaced.
    """
    try:
        names = os.listdir(path)
    except FileNotFoundError:
        return
    except NotADirectoryError:
        raise OutputError(f"{path} is a file, expected a folder: choose another path") from None
    except OSError as error:
        raise _cannot_write(path, error) from None
    resolved, here = path.resolve(), Path.cwd()
    if resolved in (here, *here.parents):
        raise OutputError(
            f"{path} is the working directory or a folder around it, which cannot be replaced: "
            "name a new folder"
        )
    if not names:
        return
    if marker not in names:
        raise OutputError(
            f"{path} holds other files ({min(names)}) and no {marker}, so it is not replaced, not "
            "even with --force: choose another path"
        )
    if not force:
        raise OutputError(f"{path} exists already: choose another path, or --force to replace it")


def refuse_within(path: Path, folder: Path, why: str) -> None:
    """Raises OutputError if `path` is `folder` or lies in it; `why` ends the message."""
    target, around = path.resolve(), folder.resolve()
    if around in (target, *target.parents):
        place = "is" if target == around else "lies in"
        raise OutputError(f"{path} {place} {folder}, {why}: choose another path")


def _replace_folder(new: Path, path: Path) -> None:
    if not os.path.lexists(path):
        new.rename(path)
        return
    old = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.old-"))
    path.rename(old / "replaced")
    try:
        new.rename(path)
    except OSError:
        (old / "replaced").rename(path)
        raise
    finally:
        shutil.rmtree(old, ignore_errors=True)


def _replace_files(new: Path, folder: Path, names: Sequence[str]) -> None:
    with contextlib.ExitStack() as undo:
        for name in names:
            if len(names) > 1:
                undo.callback(_put_back, new, folder / name, _second_name(folder / name, new))
            (new / name).replace(folder / name)
        undo.pop_all()


def _second_name(path: Path, temporary: Path) -> Path | None:
    """Another name for the file at `path`, under which it outlives being replaced."""
    kept = temporary / f"{path.name}.old"
    try:
        os.link(path, kept)
    except OSError:  # there is none, or the file system has no such names
        return None
    return kept


def _put_back(new: Path, path: Path, old: Path | None) -> None:
    if old is not None:
        old.replace(path)
    elif not (new / path.name).exists():  # it was moved
        path.unlink(missing_ok=True)


def _refuse_special(path: Path) -> None:
    # Replacing /dev/null by a file, which root may do, breaks the machine.
    if path.is_dir():
        raise OutputError(f"{path} is a folder, expected a file: choose another path")
    if path.exists() and not path.is_file():
        raise OutputError(f"{path} is a device or a pipe, expected a file: choose another path")


def _followed(path: Path) -> Path:
    """Where `path` leads if it is a link, so that the link stays one; else `path` itself."""
    return path.resolve() if path.is_symlink() else path


def _cannot_write(path: Path, error: OSError) -> OutputError:
    return OutputError(f"cannot write {path}: {error.strerror or error}; nothing was changed there")


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
