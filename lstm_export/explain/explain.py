"""`explain`: a model's recurrent layers on a series, one after another."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from lstm_export.contract import TensorSpec
from lstm_export.errors import OptionError
from lstm_export.explain.answers import answer_spec, answers_over_time
from lstm_export.explain.explanation import Explanation, GateFacts, LayerFacts, LayerTrace
from lstm_export.explain.gates import GATES, MEMORY, SWITCHES
from lstm_export.explain.graph import Answering, TappedGraph
from lstm_export.explain.inputs.choice import Choice
from lstm_export.explain.inputs.registry import read_subject
from lstm_export.explain.layer import run_node
from lstm_export.explain.memory import memory_length
from lstm_export.explain.nodes import RecurrentNode, recurrent_nodes
from lstm_export.explain.reproduce import judged, worst
from lstm_export.explain.source import Source, open_source
from lstm_export.explain.subject import Subject
from lstm_export.explain.switching import Switched, variance_of
from lstm_export.explain.watch import Trace, Watch

MOST_LAYERS = 4
"""So many layers are explained where none are named."""


def explain(
    path: Path, data: str, choice: Choice | None = None, layers: Sequence[int] = ()
) -> Explanation:
    """The layers of the model at `path`, those numbered `layers` or the first few, on `data`.

    Raises BundleError for a model that cannot be explained, OptionError for a choice or a layer
    that is not there, DataError or InputError for data that do not fit.
    """
    source = open_source(path)
    nodes = recurrent_nodes(source.model, source.where)
    chosen, notes = _chosen(nodes, layers)
    spec = answer_spec(source.model.spec)
    subject = read_subject(source, data, choice or Choice())
    plain = Answering(source, spec.name)
    tapped = TappedGraph(source, nodes)
    shortest = 1 + tapped.lost_steps(subject.batches[0], subject.steps)
    return Explanation(
        bundle=str(path),
        data=data,
        task=source.contract.task,
        series=subject.name,
        sequences=subject.sequences,
        features=subject.features,
        inputs=subject.values,
        symbols=subject.symbols,
        times=subject.times,
        time_format=subject.time_format,
        output=spec.name,
        answers=answers_over_time(subject, source.contract.graph, spec, plain, shortest),
        layers=tuple(_layers(source, chosen, subject, spec, plain, tapped)),
        notes=(*subject.notes, *notes),
    )


def _chosen(
    nodes: tuple[RecurrentNode, ...], layers: Sequence[int]
) -> tuple[tuple[RecurrentNode, ...], tuple[str, ...]]:
    for number in layers:
        if not 1 <= number <= len(nodes):
            raise OptionError(
                f"--layer {number}: the graph has {len(nodes)} recurrent layers, counted from 1: "
                f"{', '.join(f'{node.number} ({node.name})' for node in nodes)}"
            )
    if layers:
        return tuple(node for node in nodes if node.number in layers), ()
    if len(nodes) <= MOST_LAYERS:
        return nodes, ()
    note = f"explained are the first {MOST_LAYERS} of {len(nodes)} layers: --layer takes others"
    return nodes[:MOST_LAYERS], (note,)


def _layers(
    source: Source,
    nodes: tuple[RecurrentNode, ...],
    subject: Subject,
    spec: TensorSpec,
    plain: Answering,
    tapped: TappedGraph,
) -> list[LayerFacts]:
    runs = [plain(feeds) for feeds in subject.batches]
    found: list[LayerFacts] = []
    for node in nodes:
        rest = Answering(source, spec.name, node)
        found += _node(node, subject, tapped, rest, runs)
    return found


def _node(
    node: RecurrentNode,
    subject: Subject,
    tapped: TappedGraph,
    rest: Answering,
    runs: Sequence[npt.NDArray[np.generic]],
) -> list[LayerFacts]:
    """The node's directions, each as a layer of its own."""
    backward = [node.turned or reads for reads in node.backward]
    watches = [Watch(node.hidden_size) for _ in node.backward]
    switched = [
        [Switched(switch, node, d) for switch in SWITCHES[node.cell]]
        for d in range(len(node.backward))
    ]
    checks, answers, traces = [], [], []
    for number, (feeds, answer) in enumerate(zip(subject.batches, runs, strict=True)):
        entering, leaving = tapped.run(node, feeds)
        if number == 0:
            steps = len(entering["X"])
            traces = [Trace(steps, node.hidden_size, backward=back) for back in backward]
        for watch, trace in zip(watches, traces, strict=True):
            watch.trace = trace if number == 0 else None
        reference = run_node(node, entering, probes=watches)
        computed = rest(feeds, reference)
        checks.append(judged(node, entering, leaving, reference, rest, feeds, (answer, computed)))
        answers.append(computed.astype(np.float64))
        for change in (change for changes in switched for change in changes):
            change.add(entering, rest, feeds, answers[-1])
    variance, judgements = variance_of(answers), worst(checks)
    return [
        LayerFacts(
            number=node.number,
            name=node.name,
            cell=node.cell,
            backward=back,
            hidden_size=node.hidden_size,
            gates=_gates(node, watch),
            memory=_memory(node, watch),
            switches=tuple(change.effect(variance) for change in changes),
            trace=LayerTrace(
                trace.edges, {name: trace.values(name) for name in (*watch.counts, "state")}
            ),
            checks=judgements,
        )
        for back, watch, trace, changes in zip(backward, watches, traces, switched, strict=True)
    ]


def _gates(node: RecurrentNode, watch: Watch) -> tuple[GateFacts, ...]:
    shut_or_open = [gate.name for gate in GATES[node.cell] if gate.between[0] == 0]
    return tuple(
        GateFacts(
            name=name,
            near_zero=float(watch.counts[name].near_zero.mean()),
            near_one=float(watch.counts[name].near_one.mean()),
            mean=float(watch.counts[name].mean.mean()),
            unit_means=watch.counts[name].mean,
        )
        for name in shut_or_open
    )


def _memory(node: RecurrentNode, watch: Watch) -> npt.NDArray[np.float64] | None:
    gate = MEMORY[node.cell]
    return None if gate is None else memory_length(watch.counts[gate].mean_log)
