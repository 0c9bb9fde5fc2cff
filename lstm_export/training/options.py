"""Every option of a training run, by the names that the command line and run.toml have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from lstm_export.contract import Cell, Scaler

Missing = Literal["error", "interpolate", "drop"]
Schedule = Literal["constant", "cosine", "plateau"]
Init = Literal["default", "chrono", "torch"]
Device = Literal["cpu", "cuda", "auto"]
Precision = Literal["32-true", "bf16-mixed"]


@dataclass(frozen=True)
class TrainOptions:
    """What to train on, which model, and how. Lists and single names become tuples."""

    data: str
    """A CSV or Parquet file, or the name of an embedded data set."""
    target: tuple[str, ...] = ()
    """Columns to forecast; empty: the only numeric one."""
    features: tuple[str, ...] = ()
    """Columns that the model sees; empty: the targets; ("all",): every numeric one."""
    time: str | None = None
    series_id: str | None = None
    missing: Missing = "error"
    unit: Mapping[str, str] = field(default_factory=dict)
    """Units of columns, by name."""
    validation: float = 0.15
    test: float = 0.2
    scaler: Scaler = "standard"
    difference: int = 0
    season: int | None = None
    """Rows of a season, for the baseline; None: found in the data."""

    cell: Cell = "lstm"
    hidden_size: int = 32
    num_layers: int = 1
    dropout: float = 0.0
    bidirectional: bool = False
    proj_size: int = 0
    context_length: int = 24
    horizon: int = 1

    epochs: int = 100
    max_steps: int | None = None
    batch_size: int = 32
    lr: float = 1e-2
    schedule: Schedule = "constant"
    patience: int = 20
    """Epochs without a better validation loss before training stops; 0: never."""
    warm_up: int | None = None
    """Steps at the start of a window that carry no loss; None: a quarter of the context, and all
    but the last for a bidirectional model, which sees the targets of the others."""
    ema: float = 0.98
    """Decay of the moving average of the weights, which is what is kept; 0: the weights alone."""
    input_noise: float = 0.0
    """Standard deviation of the noise on the scaled inputs in training."""
    weight_decay: float = 0.0
    """An L2 penalty: it is added to the gradients, as in plain Adam."""
    clip_norm: float = 1.0
    """Largest norm of all gradients together; 0: no limit."""
    clip_value: float = 0.0
    """Largest magnitude of a gradient's element; 0: no limit."""
    init: Init = "default"
    seed: int = 0
    device: Device = "cpu"
    precision: Precision = "32-true"

    def __post_init__(self) -> None:
        for name in ("target", "features"):
            value = getattr(self, name)
            names = (value,) if isinstance(value, str) else tuple(value)
            object.__setattr__(self, name, names)
        object.__setattr__(self, "unit", dict(self.unit))
