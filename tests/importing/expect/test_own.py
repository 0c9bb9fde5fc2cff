"""A module of one's own beside known outputs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lstm_export.errors import InputError
from lstm_export.importing.expect.agreement import message
from lstm_export.importing.expect.own import check_module


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(2)
        self.emb = nn.Embedding(7, 3)
        self.rnn = nn.GRU(5, 4, batch_first=True)

    def forward(self, tokens: Tensor, extra: Tensor) -> dict[str, Tensor]:
        y, h = self.rnn(torch.cat([self.emb(tokens), extra], 2))
        return {"scores": y, "state": h}


TOKENS, EXTRA = torch.randint(0, 7, (2, 5)), torch.randn(2, 5, 2)
EXAMPLE = (torch.zeros(1, 3, dtype=torch.int64), torch.zeros(1, 3, 2))


def saved(path: Path, **changed: object) -> Path:
    with torch.no_grad():
        answer = Net().eval()(TOKENS, EXTRA)
    arrays = {"tokens": TOKENS, "extra": EXTRA, **answer, **changed}
    np.savez(path, **{name: np.asarray(array) for name, array in arrays.items()})  # type: ignore[arg-type]
    return path


def test_known_outputs_agree_at_other_shapes_than_the_example(tmp_path: Path) -> None:
    found = check_module(Net().eval(), EXAMPLE, None, [saved(tmp_path / "io.npz")])
    assert found.passed
    assert [each.name for each in found.outputs] == ["scores", "state"]
    assert found.said[0].startswith(f"{tmp_path / 'io.npz'} agrees: scores: error")
    double = check_module(Net().double().eval(), EXAMPLE, None, [tmp_path / "io.npz"])
    assert double.passed


def test_other_numbers_and_inputs_that_the_module_refuses(tmp_path: Path) -> None:
    wrong = saved(tmp_path / "wrong.npz", state=np.ones((1, 2, 4)))
    found = check_module(Net().eval(), EXAMPLE, None, [wrong])
    assert [each.passed for each in found.outputs] == [True, False]
    assert "state: error" in message(found)
    assert check_module(Net().eval(), EXAMPLE, None, [wrong], atol=5.0).passed
    other = saved(tmp_path / "other.npz", tokens=np.full((2, 5), 9))
    with pytest.raises(InputError, match=r"Net refuses .*other\.npz: index out of range"):
        check_module(Net().eval(), EXAMPLE, None, [other])
