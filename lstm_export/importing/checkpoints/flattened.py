"""An opened file as a RawFile: its tree flattened, its tensors read."""

from __future__ import annotations

from pathlib import Path

from lstm_export.errors import CheckpointError
from lstm_export.importing.checkpoints.modules import is_module
from lstm_export.importing.checkpoints.stored_tensors import Saved, StoredTensors
from lstm_export.importing.checkpoints.tree import Tree
from lstm_export.importing.pickles.torch_values import TensorRef
from lstm_export.importing.pickles.values import Inert, shown
from lstm_export.importing.raw import Array, RawFile

_SAVE = """
    import torch
    net = torch.load({name!r}, weights_only=False)  # only if you trust it
    torch.save(net.state_dict(), "weights.pt")"""
_SAVE_THERE = """
    import torch
    from program import net  # the module, where it was trained
    torch.save(net.state_dict(), "weights.pt")"""


def raw_file(saved: Saved, path: Path) -> RawFile:
    """What is in `saved`, the file at `path`.

    Raises CheckpointError if there are no tensors, or they cannot be read as they are declared.
    """
    tree = Tree(saved.root, str(path))
    if not tree.tensors:
        raise CheckpointError(_without_tensors(tree, saved, path))
    reader = StoredTensors(saved, str(path))
    tensors, stored = dict[str, Array](), dict[str, str]()
    storages = {n: v.storage.key for n, v in tree.tensors.items() if isinstance(v, TensorRef)}
    last = {key: name for name, key in storages.items()}
    for name, value in tree.tensors.items():
        tensors[name], stored[name] = reader.array(name, value)
        if (key := storages.get(name)) is not None and last[key] == name:
            reader.forget(key)
    return RawFile(
        str(path),
        saved.format,
        tensors,
        stored,
        _keys(saved.root, tensors),
        tree.declared,
        notes=(*_whole_modules(saved.root), *tree.notes, *_hidden_calls(tree, saved)),
    )


def _whole_modules(root: object) -> tuple[str, ...]:
    """A note on modules that were pickled with their classes, at the top or one level below."""
    values = [root, *root.values()] if isinstance(root, dict) else [root]
    found = [str(v.function) for v in values if isinstance(v, Inert) and is_module(v)]
    names = ", ".join(found[:8])
    if not names:
        return ()
    return (
        f"a whole pickled module, {names}: its tensors and attributes were read, its "
        "class was neither looked up nor executed",
    )


def _keys(root: object, tensors: dict[str, Array]) -> tuple[str, ...]:
    """The keys of `root` under which there are tensors, if these are two or more.

    Those of a list or tuple of dicts and modules are 0, 1, …
    """
    if isinstance(root, (list, tuple)):
        root = {str(i): v for i, v in enumerate(root) if isinstance(v, (dict, Inert))}
    if not isinstance(root, dict) or any("." in name and name in root for name in tensors):
        return ()
    firsts = {name.partition(".")[0] for name in tensors if name not in root}
    keys = tuple(key for key in root if isinstance(key, str) and key in firsts)
    return keys if len(keys) > 1 else ()


def _hidden_calls(tree: Tree, saved: Saved) -> tuple[str, ...]:
    """A note on the calls that stand in none of the places that were looked at."""
    hidden = [name for name in saved.calls if name not in tree.inert]
    return (f"calls that were not executed: {', '.join(hidden)}",) if hidden else ()


def _without_tensors(tree: Tree, saved: Saved, path: Path) -> str:
    root, calls = saved.root, list(saved.calls)
    if calls:
        # What it calls may be harmless and may be not: no advice to execute it.
        return (
            f"{path} holds no tensors that can be read without executing it: expected a "
            f"state_dict, found calls of {', '.join(calls[:8])}. Nothing was executed. Do not load "
            f"it unless you know what these are for; where the module was made:{_SAVE_THERE}"
        )
    if tree.inert or isinstance(root, Inert):
        names = ", ".join(list(tree.inert)[:8])
        return (
            f"{path} holds no tensors that can be read without executing it: expected a "
            f"state_dict, found {names}. Nothing was executed. In the program that made it, or "
            f"where its classes are known, save the state_dict:{_SAVE.format(name=path.name)}"
        )
    if isinstance(root, dict):
        keys = ", ".join(shown(str(k), 40) for k in list(root)[:8] if isinstance(k, (str, int)))
        found = f"a dict with {keys}" if keys else "an empty dict"
    else:
        found = f"a {type(root).__name__}"
    return (
        f"{path} holds no tensors: expected a state_dict, alone or in a dict, found {found}. "
        "Save it with torch.save(module.state_dict(), ...)"
    )
