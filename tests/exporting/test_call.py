"""Nested arguments and results as named rows of tensors."""

from __future__ import annotations

import dataclasses
from collections import OrderedDict, namedtuple
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import rnn

from lstm_export.errors import ExportError, OptionError
from lstm_export.exporting.tracing.call import describe_call
from lstm_export.exporting.tracing.results import named_outputs

X = torch.zeros(2, 5, 3)
H = torch.zeros(1, 2, 4)


def module(forward: Any) -> nn.Module:
    return type("Module", (nn.Module,), {"forward": forward})()


def names(forward: Any, *args: Any, **kwargs: Any) -> list[str]:
    return [leaf.name for leaf in describe_call(module(forward), args, kwargs).inputs]


def plain(self: Any, x: Any, state: Any = None, *args: Any, flag: Any = None, **rest: Any) -> None:
    """A forward with every kind of parameter."""


@pytest.mark.parametrize(
    ("args", "kwargs", "expected"),
    [
        ((X,), {}, ["x"]),
        ((X, H), {}, ["x", "state"]),
        ((X, (H, H)), {}, ["x", "state_0", "state_1"]),
        ((X, [H, (H, H)]), {}, ["x", "state_0", "state_1_0", "state_1_1"]),
        ((X, {"h": H, "c": H}), {}, ["x", "state_h", "state_c"]),
        ((X, None, X, X), {}, ["x", "args_0", "args_1"]),
        ((X,), {"flag": H, "more": X}, ["x", "flag", "more"]),
        ((), {"state": (H, H), "x": X}, ["x", "state_0", "state_1"]),
        ((X, 3), {}, ["x", "state"]),
        ((X, [5, 3]), {}, ["x", "state"]),
        ((X, (5, 3)), {}, ["x", "state_0", "state_1"]),
        ((np.zeros((2, 3), np.float32),), {}, ["x"]),
        ((X, H), {"x_0": X}, ["x", "state", "x_0"]),
    ],
)
def test_inputs_are_named_for_forwards_arguments(
    args: tuple[Any, ...], kwargs: dict[str, Any], expected: list[str]
) -> None:
    assert names(plain, *args, **kwargs) == expected


def test_a_single_tensor_needs_no_tuple() -> None:
    assert [leaf.name for leaf in describe_call(module(plain), X).inputs] == ["x"]


def test_keyword_arguments_may_come_as_a_dict_at_the_end_of_args() -> None:
    call = describe_call(module(lambda self, x, *, mask: None), (X, {"mask": H}))
    assert [leaf.name for leaf in call.inputs] == ["x", "mask"]


def test_names_that_meet_are_kept_apart() -> None:
    assert names(lambda self, x, x_0: None, (X, X), X) == ["x_0", "x_1", "x_0_"]


@pytest.mark.parametrize("args", [(X, (H, [H, {"a": H}])), (X, None, X, X), (X, 3), (X, [5, 3])])
def test_binding_the_examples_gives_the_arguments_back(args: tuple[Any, ...]) -> None:
    call = describe_call(module(plain), args)
    bound, kwargs = call.bind(call.examples)
    assert kwargs == {}
    assert repr(bound) == repr(args)


def test_named_tuples_and_their_like_keep_their_type() -> None:
    State = namedtuple("State", "h c")
    given = OrderedDict(a=State(H, H))
    bound, _ = (call := describe_call(module(plain), (X, given))).bind(call.examples)
    assert isinstance(bound[1], OrderedDict)
    assert bound[1]["a"].c.shape == H.shape


def test_a_packed_sequence_becomes_a_padded_tensor_and_its_lengths() -> None:
    packed = rnn.pack_padded_sequence(
        torch.randn(5, 2, 3), torch.tensor([3, 5]), enforce_sorted=False
    )
    call = describe_call(module(plain), packed)
    assert [(leaf.name, tuple(leaf.example.shape)) for leaf in call.inputs] == [
        ("x", (5, 2, 3)),
        ("x_lengths", (2,)),
    ]
    (bound,), _ = call.bind(call.examples)
    assert torch.equal(bound.data, packed.data)


def test_everything_else_is_a_constant_by_name() -> None:
    call = describe_call(module(plain), (X, 0.5, True), {"flag": "mean"})
    assert call.constants == {"state": 0.5, "args_0": True, "flag": "mean"}


def test_integers_may_be_constants_too() -> None:
    call = describe_call(module(plain), (X, 3, [5, 3]), integers_vary=False)
    assert call.constants == {"state": 3, "args_0_0": 5, "args_0_1": 3}


def test_floating_examples_become_float32() -> None:
    call = describe_call(module(plain), (X.double(), X.half(), X.long()))
    assert [leaf.example.dtype for leaf in call.inputs] == [torch.float32] * 2 + [torch.int64]


@pytest.mark.parametrize(
    ("args", "options", "message"),
    [
        ((), {}, "does not take the 0 positional"),
        ((3.5,), {}, "was given no tensor"),
        ((X,), {"input_names": ["a", "b"]}, "2 names, but there are 1 inputs"),
        ((X, H), {"input_names": ["a", "a"]}, "a more than once"),
        ((X,), {"input_names": "x"}, "must be a list of names"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(
    args: tuple[Any, ...], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(OptionError, match=message):
        describe_call(module(plain), args, **options)


@dataclasses.dataclass
class Result:
    y: Tensor
    states: tuple[Tensor, Tensor]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (X, ["output"]),
        ((X,), ["output"]),
        ((X, H), ["output_0", "output_1"]),
        ((X, (H, H)), ["output_0", "output_1", "output_2"]),
        ((X, None, {"a": H}), ["output_0", "output_1"]),
        ({"y": X, "state": (H, H)}, ["y", "state_0", "state_1"]),
        ({"a": {"b": X}}, ["a_b"]),
        (Result(X, (H, H)), ["y", "states_0", "states_1"]),
        ({"x": X}, ["x_out"]),
        ((X, 7), ["output_0", "output_1"]),
    ],
)
def test_outputs_take_keys_or_numbers(value: Any, expected: list[str]) -> None:
    assert list(named_outputs(value, taken=["x"])) == expected


@pytest.mark.parametrize("value", [None, (), "text", {"a": object()}])
def test_results_without_tensors_are_refused(value: Any) -> None:
    with pytest.raises(ExportError, match="forward returned"):
        named_outputs(value)


def test_output_names_must_fit() -> None:
    with pytest.raises(OptionError, match="1 names, but there are 2 results"):
        named_outputs((X, H), ["y"])
    with pytest.raises(OptionError, match="an input and an output"):
        named_outputs(X, ["x"], taken=["x"])
