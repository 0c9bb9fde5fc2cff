"""One verification as it goes on: every graph in every runtime, and all that was found."""

from __future__ import annotations

import importlib.metadata
import platform
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, replace
from typing import Any

from lstm_export.bundle.layout import LAYOUT
from lstm_export.bundle.manifest import Manifest
from lstm_export.bundle.read import Bundle
from lstm_export.checkpoint import Checkpoint
from lstm_export.contract import GraphSpec
from lstm_export.errors import BundleError
from lstm_export.parity.cases import CaseComparison, CaseError
from lstm_export.parity.chosen import Chosen
from lstm_export.parity.contract_check import check_graph, check_manifest, differences
from lstm_export.parity.expected import graphs_of
from lstm_export.parity.features import FEATURES, Feature
from lstm_export.parity.golden_replay import golden_trials, in_chunks
from lstm_export.parity.latency import latencies
from lstm_export.parity.live import live_trials
from lstm_export.parity.patience import Patience
from lstm_export.parity.report import Failure, ParityReport, UnansweredCase, WorstCase, rank
from lstm_export.parity.rounding import MovedWeights
from lstm_export.parity.runtimes.isolated import Isolated
from lstm_export.parity.runtimes.oracle import reference
from lstm_export.parity.runtimes.registry import Runner, Subject, UnansweredError, adapter
from lstm_export.parity.trial import Tolerance, Trial, asked, sum_up
from lstm_export.parity.trial import judge as judge_trial

_REPORTED = ("lstm-export", "numpy", "onnxruntime", "torch")


class Verification:
    """The findings of one verification, as they come in."""

    def __init__(
        self,
        tolerance: Tolerance,
        chosen: Chosen,
        checkpoint: Checkpoint | None,
    ) -> None:
        self.tolerance, self.chosen, self.checkpoint = tolerance, chosen, checkpoint
        self.tried: dict[str, Counter[Feature]] = {}
        self.latency: dict[str, dict[str, float]] = {}
        self.worst: dict[str, WorstCase] = {}
        self.unanswered: dict[tuple[str, str], UnansweredCase] = {}
        self.failures: list[Failure] = []
        self.comparisons: list[CaseComparison] = []
        self.errors: list[CaseError] = []

    def run(self, bundle: Bundle) -> None:
        manifest = bundle.manifest
        self.failures += [Failure("checksum", damage) for damage in bundle.damages()]
        self.failures += check_manifest(manifest)
        if self.checkpoint is not None:
            self.failures += _other_run(manifest, self.checkpoint)
        # A file with a wrong checksum is named above, and not opened.
        contents = dict(_intact(bundle))
        golden: list[Trial] = []
        if LAYOUT.golden in contents:
            where = str(bundle.path / LAYOUT.golden)
            golden, lacking = golden_trials(manifest, contents[LAYOUT.golden], where)
            self.failures += lacking
        for graph in [name for name in manifest.graphs if name in contents]:
            content, path = contents[graph], bundle.path / graph
            self.failures += check_graph(manifest, graph, content, str(path))
            subject = Subject(graph, content, path, manifest.contract(graph), self.checkpoint)
            runners = self.open_all(subject)
            patience = Patience()
            own = [trial for trial in golden if trial.graph == graph]
            # A run has chunked cases of its own; the matrix has that row without one.
            several = len(self.chosen.names) > 1 and self.checkpoint is None
            if graph == LAYOUT.stream and (manifest.task == "module" or several):
                own += in_chunks(own, manifest.graphs[graph])
            try:
                self.judge(own, runners, manifest.graphs[graph], patience)
                if self.checkpoint is not None:
                    self._live(subject, self.checkpoint, runners, patience)
                willing = {n: one for n, one in runners.items() if patience.over(n) is None}
                self.latency[graph] = latencies(own, willing)
            finally:
                close(runners)

    def report(self, bundle: str, against: str | None, rule: str) -> ParityReport:
        """Everything that was found."""
        return ParityReport(
            bundle=bundle,
            against=against,
            runtimes=self.chosen.names,
            rule=rule,
            comparisons=tuple(self.comparisons),
            errors=tuple(self.errors),
            failures=tuple(self.verdict()),
            versions={**_versions(with_torch=against is not None), **self.chosen.versions()},
            absent=self.chosen.absent,
            tried=self.tried,
            latency=self.latency,
            worst=tuple(self.worst.values()),
            unanswered=tuple(self.unanswered.values()),
            atol=self.tolerance.atol,
            rtol=self.tolerance.rtol,
        )

    def verdict(self) -> list[Failure]:
        """All failures, the cases' summed up; that nothing was compared is one too."""
        # To refuse is loud. To die or to hang may be, and takes others along.
        required = self.chosen.required
        must = [e for e in self.errors if e.runtime in required or e.kind != "refused"]
        found = [*self.failures, *sum_up(self.comparisons, must)]
        if not self.comparisons and not found:
            found.append(Failure("golden", "nothing was compared"))
        return found

    def open_all(self, subject: Subject) -> dict[str, Runner]:
        """The graph in every runtime that takes it; what the others say is noted."""
        self.tried[subject.graph] = Counter()
        runners = {}
        apart = len(self.chosen.names) > 1
        for name in self.chosen.names:
            try:
                runners[name] = adapter(name, apart=apart)(subject)
            except BundleError as error:
                self._unopened(CaseError("runtime", name, subject.graph, "loading", str(error)))
            except UnansweredError as error:
                words = error.message, error.kind
                self._unopened(CaseError("runtime", name, subject.graph, "loading", *words))
        return runners

    def _unopened(self, error: CaseError) -> None:
        self.errors.append(replace(error, features=FEATURES))

    def _live(
        self, subject: Subject, run: Checkpoint, runners: dict[str, Runner], patience: Patience
    ) -> None:
        terms = run.description.terms
        spec = graphs_of(terms).get(subject.graph)
        if spec is None:
            self.failures.append(Failure("live", f"the run has no module for {subject.graph}"))
            return
        torch, oracle = adapter("torch")(subject), reference(subject)
        moved = MovedWeights(subject, run)
        trials = live_trials(terms, subject.graph, spec, torch, oracle, moved)
        self.judge(trials, runners, spec, patience)

    def judge(
        self,
        trials: Iterator[Trial] | list[Trial],
        runners: dict[str, Runner],
        spec: GraphSpec,
        patience: Patience,
    ) -> None:
        """Every trial of one graph in every runtime that has not used up the patience with it."""
        for trial in trials:
            shown = asked(trial, spec)
            self.tried[trial.graph].update(shown)
            self._not_opened(trial)
            for name, runner in runners.items():
                why = patience.over(name)
                if why is not None:
                    place = (trial.check, name, trial.graph, trial.case)
                    self.errors.append(CaseError(*place, why, "not asked", shown))
                    continue
                comparisons, errors = judge_trial(trial, name, runner, spec, self.tolerance)
                self.comparisons += comparisons
                self.errors += errors
                for error in errors:
                    patience.note(error)
                    self._keep(trial, error)
                for one in comparisons:
                    before = self.worst.get(name)
                    if before is None or rank(one) > rank(before.comparison):
                        self.worst[name] = WorstCase(trial, one)

    def _not_opened(self, trial: Trial) -> None:
        """Keeps `trial` for the runtimes that did not open its graph: to them all are alike."""
        for error in self.errors:
            if error.check == "runtime" and error.graph == trial.graph:
                self._keep(trial, error)

    def _keep(self, trial: Trial, error: CaseError) -> None:
        self.unanswered.setdefault((error.runtime, error.kind), UnansweredCase(trial, error))


def close(runners: dict[str, Runner]) -> None:
    """Ends the runtimes that are processes."""
    for runner in runners.values():
        if isinstance(runner, Isolated):
            runner.close()


def _intact(bundle: Bundle) -> Iterator[tuple[str, bytes]]:
    for name in bundle.manifest.files:
        try:
            yield name, bundle.read(name)
        except BundleError:
            continue


def _other_run(manifest: Manifest, checkpoint: Checkpoint) -> list[Failure]:
    """Where the bundle says that it was made from something else than this run."""
    description = checkpoint.description
    lines = differences("task", manifest.task, description.task)
    for name in () if lines else ("forecast", "sequences"):
        lines += _terms(name, getattr(manifest, name), getattr(description, name))
    lines += _terms("intervals", manifest.intervals, description.intervals)
    found = [Failure("contract", f"the manifest is not of this run: {line}") for line in lines]
    origin = manifest.provenance
    data = None if origin.data is None else asdict(origin.data)
    lines = differences("data", data, asdict(description.data))
    lines += differences("seed", origin.seed, description.seed)
    return found + [
        Failure("provenance", f"the bundle was not made from this run: {line}") for line in lines
    ]


def _terms(name: str, said: Any, own: Any) -> list[str]:
    """Where two dataclasses, of which each may be None, differ."""
    plain = [None if found is None else asdict(found) for found in (said, own)]
    return differences(name, *plain)


def _versions(*, with_torch: bool) -> dict[str, str]:
    found = {"python": platform.python_version(), "machine": platform.machine()}
    for name in _REPORTED if with_torch else _REPORTED[:-1]:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
