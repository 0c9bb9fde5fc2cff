"""TorchScript: archives of torch.jit.save, of scripted and traced modules; nothing in it is run.

Source: torch/csrc/jit/docs/serialization.md. data.pkl is the module as a pickle of instances, whose
state are their attributes; data/0, data/1, … are storages; code/ is the source of the classes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lstm_export.errors import CheckpointError
from lstm_export.importing.archive import MAGIC, Archive, member_names, opened, root_of
from lstm_export.importing.checkpoints.stored_tensors import StoredTensors
from lstm_export.importing.checkpoints.zip_container import PICKLE, opened_zip
from lstm_export.importing.formats.torchscript_code import (
    class_constants,
    plain_class,
    source_file,
)
from lstm_export.importing.pickles.read import read_pickle
from lstm_export.importing.pickles.rebuilds import REBUILDS
from lstm_export.importing.pickles.torch_values import TensorRef, torch_persistent
from lstm_export.importing.pickles.values import Global, Inert, shown
from lstm_export.importing.raw import Array, RawFile

NAME = "TorchScript"
_CONSTANTS = "constants.pkl"
_MOST_DEPTH = 64
_MOST_MODULES = 100_000
# Calls that torch.jit.save writes around plain lists and dicts, to keep their types.
_WRAPPERS = ("restore_type_tag", "build_tensorlist", "build_intlist", "build_doublelist")


def matches(path: Path, head: bytes) -> bool:
    """Whether the archive has a constants.pkl beside its data.pkl."""
    if not head.startswith(MAGIC):
        return False
    names = member_names(path)
    root = root_of(names, PICKLE)
    return root is not None and f"{root}{_CONSTANTS}" in names


def read(path: Path) -> RawFile:
    """The tensors of the module at `path`, under the names of its attributes.

    These are parameters and buffers, and tensors that are plain attributes. `declared` has each
    module's class as `path.__class__`, its constants (hidden_size, batch_first, …) and attributes.
    Raises CheckpointError for a damaged or hostile archive, and where there is no module.
    """
    with opened_zip(path) as saved, opened(path) as archive:
        root = root_of(archive.names, PICKLE) or ""
        tree = _Tree(path, archive, root)
        if not isinstance(saved.root, Inert):
            raise CheckpointError(
                f"{path}: expected a module in {PICKLE}, found a {type(saved.root).__name__}: save "
                "it again with torch.jit.save"
            )
        tree.module("", saved.root, 0)
        reader = StoredTensors(saved, str(path))
        tensors, stored = dict[str, Array](), dict[str, str]()
        for name, value in tree.tensors.items():
            tensors[name], stored[name] = reader.array(name, value)
        notes = _constants(path, archive, root)
    if not tensors:
        raise CheckpointError(
            f"{path} holds no weights: expected parameters in its modules, found none. A frozen "
            "module (torch.jit.freeze) keeps them in its code: save it before freezing"
        )
    notes = (*notes, "it holds its whole function as well: --run-torchscript would convert that")
    return RawFile(str(path), NAME, tensors, stored, declared=tree.declared, notes=notes)


class _Tree:
    """Tensors and words of a module and those inside of it, by dotted path."""

    def __init__(self, path: Path, archive: Archive, root: str) -> None:
        self.tensors: dict[str, TensorRef] = {}
        self.declared: dict[str, Any] = {}
        self._path, self._archive, self._root = path, archive, root
        self._constants: dict[Global, dict[str, Any]] = {}
        self._sources: dict[str, str] = {}
        self._known: set[TensorRef] = set()
        self._modules = 0

    def module(self, path: str, module: Inert, depth: int) -> None:
        """Takes up `module`, called `path`."""
        self._modules += 1
        if depth > _MOST_DEPTH or self._modules > _MOST_MODULES:
            raise CheckpointError(
                f"{self._path}: modules in modules without end, expected at most {_MOST_MODULES} "
                f"and {_MOST_DEPTH} levels: this is no archive of torch.jit.save"
            )
        start = f"{path}." if path else ""
        if isinstance(module.function, Global):
            of = module.function
            self.declared[f"{start}__class__"] = plain_class(of.module, of.name)
            for name, value in self._class(of).items():
                self.declared[f"{start}{name}"] = value
        state = module.state if isinstance(module.state, dict) else {}
        for name, value in state.items():
            if isinstance(name, str):
                self._attribute(f"{start}{name}", value, depth, own=not name.startswith("_"))

    def _attribute(self, path: str, value: object, depth: int, *, own: bool) -> None:
        value = _unwrapped(value)
        if isinstance(value, TensorRef):
            self._tensor(path, value)
        elif isinstance(value, Inert) and isinstance(value.state, dict):
            self.module(path, value, depth + 1)
        elif isinstance(value, bool | int | float | str) and own:
            self.declared[path] = value
        elif isinstance(value, list | tuple):
            # LSTM's own list of its weights has them a second time.
            for index, item in enumerate(value):
                if isinstance(item, TensorRef) and item not in self._known:
                    self._tensor(f"{path}.{index}", item)
            if own and all(isinstance(v, bool | int | float | str) for v in value):
                self.declared[path] = tuple(value)

    def _tensor(self, path: str, value: TensorRef) -> None:
        self.tensors[path] = value
        self._known.add(value)

    def _class(self, of: Global) -> dict[str, Any]:
        if of not in self._constants:
            member = self._root + source_file(of.module)
            if member not in self._sources:
                found = member in self._archive
                body = self._archive.read(member) if found else b""
                self._sources[member] = body.decode("utf-8", "replace")
            self._constants[of] = class_constants(self._sources[member], of.name)
        return self._constants[of]


def _unwrapped(value: object) -> object:
    for _ in range(4):
        if not (
            isinstance(value, Inert)
            and value.called
            and isinstance(value.function, Global)
            and value.function.module == "torch.jit._pickle"
            and value.function.name in _WRAPPERS
            and value.arguments
        ):
            break
        value = value.arguments[0]
    return value


def _constants(path: Path, archive: Archive, root: str) -> tuple[str, ...]:
    member = f"{root}{_CONSTANTS}"
    if member not in archive:
        return ()
    where = f"{path}: {_CONSTANTS}"
    value, _ = read_pickle(archive.read(member), where, REBUILDS, torch_persistent)
    values = value if isinstance(value, list | tuple) else ()
    shapes = [str(item.shape) for item in values if isinstance(item, TensorRef)]
    if not shapes:
        return ()
    return (
        f"{len(shapes)} tensors are constants in the code, left out: {shown(', '.join(shapes))}",
    )
