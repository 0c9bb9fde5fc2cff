"""Any chain of torch's own modules is found as it was built; any other file is refused or read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from lstm_export.errors import CheckpointError, OptionError
from lstm_export.importing.infer.infer import infer
from lstm_export.importing.infer.table import text_rows
from lstm_export.importing.layers.bind import bind
from lstm_export.importing.layers.grammar import parse
from lstm_export.importing.raw import RawFile

Read = Callable[..., RawFile]
CELLS = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}


@st.composite
def chains(draw: st.DrawFn) -> tuple[dict[str, nn.Module], list[tuple[str, str]]]:
    """Modules by name, and the (name, kind) of each that has weights, in the order of data."""
    parts: dict[str, nn.Module] = {}
    kinds: list[tuple[str, str]] = []
    # Distinct widths, so that nothing but the order that was built chains.
    widths = iter(draw(st.permutations(range(3, 23))))

    def add(kind: str, module: nn.Module) -> None:
        name = f"{draw(st.sampled_from(['layer', 'block', 'm']))}_{kind[:3]}{len(parts)}"
        parts[name] = module
        kinds.append((name, kind))

    width = next(widths)
    if draw(st.booleans()):
        add("embedding", nn.Embedding(next(widths), width))
        name, module = parts.popitem()
        parts[f"{name}_emb"], kinds[-1] = module, (f"{name}_emb", "embedding")
    if draw(st.booleans()):
        out = next(widths)
        front = draw(st.sampled_from(["linear", "conv1d"]))
        add(front, nn.Linear(width, out) if front == "linear" else nn.Conv1d(width, out, 3))
        width = out
    if draw(st.booleans()):
        add("batch_norm", nn.BatchNorm1d(width))
    for _ in range(draw(st.integers(1, 3))):
        kind = draw(st.sampled_from(sorted(CELLS)))
        two_ways, hidden = draw(st.booleans()), next(widths)
        rest: dict[str, Any] = {"bias": draw(st.booleans())}
        if kind == "lstm" and draw(st.booleans()):
            rest["proj_size"] = draw(st.integers(1, hidden - 1))
        layers = draw(st.integers(1, 3))
        add(kind, CELLS[kind](width, hidden, layers, bidirectional=two_ways, **rest))
        width = rest.get("proj_size", hidden) * (1 + two_ways)
    if draw(st.booleans()):
        add("layer_norm", nn.LayerNorm(width))
    for _ in range(draw(st.integers(0, 2))):
        out = next(widths)
        add("linear", nn.Linear(width, out))
        width = out
    return parts, kinds


@settings(deadline=None, max_examples=60)
@given(chain=chains(), prefix=st.sampled_from(["", "module.", "state_dict.model.", "net.x."]))
def test_what_was_built_is_found(
    read_as: Read, net: Any, chain: tuple[dict[str, nn.Module], list[tuple[str, str]]], prefix: str
) -> None:
    parts, kinds = chain
    state = {f"{prefix}{name}": t for name, t in net(**parts).state_dict().items()}
    found = infer(read_as(state))
    expected = [name for name, _ in kinds]
    if len(kinds) == 1 and prefix:
        expected = [found.groups[0].name]
    assert [group.name for group in found.groups] == expected
    assert [group.kind for group in found.groups] == [kind for _, kind in kinds]
    assert found.proposal is not None, found.question
    steps = [step for step in found.proposal.steps if step.tensors]
    assert [step.op for step in steps] == [kind for _, kind in kinds]
    assert not [row for row in found.table if row.use == "unused"]
    for step, module in zip(steps, parts.values(), strict=True):
        held = {k for k in module.state_dict() if k != "num_batches_tracked"}
        assert set(step.tensors) == held
        for role, name in step.tensors.items():
            assert np.array_equal(found.state.tensors[name], module.state_dict()[role].numpy())
    # The layer string, copied and read back, finds the same tensors for the same steps.
    bound = bind(parse(found.proposal.text), found.state.tensors)
    assert bound.inputs == found.proposal.inputs
    for one, other in zip(bound.steps, found.proposal.steps, strict=True):
        assert (one.op, one.inputs, one.outputs) == (other.op, other.inputs, other.outputs)
        assert {k: v for k, v in one.tensors.items() if k != "num_batches_tracked"} == other.tensors


@settings(deadline=None, max_examples=60)
@given(chain=chains(), data=st.data())
def test_a_damaged_state_dict_is_read_or_refused(
    read_as: Read, net: Any, chain: tuple[dict[str, nn.Module], list[tuple[str, str]]], data: Any
) -> None:
    state: dict[str, Tensor] = dict(net(**chain[0]).state_dict())
    for _ in range(data.draw(st.integers(1, 3))):
        name = data.draw(st.sampled_from(sorted(state)))
        tensor = state[name]
        match data.draw(st.sampled_from(["drop", "turn", "cut", "flat", "int", "empty", "rename"])):
            case "drop" if len(state) > 1:
                del state[name]
            case "turn":
                state[name] = tensor.t() if tensor.ndim == 2 else tensor
            case "cut" if tensor.ndim:
                state[name] = tensor[:-1]
            case "flat":
                state[name] = tensor.reshape(-1)
            case "int":
                state[name] = tensor.to(torch.int8)
            case "empty":
                state[name] = tensor.reshape(-1)[:0]
            case "rename":
                state = {data.draw(NAMES) if k == name else k: v for k, v in state.items()}
    _read_or_refused(read_as(state))


WORDS = st.sampled_from(
    ["lstm", "a", "0", "1", "state_dict", "model", "module", "ema", "optimizer", "parametrizations",
     "state", "weight", "_orig_mod", "x y", "", "é", "floats", "last", "return"]
)  # fmt: skip
LEAVES = st.sampled_from(
    ["weight", "bias", "weight_ih_l0", "weight_hh_l0", "weight_ih", "weight_hh", "weight_hr_l0",
     "weight_ih_l99999999999", "bias_ih_l0", "bias_hh_l0_reverse", "weight_g", "weight_v",
     "weight_orig", "weight_u", "weight_mask", "original0", "original1", "original", "0._u",
     "weight_hh_l0_raw", "running_mean", "running_var", "num_batches_tracked", "h0", "c0",
     "in_proj_weight", "recurrent_kernel", "transitions", "exp_avg", "step", "_flat_weights.0"]
)  # fmt: skip
NAMES = st.builds(lambda words, leaf: ".".join([*words, leaf]), st.lists(WORDS, max_size=3), LEAVES)
SHAPES = st.lists(st.sampled_from([0, 1, 2, 3, 4, 8, 12]), max_size=4).map(tuple)
DTYPES = st.sampled_from(["float32", "float64", "int64", "int8", "bool", "complex64"])
DECLARED = st.dictionaries(
    st.builds(
        lambda words, key: ".".join([*words, key]),
        st.lists(WORDS, max_size=2),
        st.sampled_from(["hidden_size", "batch_first", "mode", "padding", "num_layers", "eps"]),
    ),
    st.sampled_from([0, 1, 4, -1, 2.5, True, None, "LSTM", "relu", (1,), (1, 2), "same"]),
    max_size=4,
)


@settings(deadline=None, max_examples=400)
@given(
    arrays=st.dictionaries(NAMES, st.tuples(SHAPES, DTYPES), max_size=9),
    declared=DECLARED,
    keys=st.lists(WORDS, max_size=2, unique=True).map(tuple),
    key=st.none() | WORDS,
)
def test_any_names_and_shapes_are_read_or_refused(
    arrays: dict[str, tuple[tuple[int, ...], str]],
    declared: dict[str, Any],
    keys: tuple[str, ...],
    key: str | None,
) -> None:
    tensors = {name: np.ones(shape, dtype) for name, (shape, dtype) in arrays.items()}
    stored = {name: dtype for name, (_, dtype) in arrays.items()}
    _read_or_refused(RawFile("f", "torch", tensors, stored, keys, declared), key)


def _read_or_refused(raw: RawFile, key: str | None = None) -> None:
    try:
        found = infer(raw, key)
    except (CheckpointError, OptionError):
        return
    assert [row.name for row in found.table] == list(raw.tensors)
    assert len(text_rows(found.table)) == len(raw.tensors)
    assert found.to_dict()["tensors"] is not None
    assert (found.proposal is None) != (found.question is None)
    if found.proposal is not None:
        assert len(parse(found.proposal.text).steps) == len(found.proposal.steps)
