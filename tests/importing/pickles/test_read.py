"""The reader of pickles against Python's own, and against bytes that mean harm by their size."""

from __future__ import annotations

import argparse
import collections
import contextlib
import pickle
import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lstm_export.errors import CheckpointError
from lstm_export.importing.pickles.numpy_values import PickledArray
from lstm_export.importing.pickles.read import read_pickle
from lstm_export.importing.pickles.rebuilds import REBUILDS
from lstm_export.importing.pickles.values import Global, Inert, OddKey

PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)
PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.complex_numbers(allow_nan=False)
    | st.text()
    | st.binary(),
    lambda inner: (
        st.lists(inner)
        | st.tuples(inner)
        | st.tuples(inner, inner, inner, inner)
        | st.dictionaries(st.text() | st.integers(-9, 1 << 31), inner)
        | st.dictionaries(st.text(), inner).map(collections.OrderedDict)
    ),
    max_leaves=12,
)


def load(data: bytes) -> Any:
    value, end = read_pickle(data, "test.pkl", REBUILDS)
    assert end == len(data)
    return value


@given(PLAIN, st.sampled_from(PROTOCOLS))
@settings(deadline=None)
def test_plain_values_are_what_python_reads(value: object, protocol: int) -> None:
    assert load(pickle.dumps(value, protocol)) == value


@given(PLAIN, st.sampled_from(PROTOCOLS), st.data())
@settings(deadline=None)
def test_damaged_bytes_are_refused_or_read(value: object, protocol: int, draw: Any) -> None:
    data = bytearray(pickle.dumps([value, np.arange(3), {1, 2}, argparse.Namespace(a=1)], protocol))
    place = draw.draw(st.integers(0, len(data) - 1))
    if draw.draw(st.booleans()):
        del data[place:]
    else:
        data[place] = draw.draw(st.integers(0, 255))
    with contextlib.suppress(CheckpointError):
        read_pickle(bytes(data), "test.pkl", REBUILDS)


@given(st.binary(max_size=60))
@settings(deadline=None, max_examples=500)
def test_any_bytes_are_refused_or_read(data: bytes) -> None:
    with contextlib.suppress(CheckpointError):
        read_pickle(data, "test.pkl", REBUILDS)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    "array",
    [
        np.arange(6.0).reshape(2, 3),
        np.arange(6, dtype=">i4").reshape(2, 3).T,
        np.arange(24, dtype=np.float16).reshape(2, 3, 4).transpose(2, 0, 1),
        np.array(True),
        np.empty((0, 3), np.uint8),
        np.array([1 + 2j]),
    ],
    ids=["plain", "big-endian", "axes", "scalar", "empty", "complex"],
)
def test_arrays_bit_for_bit(array: Any, protocol: int) -> None:
    read = load(pickle.dumps(array, protocol))
    assert isinstance(read, PickledArray)
    assert read.array is not None
    np.testing.assert_array_equal(read.array, array)
    assert read.array.dtype == array.dtype


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_numpy_scalars_are_numbers(protocol: int) -> None:
    values = [np.float32(0.5), np.int64(-3), np.bool_(True)]
    assert load(pickle.dumps(values, protocol)) == [0.5, -3, True]


def test_a_shape_that_its_bytes_contradict_is_no_array() -> None:
    data = pickle.dumps(np.arange(6.0), 2).replace(b"K\x06\x85", b"K\x07\x85")
    read = load(data)
    assert read.array is None
    assert "48 bytes" in read.problem


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_objects_are_names_and_states(protocol: int) -> None:
    read = load(pickle.dumps(argparse.Namespace(hidden=3), protocol))
    assert isinstance(read, Inert)
    assert read.function == Global("argparse", "Namespace")
    assert read.state == {"hidden": 3}


def test_what_contains_itself() -> None:
    loop: list[Any] = []
    loop.append({"loop": loop})
    for protocol in PROTOCOLS:
        read = load(pickle.dumps(loop, protocol))
        assert read[0]["loop"] is read


def test_depth_costs_nothing() -> None:
    deep = load(b"]" * 300_000 + b"a" * 299_999 + b".")
    for _ in range(299_999):
        (deep,) = deep
    assert deep == []
    load(b"N" + b"\x85" * 300_000 + b".")


BOMBS = {
    "laughter in tuples": b"(N" + b"2\x86" * 5000 + b"t.",
    "laughter as a key": b"}N" + b"2\x86" * 5000 + b"Ns.",
    "laughter in a set": b"\x8f(N" + b"2\x86" * 5000 + b"\x90.",
    "laughter in a list": b"]q\x00" + b"]h\x00ah\x00aq\x00" * 5000 + b".",
    "a string of eight exbibytes": b"\x8d" + b"\xff" * 7 + b"\x7f",
    "bytes of four gibibytes": b"B\xff\xff\xff\xff1",
    "a buffer of eight exbibytes": b"\x96" + b"\xff" * 7 + b"\x7f",
    "an integer of two gibibytes": b"\x8b\xff\xff\xff\x7f",
    "a million digits": b"L" + b"9" * 1_000_000 + b"L\n.",
    "a frame too long": b"\x80\x04\x95" + b"\xff" * 8 + b".",
    "a memo far away": b"Nr\xff\xff\xff\xff.",
    "a memo beyond": b"Np" + b"9" * 3999 + b"\n.",
    "bytes by number": b"cbuiltins\nbytes\n(J\xff\xff\xff\x7ftR.",
    "a bytearray by number": b"cbuiltins\nbytearray\n(J\xff\xff\xff\x7ftR.",
    "a string turned into bytes again and again": (
        b"(X\x00\x00\x01\x00" + b"x" * 65536 + b"q\x000c_codecs\nencode\nq\x01"
        b"0(h\x00X\x06\x00\x00\x00latin1tq\x020" + b"h\x01h\x02R" * 20_000 + b"t."
    ),
    "an array of exbibytes": (
        b"cnumpy\ndtype\n(X\x02\x00\x00\x00f8tRq\x000cnumpy.core.multiarray\n_reconstruct\n"
        b"(cnumpy\nndarray\n)C\x01btR(K\x01(J\xff\xff\xff\x7fJ\xff\xff\xff\x7fth\x00\x89C\x00tb."
    ),
    "names that grow": (
        b"cbuiltins\ngetattr\nq\x000X\x09\x00\x00\x00"
        + b"y" * 9
        + b"q\x010cos\npath\nq\x02("
        + b"h\x00(h\x02h\x01tRq\x02" * 9000
        + b"t."
    ),
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_bombs_cost_what_their_bytes_cost(bomb: str) -> None:
    tracemalloc.start()
    with contextlib.suppress(CheckpointError):
        read_pickle(BOMBS[bomb], "test.pkl", REBUILDS)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 24 << 20


def test_the_number_of_steps_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lstm_export.importing.pickles.machine.MAX_STEPS", 1000)
    with pytest.raises(CheckpointError, match="more than 1,000 steps"):
        load(b"(" + b"N" * 1000 + b"t.")
    pairs = b"]" + b"(NNta" * 90
    with pytest.raises(CheckpointError, match="more than 1,000 steps"):
        load(pairs + b"q\x00" + b"0ccollections\nOrderedDict\n(h\x00tR" * 20 + b".")


def test_costly_keys_are_not_hashed() -> None:
    read = load(pickle.dumps({(1, 2): 3, 1 << 61: 4, 0.5: 5, "a": 6}))
    assert [isinstance(key, OddKey) for key in read] == [True, True, True, False]
