"""Node.js and the npm packages that the JavaScript runtimes need: where they are, if they are."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from lstm_export.bundle.onnx_file import parse_onnx
from lstm_export.errors import OptionError
from lstm_export.parity.runtimes.isolated import Isolated
from lstm_export.parity.runtimes.registry import Runner, Status, Subject

VARIABLE = "LSTM_EXPORT_NODE_MODULES"
_WORKERS = Path(__file__).parents[2] / "javascript" / "workers"


def node_modules(packages: Sequence[str]) -> Path | None:
    """The folder that has all `packages`: the one that LSTM_EXPORT_NODE_MODULES names, else
    ./node_modules, else that of a checkout's tests."""
    if named := os.environ.get(VARIABLE):
        folders = [Path(named)]
    else:
        checkout = Path(__file__).parents[3] / "tests" / "runtimes" / "node_modules"
        folders = [Path("node_modules"), checkout]
    for folder in folders:
        if all(_described(folder, package).is_file() for package in packages):
            return folder.resolve()
    return None


def package_status(*packages: str) -> Status:
    """Whether Node.js and all `packages` are there; the version is that of the first."""
    folder, node = node_modules(packages), shutil.which("node")
    version = ""
    if folder is not None:
        described = json.loads(_described(folder, packages[0]).read_text(encoding="utf-8"))
        version = str(described["version"])
    wanted = [] if node else ["Node.js 20.12 or later on the PATH"]
    if folder is None:
        install = f"npm install --ignore-scripts {' '.join(packages)}"
        wanted.append(f"{install} here, or name another node_modules in {VARIABLE}")
    return Status(not wanted, version, "; ".join(wanted))


def open_worker(
    name: str,
    packages: Sequence[str],
    worker: str,
    subject: Subject,
    before_weights: Sequence[str] = (),
) -> Runner:
    """The graph in the script `worker`, which is given the folder of `packages`, the model, then
    `before_weights`, then the files of weights beside the model.

    Raises OptionError where the runtime is not installed, RefusedError where it refuses the graph.
    """
    folder, node = node_modules(packages), shutil.which("node")
    if folder is None or node is None:
        raise OptionError(f"{name} is not installed: {package_status(*packages).how_to_get}")
    path = subject.path.resolve()
    weights = sorted(parse_onnx(subject.content, str(subject.path)).external_files)
    beside = [str(path.parent / file) for file in weights]
    command = [node, str(_WORKERS / worker), str(folder), str(path), *before_weights, *beside]
    return Isolated(name, command)


def _described(folder: Path, package: str) -> Path:
    return folder / package / "package.json"
