"""What the graph of an exported program says in words: modules, operators, recurrent arguments.

Source: torch/_export/serde/schema.py. A node's `nn_module_stack` lists "key,path,class" of the
modules around it, the innermost last; an argument is {"as_int": 3}, {"as_bool": true}, ….
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

_RECURRENT = ("lstm", "gru", "rnn_tanh", "rnn_relu")
_PLAIN = ("as_int", "as_float", "as_bool", "as_string")


def graph_words(model: Any) -> dict[str, Any]:
    """By dotted path: `path.__class__` of every module, `path.batch_first` and the other arguments
    of recurrent calls, `operators`, the targets in order, and `inputs`, the arguments' names.

    What is not as expected is passed over: these words only help to guess.
    """
    words: dict[str, Any] = {}
    graph = _get(model, "graph_module", "graph")
    operators = []
    for node in _list(_get(graph, "nodes")):
        target = _get(node, "target")
        if not isinstance(target, str):
            continue
        operators.append(target)
        inner = ""
        for path, name in _modules(_get(node, "metadata", "nn_module_stack")):
            words[f"{path}.__class__" if path else "__class__"] = name
            inner = path
        operator = target.removeprefix("torch.ops.aten.").split(".")[0]
        if operator in _RECURRENT:
            start = f"{inner}." if inner else ""
            words |= {f"{start}{name}": value for name, value in _arguments(node)}
    words["operators"] = tuple(operators)
    words["inputs"] = tuple(_inputs(_get(model, "graph_module", "signature", "input_specs")))
    return words


def _modules(stack: object) -> Iterator[tuple[str, str]]:
    for entry in str(stack).split(";") if isinstance(stack, str) else ():
        parts = entry.split(",")
        if len(parts) == 3:
            yield parts[1], parts[2]


def _arguments(node: Any) -> Iterator[tuple[str, Any]]:
    for entry in _list(_get(node, "inputs")):
        name, value = _get(entry, "name"), _get(entry, "arg")
        if isinstance(name, str) and isinstance(value, dict):
            for kind in _PLAIN:
                if isinstance(value.get(kind), bool | int | float | str):
                    yield name, value[kind]


def _inputs(specs: object) -> Iterator[str]:
    for spec in _list(specs):
        name = _get(spec, "user_input", "arg", "as_tensor", "name")
        if isinstance(name, str):
            yield name


def _get(value: Any, *names: str) -> Any:
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
