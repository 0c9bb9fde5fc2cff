"""What files call for by themselves: slopes and norms that are found by names, layers declared."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn

from lstm_export.importing.build import build
from lstm_export.importing.infer.infer import infer
from lstm_export.importing.layers.bind import bind, unused
from lstm_export.importing.layers.grammar import parse
from lstm_export.importing.raw import RawFile
from lstm_export.importing.read import read
from lstm_export.importing.reference import run

sys.path.insert(0, str(Path(__file__).parent))

from test_numbers import agree

FIXTURES = Path(__file__).parents[1] / "fixtures"


class Model(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        # Slopes of many features have the shape of a norm: their name tells.
        self.conv, self.prelu = nn.Conv1d(3, 4, 3), nn.PReLU(4)
        self.lstm, self.rmsnorm = nn.LSTM(4, 5), nn.RMSNorm(5)
        self.fc, self.act, self.out = nn.Linear(5, 6), nn.PReLU(), nn.Linear(6, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.prelu(self.conv(x.transpose(1, 2))).transpose(1, 2)
        x = self.rmsnorm(self.lstm(x.transpose(0, 1))[0][-1])
        result: torch.Tensor = self.out(self.act(self.fc(x)))
        return result


def test_slopes_and_a_norm_by_the_root_mean_square() -> None:
    torch.manual_seed(0)
    model = Model()
    for parameter in model.parameters():
        nn.init.normal_(parameter)
    model.double().eval()
    tensors = {name: value.numpy() for name, value in model.state_dict().items()}
    found = infer(RawFile("f", "torch", tensors, dict.fromkeys(tensors, "float64")))
    assert found.proposal is not None
    assert found.proposal.text == (
        "conv:conv1d, prelu, lstm, last, rmsnorm:rms_norm, fc:linear, act:prelu, out:linear"
    )
    assert any("rmsnorm has torch's eps of 1.2e-7" in said for said in found.proposal.assumptions)
    # In double torch adds what is double's own.
    text = found.proposal.text.replace("rms_norm", f"rms_norm(eps={np.finfo(np.float64).eps})")
    description = bind(parse(text), tensors)
    x = torch.randn(2, 7, 3).double()
    with torch.inference_mode():
        expected, built = model(x).numpy(), build(description).double()(x).numpy()
    assert np.abs(run(description, {"x": x.numpy()})["output"] - expected).max() < 1e-12
    assert np.abs(built - expected).max() < 1e-12


def test_slopes_of_a_plug_ins_model() -> None:
    raw = read(FIXTURES / "rtneural_gru.json")
    found = infer(raw)
    assert found.proposal is not None
    assert "layers.2:prelu" in found.proposal.text
    description = bind(parse(found.proposal.text), raw.tensors, raw.layers or ())
    assert not unused(description)
    agree(description)
