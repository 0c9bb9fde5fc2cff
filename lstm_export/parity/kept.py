"""Which cases of a verification are kept in files, to be looked at and run again alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from lstm_export.bundle.layout import LAYOUT
from lstm_export.bundle.read import open_bundle
from lstm_export.errors import LstmExportError, OutputError
from lstm_export.files import refuse_existing
from lstm_export.parity.cases import CaseError
from lstm_export.parity.golden_replay import golden_trials, in_chunks
from lstm_export.parity.matrix import Verdict
from lstm_export.parity.replay import SavedCase, save_case
from lstm_export.parity.report import KeptCase, ParityReport
from lstm_export.parity.trial import Trial


def refuse_kept(folder: Path, *, force: bool) -> None:
    """Raises OutputError where `folder` is none, or holds cases already and `force` is not given.

    To be asked before a verification, not after its minutes.
    """
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder}: expected a folder to keep cases in, this is a file")
    for path in sorted(folder.glob("*.npz")):
        refuse_existing(path, force=force)


def keep(report: ParityReport, folder: Path, *, force: bool = False) -> tuple[KeptCase, ...]:
    """Writes the cases of each runtime into `folder`, made where there is none.

    `<runtime>.npz` is its worst answer, one that is wrong before all that are within; and
    `<runtime>-refused.npz`, or -crashed, or -hung, the first golden case that it did not answer.
    Raises OutputError if a file is there already and `force` is not given, or cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot make the folder {folder}: {error.strerror}") from None
    bundle = str(Path(report.bundle).resolve())
    kept = []
    for trial, runtime, verdict in _worth_keeping(report):
        answered = verdict in ("wrong", "within")
        path = folder / (f"{runtime}.npz" if answered else f"{runtime}-{verdict}.npz")
        refuse_existing(path, force=force)
        save_case(path, SavedCase(trial, bundle, runtime))
        kept.append(KeptCase(runtime, trial.graph, trial.case, verdict, str(path)))
    return tuple(kept)


def _worth_keeping(report: ParityReport) -> Iterator[tuple[Trial, str, Verdict]]:
    for worst in report.worst:
        passed = worst.comparison.comparison.passed
        yield worst.trial, worst.comparison.runtime, "within" if passed else "wrong"
    first: dict[tuple[str, Verdict], CaseError] = {}
    for error in report.errors:
        first.setdefault((error.runtime, error.kind), error)
    if not first:
        return
    trials = _golden(report.bundle)
    for (runtime, kind), error in first.items():
        # A graph that does not load refuses every case of it: the first stands for them.
        own = [trial for trial in trials if trial.graph == error.graph]
        if error.check != "runtime":
            own = [trial for trial in own if (trial.check, trial.case) == (error.check, error.case)]
        if own:
            yield own[0], runtime, kind


def _golden(bundle: str) -> list[Trial]:
    """The golden cases of the bundle, and those of its stream in chunks; none if it is damaged."""
    try:
        opened = open_bundle(bundle)
        where = str(opened.path / LAYOUT.golden)
        trials, _ = golden_trials(opened.manifest, opened.read(LAYOUT.golden), where)
    except LstmExportError:
        return []
    stream = opened.manifest.graphs.get(LAYOUT.stream)
    if stream is None:
        return trials
    own = [trial for trial in trials if trial.graph == LAYOUT.stream]
    return [*trials, *in_chunks(own, stream)]
