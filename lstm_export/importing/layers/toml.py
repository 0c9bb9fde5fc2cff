"""The layers as TOML: what the layer string says, as a list of tables.

outputs = ["output"]            # left out: what the last layer gives

[[input]]
name = "tokens"
kind = "ids"                    # floats, ids, lengths or state, and options as in the string

[[layer]]
kind = "lstm"
prefix = "encoder.rnn"          # left out: the kind
inputs = ["tokens"]             # left out: what the layer before gives
outputs = ["y", "h"]            # left out: unnamed, for the next layer alone
bidirectional = true            # options as in the string, lengths = "n" among them
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from typing import Any

from lstm_export.errors import OptionError
from lstm_export.importing.layers.assemble import OUTPUT, Assembly, MisfitError
from lstm_export.importing.layers.cursor import NAME
from lstm_export.importing.layers.layers import Layers, unnamed
from lstm_export.importing.layers.text import input_options
from lstm_export.importing.ops.registry import OPS


def from_toml(text: str) -> Layers:
    """The layers in `text`; raises OptionError with the table and what was expected there."""
    try:
        tables = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise OptionError(f"layers: expected TOML: {error}") from None
    if unknown := sorted(tables.keys() - {"input", "layer", "outputs"}):
        raise OptionError(f"layers: expected [[input]], [[layer]] and outputs, found {unknown[0]}")
    assembly = Assembly()
    for number, table in enumerate(_tables(tables, "input"), start=1):
        _placed(f"input {number}", _declare, assembly, dict(table))
    layers = _tables(tables, "layer")
    last: list[str] = []
    for number, table in enumerate(layers, start=1):
        is_output = number == len(layers) and "outputs" not in tables
        last = _placed(f"layer {number}", _step, assembly, dict(table), last, is_output)
    outputs = _placed("outputs", _names, tables, "outputs", last)
    made: Layers = _placed("the whole", assembly.finish, outputs)
    return made


def to_toml(layers: Layers) -> str:
    """TOML that reads back as `layers`; every input is declared, values without a name are not."""
    whole = layers.outputs != layers.steps[-1].outputs
    parts = [_written("", {"outputs": layers.outputs})] if whole else []
    for each in layers.inputs:
        said = {"name": each.name, "kind": each.kind, **input_options(each)}
        parts.append(_written("[[input]]", said))
    before: tuple[str, ...] = ()
    for index, step in enumerate(layers.steps):
        takes = step.options.get("takes", ())
        own = step.inputs[: len(step.inputs) - len(takes)]
        last = index == len(layers.steps) - 1 and not whole
        table: dict[str, Any] = {"kind": step.op}
        table |= {"prefix": step.name} if step.name else {}
        table |= {"inputs": own} if own != before[:1] else {}
        default = OUTPUT if last else unnamed(index)
        table |= {"outputs": step.outputs} if step.outputs != (default,) else {}
        table |= dict(zip(takes, step.inputs[len(own) :], strict=True))
        table |= {key: value for key, value in step.options.items() if key != "takes"}
        parts.append(_written("[[layer]]", table))
        before = step.outputs
    return "\n".join(parts)


def _written(head: str, table: Mapping[str, Any]) -> str:
    lines = [head] if head else []
    lines += [f"{key} = {_value(value)}" for key, value in table.items()]
    return "\n".join(lines) + "\n"


def _value(value: Any) -> str:
    """TOML's strings, numbers, truth and lists are JSON's, but for U+007F, which it has escaped."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _tables(tables: dict[str, Any], key: str) -> list[dict[str, Any]]:
    given = tables.get(key, [])
    if not isinstance(given, list) or not all(isinstance(table, dict) for table in given):
        raise OptionError(f"layers: expected {key} as a list of tables, [[{key}]]")
    return given


def _placed(where: str, action: Any, *arguments: Any) -> Any:
    try:
        return action(*arguments)
    except MisfitError as error:
        raise OptionError(f"layers, {where}: {error}") from None


def _declare(assembly: Assembly, table: dict[str, Any]) -> None:
    name, kind = _word(table, "name"), _word(table, "kind")
    assembly.declare(name, kind, {key: _plain(key, value) for key, value in table.items()})


def _step(
    assembly: Assembly, table: dict[str, Any], before: list[str], is_output: bool
) -> list[str]:
    kind = _word(table, "kind")
    prefix = table.pop("prefix", "")
    if not isinstance(prefix, str) or '"' in prefix or "\n" in prefix:
        raise MisfitError("expected prefix as one line of text without quotes")
    inputs = _names(table, "inputs", before[:1])
    default = OUTPUT if is_output else assembly.next_unnamed()
    outputs = _names(table, "outputs", [default])
    table.pop("inputs", None)
    table.pop("outputs", None)
    options = {key: _plain(key, value) for key, value in table.items()}
    if not inputs and not (kind in OPS and OPS[kind].joins):
        inputs = [assembly.source(kind)]
    assembly.step(kind, prefix, inputs, options, outputs)
    return outputs


def _names(table: dict[str, Any], key: str, default: list[str]) -> list[str]:
    given = table.get(key, default)
    if (
        not isinstance(given, list)
        or not all(isinstance(name, str) and NAME.fullmatch(name) for name in given)
        or (not given and key in table)
    ):
        raise MisfitError(f'expected {key} as a list of names, {key} = ["x"]; found {given}')
    return given


def _word(table: dict[str, Any], key: str) -> str:
    value = table.pop(key, None)
    if not isinstance(value, str) or not NAME.fullmatch(value):
        raise MisfitError(
            f"expected {key} as a word, found {'nothing' if value is None else value}"
        )
    return value


def _plain(key: str, value: Any) -> Any:
    if isinstance(value, list):
        return tuple(value)
    if not isinstance(value, bool | int | float | str):
        raise MisfitError(f"expected {key} as a number, a word, true or false, found {value}")
    return value
