"""What a user is told of a batch or a length that has one size."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import lstm_export as lx
from lstm_export.bundle.layout import LAYOUT


class Model(nn.Module):
    """What may stand around a layer, and `forward` as a function of it and x."""

    def __init__(self, run: Callable[[Model, Tensor], Tensor]) -> None:
        super().__init__()
        self.run = run
        self.embedding, self.linear = nn.Embedding(9, 3), nn.Linear(3, 3)
        self.lstm = nn.LSTM(3, 4, batch_first=True)
        self.flat, self.mixed = nn.Linear(20, 2), nn.Linear(5, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.run(self, x)


def batch_of_its_own(m: Model, x: Tensor) -> Tensor:
    state = torch.zeros(1, 2, 4)
    return m.lstm(m.linear(x), (state, state))[0]  # type: ignore[no-any-return]


def shape_of_its_own(m: Model, x: Tensor) -> Tensor:
    return m.lstm(x.reshape(2, 5, 3))[0]  # type: ignore[no-any-return]


def flattened(m: Model, x: Tensor) -> Tensor:
    return m.flat(m.lstm(m.embedding(x))[0].flatten(1))  # type: ignore[no-any-return]


def without_a_layer(m: Model, x: Tensor) -> Tensor:
    return m.mixed(x.transpose(1, 2))  # type: ignore[no-any-return]


def of_any_size(m: Model, x: Tensor) -> Tensor:
    return m.lstm(m.linear(x))[0]  # type: ignore[no-any-return]


FLOATS, INDICES = torch.ones(2, 5, 3), torch.ones(2, 5, dtype=torch.int64)
STATES = r"the module refuses 3, 6, 8 here: lstm .*Expected hidden\[0\] size"
RESHAPE = "the module refuses .*: RuntimeError: shape '.2, 5, 3.' is invalid"
BOTH = ("0 is always 2", "1 is always 5")
LINEAR = "the module refuses 6, 15, 9, 2, 4, 20 here: {} .Linear.*mat1 and mat2"


@pytest.mark.parametrize(
    ("run", "x", "told"),
    [
        (batch_of_its_own, FLOATS, [f"x: axis 0 is always 2: {STATES}"]),
        (shape_of_its_own, FLOATS, [f"x: axis {axis}: {RESHAPE}" for axis in BOTH]),
        (flattened, INDICES, [f"x: axis 1 is always 5: {LINEAR.format('flat')}"]),
        (without_a_layer, FLOATS, [f"x: axis 1 is always 5: {LINEAR.format('mixed')}"]),
        (of_any_size, FLOATS, []),
    ],
)
def test_a_fixed_batch_or_length_is_a_note(
    run: Callable[[Model, Tensor], Tensor], x: Tensor, told: list[str], tmp_path: Path
) -> None:
    report = lx.export_onnx(Model(run).eval(), (x,), tmp_path / "m.onnx", verify=False)
    *notes, unverified = report.notes
    assert "not verified" in unverified
    for note, expected in zip(notes, told, strict=True):
        assert re.match(expected, note), note
        assert f"  note: {note}" in str(report)


def test_a_bundle_has_the_notes_in_its_manifest_and_on_its_card(tmp_path: Path) -> None:
    path = tmp_path / "bundle"
    manifest = lx.export_bundle(Model(flattened).eval(), path, args=(INDICES,))
    (note,) = [note for note in manifest.provenance.notes if note.startswith("x: axis 1 is always")]
    assert f"- {note}\n" in (path / LAYOUT.card).read_text(encoding="utf-8")
