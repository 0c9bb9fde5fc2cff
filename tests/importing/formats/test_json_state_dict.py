"""State dicts as JSON, and JSON that is meant to hurt."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from lstm_export.errors import CheckpointError, OptionError
from lstm_export.importing.raw import RawFile
from lstm_export.importing.read import read


def lists(module: nn.Module) -> dict[str, Any]:
    return {name: tensor.tolist() for name, tensor in module.state_dict().items()}


def from_text(folder: Path, text: str | bytes) -> RawFile:
    path = folder / "weights.txt"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read(path)


def from_value(folder: Path, value: object) -> RawFile:
    return from_text(folder, json.dumps(value))


def assert_holds(file: RawFile, module: nn.Module) -> None:
    state = module.state_dict()
    assert list(file.tensors) == list(state)
    for name, tensor in state.items():
        np.testing.assert_array_equal(file.tensors[name], tensor.numpy(), strict=True)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_what_torch_writes_comes_back_bit_for_bit(tmp_path: Path, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    module = nn.LSTM(3, 4, num_layers=2, bidirectional=True, dtype=dtype)
    file = from_value(tmp_path, lists(module))
    assert_holds(file, module)
    assert set(file.stored.values()) == {str(dtype).removeprefix("torch.")}


def test_short_decimals_are_float32_where_they_name_one(tmp_path: Path) -> None:
    file = from_text(tmp_path, '{"a": [0.1, 1, 3e-5], "b": [0.1, 0.123456789012], "c": [0, 1]}')
    assert file.stored == {"a": "float32", "b": "float64", "c": "float32"}
    assert file.tensors["a"].tolist() == np.array([0.1, 1, 3e-5], np.float32).tolist()


@pytest.mark.parametrize(
    "place", ["state_dict", "model_state_dict", "model", "net", "model/state_dict"]
)
def test_a_nested_state_dict_is_found(tmp_path: Path, place: str) -> None:
    module = nn.GRU(2, 3)
    value: Any = lists(module) | {"epoch": 3}
    for name in reversed(place.split("/")):
        value = {name: value}
    value |= {"losses": [1.0, 0.5], "config": {"hidden": 3, "kind": "gru"}}
    file = from_value(tmp_path, value)
    assert_holds(file, module)
    assert file.declared["config.hidden"] == 3
    assert file.notes == (f"left out losses, a list of numbers beside {place.replace('/', '.')}",)


def test_modules_as_nested_objects_give_dotted_names(tmp_path: Path) -> None:
    file = from_value(tmp_path, {"lstm": {"weight_ih_l0": [[1.0]]}, "fc": {"bias": [2.0]}})
    assert list(file.tensors) == ["lstm.weight_ih_l0", "fc.bias"]
    assert file.keys == ()


def test_several_models_are_told_apart_by_key(tmp_path: Path) -> None:
    value = {name: {"lstm.bias": [float(i)]} for i, name in enumerate(("encoder", "decoder"))}
    file = from_value(tmp_path, value)
    assert file.keys == ("encoder", "decoder")
    assert list(file.tensors) == ["encoder.lstm.bias", "decoder.lstm.bias"]
    one = read(file.path, "decoder")
    assert {name: array.tolist() for name, array in one.tensors.items()} == {"lstm.bias": [1.0]}
    with pytest.raises(OptionError, match="no state dict 'x'; it has encoder, decoder"):
        read(file.path, "x")


def test_nan_and_infinity_are_numbers(tmp_path: Path) -> None:
    array = from_text(tmp_path, '{"a": [NaN, Infinity, -Infinity, 1e999]}').tensors["a"]
    np.testing.assert_array_equal(array, np.array([np.nan, np.inf, -np.inf, np.inf], np.float32))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[" * 5_000_000, "JSON nested 5000000 deep, expected at most 64"),
        ('{"a":' * 70, "JSON nested 70 deep"),
        ('{"a": "' + "[{" * 99, "is not whole JSON"),
        ('{"a": [[1, 2], [3]]}', "a: expected lists of equal length, found 2 and 1"),
        ('{"a": [[1, 2], 3]}', "a: expected lists of equal length, found 2 and 3"),
        ('{"a": [1, "x"]}', "a: expected numbers, found 'x'"),
        ('{"a": [1, true]}', "a: expected numbers, found 'True'"),
        ('{"a": [1, null]}', "a: expected numbers, found 'None'"),
        ('{"a": [1, [2]]}', "a: expected numbers"),
        ('{"a": [%s]}' % ("9" * 400), "does not fit float64"),
        ('{"a": [%s]}' % ("9" * 5000), "is not whole JSON"),
        ('{"a": [1], "a": [2]}', "the key 'a' occurs twice"),
        ('{"class_name": "Sequential", "config": {}}', "An architecture alone holds no weights"),
        ("[1, 2]", "expected a JSON object"),
        ("{}", "it has nothing"),
        (b'{"a\xff": [1]}', "byte 3 is not UTF-8"),
    ],
)
def test_what_is_no_state_dict_is_refused(tmp_path: Path, text: str | bytes, message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        from_text(tmp_path, text)


VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4)
    ),
    max_leaves=25,
)
KINDS = st.sampled_from(
    [
        {},
        {"architecture": "LSTM", "config": {"input_size": 1, "hidden_size": 1, "num_layers": 1}},
        {"model_data": {"hidden_size": 1, "unit_type": "GRU"}, "state_dict": {}},
        {"in_shape": [1], "layers": [{"type": "lstm", "shape": [1]}]},
    ]
)


@settings(deadline=None, max_examples=150)
@given(
    KINDS,
    st.dictionaries(
        st.sampled_from(
            ["weights", "config", "model_data", "state_dict", "blocks", "layers", "in_shape", "a"]
        ),
        VALUE,
    ),
)
def test_any_json_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, kind: dict[str, Any], more: dict[str, Any]
) -> None:
    try:
        from_value(tmp_path_factory.mktemp("any"), kind | more)
    except CheckpointError as error:
        assert str(error)  # noqa: PT017
