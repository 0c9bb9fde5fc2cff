"""Where a runtime's Python package is installed: here, or in an environment of its own.

Some cannot share an environment (two packages are both imported as `onnxruntime`), and nobody
should have to spoil the one that works. Looked for in this order: the interpreter that the variable
`LSTM_EXPORT_<NAME>_PYTHON` names, the running one, `.venv-runtimes` and `.venv-runtimes-<NAME>`
beside the environment in use.
"""

from __future__ import annotations

import functools
import importlib.metadata
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lstm_export.errors import MissingExtraError
from lstm_export.parity.runtimes.isolated import Isolated
from lstm_export.parity.runtimes.registry import Status, Subject

_HOME = str(Path(__file__).resolve().parents[3])
# At the end of the path: in front, this environment's own packages would hide the other's.
WORKER = (
    f"import sys; sys.path.append({_HOME!r}); "
    "from lstm_export.parity.runtimes.worker import main; main()"
)
"""What an interpreter runs to be a worker, with a runtime's name and a model's path."""
_VERSION = (
    "import importlib.metadata as m, sys\n"
    "for name in sys.argv[1:]:\n"
    "    try: print(m.version(name)); break\n"
    "    except m.PackageNotFoundError: pass"
)


@dataclass(frozen=True, slots=True)
class Package:
    """A runtime, the names under which its package is distributed, and how to get one of them."""

    runtime: str
    distributions: tuple[str, ...]
    how_to_get: str
    extra: str = "runtimes"
    limits: tuple[str, ...] = ()

    @property
    def variable(self) -> str:
        """The environment variable that names the interpreter to use."""
        return f"LSTM_EXPORT_{self.runtime.replace('-', '_').upper()}_PYTHON"


def package_status(package: Package) -> Status:
    """The version that would be used. Imports nothing; asks other interpreters where there are."""
    found = interpreter_of(package)
    version = "" if found is None else found[1]
    return Status(found is not None, version, package.how_to_get, package.limits)


def open_package(package: Package, subject: Subject) -> Isolated:
    """Loads a graph in a process of its own.

    Raises MissingExtraError where no interpreter has the package, RefusedError where the runtime
    refuses the graph, CrashedError and HungError where loading kills or blocks it.
    """
    found = interpreter_of(package)
    if found is None:
        purpose = f"verifying in {package.runtime}"
        raise MissingExtraError(package.distributions[0], package.extra, purpose)
    command = [found[0], "-P", "-c", WORKER, package.runtime, str(subject.path.resolve())]
    return Isolated(package.runtime, command)


def interpreter_of(package: Package) -> tuple[str, str] | None:
    """The interpreter that has the package, and the version there."""
    for python in _interpreters(package):
        version = _version(python, package.distributions)
        if version:
            return python, version
    return None


def _interpreters(package: Package) -> Iterator[str]:
    named = os.environ.get(package.variable)
    if named:
        # Who names one means it: nothing else is tried.
        yield named
        return
    yield sys.executable
    beside = Path(sys.prefix).parent
    for folder in (".venv-runtimes", f".venv-runtimes-{package.runtime}"):
        for python in (beside / folder / "bin/python", beside / folder / "Scripts/python.exe"):
            if python.is_file():
                yield str(python)


@functools.cache
def _version(python: str, distributions: tuple[str, ...]) -> str:
    if python == sys.executable:
        for name in distributions:
            try:
                return importlib.metadata.version(name)
            except importlib.metadata.PackageNotFoundError:
                continue
        return ""
    try:
        asked = [python, "-P", "-c", _VERSION, *distributions]
        done = subprocess.run(asked, capture_output=True, text=True, check=False, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip()
