"""The same calls in Python and in JavaScript, and whether they come to the same."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import lstm_export as lx
from lstm_export.errors import LstmExportError

HERE = Path(__file__).parent / "javascript"
Node = Callable[..., str]
Call = tuple[Any, ...]
Compared = Callable[[Path, list[Call]], list[Any]]

IN_OTHER_WORDS = {
    'on_nonfinite="pass"': 'onNonfinite: "pass"',
    "; a model.onnx alone never has: load the folder of its bundle": "",
    "future={name: values} (predict --future FILE)": "future: {name: values}",
}
"""Parts of Python's messages, and what JavaScript says there."""


class With(dict[str, Any]):
    """Keywords of a call, where a plain dict is an argument."""


def plain(value: Any) -> Any:
    """A call's argument as JSON for calls.mjs."""
    if isinstance(value, np.ndarray):
        numbers = [
            v if math.isfinite(v) else str(v).replace("nan", "NaN") for v in value.ravel().tolist()
        ]
        return {"$": numbers, "dims": value.shape, "type": value.dtype.name}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    return {k: plain(v) for k, v in value.items()} if isinstance(value, dict) else value


def in_node(node: Node, bundle: Path, calls: list[Call]) -> list[Any]:
    given = json.dumps({"bundle": str(bundle), "calls": plain(calls)})
    answers = json.loads(node(HERE / "calls.mjs", given=given))
    assert len(answers) == len(calls)
    return list(answers)


def in_python(bundle: Path, calls: list[Call]) -> list[Any]:
    model: Any = lx.load(bundle)
    stream: Any = None
    answers = []
    for method, *given in calls:
        options = given.pop() if given and isinstance(given[-1], With) else {}
        try:
            if method == "stream":
                stream = model.stream(*given)
                answers.append(None)
            elif method == "run":
                answers.append(model(*given, **options))
            else:
                on = stream if method.startswith("stream.") else model
                answers.append(getattr(on, method.removeprefix("stream."))(*given, **options))
        except LstmExportError as error:
            answers.append(error)
    return answers


def assert_same(got: Any, expected: Any) -> None:
    if isinstance(expected, LstmExportError):
        said = str(expected)
        for python, javascript in IN_OTHER_WORDS.items():
            said = said.replace(python, javascript)
        said = re.sub(r"\bnan\b", "NaN", said)
        assert got == {"error": type(expected).__name__, "message": said}
    elif expected is None or isinstance(expected, str):
        assert got == expected
    elif isinstance(expected, tuple):
        assert list(got) == list(expected._fields)
        for name, value in zip(expected._fields, expected, strict=True):
            assert_same(got[name], value)
    elif isinstance(expected, dict):
        assert list(got) == list(expected)
        for name, value in expected.items():
            assert_same(got[name], value)
    elif isinstance(expected, list):
        assert len(got) == len(expected)
        for one, other in zip(got, expected, strict=True):
            assert_same(one, other)
    else:
        assert "$" in got, got
        assert got["dims"] == list(expected.shape)
        values = np.array(got["$"], np.float64).reshape(expected.shape)
        largest = np.nanmax(np.abs(expected), initial=1e-6)
        np.testing.assert_allclose(values, expected, rtol=0, atol=4e-6 * largest)


def compare(node: Node, bundle: Path, calls: list[Call]) -> list[Any]:
    """Python's answers; an AssertionError if one of Node's differs."""
    expected = in_python(bundle, calls)
    others = []
    for i, (got, one) in enumerate(zip(in_node(node, bundle, calls), expected, strict=True)):
        try:
            assert_same(got, one)
        except AssertionError:
            others.append(f"{i} {calls[i][0]}: expected {one!r}, got {str(got)[:800]}")
    assert not others, "\n".join(others)
    return expected
