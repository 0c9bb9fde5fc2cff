"""From a plan to what it found, run by run, so that a stop loses nothing but the run it stops."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from lstm_export.cells.comparison import Comparison, Finding, Metric
from lstm_export.cells.latency import export_and_time
from lstm_export.cells.plan import Plan
from lstm_export.cells.trial import run_trial
from lstm_export.errors import OptionError
from lstm_export.files import refuse_existing_folder, write_atomic, writing
from lstm_export.training.config import differences, resolve, to_toml
from lstm_export.training.options import TrainOptions
from lstm_export.training.progress import Progress
from lstm_export.training.train import TrainResult

MARKER = "compare.toml"
"""The options that all runs share, by which a folder is known to be a comparison's."""
RUNS, BUNDLES = "runs", "bundles"


def compare(
    plan: Plan,
    out: Path,
    *,
    force: bool = False,
    say: Callable[[str], None] = lambda message: None,
    progress: Callable[[], Progress],
) -> Comparison:
    """Trains, exports and times what `plan` says into the folder `out`.

    Runs that are finished there already are taken as they are, one that was stopped goes on;
    `force` begins anew. `progress` makes who hears of a run.

    Raises OptionError or DataError if the runs in `out` have other options or other data,
    OutputError, what training raises, and KeyboardInterrupt.
    """
    _begin(plan.options, out, force=force)
    findings: list[Finding] = []
    results: dict[str, TrainResult] = {}
    notes = list(plan.notes)
    metric = Metric("accuracy")
    trials, begun, trained = plan.trials, time.monotonic(), 0
    for i, trial in enumerate(trials):
        ahead = sum(one.steps or 1 for one in trials[i:])
        left = _left(time.monotonic() - begun, trained, ahead)
        say(f"[{i + 1}/{len(trials)}] {trial}{left}")
        finding, metric, result = run_trial(trial, plan.of(trial), out / RUNS, progress())
        trained += 0 if result.was_finished else trial.steps or 1
        took = "trained before" if result.was_finished else "training went on"
        if finding.seconds is not None and not result.was_finished:
            took = f"{finding.seconds:.1f} s"
        say(f"      {metric.name} {finding.score:.4g}, {took}")
        findings.append(finding)
        notes += [n for n in result.notes if not n.endswith("nothing was left to do")]
        if trial.seed == plan.seeds[0]:
            results[trial.cell] = result  # of several T the last, which is the largest
    say("export a run of each cell, and time their bundles in turns")
    last = next(iter(results.values()))
    runs = {cell: result.path for cell, result in results.items()}
    latency = export_and_time(runs, out / BUNDLES, last.course.steps)
    terms = last.description.sequences
    return Comparison(
        data=plan.options.data,
        task=plan.options.task,
        metric=metric,
        cells=plan.cells,
        seeds=plan.seeds,
        steps=plan.steps or (None,),
        findings=tuple(findings),
        latency=latency,
        chance=1 / len(terms.classes) if terms is not None and terms.classes else None,
        budget=_budget(plan.options),
        notes=tuple(dict.fromkeys(notes)),
    )


def _begin(options: TrainOptions, out: Path, *, force: bool) -> None:
    """Makes `out` the folder of this comparison, its earlier runs kept unless `force`."""
    shared = replace(options, cell="lstm", seed=0)
    marker = out / MARKER
    refuse_existing_folder(out, force=force or marker.is_file(), marker=MARKER)
    if marker.is_file() and not force:
        if changed := differences(resolve({}, marker), shared):
            raise OptionError(
                f"{out} holds runs with other options: {'; '.join(changed)}. Give the same, or "
                "compare anew with --force or into another folder"
            )
        return
    with writing(out):
        out.mkdir(parents=True, exist_ok=True)
        for name in (RUNS, BUNDLES):
            if (out / name).is_dir():
                shutil.rmtree(out / name)
            (out / name).mkdir()
    write_atomic(marker, to_toml(shared))


def _budget(options: TrainOptions) -> str:
    if options.max_steps is None:
        return f"at most {options.epochs} epochs"
    return f"at most {options.max_steps:,} steps, {options.epochs} epochs"


def _left(seconds: float, trained: int, ahead: int) -> str:
    """How long the runs that are left take, if each takes as long as its sequences are."""
    if not trained:
        return ""
    return f"  (about {max(1, round(seconds / trained * ahead / 60))} min left)"
