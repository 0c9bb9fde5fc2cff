"""The golden values of a bundle, as trials: what torch and the oracle answered at export."""

from __future__ import annotations

from dataclasses import replace

from lstm_export.bundle.golden import read_golden
from lstm_export.bundle.manifest import Manifest
from lstm_export.contract import SEQUENCE_LENGTH, GraphSpec
from lstm_export.errors import BundleError
from lstm_export.parity.live import chunk_lengths
from lstm_export.parity.report import Failure
from lstm_export.parity.trial import Trial, shapes


def golden_trials(
    manifest: Manifest, content: bytes, where: str
) -> tuple[list[Trial], list[Failure]]:
    """Every case of every graph, and what the golden file itself lacks.

    Each graph needs cases, and each dynamic axis at least two sizes among them: at one size a
    baked axis looks like a dynamic one.
    """
    try:
        cases = read_golden(content, where)
    except BundleError as error:
        return [], [Failure("golden", str(error))]
    trials = [
        Trial("golden", case.graph, case.name, case.inputs, case.oracle, case.torch)
        for case in cases
    ]
    problems = []
    for graph, spec in manifest.graphs.items():
        own = [trial for trial in trials if trial.graph == graph]
        if not own:
            problems.append(f"{where} has no case for {graph}")
            continue
        sizes = shapes(own, spec)
        axes = dict.fromkeys(a for t in spec.inputs for a in t.axes if isinstance(a, str))
        problems += [
            f"{where}: every case of {graph} has the same {axis}, so a baked one would go unseen"
            for axis in axes
            if len(sizes.get(axis, ())) < 2
        ]
        counts = [t.name for t in spec.inputs if t.dtype.startswith("int") and t.axes == ()]
        problems += [
            f"{where}: every case of {graph} has the same {name}, so a baked one would go unseen"
            for name in counts
            if len({trial.inputs[name].item() for trial in own if name in trial.inputs}) < 2
        ]
        names = {tensor.name for tensor in spec.outputs}
        problems += [
            f"{where}: {graph} {trial.case} answers {sorted(trial.reference)}, not {sorted(names)}"
            for trial in own
            if set(trial.reference) != names
        ]
    strays = dict.fromkeys(t.graph for t in trials if t.graph not in manifest.graphs)
    problems += [f"{where} has cases for {graph}, which the bundle lacks" for graph in strays]
    return trials, [Failure("golden", problem) for problem in problems]


def in_chunks(trials: list[Trial], spec: GraphSpec) -> list[Trial]:
    """Those among the golden cases of a stream that have several steps, cut into chunks."""
    return [
        replace(trial, check="chunked", chunks=chunk_lengths(length))
        for trial in trials
        for length in shapes([trial], spec).get(SEQUENCE_LENGTH, ())
        if length > 1
    ]
