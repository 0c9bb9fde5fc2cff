"""Where the user's cache is, and which shapes are of one class."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lstm_export.runtime.cache_folder import cache_folder
from lstm_export.runtime.tuned import shape_class


def test_the_folder_is_the_users_own_choice_or_the_systems(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/u")
    for system, environment, expected in (
        ("linux", {}, "/home/u/.cache/lstm-export"),
        ("linux", {"XDG_CACHE_HOME": "/x"}, "/x/lstm-export"),
        ("linux", {"XDG_CACHE_HOME": "relative"}, "/home/u/.cache/lstm-export"),
        ("linux", {"XDG_CACHE_HOME": "/x", "LSTM_EXPORT_CACHE": "/own"}, "/own"),
        ("darwin", {"XDG_CACHE_HOME": "/x"}, "/home/u/Library/Caches/lstm-export"),
        ("win32", {"LOCALAPPDATA": "/local"}, "/local/lstm-export"),
    ):
        assert cache_folder(environment, system) == expected.replace("/", os.sep)


@given(st.integers(1, 10**6), st.integers(1, 10**6))
def test_a_class_spans_a_factor_of_two(batch: int, length: int) -> None:
    name = shape_class(batch, length)
    assert name != shape_class(2 * batch, length)
    assert name != shape_class(batch, 2 * length)
    rows, steps = (1 << size.bit_length() - 1 for size in (batch, length))
    assert name == shape_class(rows, steps) == shape_class(2 * rows - 1, 2 * steps - 1)
    assert name == f"batch {rows}, length {steps}"
