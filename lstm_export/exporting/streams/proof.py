"""Is a stream graph its module? Measured: chunk after chunk against the module on all so far."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from torch import nn

from lstm_export.compare.result import TensorComparison
from lstm_export.compare.rounding import rejudged
from lstm_export.compare.tensors import compare_outputs
from lstm_export.contract import Start
from lstm_export.errors import ExportError
from lstm_export.exporting.streams.draws import Arrays, Draws, Tensors
from lstm_export.exporting.streams.refusal import NoStreamError
from lstm_export.exporting.streams.start import started
from lstm_export.exporting.tracing.blame import first_line
from lstm_export.exporting.unchanged.kept import eval_mode, kept
from lstm_export.exporting.unchanged.quiet import no_warnings
from lstm_export.exporting.unchanged.single_thread import single_thread
from lstm_export.exporting.verify.integers import by_torch, exact_again
from lstm_export.exporting.verify.reference import Eager
from lstm_export.exporting.verify.session import Session
from lstm_export.exporting.verify.trials import Trial
from lstm_export.exporting.verify.values import Style

_PLAIN = Style()


@dataclass(frozen=True, slots=True)
class _Run:
    """A batch of sequences, and the chunks that they come in."""

    batch: int
    chunks: tuple[int, ...]
    style: Style = _PLAIN


_RUNS = (
    _Run(1, (1, 1, 1, 1, 1, 1)),
    _Run(3, (3, 1, 5, 2), Style(ragged=True)),
    _Run(2, (1, 7, 1, 1, 4), Style(scale=3.0)),
    _Run(1, (2, 19, 1, 11), Style(usual=True)),
)
_LONG = _Run(1, (150, 1, 400))
_OF_HEAVY = 2
"""The runs that a large module is asked for."""


@dataclass(frozen=True, slots=True)
class _Prefix:
    """The module's own answers for the first `length` steps."""

    length: int
    tensors: Tensors
    torch: Arrays
    exact: Arrays


def prove(
    module: nn.Module,
    draws: Draws,
    content: bytes,
    start: Mapping[str, Start] | None,
    *,
    doubtful: bool = False,
) -> None:
    """Raises NoStreamError where the stream graph `content` disagrees with the module on any
    prefix of any run, under the parity rule. The module comes back as it was.

    A `doubtful` module is asked for a long run as well.
    """
    session = Session(content, draws.carried.graph)
    with contextlib.ExitStack() as stack:
        for block in (kept(module), eval_mode(module), no_warnings(), single_thread()):
            stack.enter_context(block)
        proof = _Proof(module, draws, session, start)
        runs = [*_RUNS[: _OF_HEAVY if draws.heavy else None], *[_LONG] * doubtful]
        for seed, run in enumerate(runs):
            proof.check(run, seed)


class _Proof:
    def __init__(
        self, module: nn.Module, draws: Draws, session: Session, start: Mapping[str, Start] | None
    ) -> None:
        self.draws, self.session, self.start = draws, session, start
        finals = {state.final.name for state in draws.carried.states}
        graph = draws.carried.graph
        self.outputs = [spec.name for spec in graph.outputs if spec.name not in finals]
        self.eager = Eager(module, draws.call, draws.output_names)
        self.stepwise = all(draws.along(name) is not None for name in self.outputs)

    def check(self, run: _Run, seed: int) -> None:
        trial = self._trial(run, seed)
        ends = np.cumsum(run.chunks).tolist()
        pieces = list(self._streamed(trial, run))
        # Where every output says all steps, the whole run says what its beginnings would.
        lengths = [ends[0], ends[-1]] if self.stepwise else ends
        for prefix in self._prefixes(trial, lengths):
            self._judge(run, prefix, pieces[: ends.index(prefix.length) + 1])

    def _trial(self, run: _Run, seed: int) -> Trial:
        """The first version that the module takes."""
        refusal: Exception | None = None
        with self.eager.float32():
            for trial in self.draws.versions(run.batch, sum(run.chunks), seed, run.style):
                try:
                    self.eager(trial.tensors)
                except Exception as error:
                    refusal = refusal or error
                else:
                    return trial
        assert refusal is not None
        raise NoStreamError(
            f"it refuses {run.batch} sequences of {sum(run.chunks)} steps: {first_line(refusal)}"
        )

    def _streamed(self, trial: Trial, run: _Run) -> Iterator[Arrays]:
        """What the stream gives for each chunk."""
        states = {
            state.name: trial.tensors[self.draws.position[state.given]].cpu().numpy()
            if state.given
            else started(state, run.batch, self.start)
            for state in self.draws.carried.states
        }
        place = 0
        for size in run.chunks:
            feeds = self.draws.chunk(trial.tensors, place, place + size)
            try:
                got = self.session.run({**feeds, **states})
            except ExportError as error:
                raise NoStreamError(
                    f"a chunk of {size} step{'s' if size > 1 else ''} is too short for it: {error}"
                ) from None
            place += size
            states = {state.name: got.pop(state.final.name) for state in self.draws.carried.states}
            yield got

    def _prefixes(self, trial: Trial, lengths: list[int]) -> list[_Prefix]:
        lengths = [*dict.fromkeys(lengths)]
        parts = [self.draws.ended(trial.tensors, length) for length in lengths]
        with self.eager.float32():
            torch = [*map(self._answer, parts, lengths)]
        with self.eager.float64():
            exact = [*map(self._answer, parts, lengths)]
        return [
            _Prefix(length, part, one, {name: by_torch(two[name], one[name]) for name in one})
            for length, part, one, two in zip(lengths, parts, torch, exact, strict=True)
        ]

    def _answer(self, tensors: Tensors, length: int) -> Arrays:
        try:
            answer = self.eager(tensors)
        except Exception as error:
            raise NoStreamError(f"it refuses sequences of {length}: {first_line(error)}") from None
        return {name: answer[name] for name in self.outputs}

    def _judge(self, run: _Run, prefix: _Prefix, pieces: list[Arrays]) -> None:
        got, reference, torch = self._joined(pieces), dict(prefix.exact), dict(prefix.torch)
        for name in self.outputs:
            if got[name].dtype.kind in "iub":
                reference[name], _ = exact_again(got[name], reference[name], torch[name])
            if torch[name].size == 0 and got[name].shape == torch[name].shape:
                del got[name], reference[name], torch[name]
        results = compare_outputs(got, reference, torch)
        with self.eager.float32():
            better = rejudged(
                results,
                got,
                reference,
                map(self._named, self.eager.on_moved_weights(prefix.tensors)),
            )
        for result in results:
            if not result.passed and result.name not in better:
                raise NoStreamError(self._told(run, prefix, result, got[result.name]))

    def _named(self, answer: Arrays) -> Arrays:
        return {name: answer[name] for name in self.outputs}

    def _joined(self, pieces: list[Arrays]) -> Arrays:
        found = {}
        for name in self.outputs:
            axis = self.draws.along(name)
            parts = [piece[name] for piece in pieces]
            found[name] = parts[-1] if axis is None else np.concatenate(parts, axis)
        return found

    def _told(self, run: _Run, prefix: _Prefix, result: TensorComparison, got: np.ndarray) -> str:
        fed = "-".join(map(str, run.chunks))
        said = f"fed in chunks of {fed} steps, its {result.name} is not, "
        reference, axis = prefix.exact[result.name], self.draws.along(result.name)
        if result.bound is None or result.worst_error is None:
            return f"{said}at step {prefix.length}, what the module gives: {result.reason}"
        step = prefix.length
        if axis is not None:
            wrong = ~(np.abs(got.astype(np.float64) - reference) <= result.bound)
            others = tuple(i for i in range(wrong.ndim) if i != axis)
            steps = np.flatnonzero(wrong.any(axis=others))
            step = int(steps[0]) + 1 if steps.size else step
        return (
            f"{said}from step {step} on, what the module gives for all steps at once (error "
            f"{result.worst_error:.2g}, allowed {result.bound:.2g}), as if it depended on "
            "other steps than through its recurrent states"
        )
