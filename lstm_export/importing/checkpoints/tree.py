"""The tree in a checkpoint, flattened: tensors and plain values by dotted path, the rest noted."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from lstm_export.errors import CheckpointError
from lstm_export.importing.checkpoints.modules import is_module, module_parts
from lstm_export.importing.pickles.numpy_values import PickledArray, PickledDtype
from lstm_export.importing.pickles.torch_values import UNREADABLE, StorageRef, TensorRef
from lstm_export.importing.pickles.values import SETS, Global, Inert, OddKey, Persistent, shown

MAX_DEPTH = 64
MAX_VALUES = 1_000_000
MAX_NOTES = 50
_LONGEST_LIST = 64
_WEIGHT = re.compile(r"(^|[._])(weight|bias)(?!_decay)")
_PACKED = re.compile(r"(^|\.)(_packed_params|_all_weight_values)(\.|$)")


class Tree:
    """What is found under `root`: a value of `read_pickle`.

    `tensors` and `declared` are by dotted path, in the file's order; `notes` say what is there
    besides and was left out; `inert` are the calls and instances that were not made. Raises
    CheckpointError where something else stands in place of a weight, or there is no end of values.
    """

    def __init__(self, root: object, where: str) -> None:
        self.tensors: dict[str, TensorRef | PickledArray] = {}
        self.declared: dict[str, Any] = {}
        self.notes: list[str] = []
        self.inert: dict[str, None] = {}
        self._where, self._values, self._unsaid = where, 0, 0
        self._path: set[int] = set()
        self._visit("", root, 0)
        if self._unsaid:
            self.notes.append(f"{self._unsaid} more values that are neither tensors nor plain")

    def _visit(self, path: str, value: object, depth: int) -> None:
        self._values += 1
        if self._values > MAX_VALUES:
            raise CheckpointError(
                f"{self._where} unfolds to more than {MAX_VALUES:,} values, expected a file of "
                "weights: save the state_dict alone"
            )
        if isinstance(value, (TensorRef, PickledArray)):
            self._tensor(path, value)
        elif value is None or isinstance(value, (bool, int, float, complex, str, Global)):
            self.declared[path] = str(value) if isinstance(value, Global) else value
        elif isinstance(value, PickledDtype) and value.known:
            self.declared[path] = str(value.dtype)
        elif isinstance(value, (dict, list, tuple, Inert)):
            self._container(path, value, depth)
        elif isinstance(value, StorageRef):
            self._note(path, "a storage without a tensor")
        elif isinstance(value, Persistent):
            self._note(path, "something outside of the file")
        else:
            self._note(path, f"{len(value)} bytes" if isinstance(value, bytes) else "an odd value")

    def _container(self, path: str, value: Any, depth: int) -> None:
        if depth > MAX_DEPTH:
            self._note(path, f"more than {MAX_DEPTH} levels deep")
            return
        if id(value) in self._path:
            self._note(path, "what it is itself inside of")
            return
        self._path.add(id(value))
        if isinstance(value, Inert):
            self._inert(path, value, depth)
        elif isinstance(value, dict):
            self._children(path, value.items(), depth)
        else:
            self._list(path, value, depth)
        self._path.discard(id(value))

    def _children(self, path: str, items: Iterable[tuple[object, object]], depth: int) -> None:
        for index, (key, value) in enumerate(items):
            name = _key(key, index)
            self._visit(f"{path}.{name}" if path else name, value, depth + 1)

    def _list(self, path: str, values: list[object] | tuple[object, ...], depth: int) -> None:
        if all(v is None or isinstance(v, (bool, int, float, str)) for v in values):
            self._values += len(values)
            if len(values) <= _LONGEST_LIST:
                self.declared[path] = tuple(values)
            else:
                self._note(path, f"a list of {len(values)} plain values")
        else:
            self._children(path, ((str(i), v) for i, v in enumerate(values)), depth)

    def _tensor(self, path: str, value: TensorRef | PickledArray) -> None:
        name = path or "tensor"
        if isinstance(value, PickledArray) and not value.plain and not _WEIGHT.search(path):
            self._note(path, value.problem)
            return
        if name in self.tensors:
            raise CheckpointError(
                f"{self._where} has two tensors named {shown(name)}, expected one: "
                "save the state_dict alone"
            )
        self.tensors[name] = value

    def _inert(self, path: str, value: Inert, depth: int) -> None:
        if is_module(value):
            parts = module_parts(value)
            self._values += len(parts.attributes)
            self._declare(path, "__class__", str(value.function))
            for name, plain in parts.attributes:
                self._attribute(f"{path}.{name}" if path else name, plain)
            self._children(path, parts.children, depth)
            return
        if value.function in SETS:
            elements = value.elements or (value.arguments[0] if value.arguments else ())
            self._list(path, elements if isinstance(elements, (list, tuple)) else [], depth)
            return
        if _PACKED.search(path):
            raise CheckpointError(
                f"{self._where}: {shown(path)} is packed for integers by "
                "torch.ao.quantization, which keeps no float weights: save the state_dict of the "
                "module as it was before it was quantised"
            )
        kind = _unreadable(value)
        if kind or _WEIGHT.search(path):
            raise CheckpointError(
                f"{self._where}: {shown(path) or 'its value'} is {kind or value}, expected a dense "
                "tensor; nothing in a file is executed. Save the state_dict with plain tensors "
                "in its place"
            )
        self.inert[value.name] = None
        if value.called:
            self._note(path, f"{value}, which was not executed")
        states = value.state if isinstance(value.state, tuple) else (value.state,)
        inside = [part for part in (*states, value.items) if isinstance(part, dict) and part]
        if inside or value.elements:
            self._declare(path, "__class__", value.name)
        elif not value.called:
            self._note(path, f"{value}, which was not made")
        for part in inside:
            self._children(path, part.items(), depth)
        if value.elements:
            self._list(path, value.elements, depth)

    def _attribute(self, path: str, value: object) -> None:
        """A module's own attribute: its constructor's values are among these."""
        if isinstance(value, (TensorRef, PickledArray)):
            self._note(path, "a tensor that is no parameter and no buffer")
        elif isinstance(value, (list, tuple)):
            self._list_of_plain(path, value)
        elif value is None or isinstance(value, (bool, int, float, complex, str, Global)):
            self.declared[path] = str(value) if isinstance(value, Global) else value
        elif isinstance(value, Inert):
            self.inert[value.name] = None
            if value.called and value.function not in SETS:
                self._note(path, f"{value}, which was not executed")
        elif isinstance(value, dict) and value:
            self._note(path, f"a dict of {len(value)}")

    def _list_of_plain(self, path: str, values: list[object] | tuple[object, ...]) -> None:
        if len(values) <= _LONGEST_LIST and all(
            v is None or isinstance(v, (bool, int, float, str)) for v in values
        ):
            self.declared[path] = tuple(values)
        else:
            self._note(path, f"a list of {len(values)}")

    def _declare(self, path: str, name: str, value: Any) -> None:
        self.declared[f"{path}.{name}" if path else name] = value

    def _note(self, path: str, what: str) -> None:
        if len(self.notes) < MAX_NOTES:
            self.notes.append(f"{shown(path) or 'the whole'}: {what}; left out")
        else:
            self._unsaid += 1


def _key(key: object, index: int) -> str:
    if isinstance(key, OddKey):
        # A class; or something without a name, as the parameters by which a whole optimizer keeps
        # its moments, which go by their number as in its state_dict.
        return str(key.value) if isinstance(key.value, (Global, float)) else str(index)
    return key.decode("utf-8", "replace") if isinstance(key, bytes) else str(key)


def _unreadable(value: Inert) -> str | None:
    of = value.function
    if isinstance(of, Global) and of.module == "torch._utils":
        return UNREADABLE.get(of.name)
    return None
