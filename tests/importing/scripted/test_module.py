"""Scripts as modules: the same numbers at other batches and lengths, in torch and in a file."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from torch import Tensor, nn

from lstm_export import export_onnx
from lstm_export.errors import CheckpointError, ExportError, OptionError, ParityError
from lstm_export.importing.scripted.against import Against
from lstm_export.importing.scripted.module import Scripted, scripted_module
from tests.importing.scripted import models

Inputs = Callable[[int, int], tuple[Any, ...]]


def saved(path: Path, module: nn.Module, example: tuple[Any, ...] | None = None) -> Path:
    """An archive of `module`, traced on an example or scripted."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.manual_seed(0)
        if example is None:
            made: Any = torch.jit.script(module.eval())
        else:
            made = torch.jit.trace(module.eval(), example, strict=False)
        torch.jit.save(made, str(path))
    return path


def batch_first(batch: int, length: int) -> tuple[Tensor, ...]:
    return (torch.randn(batch, length, 3),)


def time_major(batch: int, length: int) -> tuple[Tensor, ...]:
    return (torch.randn(length, batch, 3),)


def tokens(batch: int, length: int) -> tuple[Tensor, ...]:
    lengths = torch.randint(1, length + 1, (batch,))
    lengths[0] = length
    return torch.randint(0, 7, (batch, length)), lengths


def with_state(batch: int, length: int) -> tuple[Any, ...]:
    return torch.randn(batch, length, 3), torch.randn(2, batch, 4)


def with_pair(batch: int, length: int) -> tuple[Any, ...]:
    return torch.randn(batch, length, 3), (torch.randn(batch, 4), torch.randn(batch, 4))


CASES: dict[str, tuple[nn.Module, Inputs]] = {
    "lstm": (models.Classifier("LSTM"), batch_first),
    "lstm two ways": (
        models.Classifier("LSTM", batch_first=False, bidirectional=True, num_layers=2),
        time_major,
    ),
    "gru": (models.Classifier("GRU", bias=False), batch_first),
    "rnn": (models.Classifier("RNN", nonlinearity="relu"), batch_first),
    "packed": (models.Packed(), tokens),
    "stacked": (models.Stacked(), batch_first),
    "steps": (models.Steps(), batch_first),
    "steps with state": (models.Steps(), with_pair),
    "state": (models.Stateful(), with_state),
}
CASES = {f"{name}, {how}": case for name, case in CASES.items() for how in ("scripted", "traced")}
del CASES["steps, traced"], CASES["steps with state, traced"]


def flat(results: Any) -> list[Tensor]:
    if isinstance(results, Tensor):
        return [results]
    values = results.values() if isinstance(results, dict) else results
    return [tensor for value in values for tensor in flat(value)]


@pytest.mark.parametrize("name", CASES)
def test_gives_the_scripts_numbers_at_any_size(name: str, tmp_path: Path) -> None:
    module, inputs = CASES[name]
    path = saved(tmp_path / "m.ts", module, inputs(2, 5) if name.endswith("traced") else None)
    scripted = scripted_module(path)
    args = inputs(3, 6)
    against = Against(scripted, args)
    export_onnx(scripted.module, args, tmp_path / "m.onnx", verify=False)
    session = onnxruntime.InferenceSession(tmp_path / "m.onnx")
    axes = {axis for one in session.get_inputs() for axis in one.shape if isinstance(axis, str)}
    assert axes == {"batch", "sequence_length"}
    for batch, length in ((1, 4), (3, 7)):
        given = inputs(batch, length)
        feeds = {
            one.name: tensor.numpy()
            for one, tensor in zip(session.get_inputs(), flat(given), strict=True)
        }
        exact = against(feeds)
        with torch.no_grad():
            wanted = flat(scripted.original(*given))
        got = session.run(None, feeds)
        assert len(exact) == len(wanted) == len(got)
        for value, expected, reference in zip(got, wanted, exact.values(), strict=True):
            np.testing.assert_allclose(expected.numpy(), reference, atol=2e-6)
            np.testing.assert_allclose(value, reference, atol=2e-6)
    assert against.notes == ("the script itself gave the same on 3 inputs, 3 of them to the bit",)


def of(tmp_path: Path, module: nn.Module, example: tuple[Any, ...] | None = None) -> Scripted:
    return scripted_module(saved(tmp_path / "model.ts", module, example))


def test_forward_has_the_scripts_arguments_and_defaults(tmp_path: Path) -> None:
    scripted = of(tmp_path, models.Stateful())
    x = torch.randn(2, 5, 3)
    y, h_n = scripted.module(x=x, scale=3.0)
    wanted = scripted.original(x, None, 3.0)
    assert torch.equal(y, wanted[0])
    assert torch.equal(h_n, wanted[1])
    assert torch.equal(scripted.module(x)[0], scripted.original(x)[0])


def test_recurrent_layers_are_torchs_own(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    traced = of(tmp_path / "a", models.Packed(), tokens(2, 5))
    scripted = of(tmp_path / "b", models.Packed())
    for one in (traced, scripted):
        assert isinstance(one.module.lstm, nn.LSTM)
        assert isinstance(one.module.emb, nn.Embedding)
        assert "self.lstm(packed" in one.source
        assert "zeros" not in one.source
        wanted = {name: value.shape for name, value in one.original.state_dict().items()}
        assert {name: value.shape for name, value in one.module.state_dict().items()} == wanted


def test_a_frozen_script_keeps_its_layers(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        frozen = torch.jit.freeze(torch.jit.script(models.Classifier("LSTM").eval()))
        torch.jit.save(frozen, str(tmp_path / "frozen.ts"))
    scripted = scripted_module(tmp_path / "frozen.ts")
    assert any(isinstance(one, nn.LSTM) for one in scripted.module.modules())
    Against(scripted, batch_first(3, 4))


def test_half_precision_is_said(tmp_path: Path) -> None:
    scripted = of(tmp_path, models.Classifier("LSTM").half())
    assert scripted.notes == ("the script was not in float32 throughout (float16): it is now",)
    Against(scripted, batch_first(2, 3))


def test_a_loop_that_was_traced_is_said(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scripted = of(tmp_path, models.Steps(), batch_first(2, 5))
    (note,) = scripted.notes
    assert note.startswith("the script takes 5 entries of a tensor one by one, whatever its length")


def test_weights_that_forward_computes_are_folded(tmp_path: Path) -> None:
    module = models.Classifier("LSTM")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        nn.utils.weight_norm(module.rnn, "weight_hh_l0")
    scripted = of(tmp_path, module, batch_first(2, 5))
    assert any(isinstance(one, nn.LSTM) for one in scripted.module.modules())
    Against(scripted, batch_first(3, 4))


def test_quantised_weights_are_named(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        quantise: Any = torch.ao.quantization.quantize_dynamic
        module = quantise(models.Classifier("LSTM"), {nn.LSTM})
    with pytest.raises(CheckpointError, match=r"rnn\._all_weight_values.* holds quantised weights"):
        of(tmp_path, module)


@pytest.mark.parametrize("view", [False, True], ids=["state", "view"])
def test_a_traced_size_stays_what_it_is(view: bool, tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scripted = of(tmp_path, models.Baked(view), batch_first(2, 5))
    Against(scripted, batch_first(2, 5))
    with pytest.raises(OptionError, match=r"does not take this example itself"):
        Against(scripted, batch_first(3, 5))
    axes: Any = {"x": {0: "batch", 1: "sequence_length"}}
    with pytest.raises(ExportError, match=r"batch"):
        export_onnx(scripted.module, batch_first(2, 5), tmp_path / "m.onnx", dynamic_axes=axes)


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (models.Kept(), r"forward sets self\.last.*--layers.*\n  near models\.py:\d+: y, _ = self"),
        (models.Forks(), r"prim::fork is nothing.*--module.*\n  at models\.py:\d+: .*jit\.fork"),
    ],
    ids=["attribute", "fork"],
)
def test_what_has_no_counterpart_is_named_with_its_place(
    module: nn.Module, message: str, tmp_path: Path
) -> None:
    with pytest.raises(CheckpointError, match=message):
        of(tmp_path, module)


def test_a_branch_on_values_is_refused_with_the_scripts_own_line(tmp_path: Path) -> None:
    scripted = of(tmp_path, models.Decides())
    Against(scripted, time_major(2, 5))
    with pytest.raises(ExportError, match=r"models\.py:\d+: if bool\(y\.sum\(\) > 0\)"):
        export_onnx(scripted.module, time_major(2, 5), tmp_path / "m.onnx")


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 cut off"])
def test_what_torch_cannot_load_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "m.ts").write_bytes(content)
    with pytest.raises(CheckpointError, match=r"m\.ts: expected an archive of torch\.jit\.save"):
        scripted_module(tmp_path / "m.ts")


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"none\.ts"):
        scripted_module(tmp_path / "none.ts")


def test_an_example_that_the_script_refuses_is_named(tmp_path: Path) -> None:
    scripted = of(tmp_path, models.Classifier("LSTM"))
    with pytest.raises(OptionError, match=r"does not take this example itself.*--example-shape"):
        Against(scripted, (torch.randn(2, 5, 4),))


def test_a_difference_from_the_script_is_found(tmp_path: Path) -> None:
    scripted = of(tmp_path, models.Classifier("LSTM"))
    with torch.no_grad():
        scripted.module.rnn.weight_hh_l0 = nn.Parameter(scripted.module.rnn.weight_hh_l0 * 1.01)
    with pytest.raises(
        ParityError, match=r"does not give the script's own output for x \(2, 5, 3\)"
    ):
        Against(scripted, batch_first(2, 5))
