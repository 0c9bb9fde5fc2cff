"""Python's own constructors that stand in pickles of plain data, done by us."""

from __future__ import annotations

from collections.abc import Iterable

from lstm_export.importing.pickles.machine import Machine, Rebuild, fill
from lstm_export.importing.pickles.values import Global, Inert

Arguments = tuple[object, ...]
_LONGEST_NAME = 200


def _ordered_dict(machine: Machine, arguments: Arguments) -> object:
    made: dict[object, object] = {}
    if not arguments:
        return made
    pairs = arguments[0]
    if isinstance(pairs, dict):
        pairs = list(pairs.items())
    if len(arguments) > 1 or not isinstance(pairs, (list, tuple)) or not _are_pairs(pairs):
        return NotImplemented
    machine.charge(len(pairs))
    fill(made, ((key, value) for key, value in pairs))
    return made


def _are_pairs(values: Iterable[object]) -> bool:
    return all(isinstance(pair, (list, tuple)) and len(pair) == 2 for pair in values)


def _default_dict(machine: Machine, arguments: Arguments) -> object:
    # The factory is a name; a dict that is only read never asks it.
    return _ordered_dict(machine, arguments[1:])


def _encode(machine: Machine, arguments: Arguments) -> object:
    # How protocols 0 to 2 write bytes.
    match arguments:
        case (str() as text, "latin1" | "latin-1"):
            encoded = machine.encode_latin1(text)
            return NotImplemented if encoded is None else encoded
        case _:
            return NotImplemented


def _bytes(machine: Machine, arguments: Arguments) -> object:
    # bytes(10**12) would be a terabyte: only what is there already.
    match arguments:
        case ():
            return b""
        case (bytes() as value,):
            return value
        case (str() as text, "latin1" | "latin-1"):
            return _encode(machine, (text, "latin1"))
        case _:
            return NotImplemented


def _complex(machine: Machine, arguments: Arguments) -> object:
    match arguments:
        case (float() as real, float() as imaginary):
            return complex(real, imaginary)
        case _:
            return NotImplemented


def _reconstructor(machine: Machine, arguments: Arguments) -> object:
    # How protocols 0 and 1 write instances of classes without a base of their own.
    match arguments:
        case (Global() as of, Global("builtins", "object"), None):
            return Inert(of, called=False)
        case _:
            return NotImplemented


def _attribute(machine: Machine, arguments: Arguments) -> object:
    # How functions inside of classes are named, torch.relu among them: a longer name, no access.
    match arguments:
        case (Global(module, within), str() as name) if len(within) + len(name) < _LONGEST_NAME:
            return Global(module, f"{within}.{name}")
        case _:
            return NotImplemented


PYTHON: dict[Global, Rebuild] = {
    Global("collections", "OrderedDict"): _ordered_dict,
    Global("collections", "defaultdict"): _default_dict,
    Global("builtins", "dict"): _ordered_dict,
    Global("_codecs", "encode"): _encode,
    Global("builtins", "bytes"): _bytes,
    Global("builtins", "bytearray"): _bytes,
    Global("builtins", "complex"): _complex,
    Global("builtins", "getattr"): _attribute,
    Global("copyreg", "_reconstructor"): _reconstructor,
}
"""Sets stay `Inert`: their elements are listed, not hashed."""
