"""Which cases of a verification are kept in files, to be looked at and run again alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from lstm_export.compare.result import TensorComparison
from lstm_export.errors import OutputError
from lstm_export.files import refuse_existing
from lstm_export.parity.matrix import Verdict
from lstm_export.parity.replay import SavedCase, save_case
from lstm_export.parity.report import KeptCase, ParityReport
from lstm_export.parity.trial import Tolerance, Trial


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
    `<runtime>-refused.npz`, or -crashed, or -hung, the first case that it did not answer. Raises
    OutputError if a file is there already and `force` is not given, or cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot make the folder {folder}: {error.strerror}") from None
    bundle = str(Path(report.bundle).resolve())
    against = None if report.against is None else str(Path(report.against).resolve())
    tolerance = Tolerance(report.atol, report.rtol)
    kept = []
    for trial, runtime, verdict, seen in _worth_keeping(report):
        answered = verdict in ("wrong", "within")
        path = folder / (f"{runtime}.npz" if answered else f"{runtime}-{verdict}.npz")
        refuse_existing(path, force=force)
        save_case(path, SavedCase(trial, bundle, runtime, against, tolerance, seen))
        kept.append(KeptCase(runtime, trial.graph, trial.case, verdict, str(path)))
    return tuple(kept)


def _worth_keeping(report: ParityReport) -> Iterator[tuple[Trial, str, Verdict, str]]:
    """Trial, runtime, verdict, and what was seen, in a line."""
    for worst in report.worst:
        tensor = worst.comparison.comparison
        verdict: Verdict = "within" if tensor.passed else "wrong"
        yield worst.trial, worst.comparison.runtime, verdict, f"{verdict}, {_told(tensor)}"
    for one in report.unanswered:
        kind, message = one.error.kind, one.error.message
        yield one.trial, one.error.runtime, kind, f"{kind}: {message}"


def _told(tensor: TensorComparison) -> str:
    if tensor.worst_index is None:
        return f"{tensor.name}: {tensor.reason}"
    place = f"{tensor.name} {list(tensor.worst_index)}"
    return f"{place}: error {tensor.worst_error:.3g}, bound {tensor.bound:.3g}"
