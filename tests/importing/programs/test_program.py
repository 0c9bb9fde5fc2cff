"""Programs of torch.export as modules: the source's numbers at sizes they were not saved for."""

from __future__ import annotations

import io
import os
import re
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from torch import Tensor, library, nn
from torch.export import Dim
from torch.utils._pytree import tree_leaves

from lstm_export import export_onnx
from lstm_export.errors import CheckpointError, OptionError
from lstm_export.importing.programs.program import Program, program_module
from lstm_export.importing.scripted.against import Against
from tests.importing.programs import models

Inputs = Callable[[int, int], tuple[Any, ...]]


def saved(
    path: Path,
    module: nn.Module,
    example: tuple[Any, ...],
    *,
    decomposed: bool = False,
    training: bool = False,
    dynamic_shapes: Any = None,
) -> Path:
    with warnings.catch_warnings():
        # torch warns of the lists that recurrent layers keep of their weights.
        warnings.simplefilter("ignore")
        module.train(training)
        program = torch.export.export(module, example, dynamic_shapes=dynamic_shapes)
        if decomposed:
            program = program.run_decompositions()
        torch.export.save(program, path)
    return path


def converted(folder: Path, module: nn.Module, *example: Any, **options: Any) -> Program:
    return program_module(saved(folder / "model.pt2", module, example, **options))


def features(batch: int, length: int) -> tuple[Any, ...]:
    return (torch.randn(batch, length, 3),)


def time_major(batch: int, length: int) -> tuple[Any, ...]:
    return (torch.randn(length, batch, 3),)


def with_state(batch: int, length: int) -> tuple[Any, ...]:
    return torch.randn(batch, length, 3), torch.randn(4, batch, 4)


def tokens(batch: int, length: int) -> tuple[Any, ...]:
    return (torch.randint(0, 7, (batch, length)),)


def lengths(batch: int, length: int) -> tuple[Any, ...]:
    return torch.randn(batch, length, 3), torch.randint(1, length + 1, (batch,))


CASES: dict[str, tuple[Callable[[], nn.Module], Inputs, Any]] = {
    "static": (models.Classifier, features, None),
    "dynamic": (models.Classifier, features, {"x": {0: Dim.AUTO, 1: Dim.AUTO}}),
    "time major": (models.TimeMajor, time_major, None),
    "states": (models.Stateful, with_state, None),
    "tokens": (models.Tokens, tokens, None),
    "views": (models.Views, features, None),
    "views, dynamic": (models.Views, features, {"x": {0: Dim.AUTO, 1: Dim.AUTO}}),
    "positions": (models.Positions, features, None),
    "last valid": (models.LastValid, lengths, None),
}


@pytest.mark.parametrize("name", CASES)
def test_other_sizes_give_what_the_source_gives(name: str, tmp_path: Path) -> None:
    make, inputs, dynamic = CASES[name]
    torch.manual_seed(0)
    source = make().eval()
    program = converted(tmp_path, source, *inputs(2, 5), dynamic_shapes=dynamic)
    assert program.args is not None
    assert any(isinstance(one, nn.RNNBase) for one in program.module.modules())
    assert set(dict(program.module.named_parameters())) == set(dict(source.named_parameters()))
    against = Against(program, program.args, program.kwargs, "program")
    # The comparison below is what counts here.
    report = export_onnx(program.module, program.args, tmp_path / "m.onnx", verify=False)
    assert against.notes[0] == "the program itself gave the same on 1 inputs, 1 of them to the bit"
    session = onnxruntime.InferenceSession(report.path)
    names = [one.name for one in session.get_inputs()]
    for batch in (1, 3):
        for length in (4, 7):
            given = inputs(batch, length)
            with torch.no_grad():
                wanted: Any = source(*given)
                found: Any = program.module(*given)
            feeds = dict(zip(names, (one.numpy() for one in tree_leaves(given)), strict=True))
            files = session.run(None, feeds)
            assert type(found) is type(wanted)
            if isinstance(wanted, dict):
                assert found.keys() == wanted.keys()
                assert [one.name for one in session.get_outputs()] == list(wanted)
            parts = zip(tree_leaves(wanted), tree_leaves(found), files, strict=True)
            for one, other, file in parts:
                torch.testing.assert_close(other, one)
                np.testing.assert_allclose(file, one.numpy(), atol=2e-6)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (models.Mean, r"axis 1 of x stays 5: div has 5, which may come of it at models\.py:\d+"),
        (models.Unrolled, r"axis 1 of x stays 5: entry 1 is taken by its number at models\.py"),
        (models.Chosen, r"axis 1 of x stays 5: entries are taken by numbers that the program"),
        (models.Flat, r"axis 1 of x stays 5: linear takes no other at models\.py"),
    ],
)
def test_a_length_that_the_graph_needs_stays(
    make: Callable[[], nn.Module], said: str, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    source = make().eval()
    program = converted(tmp_path, source, *features(2, 5))
    assert [note for note in program.notes if re.match(said, note)], program.notes
    x = torch.randn(3, 5, 3)
    with torch.no_grad():
        torch.testing.assert_close(program.module(x), source(x))
        with pytest.raises(ValueError, match="axis 1 is 6, and has to be 5"):
            program.module(torch.randn(3, 6, 3))


def test_a_fixed_length_is_exported_with_a_free_batch(tmp_path: Path) -> None:
    program = converted(tmp_path, models.Mean(), *features(2, 5))
    report = export_onnx(program.module, program.args, tmp_path / "m.onnx")
    (x,) = onnxruntime.InferenceSession(report.path).get_inputs()
    assert x.shape == ["batch", 5, 3]


def test_a_program_without_layers_is_computed_as_it_is(tmp_path: Path) -> None:
    torch.manual_seed(0)
    source = models.Classifier().eval()
    program = converted(tmp_path, source, *features(2, 3), decomposed=True)
    assert not any(isinstance(one, nn.RNNBase) for one in program.module.modules())
    x = torch.randn(4, 3, 3)
    with torch.no_grad():
        torch.testing.assert_close(program.module(x), source(x))


def test_other_precisions_become_float32(tmp_path: Path) -> None:
    source = models.Stateful().double().eval()
    given = tuple(one.double() for one in with_state(2, 5))
    program = converted(tmp_path, source, *given)
    assert program.notes[0] == "the program was not in float32 throughout (float64): it is now"
    assert {one.dtype for one in (*program.module.parameters(), *program.args)} == {torch.float32}
    with torch.no_grad():
        found, wanted = program.module(*program.args), source(*given)
    torch.testing.assert_close(found["steps"], wanted["steps"].float())
    Against(program, program.args, program.kwargs, "program")


def test_dropout_in_training_mode_is_refused(tmp_path: Path) -> None:
    module = nn.LSTM(3, 4, num_layers=2, dropout=0.5)
    with pytest.raises(CheckpointError, match=r"drops values at random: .* has to be in eval mode"):
        converted(tmp_path, module, *features(2, 5), training=True)


@library.custom_op("lstm_export_tests::turned", mutates_args=())
def turned(x: Tensor) -> Tensor:
    return x.flip(1)


@turned.register_fake
def _(x: Tensor) -> Tensor:
    return torch.empty_like(x)


class Own(models.Mean):
    def forward(self, x: Tensor) -> Tensor:
        return self.rnn(turned(x))[0]


def test_an_operator_of_ones_own_is_refused_with_its_line(tmp_path: Path) -> None:
    said = (
        r"this program cannot be converted: it calls lstm_export_tests\.turned\.default, an "
        r"operator of lstm_export_tests at test_program\.py:\d+: return self\.rnn\(turned\(x\)\)"
    )
    with pytest.raises(CheckpointError, match=said):
        converted(tmp_path, Own(), *features(2, 5))


class Malicious:
    def __reduce__(self) -> Any:
        return os.mkdir, (str(Path(os.environ["PT2_TEST_FOLDER"]) / "made"),)


def test_example_inputs_that_would_run_code_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """torch's own loader falls back on a pickle that may do anything."""
    monkeypatch.setenv("PT2_TEST_FOLDER", str(tmp_path))
    path = saved(tmp_path / "good.pt2", models.Mean(), features(2, 5))
    stream = io.BytesIO()
    torch.save(((Malicious(),), {}), stream)
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(tmp_path / "bad.pt2", "w") as new:
        for name in old.namelist():
            body = stream.getvalue() if "sample_inputs" in name else old.read(name)
            new.writestr(name, body)
    with pytest.raises(CheckpointError, match="unpickling them could run code"):
        program_module(tmp_path / "bad.pt2")
    assert not (tmp_path / "made").exists()


def test_what_torch_cannot_load_and_other_formats_are_refused(tmp_path: Path) -> None:
    path = saved(tmp_path / "good.pt2", models.Mean(), features(2, 5))
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(tmp_path / "bad.pt2", "w") as new:
        for name in old.namelist():
            body = old.read(name)
            new.writestr(name, body.replace(b"aten.gru.input", b"aten.gnu.input"))
    with pytest.raises(CheckpointError, match=r"bad\.pt2: expected a program of torch.export.save"):
        program_module(tmp_path / "bad.pt2")
    np.savez(tmp_path / "x.npz", a=np.zeros(3, np.float32))
    with pytest.raises(OptionError, match=r"is of format .*, expected a \.pt2"):
        program_module(tmp_path / "x.npz")
