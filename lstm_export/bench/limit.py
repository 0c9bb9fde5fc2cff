"""The physical limit: how fast this machine could answer at best.

Two floors, of which the higher one holds. Multiplications: the recurrent layers multiply every step
with W and R, 2 FLOPs a weight, and no program does so faster than the machine's own peak, measured
with a large matrix that onnxruntime packed beforehand (NumPy's BLAS reaches half of that on some
machines and is no yardstick). Calls: a graph that does nothing still costs one `run`. With one row
at a time the weights come out of a cache again at each step, so that the first floor is out of
reach there.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from statistics import median

import numpy as np
import onnxruntime

from lstm_export.bench.interleave import Contender, take_turns
from lstm_export.bench.onnx_bytes import identity_graph, multiplication_graph
from lstm_export.bundle.onnx_file import OnnxFile

_SIZE = 1024
_PEAK_SECONDS = 0.5
_FATAL = 4
RECURRENT = ("LSTM", "GRU", "RNN")


@dataclass(frozen=True, slots=True)
class Peak:
    """FLOP/s of a packed float32 multiplication, and seconds of a `run` that does nothing."""

    flops_one_thread: float
    flops_all_threads: float
    threads: int
    call: float

    def floor(self, flops: float, *, threads: int | None = None) -> float:
        """Seconds below which `flops` in one call cannot come, on one thread or (None) on all."""
        rate = self.flops_one_thread if threads == 1 else self.flops_all_threads
        return max(flops / rate, self.call)


def cores() -> int:
    """Processors that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not Linux
        return os.cpu_count() or 1


def measured_peak() -> Peak:
    """This machine's peak, as well as this process has seen it: measured anew in half a second.

    Whatever else the machine does only ever hides the peak, so the best of all measurements counts.
    """
    global _best
    matrix = np.random.default_rng(0).normal(size=(_SIZE, _SIZE)).astype(np.float32)
    content = multiplication_graph(matrix)
    empty = np.zeros((1, 1, 1), np.float32)
    contenders = [
        Contender(f"{threads} threads", _runner(content, {"x": matrix}, threads))
        for threads in dict.fromkeys((1, cores()))
    ]
    contenders.append(Contender("call", _runner(identity_graph(3), {"x": empty}, 1)))
    times = take_turns(contenders, seconds=_PEAK_SECONDS)
    flops = 2 * _SIZE**3
    rates = [flops / min(of) for name, of in times.items() if name != "call"]
    _best = better_peak(_best, Peak(rates[0], max(rates), cores(), median(times["call"])))
    return _best


def better_peak(one: Peak | None, other: Peak) -> Peak:
    """The faster of both in each respect."""
    if one is None:
        return other
    return Peak(
        max(one.flops_one_thread, other.flops_one_thread),
        max(one.flops_all_threads, other.flops_all_threads),
        other.threads,
        min(one.call, other.call),
    )


_best: Peak | None = None


def _runner(content: bytes, feeds: Mapping[str, object], threads: int) -> Callable[[], object]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = _FATAL
    # Otherwise its threads would be spinning while the next contender has its turn.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    return lambda: session.run(None, feeds)


def recurrent_flops(model: OnnxFile, batch: int, steps: int) -> float:
    """FLOPs of the recurrent layers in `model` for `batch` sequences of `steps` steps.

    2 for each weight, row and step. What else the graph does is left out, so a limit made of it is
    on the safe side.
    """
    return 2.0 * batch * steps * sum(recurrent_weights(model))


def recurrent_weights(model: OnnxFile) -> Iterator[int]:
    """Numbers in W and R of each recurrent node, in the graph's order."""
    for graph in model.graphs():
        for node in graph.nodes:
            if node.op_type in RECURRENT and not node.domain:
                named = [graph.initializers.get(name) for name in node.inputs[1:3]]
                yield sum(tensor.size for tensor in named if tensor is not None)
