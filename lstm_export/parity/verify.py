"""Does a bundle give the numbers it should? Everything is checked, then everything is told."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lstm_export.bundle.layout import LAYOUT
from lstm_export.bundle.read import Bundle, open_bundle
from lstm_export.checkpoint import Checkpoint, read_checkpoint
from lstm_export.compare.rule import describe
from lstm_export.errors import (
    BundleError,
    ContractError,
    NewerFormatError,
    OptionError,
)
from lstm_export.parity.chosen import FROM_WEIGHTS, choose
from lstm_export.parity.patience import Patience
from lstm_export.parity.replay import SavedCase
from lstm_export.parity.report import Failure, ParityReport
from lstm_export.parity.runtimes.registry import Subject
from lstm_export.parity.trial import Tolerance
from lstm_export.parity.verification import Verification, close


def verify(
    bundle: str | Path,
    *,
    against: str | Path | None = None,
    runtimes: Sequence[str] = ("onnxruntime",),
    atol: float | None = None,
    rtol: float | None = None,
) -> ParityReport:
    """Verifies the bundle at `bundle`: checksums, contracts, golden values in every runtime.

    `against`, a run folder, adds its torch module and the oracle, live, over batch, length, scale
    and state; that needs the extra `train`. Among `runtimes`, "all" stands for everything that is
    installed: what refuses a graph loudly is then no failure, while a runtime that is named, and
    onnxruntime, has to answer. `atol` and `rtol` replace the parity rule. Whatever
    is wrong with the bundle is in the report; what is raised is wrong with the question:
    BundleError (no bundle there), NewerFormatError, CheckpointError, OptionError,
    MissingExtraError.
    """
    rule = describe(atol, rtol)
    chosen = choose(runtimes, live=against is not None)
    folder = Path(bundle)
    checkpoint = None if against is None else _run(against)
    verification = Verification(Tolerance(atol, rtol), chosen, checkpoint)
    opened = _open(folder)
    if isinstance(opened, Failure):
        verification.failures.append(opened)
    else:
        verification.run(opened)
    return verification.report(str(bundle), None if against is None else str(against), rule)


def replay(
    case: SavedCase,
    bundle: str | Path | None,
    runtimes: Sequence[str],
    *,
    against: str | Path | None = None,
    tolerance: Tolerance | None = None,
) -> ParityReport:
    """One saved case again, judged as it was: on its bundle, its run and by its tolerance, or on
    those given instead.

    Raises what `verify` raises, and BundleError if the bundle has no such graph.
    """
    wanted = case.tolerance if tolerance is None else tolerance
    rule = describe(wanted.atol, wanted.rtol)
    folder = Path(case.bundle if bundle is None else bundle)
    opened = open_bundle(folder)
    graph = case.trial.graph
    manifest = opened.manifest
    contract = manifest.contract(graph)
    run = case.against if against is None else against
    # The answers to judge by are in the case: its run is for runtimes that compute from weights.
    checkpoint = _run(run) if run is not None and {*runtimes} & {*FROM_WEIGHTS} else None
    chosen = choose(runtimes, live=checkpoint is not None)
    verification = Verification(wanted, chosen, checkpoint)
    subject = Subject(graph, opened.read(graph), folder / graph, contract, checkpoint)
    runners = verification.open_all(subject)
    try:
        verification.judge([case.trial], runners, manifest.graphs[graph], Patience())
    finally:
        close(runners)
    return verification.report(str(folder), None if checkpoint is None else str(run), rule)


def _run(against: str | Path) -> Checkpoint:
    if not isinstance(against, str | Path):
        raise OptionError(f"against: expected the path of a run, got {type(against).__name__}")
    return read_checkpoint(Path(against))


def _open(folder: Path) -> Bundle | Failure:
    """The bundle, or what is wrong with its manifest. No bundle at all is not its failure."""
    try:
        return open_bundle(folder)
    except NewerFormatError:
        raise
    except (BundleError, ContractError) as error:
        if not (folder / LAYOUT.manifest).is_file():
            raise
        return Failure("contract" if isinstance(error, ContractError) else "checksum", str(error))
