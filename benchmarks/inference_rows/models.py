"""The models of the table, exported on the spot: bundles of modules, and of forecasters."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

import lstm_export
from lstm_export.checkpoint import Description, write_checkpoint
from lstm_export.contract import Column, DataOrigin, Forecast, Recurrent, Scaling, Window
from lstm_export.nn.forecaster import Forecaster


@dataclass(frozen=True)
class Config:
    """Sizes as the table writes them."""

    input_size: int
    hidden_size: int
    num_layers: int
    batch: int
    length: int
    bidirectional: bool = False

    def __str__(self) -> str:
        directions = " bi" if self.bidirectional else ""
        sizes = f"{self.input_size},{self.hidden_size},{self.num_layers}{directions}"
        return f"{sizes} B{self.batch} T{self.length}"

    @property
    def sizes(self) -> str:
        """The model's part alone, as a file name."""
        directions = "-bi" if self.bidirectional else ""
        return f"{self.input_size}-{self.hidden_size}-{self.num_layers}{directions}"

    @property
    def recurrent(self) -> Recurrent:
        return Recurrent(
            "lstm", self.input_size, self.hidden_size, self.num_layers, self.bidirectional
        )


class LastStep(nn.Module):
    """LSTM layers and a linear head on the last step."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.layers = nn.LSTM(
            config.input_size,
            config.hidden_size,
            config.num_layers,
            batch_first=True,
            bidirectional=config.bidirectional,
        )
        self.head = nn.Linear(config.hidden_size * (2 if config.bidirectional else 1), 1)

    def forward(self, x: Tensor) -> Tensor:
        y, _ = self.layers(x)
        output: Tensor = self.head(y[:, -1])
        return output


class Cells(nn.Module):
    """The same layers as nn.LSTMCell, a step at a time: what one writes by hand for a stream."""

    def __init__(self, forecaster: Forecaster) -> None:
        super().__init__()
        layers = forecaster.recurrent
        width, hidden = layers.input_size, layers.hidden_size
        self.cells = nn.ModuleList(
            nn.LSTMCell(width if k == 0 else hidden, hidden) for k in range(layers.num_layers)
        )
        for k, cell in enumerate(self.cells):
            for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
                getattr(cell, name).data.copy_(getattr(layers, f"{name}_l{k}").data)
        self.forecaster = forecaster
        self.reset()

    def reset(self) -> None:
        hidden = self.forecaster.recurrent.hidden_size
        self.state = [(torch.zeros(1, hidden), torch.zeros(1, hidden)) for _ in self.cells]

    def forward(self, x: Tensor) -> Tensor:
        """(1, features) to (1, 1, targets)."""
        carried = (x - self.forecaster.offset) / self.forecaster.scale
        for k, cell in enumerate(self.cells):
            self.state[k] = cell(carried, self.state[k])
            carried = self.state[k][0]
        return self.forecaster.unscale(self.forecaster.predict_from(carried))


def module_bundle(config: Config, folder: Path) -> tuple[Path, LastStep]:
    """The bundle of a module, made once in `folder`, and the module."""
    path = folder / f"module-{config.sizes}"
    torch.manual_seed(0)
    module = LastStep(config).eval()
    if not path.exists():
        lstm_export.export_bundle(module, path, args=(torch.zeros(2, 5, config.input_size),))
    return path, module


def forecaster_bundle(config: Config, folder: Path) -> tuple[Path, Forecaster]:
    """The bundle of a run with random weights that predicts its one step ahead, and its model."""
    path, run = folder / f"forecaster-{config.sizes}", folder / f"run-{config.sizes}"
    columns = tuple(Column(f"f{i}", "", -1.0, 1.0) for i in range(config.input_size))
    scaling = Scaling("standard", (0.1,) * config.input_size, (2.0,) * config.input_size)
    window = Window(max(config.length, 2), 1)
    terms = Forecast(columns, columns, window, scaling, scaling, config.recurrent)
    torch.manual_seed(0)
    model = Forecaster(terms).eval()
    if not path.exists():
        run.mkdir()
        weights = {name: value.numpy() for name, value in model.state_dict().items()}
        origin = DataOrigin("random", "0" * 64, 10)
        write_checkpoint(run, Description(terms, origin, 0, {}, {}), weights)
        lstm_export.export_bundle(run, path)
    return path, model
