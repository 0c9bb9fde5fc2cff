"""Options: what makes no sense is named; TOML and flags come to the same."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lstm_export.cli.train import train as train_command
from lstm_export.errors import OptionError
from lstm_export.training.check import check
from lstm_export.training.config import differences, read_toml, resolve, to_toml
from lstm_export.training.options import TrainOptions

NAMES = st.lists(st.text(st.characters(exclude_categories=["Cs"])), max_size=3).map(tuple)


def values(kind: Any) -> st.SearchStrategy[Any]:
    if get_origin(kind) is tuple:
        return NAMES
    if kind is float:
        return st.floats(allow_nan=False, allow_infinity=False)
    if kind is int:
        return st.integers(-(2**63), 2**63 - 1)
    if kind is bool:
        return st.booleans()
    if kind == get_type_hints(TrainOptions)["unit"]:
        text = st.text(st.characters(exclude_categories=["Cs"]))
        return st.dictionaries(text, text, max_size=2)
    if type(None) in get_args(kind):
        return st.none() | values(next(k for k in get_args(kind) if k is not type(None)))
    if get_args(kind):
        return st.sampled_from(get_args(kind))
    return st.text(st.characters(exclude_categories=["Cs"]))


KINDS = {name: kind for name, kind in get_type_hints(TrainOptions).items() if name != "data"}


@given(st.fixed_dictionaries({}, optional={name: values(kind) for name, kind in KINDS.items()}))
def test_toml_gives_the_options_back(
    tmp_path_factory: pytest.TempPathFactory, changes: dict[str, Any]
) -> None:
    options = TrainOptions(data="/somewhere/series.csv", **changes)
    file = tmp_path_factory.getbasetemp() / "round_trip.toml"
    file.write_bytes(to_toml(options).encode())
    assert resolve({}, file) == options


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"horizon": 0}, ["--horizon", "0"]),
        ({"batch_size": 0, "lr": 0.0}, ["--batch-size", "--lr"]),
        ({"lr": float("nan")}, ["--lr"]),
        ({"lr": float("inf")}, ["--lr"]),
        ({"epochs": -1}, ["--epochs"]),
        ({"seed": -1}, ["--seed"]),
        ({"dropout": 1.0}, ["--dropout"]),
        ({"clip_norm": -1.0}, ["--clip-norm"]),
        ({"weight_decay": float("nan")}, ["--weight-decay"]),
        ({"difference": -1}, ["--difference"]),
        ({"ema": 1.0}, ["--ema"]),
        ({"input_noise": -0.1}, ["--input-noise"]),
        ({"warm_up": -1}, ["--warm-up", "-1"]),
        ({"warm_up": 8, "context_length": 8}, ["--warm-up 8", "--context-length 8"]),
        (
            {"warm_up": 3, "context_length": 8, "bidirectional": True},
            ["--warm-up 3", "--bidirectional", "7"],
        ),
        ({"cell": "lst"}, ["--cell", "lstm, gru, rnn"]),
        ({"precision": "16"}, ["--precision", "bf16-mixed"]),
        ({"proj_size": 32, "hidden_size": 32}, ["--proj-size 32", "--hidden-size 32"]),
        ({"proj_size": 4, "cell": "gru"}, ["--proj-size 4", "--cell gru"]),
        ({"difference": 1, "target": "x", "features": "y"}, ["--difference", "--features", "'x'"]),
        ({"features": ("all", "x")}, ["--features", "all"]),
        ({"target": ("x", "x")}, ["--target", "twice"]),
        ({"validation": 0.6, "test": 0.4}, ["--validation 0.6", "--test 0.4"]),
        ({"test": 0.0}, ["--test"]),
        ({"schedule": "plateau", "validation": 0.0}, ["--schedule plateau", "--validation 0"]),
        ({"init": "chrono", "cell": "rnn"}, ["--init chrono", "--cell rnn"]),
        ({"init": "chrono", "context_length": 2}, ["--init chrono", "--context-length"]),
    ],
)
def test_what_makes_no_sense_is_named(changes: dict[str, Any], named: list[str]) -> None:
    with pytest.raises(OptionError) as caught:
        check(TrainOptions(data="x.csv", **changes))
    for part in named:
        assert part in str(caught.value)


def test_the_defaults_make_sense() -> None:
    check(TrainOptions(data="x.csv"))


def test_flags_override_the_file_which_overrides_the_data_set(tmp_path: Path) -> None:
    file = tmp_path / "run.toml"
    file.write_text('data = "sunspots"\ncontext-length = 7\nhidden_size = 9\n')
    recommended = resolve({"data": "sunspots"})
    assert recommended.difference == 1
    options = resolve({"hidden_size": 5, "epochs": None}, file)
    assert (options.context_length, options.hidden_size) == (7, 5)
    assert options.difference == recommended.difference


def test_a_path_in_a_file_is_relative_to_the_file(tmp_path: Path) -> None:
    file = tmp_path / "run.toml"
    file.write_text('data = "series.csv"\n')
    assert resolve({}, file).data == str(tmp_path / "series.csv")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("contxt_length = 3", "did you mean context_length"),
        ("epochs = 'many'", "epochs"),
        ("epochs = 1.5", "epochs"),
        ("bidirectional = 1", "bidirectional"),
        ("cell = 'transformer'", "lstm"),
        ("unit = 3", "unit"),
        ("epochs = ", "not TOML"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(tmp_path: Path, text: str, named: str) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(text)
    with pytest.raises(OptionError, match=r"mine\.toml") as caught:
        read_toml(file)
    assert named in str(caught.value)


def test_a_missing_file_and_missing_data_are_named(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"cannot read .*absent\.toml"):
        read_toml(tmp_path / "absent.toml")
    with pytest.raises(OptionError, match="sunspots"):
        resolve({})


def test_differences_are_named(tiny: Callable[..., TrainOptions]) -> None:
    options = tiny()
    assert differences(options, options) == []
    (line,) = differences(options, replace(options, lr=0.1))
    assert line == "--lr was 0.01 and is 0.1"


def test_the_command_has_every_option_and_says_its_default() -> None:
    parameters = inspect.signature(train_command, eval_str=True).parameters
    for field in fields(TrainOptions):
        assert field.name in parameters
        help_text = parameters[field.name].annotation.__metadata__[0].help
        if (stated := re.search(r"\[default: (.*)]", help_text)) is not None:
            assert stated[1] == str(field.default)
        else:
            assert field.default in (None, (), False) or field.name in ("data", "unit")
