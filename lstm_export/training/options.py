"""Every option of a training run, by the names that the command line and run.toml have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, cast

from lstm_export.contract import Cell, Pooling, Scaler, SymbolLevel

TrainTask = Literal["forecast", "classify", "regress", "tag"]
TrainCell = Literal["lstm", "gru", "rnn", "lstm-equations", "gru-equations", "rnn-equations"]
ClassWeights = Literal["none", "balanced"]
Missing = Literal["error", "interpolate", "drop"]
Schedule = Literal["constant", "cosine", "plateau"]
Init = Literal["default", "chrono", "torch"]
Device = Literal["cpu", "cuda", "auto"]
Precision = Literal["32-true", "bf16-mixed"]

_BY_EQUATIONS = "-equations"


@dataclass(frozen=True)
class TrainOptions:
    """What to train on, which model, and how. Lists and single names become tuples."""

    data: str
    """A CSV or Parquet file, or the name of an embedded data set."""
    task: TrainTask = "forecast"
    target: tuple[str, ...] = ()
    """Columns to forecast or to answer; empty: the only numeric one of a forecaster's table."""
    features: tuple[str, ...] = ()
    """Columns that the model sees; empty: the targets of a forecaster, and otherwise every numeric
    one that is neither target, time nor id; ("all",): every numeric one."""
    text: str | None = None
    """The column of texts, where sequences are made of symbols."""
    level: SymbolLevel = "word"
    """What a symbol of a text is."""
    lowercase: bool = False
    """Whether capitals in texts are read as small letters."""
    vocabulary_size: int | None = None
    """The most symbols that are told apart, the frequent ones; None: all of the training part."""
    test_data: str | None = None
    """A file that is the test part, all of it; None: `test` of the data is. Not of forecasters."""
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

    cell: TrainCell = "lstm"
    """One of torch's, or `…-equations`: the same cell as `lstm_export.nn` has it written out."""
    hidden_size: int = 32
    num_layers: int = 1
    dropout: float = 0.0
    bidirectional: bool = False
    proj_size: int = 0
    embedding_size: int = 32
    """Width of the vector of a text's symbol."""
    pooling: Pooling = "last"
    """How the steps of a sequence become one vector for its answer."""
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
    class_weights: ClassWeights = "none"
    """balanced: the loss of a class counts in inverse proportion to its share of the sequences, or
    of the steps that are answered."""
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

    @property
    def recurrent_cell(self) -> Cell:
        """The cell, however it is written."""
        return cast(Cell, self.cell.removesuffix(_BY_EQUATIONS))

    @property
    def by_equations(self) -> bool:
        """Whether it is trained as its equations say, step by step."""
        return self.cell.endswith(_BY_EQUATIONS)
