"""How a model is run: threads, spinning, shards, preallocated arrays, and the rule that chooses.

The rule goes by the work of a call, in multiplications of the recurrent layers:

    work per step of one row = Σ over layers and directions of gates · hidden · (input + hidden)

- Little work, in a step or in all: handing it to a second thread costs more than it saves, so one
  thread.
- Else onnxruntime's own pool of threads, which splits the matrix products of a step.
- Small inputs: arrays that stay allocated between calls, one set per thread and shape.
- Lists of sequences: batches of a few rows side by side, one thread each (`lanes.py`). To split one
  batch so is as fast as the pool on some machines and slower on others: `shards` does it, and
  `lstm-export bench --tune` finds out whether it pays.

Every number below was measured: docs/decisions.md. Whatever a caller sets wins over the rule.
"""

# Annotations stay real types here: `decode` reads them, and strings would be compiled each start.

import os
from math import isqrt

from lstm_export.contract import Contract, Recurrent
from lstm_export.errors import OptionError
from lstm_export.frozen import dataclass

GATES = {"lstm": 4, "gru": 3, "rnn": 1}
ONE_THREAD_WORK = 50_000
"""Up to this many multiplications a step of the whole batch, one thread is as fast as several."""
FEW_ROWS, FEW_ROWS_WORK = 4, 250_000
"""And up to this many for so few rows, whose products are with vectors rather than matrices."""
ONE_THREAD_CALL = 2_500_000
"""And up to this many of a whole call: a quarter of a millisecond."""
USUAL_CALLS = 4
"""Calls of a model before anything is kept for more: a first prediction pays for no such thing."""
PREALLOCATED = 4096
"""Values of an input up to which its arrays stay allocated."""

LONG = 1 << 24
"""Values of the widest array above which an input runs in pieces: 64 MiB."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How a model is run; None leaves the choice to the rule of this module."""

    intra_op_num_threads: int | None = None
    """Threads of one run; 0 leaves their number to onnxruntime."""
    spinning: bool | None = None
    """Whether waiting threads of onnxruntime's pool stay awake: faster, at the cost of the CPU."""
    shards: int | None = None
    """Runs that a batch is split into, side by side."""
    preallocate: bool | None = None
    """Whether small calls reuse their arrays."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What the settings come to for one shape."""

    threads: int
    spinning: bool
    shards: int


def checked(settings: Settings) -> Settings:
    """`settings` if every value makes sense. Raises OptionError."""
    _integer("intra_op_num_threads", settings.intra_op_num_threads, 0)
    _integer("shards", settings.shards, 1)
    for name in ("spinning", "preallocate"):
        value = getattr(settings, name)
        if value is not None and not isinstance(value, bool):
            raise OptionError(f"{name} must be True, False or None, got {value!r}")
    return settings


def plan(settings: Settings, work: int, batch: int, length: int, cores: int) -> Plan:
    """The plan for (batch, length) inputs of a model that does `work` multiplications a step."""
    shards = min(settings.shards or 1, batch)
    threads = settings.intra_op_num_threads
    if threads is None:
        step = work * batch
        small = step <= (FEW_ROWS_WORK if batch <= FEW_ROWS else ONE_THREAD_WORK)
        little = small or step * length <= ONE_THREAD_CALL
        threads = 1 if shards > 1 or little or cores == 1 else 0
    return Plan(threads, settings.spinning is not False, shards)


def work_of(recurrent: Recurrent) -> int:
    """Multiplications of one step of one row, as the exported operators do them."""
    gates, hidden = GATES[recurrent.cell], recurrent.hidden_size
    total, width = 0, recurrent.input_size
    for _ in range(recurrent.num_layers):
        total += gates * hidden * (width + hidden)
        width = recurrent.state_size * recurrent.num_directions
    return total * recurrent.num_directions


def width_of(recurrent: Recurrent) -> int:
    """Values that the widest array within a run has for one step of one row: all gates."""
    gates = GATES[recurrent.cell] * recurrent.hidden_size * recurrent.num_directions
    return max(gates, recurrent.input_size)


def width_in(weights: int) -> int:
    """About `width_of` a model of which only the number of its weights is known.

    One LSTM layer as wide as its input has 8 · hidden² of them, and 4 · hidden gates.
    """
    return 4 * max(1, isqrt(weights // 8))


def available_cores() -> int:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def work_in(contract: Contract, weights: int) -> int:
    """`work_of` a model with terms; of another about its number of weights, each used once."""
    terms = contract.forecast or contract.sequences
    return weights if terms is None else work_of(terms.recurrent)


def _integer(name: str, value: int | None, least: int) -> None:
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise OptionError(f"{name} must be an integer ≥ {least}, got {value!r}")
