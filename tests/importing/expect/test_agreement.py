"""What passes, what does not, and what is said where nothing fits."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from lstm_export.errors import OptionError
from lstm_export.importing.expect.agreement import message, require_agreement
from lstm_export.importing.expect.check import check
from lstm_export.importing.expect.read import read_expected
from lstm_export.importing.layers.bind import bind
from lstm_export.importing.layers.grammar import parse
from lstm_export.importing.raw import RawLayer
from lstm_export.importing.reference import run

sys.path.insert(0, str(Path(__file__).parent))

from torch_models import Model, lstm_head, random

DEFAULT = "lstm, last, fc:linear"


def saved(model: Model, path: Path) -> Path:
    return model.save(path, lambda x: model.fc(model.lstm(x)[0][:, -1]), x=random(4, 6, 3))


def test_equal_numbers_pass(tmp_path: Path) -> None:
    model = lstm_head(num_layers=2, bidirectional=True)
    found = model.check(DEFAULT, saved(model, tmp_path / "io.npz"))
    require_agreement(found)
    (output,) = found.outputs
    assert output.error <= output.bound
    assert "1e-5 × max|expected|" in found.summary
    assert json.loads(json.dumps(found.to_dict()))["passed"]


@pytest.mark.usefixtures("few_pairs")
def test_a_weight_that_is_a_thousandth_off_fails(tmp_path: Path) -> None:
    model = lstm_head()
    path = saved(model, tmp_path / "io.npz")
    model.modules["lstm"].weight_hh_l0.data[3, 2] += 1e-3
    found = model.check(DEFAULT, path)
    assert not found.passed
    assert not found.fits
    assert "the function is probably right" in message(found)
    assert model.check(DEFAULT, path, atol=1e-2).passed
    with pytest.raises(OptionError, match="atol"):
        model.check(DEFAULT, path, atol=-1.0)


@pytest.mark.usefixtures("few_pairs")
def test_where_nothing_fits_the_nearest_is_named(tmp_path: Path) -> None:
    model = lstm_head()

    def strange(x: torch.Tensor) -> torch.Tensor:
        return model.fc(model.lstm(x)[0][:, -1].cos() * 3).sigmoid()

    found = model.check(DEFAULT, model.save(tmp_path / "io.npz", strange, x=random(4, 6, 3)))
    assert not found.fits
    assert found.nearest is not None
    assert model.check(found.nearest.text, tmp_path / "io.npz").outputs[0].ratio > 1
    text = message(found)
    assert "alternatives fits, alone or together (the axis of time, which step is read" in text
    assert f'--layers "{found.nearest.text}"' in text
    data = json.loads(json.dumps(found.to_dict()))
    assert data["nearest"]["layers"] == found.nearest.text
    assert data["outputs"][0]["error"] > data["outputs"][0]["bound"]


def test_data_that_cannot_tell_are_said_to_be_so(tmp_path: Path) -> None:
    model = Model(gru=nn.GRU(3, 5, batch_first=True), a=nn.Linear(5, 6), b=nn.Linear(6, 2))
    model.modules["a"].bias.data += 50
    path = model.save(
        tmp_path / "io.npz",
        lambda x: model.b(torch.relu(model.a(model.gru(x)[0][:, -1]))),
        x=random(4, 6, 3),
    )
    found = model.check("gru, last, a:linear, tanh, b:linear", path)
    texts = [fit.text for fit in found.fits]
    assert texts[:2] == ["gru, last, a:linear, b:linear", "gru, last, a:linear, relu, b:linear"]
    assert len(texts) == 4
    assert f"These fit, and these data cannot tell them apart, and {found.more} more" in message(
        found
    )


def test_outputs_scaled_back(tmp_path: Path) -> None:
    model = lstm_head()
    path = model.save(
        tmp_path / "io.npz",
        lambda x: model.fc(model.lstm(x)[0].mean(1)) * 12.5 + 40,
        x=random(6, 6, 3),
    )
    found = model.check(DEFAULT, path)
    (fit,) = found.fits
    assert fit.text.startswith("lstm, mean, fc:linear, scale(factor=12.5")
    assert model.check(fit.text, path).passed


def test_one_of_two_outputs(tmp_path: Path) -> None:
    model = Model(gru=nn.GRU(3, 5, batch_first=True), mean=nn.Linear(5, 2), chance=nn.Linear(5, 1))

    def function(x: torch.Tensor) -> dict[str, torch.Tensor]:
        y = model.gru(x)[0][:, -1]
        return {"m": model.mean(y), "p": model.chance(y).sigmoid().squeeze(1)}

    text = "trunk = gru, last; m = trunk, mean:linear; p = trunk, chance:linear; return m, p"
    path = model.save(tmp_path / "io.npz", function, x=random(4, 6, 3))
    found = model.check(text, path)
    assert [each.passed for each in found.outputs] == [True, False]
    (fit,) = found.fits
    assert fit.sentence == "sigmoid stands behind the output p"
    assert model.check(fit.text, path).passed


def test_layers_that_the_file_declares(tmp_path: Path) -> None:
    random_ = np.random.default_rng(3)
    shapes = {"kernel": (3, 16), "recurrent_kernel": (4, 16), "bias": (16,)}
    tensors = {
        f"lstm.{role}": random_.normal(size=shape).astype(np.float32)
        for role, shape in shapes.items()
    }
    declared = [RawLayer("lstm", "lstm", {}, {r: f"lstm.{r}" for r in shapes}, "keras")]
    layers, x = parse("lstm"), random(4, 6, 3)
    description = bind(layers, tensors, declared)
    y = np.maximum(run(description, {"x": x})["output"][:, -1], 0)
    np.savez(tmp_path / "io.npz", x=x, y=y)
    found = check(layers, tensors, declared, read_expected([tmp_path / "io.npz"], description))
    assert "lstm, last, relu" in [fit.text for fit in found.fits]


def test_numbers_that_a_half_float_rounded_pass(tmp_path: Path) -> None:
    model = lstm_head()
    path = saved(model, tmp_path / "io.npz")
    arrays = dict(np.load(path))
    np.savez(path, x=arrays["x"], output=arrays["output"].astype(np.float16))
    found = model.check(DEFAULT, path)
    assert found.passed
    assert "last digit" in found.summary
