"""What a model promises to whoever runs it, as frozen values.

A `Contract` travels in two places: in a bundle's manifest and in the `metadata_props` of every
ONNX file, so that a bare `model.onnx` works too. Nothing here knows of NumPy, torch or ONNX.
"""

# Annotations stay real types here: `decode` reads them, and strings would be compiled each start.

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Literal

from lstm_export.decode import decode
from lstm_export.errors import ContractError, NewerFormatError
from lstm_export.frozen import dataclass

FORMAT_VERSION = 1
METADATA_KEY = "lstm_export"
"""The key under which an ONNX file carries its contract."""

BATCH = "batch"
SEQUENCE_LENGTH = "sequence_length"
HORIZON = "horizon"
FUTURE_LENGTH = "future_length"

Cell = Literal["lstm", "gru", "rnn"]
CELLS: tuple[Cell, ...] = ("lstm", "gru", "rnn")
Task = Literal["forecast", "classify", "regress", "tag", "module"]
Scaler = Literal["standard", "minmax", "none"]
SCALERS: tuple[Scaler, ...] = ("standard", "minmax", "none")


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """One graph input or output. A named axis is dynamic, an integer one is fixed."""

    name: str
    dtype: str
    axes: tuple[str | int, ...]

    def __str__(self) -> str:
        return f"{self.name}: {self.dtype} ({', '.join(str(axis) for axis in self.axes)})"


@dataclass(frozen=True, slots=True)
class GraphSpec:
    """The inputs and outputs of one ONNX file, in the file's order."""

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the table a model was trained on; the range is that of its training part."""

    name: str
    unit: str
    minimum: float
    maximum: float


@dataclass(frozen=True, slots=True)
class Window:
    """How much of a series a forecaster sees, and how much it predicts, in rows."""

    context_length: int
    horizon: int
    difference: int = 0
    """K: the model sees x[t] − x[t−K] and predicts the like; 0 leaves the series as it is."""

    @property
    def shortest(self) -> int:
        """The shortest sequence_length that `model.onnx` takes."""
        return self.difference + 1

    @property
    def history(self) -> int:
        """Raw rows from which one window of `context_length` is made."""
        return self.context_length + self.difference


@dataclass(frozen=True, slots=True)
class Scaling:
    """scaled = (value − offset) / scale, per column, after differencing."""

    kind: Scaler
    offset: tuple[float, ...]
    scale: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Recurrent:
    """The recurrent layers, in the words of torch.nn.LSTM."""

    cell: Cell
    input_size: int
    hidden_size: int
    num_layers: int = 1
    bidirectional: bool = False
    proj_size: int = 0

    @property
    def num_directions(self) -> int:
        return 2 if self.bidirectional else 1

    @property
    def state_size(self) -> int:
        """Width of h per direction: `proj_size` where there is a projection, else `hidden_size`."""
        return self.proj_size or self.hidden_size


@dataclass(frozen=True, slots=True)
class TimeAxis:
    """The time column of a table and its regular step, so that timestamps can be continued."""

    column: str
    unit: Literal["row", "microsecond", "second", "day", "business day", "month", "year"]
    step: int
    """Units between two rows."""
    format: str
    """How a timestamp is written: a strftime pattern, or "number" for plain numbers."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """Raw rows in, the next `horizon` rows of the targets out, both in the table's own units.

    `x` is (batch, sequence_length, len(features)) and `output` is
    (batch, horizon, len(targets)). With `window.difference` K > 0 every target is a feature.
    """

    features: tuple[Column, ...]
    targets: tuple[Column, ...]
    window: Window
    input_scaling: Scaling
    target_scaling: Scaling
    recurrent: Recurrent
    time: TimeAxis | None = None

    @property
    def causal(self) -> bool:
        """Whether an output depends on the past alone, so that the model can stream."""
        return not self.recurrent.bidirectional

    @property
    def target_positions(self) -> tuple[int, ...]:
        """Where each target stands among the features; raises ValueError if one does not."""
        names = [column.name for column in self.features]
        return tuple(names.index(column.name) for column in self.targets)

    @property
    def known(self) -> tuple[Column, ...]:
        """The features that are no targets: their future must be known to go on from a forecast."""
        targets = {column.name for column in self.targets}
        return tuple(column for column in self.features if column.name not in targets)

    @property
    def feeds_back(self) -> bool:
        """Whether a forecast, beside the values of `known`, is a complete next input row."""
        features = {column.name for column in self.features}
        return self.window.horizon == 1 and all(c.name in features for c in self.targets)


Pooling = Literal["last", "mean", "max", "sum"]
POOLINGS: tuple[Pooling, ...] = ("last", "mean", "max", "sum")
SymbolLevel = Literal["character", "word"]
Reads = Literal["rows", "symbols"]


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The symbols that a text is read as. `symbols[i]` has the id i + 1; whatever is not among
    them has the id 0."""

    level: SymbolLevel
    lowercase: bool
    symbols: tuple[str, ...]

    @property
    def size(self) -> int:
        """How many ids there are."""
        return len(self.symbols) + 1


@dataclass(frozen=True, slots=True)
class SequenceColumns:
    """Where sequences stand in a table, by the names of its columns: each in a row of its own
    where neither `series_id` nor `text` is named."""

    series_id: str | None = None
    """What tells the sequences apart whose steps are rows."""
    time: str | None = None
    """The order of these rows; None: that of the file."""
    text: str | None = None
    """A text per row."""
    steps: tuple[str, ...] = ()
    """The steps of a sequence in a row; none: every column of numbers that is not answered."""


@dataclass(frozen=True, slots=True)
class Sequences:
    """Whole sequences in, an answer to each, or to each of their steps, out.

    `x` is float32 (batch, sequence_length, len(features)) in the table's own units or, with a
    `vocabulary`, int64 ids (batch, sequence_length). A model with `classes` gives `probabilities`
    (batch, len(classes)), one with `targets` gives `output` (batch, len(targets)) in the targets'
    units; what answers every step has (batch, sequence_length, …). Sequences of several lengths
    are padded at their end, and `lengths` (batch,) int64 tell how long each is; behind an end the
    answers are 0.
    """

    answer: tuple[str, ...]
    """The columns that are answered: one of labels, or the targets."""
    features: tuple[Column, ...]
    input_scaling: Scaling
    vocabulary: Vocabulary | None
    embedding_size: int
    """Width of a symbol's vector; 0 where rows of numbers are read."""
    recurrent: Recurrent
    pooling: Pooling | None
    """How the steps of a sequence become one vector; None: every step is answered."""
    classes: tuple[str, ...] = ()
    targets: tuple[Column, ...] = ()
    target_scaling: Scaling | None = None
    source: SequenceColumns | None = None
    """The columns of the table that the model was trained on; None where nobody knows."""

    @property
    def causal(self) -> bool:
        """Whether the answer at a step depends on the past alone, through the recurrent states
        alone, so that the model can stream."""
        return not self.recurrent.bidirectional and self.pooling in ("last", None)

    @property
    def task(self) -> Task:
        """What these are the terms of."""
        if self.pooling is None:
            return "tag"
        return "classify" if self.classes else "regress"

    @property
    def reads(self) -> Reads:
        """What a step is: a row of numbers, or the id of a symbol."""
        return "rows" if self.vocabulary is None else "symbols"

    @property
    def output(self) -> str:
        """The name of the graphs' answer."""
        return "probabilities" if self.classes else "output"

    @property
    def width(self) -> int:
        """How many numbers an answer has."""
        return len(self.classes) or len(self.targets)


@dataclass(frozen=True, slots=True)
class Intervals:
    """Prediction intervals as half-widths: the truth lies within forecast ± half-width.

    Split conformal prediction on the residuals of the validation part, for every step on its own
    (`training.conformal` has the formula).
    """

    levels: tuple[float, ...]
    """Coverages, ascending."""
    residuals: tuple[int, ...]
    """How many there were for each step ahead."""
    half_widths: tuple[tuple[tuple[float, ...], ...], ...]
    """By level, target and step, in the targets' own units. A level goes as far as the residuals
    are enough for it: a higher one may have fewer steps."""

    def steps(self, level: int) -> int:
        """How many steps ahead the level at position `level` reaches."""
        return len(self.half_widths[level][0])


@dataclass(frozen=True, slots=True)
class DataOrigin:
    """What a model was trained on."""

    name: str
    sha256: str
    rows: int


Start = tuple[tuple[float, ...], ...] | tuple[float, ...]
"""Where a state starts, without its axis of the batch: every series starts alike."""


@dataclass(frozen=True, slots=True)
class Contract:
    """What one ONNX file promises: its task, its tensors and the task's own terms.

    `stream_start` has, by input name, the states of a stream graph that do not start at zero.
    """

    task: Task
    graph: GraphSpec
    forecast: Forecast | None = None
    stream_start: dict[str, Start] | None = None
    sequences: Sequences | None = None

    def to_json(self) -> str:
        """Canonical JSON: the same contract gives the same bytes."""
        body = {"format_version": FORMAT_VERSION, **asdict(self)}
        for name in ("stream_start", "sequences"):
            if body[name] is None:  # as contracts were before there were any
                del body[name]
        return json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str, where: str) -> "Contract":
        """Reads what `to_json` wrote. Raises ContractError or NewerFormatError naming `where`."""
        try:
            body = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ContractError(f"{where}: the contract is not JSON: {error}") from None
        body = checked_version(body, where)
        body.pop("format_version")
        return decode(cls, body, where)


def checked_version(body: object, where: str) -> dict[str, Any]:
    """`body` as a dict whose `format_version` this package can read."""
    if not isinstance(body, Mapping):
        raise ContractError(f"{where}: expected a JSON object, got {type(body).__name__}")
    version = body.get("format_version")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise ContractError(f"{where}: format_version must be an integer ≥ 1, got {version!r}")
    if version > FORMAT_VERSION:
        raise NewerFormatError(
            f"{where} has format version {version}; this lstm-export reads up to {FORMAT_VERSION}: "
            "pip install --upgrade lstm-export"
        )
    return dict(body)
