"""onnxruntime's C API, through a small program of our own that the system's C compiler makes.

The program (`lstm_export/c/runner.c`) is compiled once for every compiler and header and kept in
the user's cache folder. It opens onnxruntime's shared library when it starts: the one inside the
Python package, so that nothing else has to be installed, or the one that LSTM_EXPORT_ONNXRUNTIME
names. Python packages have no header; the official one is used where it is found, else ours, which
declares the part of the API that the program uses.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path

from lstm_export.bundle.digest import sha256_hex
from lstm_export.errors import OptionError, OutputError
from lstm_export.parity.runtimes.isolated import Isolated
from lstm_export.parity.runtimes.registry import Runner, Status, Subject
from lstm_export.runtime.cache_folder import cache_folder

SOURCE = Path(__file__).resolve().parents[2] / "c" / "runner.c"
LIBRARY_VARIABLE = "LSTM_EXPORT_ONNXRUNTIME"
HEADER = "onnxruntime_c_api.h"
_HEADER_FOLDERS = (
    # Where libonnxruntime-dev (Debian 13, Ubuntu 25.04) and Homebrew put it, and a release archive
    # that was unpacked there.
    *("/usr/include/onnxruntime", "/usr/local/include/onnxruntime", "/usr/local/include"),
    *("/opt/homebrew/include/onnxruntime",),
)
_FLAGS = ("-std=c11", "-O1", "-Wall", "-Wextra", "-Werror")
_COMPILER_LIMIT_S = 120.0


def status() -> Status:
    """Whether a compiler and onnxruntime's shared library are there."""
    missing = []
    if compiler() is None:
        missing.append("a C compiler: apt-get install gcc libc6-dev, or CC=…")
    found = shared_library()
    if found is None:
        missing.append(f"onnxruntime 1.22 or newer from PyPI, or {LIBRARY_VARIABLE}=PATH")
    if os.name != "posix":
        missing.append("a system with dlopen: Linux or macOS")
    how = "; ".join(missing) or "cc and the onnxruntime package"
    return Status(not missing, "" if found is None else _version(found), how)


def open_graph(subject: Subject) -> Runner:
    """One session for every shape, in a process of its own.

    Raises OptionError where compiler or library are missing or do not fit, OutputError where the
    cache folder cannot be written, RefusedError where onnxruntime refuses the graph.
    """
    found = shared_library()
    if found is None:
        raise OptionError(f"the runtime 'c' is not there: it needs {status().how_to_get}")
    program = compiled(SOURCE)
    return Isolated("c", [str(program), str(found), str(subject.path.resolve())])


def compiler() -> list[str] | None:
    """The command that compiles C, `CC` or cc; None if there is none."""
    words = shlex.split(os.environ.get("CC", "")) or ["cc"]
    return words if shutil.which(words[0]) else None


def shared_library() -> Path | None:
    """onnxruntime's shared library: the one that is named, else that of the Python package."""
    if named := os.environ.get(LIBRARY_VARIABLE):
        return Path(named)
    package = importlib.util.find_spec("onnxruntime")
    for folder in (package.submodule_search_locations or ()) if package else ():
        for pattern in ("libonnxruntime.so*", "libonnxruntime.*dylib"):
            for path in sorted((Path(folder) / "capi").glob(pattern)):
                return path
    return None


def header_folder() -> Path:
    """Where onnxruntime's own header is, by CPATH or the usual places; else where ours is."""
    named = os.environ.get("CPATH", "").split(os.pathsep)
    for folder in (*filter(None, named), *_HEADER_FOLDERS):
        if (Path(folder) / HEADER).is_file():
            return Path(folder)
    return SOURCE.parent


def compiled(source: Path) -> Path:
    """The program made of `source`, from the cache if it was made before.

    Raises OptionError if it cannot be compiled, OutputError if it cannot be kept.
    """
    command = compiler()
    if command is None:
        raise OptionError(f"the runtime 'c' is not there: it needs {status().how_to_get}")
    headers = header_folder()
    flags = [*_FLAGS, "-I", str(headers)]
    key = repr((command, flags)).encode() + source.read_bytes() + (headers / HEADER).read_bytes()
    folder = Path(cache_folder()) / "c"
    program = folder / f"{source.stem}-{sha256_hex(key)[:16]}"
    if program.is_file():
        return program
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # Compiled beside it and moved: another process may be doing the same.
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            made = Path(scratch) / program.name
            _compile([*command, *flags, "-o", str(made), str(source), "-ldl"])
            made.replace(program)
    except OSError as error:
        raise OutputError(
            f"cannot write {folder}: {error.strerror or error}; set LSTM_EXPORT_CACHE to a folder "
            "that can be written"
        ) from None
    return program


def _compile(command: list[str]) -> None:
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=_COMPILER_LIMIT_S
        )
    except subprocess.TimeoutExpired:
        raise OptionError(f"{command[0]} took longer than {_COMPILER_LIMIT_S:g} s") from None
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if "error" in line] or [done.stderr]
        raise OptionError(f"{shlex.join(command)} failed: {said[0].strip()}")


def _version(found: Path) -> str:
    """The package's version, or the name of a library that was named."""
    if os.environ.get(LIBRARY_VARIABLE):
        return found.name
    try:
        return importlib.metadata.version("onnxruntime")
    except importlib.metadata.PackageNotFoundError:
        return found.name
