"""What `lstm-export verify` tells people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lstm_export.cli.console import emit, say, table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lstm_export.compare.result import TensorComparison
    from lstm_export.parity.cases import CaseComparison
    from lstm_export.parity.matrix import Cell
    from lstm_export.parity.replay import SavedCase
    from lstm_export.parity.report import ParityReport


_LONGEST = 120
"""Characters of a runtime's message in a table."""


def show_report(found: ParityReport) -> None:
    """Every output at its worst place, the matrix where there is one, the verdict."""
    several = len(found.runtimes) > 1
    rows = []
    for one in found.worst_by_output():
        worst = one.worst.comparison
        name = f"{one.graph} {one.output}" + (f" ({one.runtime})" if several else "")
        held = f"{one.cases - one.failed}/{one.cases}"
        numbers = [_number(n) for n in (worst.worst_error, worst.bound, worst.torch_max_abs_error)]
        rows.append([name, held, *numbers, f"{one.worst.case}{_place(worst)}"])
    if rows:
        header = ["output", "passed", "worst error", "bound", "torch's own", "where"]
        emit(table(header, rows) + "\n")
    if several:
        _show_matrix(found)
    for note in found.notes:
        emit(f"note: {note}")
    for failure in found.failures:
        emit(f"FAILED {failure}")
    cases = sum(found.counts.values())
    with_what = "torch and the oracle, live" if found.against else "the golden values"
    verdict = "passed" if found.passed else f"FAILED, {_counted(len(found.failures), 'finding')}"
    emit(f"{found.bundle}: {verdict}; {_counted(cases, 'case')} against {with_what}")
    say(f"rule: {found.rule}")
    if found.passed and found.against is None:
        say("next: --against RUN compares with torch over the whole shape matrix")


def show_replay(case: SavedCase, found: ParityReport) -> None:
    """One case: what went in, and every output beside its reference where it is worst."""
    trial = case.trial
    chunks = f", in chunks of {', '.join(map(str, trial.chunks))}" if trial.chunks else ""
    emit(f"{trial.graph}, the {trial.check} case {trial.case}{chunks}, of {found.bundle}")
    for name, value in trial.inputs.items():
        emit(f"  {name}: {value.dtype} {list(value.shape)}")
    for runtime in found.runtimes:
        version = found.versions.get(runtime, "")
        emit(f"\nin {runtime} {version}".rstrip())
        for error in found.errors:
            if error.runtime == runtime:
                emit(f"  {error.kind.upper()}: {error.message}")
        for one in found.comparisons:
            if one.runtime == runtime:
                _show_comparison(one)
    emit(f"\nkept of {case.runtime}: {case.seen}")
    emit("passed" if found.passed else "FAILED")
    say(f"rule: {found.rule}")


def _show_comparison(one: CaseComparison) -> None:
    tensor = one.comparison
    emit(f"  {tensor.name}: {'within' if tensor.passed else 'WRONG'}{_place(tensor)}")
    if tensor.reason:
        emit(f"    {tensor.reason}")
    rows = [("got", _exact(tensor.got)), ("reference", _exact(tensor.reference))]
    if tensor.torch_max_abs_error is not None:
        most = _number(tensor.torch_max_abs_error)
        rows.append(("torch", f"{_exact(tensor.torch)} (anywhere at most {most} off)"))
    rows += [("error", _number(tensor.worst_error)), ("bound", _number(tensor.bound))]
    for label, value in rows:
        emit(f"    {label:<9}  {value}")


def _exact(value: float | int | None) -> str:
    """Digits that tell one float32 from the next; all of an integer's."""
    if value is None:
        return "-"
    return str(value) if isinstance(value, int) else f"{value:.9g}"


def _show_matrix(found: ParityReport) -> None:
    """A line for each runtime, or for each graph of it where its verdicts differ."""
    by_graph: dict[str, dict[str, list[Cell]]] = {}
    for cell in found.matrix:
        by_graph.setdefault(cell.runtime, {}).setdefault(cell.graph, []).append(cell)
    lines = []
    for runtime, graphs in by_graph.items():
        said = {graph: (_said(cells), _why(cells)) for graph, cells in graphs.items()}
        if len(set(said.values())) == 1:
            said = {"every graph": next(iter(said.values()))}
        lines += [[runtime, graph, *words] for graph, words in said.items()]
    emit(table(["runtime", "graph", "verdict", "in its words"], lines, left=4) + "\n")


def _said(cells: Sequence[Cell]) -> str:
    verdicts: dict[str, list[str]] = {}
    for cell in cells:
        verdicts.setdefault(cell.verdict, []).append(cell.feature)
    if len(verdicts) == 1:
        return next(iter(verdicts))
    return "; ".join(f"{verdict}: {', '.join(names)}" for verdict, names in verdicts.items())


def _why(cells: Sequence[Cell]) -> str:
    """What a runtime said, or the worst that it got wrong; the failures below say it in full."""
    wrong = [one for cell in cells if cell.verdict == "wrong" and (one := cell.worst) is not None]
    if wrong:
        worst = max((one.comparison for one in wrong), key=lambda one: one.severity)
        if worst.worst_index is None:
            return f"{worst.name}: {worst.reason}"
        numbers = f"error {_number(worst.worst_error)}, bound {_number(worst.bound)}"
        return f"{worst.name}{_place(worst)}: {numbers}"
    message = next((cell.message for cell in cells if cell.message), "")
    return message if len(message) <= _LONGEST else message[: _LONGEST - 1] + "…"


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'s' if count != 1 else ''}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2g}"


def _place(worst: TensorComparison) -> str:
    return "" if worst.worst_index is None else f" {list(worst.worst_index)}"
