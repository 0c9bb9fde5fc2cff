"""A clock of our own, and one small bundle of a module and of a run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import lstm_export
from lstm_export.contract import Column, Forecast, Recurrent, Scaling, Window


class FakeClock:
    """Moves only when somebody works; with `drift` everybody gets slower as time passes."""

    def __init__(self, drift: float = 0.0) -> None:
        self.now, self.drift = 0.0, drift

    def __call__(self) -> float:
        return self.now

    def work(self, seconds: float) -> Callable[[], None]:
        """A call that takes that long."""

        def call() -> None:
            self.now += seconds * (1 + self.drift * self.now)

        return call


class Tagger(nn.Module):
    """Two inputs and two outputs, layers of two directions after ones of one."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(7, 5)
        self.lower = nn.LSTM(5, 6, 2, batch_first=True)
        self.upper = nn.GRU(6, 4, batch_first=True, bidirectional=True)
        self.head = nn.Linear(8, 2)

    def forward(self, tokens: Tensor, extra: Tensor) -> tuple[Tensor, Tensor]:
        y, _ = self.lower(self.embedding(tokens) + extra)
        z, _ = self.upper(y)
        return self.head(z), z[:, -1]


@pytest.fixture
def make_clock() -> type[FakeClock]:
    return FakeClock


@pytest.fixture(scope="session")
def tagger() -> nn.Module:
    torch.manual_seed(0)
    return Tagger().eval()


@pytest.fixture(scope="session")
def module_bundle(tagger: nn.Module, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bench") / "bundle"
    example = torch.randint(0, 7, (2, 6)), torch.rand(2, 6, 5)
    lstm_export.export_bundle(tagger, path, args=example)
    return path


@pytest.fixture(scope="session")
def run_bundle(make_bundle: Callable[[Forecast], Path]) -> Path:
    """Differences over two rows, one step ahead, of its one feature."""
    column, scaling = Column("y", "", -1.0, 1.0), Scaling("standard", (0.1,), (2.0,))
    layers = Recurrent("lstm", 1, 5)
    return make_bundle(Forecast((column,), (column,), Window(6, 1, 2), scaling, scaling, layers))


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of its own, not there yet."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("LSTM_EXPORT_CACHE", str(folder))
    return folder
