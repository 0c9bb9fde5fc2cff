"""A file that somebody's exporter wrote, run in onnxruntime at other shapes against the module."""

from __future__ import annotations

import contextlib
import functools
import re
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lstm_export.bundle.onnx_file import read_onnx
from lstm_export.compare.rounding import rejudged
from lstm_export.compare.tensors import compare_outputs
from lstm_export.contract import BATCH
from lstm_export.doctor.stock import Verdict

if TYPE_CHECKING:
    from torch import nn

    from lstm_export.exporting.tracing.call import Call
    from lstm_export.exporting.tracing.eager_axes import Groups
    from lstm_export.exporting.verify.reference import Arrays
    from lstm_export.exporting.verify.trials import Trial, Trials

Judgement = tuple[Verdict, str, int | None]
_SHOWN = 200


def judge_file(module: nn.Module, call: Call, groups: Groups, file: Path) -> Judgement:
    """A verdict, why, and how many nodes the file has.

    The file's inputs are those of `call` by name; it may lack some that it does not use.
    """
    import onnxruntime

    from lstm_export.exporting.tracing.eager_axes import graph_inputs
    from lstm_export.exporting.verify.trials import Trials

    model = read_onnx(file)
    nodes = sum(len(graph.nodes) for graph in model.graphs())
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(
            str(file), options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # onnxruntime's refusals share no base
        return "unrunnable", reason(error), nodes
    if _remembers(module, call):
        return (
            "wrong numbers",
            "the module's second call differs from its first, the file's not",
            nodes,
        )
    trials = Trials(module, call, graph_inputs(call, groups))
    taken = {spec.name for spec in session.get_inputs()}
    ran = False
    with contextlib.closing(_answered(module, call, trials)) as answered:
        for answer in answered:
            ran = True
            sizes = answer.trial.sizes
            changed = {n: size for n, size in sizes.items() if size != trials.traced[n]}
            at = ", ".join(f"{name} {size}" for name, size in changed.items()) or "its own shape"
            feeds = {name: v for name, v in trials.feeds(answer.trial).items() if name in taken}
            try:
                got = session.run(None, feeds)
            except Exception as error:
                why = f"at {at}: {reason(error)}"
                return ("bakes an axis" if changed else "unrunnable"), why, nodes
            # Right at its own shape and wrong at others: a size became a constant.
            if (differs := _difference(got, answer)) is not None:
                why = f"at {at}: {differs}"
                return ("bakes an axis" if changed else "wrong numbers"), why, nodes
    if not ran:
        return "unrunnable", "the module refuses every trial in eager torch", nodes
    return "right", "", nodes


def reason(error: BaseException) -> str:
    """The first telling line of an error, of what it wraps if it wraps something."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", str(error))
    lines = [line.strip() for line in text.splitlines() if line.strip(" =─")]
    # torch.onnx wraps what happened: its own first line says only that something did.
    wrapped = error.__cause__ if error.__cause__ is not None else None
    if wrapped is not None and type(error).__module__.startswith("torch.onnx"):
        return reason(wrapped)
    first = lines[0] if lines else type(error).__name__
    if len(first) > _SHOWN:
        first = first[:_SHOWN].rsplit(" ", 1)[0] + " …"
    return f"{type(error).__name__}: {first}"


@dataclass(frozen=True, slots=True)
class _Answer:
    """What the module says to one trial, by output; `moved` are its answers on moved weights."""

    trial: Trial
    single: Arrays
    double: Arrays
    moved: Callable[[], Iterator[Arrays]]


def _answered(module: nn.Module, call: Call, trials: Trials) -> Generator[_Answer, None, None]:
    """Trials that the module takes: first at its own shape, then with one axis changed, then with
    several."""
    import torch

    from lstm_export.exporting.tracing.results import named_outputs
    from lstm_export.exporting.unchanged.kept import eval_mode, kept
    from lstm_export.exporting.unchanged.quiet import no_warnings
    from lstm_export.exporting.verify.reference import Eager
    from lstm_export.exporting.verify.trials import Plan
    from lstm_export.exporting.verify.values import Style

    plans = [Plan(trials.traced, Style(), 0)]
    # Lengths before the batch: it is a length that exporters bake.
    lengths_first = sorted(trials.traced, key=lambda name: name == BATCH)
    plans += [next(trials.other_sizes(name)) for name in lengths_first]
    with kept(module), eval_mode(module), no_warnings():
        args, kwargs = call.bind(call.examples)
        with torch.no_grad():
            eager = Eager(module, call, list(named_outputs(module(*args, **kwargs))))

        def moved(trial: Trial) -> Iterator[Arrays]:
            with eager.float32():
                yield from eager.on_moved_weights(trial.tensors)

        for plan in (*plans, *trials.planned()):
            for trial in trials.versions(plan):
                try:
                    with eager.float32():
                        single = eager(trial.tensors)
                    with eager.float64():
                        double = eager(trial.tensors)
                except Exception:  # the module's own refusal of this version
                    continue
                yield _Answer(trial, single, double, functools.partial(moved, trial))
                break


def _remembers(module: nn.Module, call: Call) -> bool:
    """Whether the module answers the same input otherwise the second time."""
    import torch

    from lstm_export.exporting.tracing.results import named_outputs
    from lstm_export.exporting.unchanged.kept import eval_mode, kept
    from lstm_export.exporting.unchanged.quiet import no_warnings

    with kept(module), eval_mode(module), no_warnings(), torch.no_grad():
        answers = []
        for _ in range(2):
            args, kwargs = call.bind([example.clone() for example in call.examples])
            answers.append(named_outputs(module(*args, **kwargs)))
    first, second = answers
    return any(not torch.equal(first[name], second[name]) for name in first)


def _difference(got: list[Any], answer: _Answer) -> str | None:
    """What is wrong with the file's outputs, which come in the module's order; None if nothing."""
    single = answer.single
    if len(got) != len(single):
        return f"{len(got)} outputs, the module gives {len(single)}"
    for value, expected in zip(got, single.values(), strict=True):
        if value.shape != expected.shape:
            return f"an output of shape {value.shape}, the module's is {expected.shape}"
    own = dict(zip(single, got, strict=True))
    exact = {
        name: answer.double[name] if value.dtype.kind == "f" else value
        for name, value in single.items()
    }
    results = compare_outputs(own, exact, single)
    better = rejudged(results, own, exact, answer.moved())
    for result in results:
        if not result.passed and result.name not in better:
            error = result.worst_error
            return result.reason if error is None else f"off by {error:.2g}, without a word"
    return None
