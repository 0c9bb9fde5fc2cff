"""How each language writes numbers, texts, comments and types. Names are the user's: any text."""

from __future__ import annotations

import json
import textwrap
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

_WIDTH = 100
_REMARK = 90

C_TYPES = {
    "float32": ("float", "FLOAT", "%.9g"),
    "float64": ("double", "DOUBLE", "%.17g"),
    "int64": ("int64_t", "INT64", "%lld"),
    "int32": ("int32_t", "INT32", "%lld"),
    "int16": ("int16_t", "INT16", "%lld"),
    "int8": ("int8_t", "INT8", "%lld"),
    "uint8": ("uint8_t", "UINT8", "%lld"),
    "bool": ("uint8_t", "BOOL", "%lld"),
}
"""By dtype: the type of C, its name in onnxruntime's header, how it is printed."""

JAVASCRIPT_TYPES = {
    "float32": "Float32Array",
    "float64": "Float64Array",
    "int64": "BigInt64Array",
    "int32": "Int32Array",
    "int16": "Int16Array",
    "int8": "Int8Array",
    "uint8": "Uint8Array",
    "bool": "Uint8Array",
}
"""By dtype: the array that holds it."""


@dataclass(frozen=True, slots=True)
class CType:
    """One element type in C."""

    name: str
    constant: str
    """Its name in onnxruntime's header."""
    print: str
    """How printf takes it, after `cast`."""
    cast: str


def c_type(dtype: str) -> CType:
    """The type of C for a dtype."""
    name, constant, form = C_TYPES[dtype]
    cast = "(long long)" if form == "%lld" else ""
    return CType(name, f"ONNX_TENSOR_ELEMENT_DATA_TYPE_{constant}", form, cast)


def python_text(text: str) -> str:
    """A string literal of Python."""
    return json.dumps(text) if text.isascii() else ascii(text)


def javascript_text(text: str) -> str:
    """A string literal of JavaScript."""
    return json.dumps(text)


def c_text(text: str) -> str:
    """A string literal of C: the bytes of its UTF-8."""
    body = "".join(
        # Three octal digits end an escape by themselves; ? could begin a trigraph.
        chr(byte) if 32 <= byte < 127 and byte not in b'"\\?' else f"\\{byte:03o}"
        for byte in text.encode()
    )
    return f'"{body}"'


def remark(text: str) -> str:
    """Part of a comment, on one line, in any of the languages; a docstring is one too."""
    plain = "".join(char if char.isprintable() else " " for char in text)
    for ends, harmless in (("*/", "* /"), ("/*", "/ *"), ("\\", "/"), ('"""', "'''")):
        plain = plain.replace(ends, harmless)
    return plain if len(plain) <= _REMARK else f"{plain[: _REMARK - 1]}…"


def numbers(values: npt.NDArray[Any], indent: int, *, suffix: str = "") -> str:
    """`values` with commas between them, in lines of at most 100 columns behind `indent` spaces.

    The shortest digits that give the same number again; `suffix` stands behind each.
    """
    words = [f"{_number(value)}{suffix}" for value in values]
    lines = textwrap.wrap(", ".join(words), _WIDTH - indent - 2, break_long_words=False)
    return f"\n{' ' * indent}".join(lines)


def _number(value: Any) -> str:
    if isinstance(value, np.bool_):
        return str(int(value))
    return str(value)
