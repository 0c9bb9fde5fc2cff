"""`lstm-export inspect FILE`."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lstm_export.cli.console import Json, Key, LayerString, emit, emit_json, table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lstm_export.contract import Column, Forecast, Intervals, Recurrent, Sequences
    from lstm_export.importing.inspection import WeightsInspection
    from lstm_export.inspection import GraphFacts, Inspection


def inspect(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="A bundle, an ONNX file, a training run or a file of weights."
        ),
    ],
    layers: LayerString = None,
    key: Key = None,
    toml: Annotated[
        bool, typer.Option("--toml", help="Print the layers of the weights as TOML, to be edited.")
    ] = False,
    json: Json = False,
) -> None:
    """Say what a bundle, an ONNX file, a training run or a file of weights is, by its content.

    Of weights it shows what every tensor would be used as, the layers that an export would take
    them for, and what is assumed there; nothing in the file is run. With --json: kind (weights),
    path, format, bytes, keys, parameters, found (layers by name, kind and sizes), layers, toml,
    inputs, outputs, assumptions, question (null if there is none), notes, unused, tensors.

    Of anything else, with --json: kind (bundle, onnx file or training run), path, task (forecast,
    classify, regress, tag, module, or unknown for a foreign file), parameters, sizes (bytes by
    file), forecast (features, targets, window, input_scaling, target_scaling, recurrent, time; null
    for other tasks), graphs
    (by file: spec with inputs and outputs, opset_version, ir_version, producer, operators, cells,
    weights, external_files), provenance (source_kind, data, seed, metrics, versions), verified (the
    verdict at export: passed, cases, worst_error, worst_bound, torch_error; null if none),
    intervals (levels; residuals by step; half_widths by level, target and step; null if none),
    sequences (answer, features, input_scaling, vocabulary, embedding_size, recurrent, pooling,
    classes, targets, target_scaling; null where whole sequences are not what is answered).
    """
    from lstm_export.errors import OptionError
    from lstm_export.importing.read import is_weights
    from lstm_export.inspection import inspect_path, is_part

    if is_weights(file) and not is_part(file):
        from lstm_export.importing.inspection import inspect_weights

        weights = inspect_weights(file, key=key, layers=layers)
        if json:
            emit_json(weights.to_dict())
        elif toml and weights.toml is not None:
            emit(weights.toml.rstrip())
        else:
            _show_weights(weights)
        return
    if layers is not None or key is not None or toml:
        raise OptionError(f"--layers, --key and --toml are for a file of weights; {file} is none")
    found = inspect_path(file)
    if json:
        emit_json(found.to_dict())
        return
    _show(list(_lines(found)))


Line = tuple[str, str]
_SHOWN = 12
"""Symbols and classes of which the names are shown."""


def _show(lines: Sequence[Line]) -> None:
    width = max(len(name) for name, _ in lines)
    for name, text in lines:
        emit(f"{name:<{width}}  {text}".rstrip())


def _show_weights(found: WeightsInspection) -> None:
    from lstm_export.importing.infer.table import HEADER, text_rows
    from lstm_export.importing.ops.op import shown as axes_text
    from lstm_export.importing.pickles.values import shown

    def cell(text: str) -> str:
        return shown(text, 400)

    about = [("weights", found.path), ("format", f"{found.format}, {found.bytes:,} bytes")]
    about += [("parts", f"{', '.join(found.keys)}: --key takes one")] if found.keys else []
    about.append(("parameters", f"{found.parameters:,} in the tensors that are used"))
    about += [("note", note) for note in found.notes]
    _show([(name, cell(text)) for name, text in about])
    rows = [[cell(text) for text in row] for row in text_rows(found.table)]
    emit("\n" + table(HEADER, rows, left=len(HEADER)) + "\n")
    then: list[Line] = []
    if found.layers is not None:
        then.append(("layers", found.layers))
    then += [("input", f"{i.name}: {i.kind} {axes_text(i.axes)}") for i in found.inputs]
    then += [("output", f"{name}: {axes_text(axes)}") for name, axes in found.outputs]
    then += [("assumed", sentence) for sentence in found.assumptions]
    if found.question is not None:
        then.append(("question", found.question))
    if found.unused:
        count = f"{found.unused} tensor{'s' * (found.unused > 1)}"
        then.append(("unused", f"{count}: an export asks for --allow-unused"))
    if found.layers is not None:
        spelt = found.layers.replace("'", "'\\''")
        then.append(("next", f"lstm-export export {found.path} --layers '{spelt}' --out BUNDLE"))
    _show([(name, shown(text, 4000)) for name, text in then])


def _lines(found: Inspection) -> Iterator[Line]:
    yield found.kind, found.path
    yield "task", found.task
    if found.forecast:
        yield from _forecast_lines(found.forecast)
        if found.kind != "onnx file":
            yield from _interval_lines(found.intervals)
    if found.sequences:
        yield from _sequence_lines(found.sequences)
    yield "parameters", f"{found.parameters:,}"
    for name, facts in found.graphs.items():
        yield from _graph_lines(name, facts)
    for name, size in found.sizes.items():
        yield "size", f"{name}  {size:,} bytes"
    yield from _origin_lines(found)


def _named(columns: Sequence[Column]) -> str:
    return ", ".join(f"{c.name} ({c.unit})" if c.unit else c.name for c in columns)


def _cells(spec: Recurrent) -> str:
    directions = ", two directions" if spec.bidirectional else ""
    projection = f", projected to {spec.proj_size}" if spec.proj_size else ""
    layers = f"{spec.num_layers} layer{'s' if spec.num_layers > 1 else ''}"
    return f"{spec.cell.upper()}, {layers} of {spec.hidden_size}{projection}{directions}"


def _sequence_lines(terms: Sequences) -> Iterator[Line]:
    if terms.vocabulary is None:
        yield "features", _named(terms.features)
        scaled = terms.input_scaling.kind != "none"
        yield (
            "preprocessing",
            f"{terms.input_scaling.kind} scaling; inside the graph" if scaled else "none",
        )
    else:
        symbols, level = terms.vocabulary.symbols, terms.vocabulary.level
        cased = ", in lower case" if terms.vocabulary.lowercase else ""
        shown = " ".join(symbols[:_SHOWN]) + (" …" if len(symbols) > _SHOWN else "")
        yield "vocabulary", f"{len(symbols)} {level}s{cased}: {shown!r}"
        yield "embedding", f"{terms.embedding_size} numbers each"
    each = "" if terms.pooling else ", for every step"
    if terms.classes:
        names = ", ".join(terms.classes[:_SHOWN]) + (" …" if len(terms.classes) > _SHOWN else "")
        yield "classes", f"{len(terms.classes)} of {', '.join(terms.answer)}{each}: {names}"
    else:
        yield "targets", f"{_named(terms.targets)}{each}"
    yield "cells", _cells(terms.recurrent)
    if terms.pooling:
        yield "pooling", f"{terms.pooling} over the steps"
    why = "it reads in two directions" if terms.recurrent.bidirectional else "it pools all steps"
    yield "streams", "yes" if terms.causal else f"no: {why}"


def _forecast_lines(terms: Forecast) -> Iterator[Line]:
    window = terms.window
    yield "features", _named(terms.features)
    yield "targets", _named(terms.targets)
    yield "cells", _cells(terms.recurrent)
    yield (
        "window",
        f"context {window.context_length}, horizon {window.horizon}; {window.history} rows of "
        f"history, at least {window.shortest}",
    )
    steps = [f"difference over {window.difference}"] if window.difference else []
    if terms.input_scaling.kind != "none":
        steps.append(f"{terms.input_scaling.kind} scaling")
    yield "preprocessing", (", then ".join(steps) or "none") + "; inside the graph"
    if terms.time:
        yield "time", f"{terms.time.column}, {terms.time.step} {terms.time.unit} apart"
    yield "streams", "yes" if terms.causal else "no: it reads in two directions"


def _interval_lines(found: Intervals | None) -> Iterator[Line]:
    if found is None:
        yield "intervals", "none"
        return
    for steps, group in groupby(range(len(found.levels)), key=found.steps):
        levels = ", ".join(f"{found.levels[i]:g}" for i in group)
        counts = sorted({found.residuals[0], found.residuals[steps - 1]}, reverse=True)
        yield (
            "intervals",
            f"{levels}: {steps} step{'s' if steps > 1 else ''} ahead, from "
            f"{' to '.join(map(str, counts))} residuals each",
        )


def _graph_lines(name: str, facts: GraphFacts) -> Iterator[Line]:
    yield "graph", f"{name}: opset {facts.opset_version}, IR {facts.ir_version}, {facts.producer}"
    for spec in facts.spec.inputs:
        yield "  input", str(spec)
    for spec in facts.spec.outputs:
        yield "  output", str(spec)
    yield "  nodes", ", ".join(f"{count} {op}" for op, count in facts.operators.items())
    for cell in facts.cells:
        yield "  cell", f"{cell['op_type']} of {cell['hidden_size']}, {cell['direction']}"
    if facts.external_files:
        yield "  weights in", ", ".join(facts.external_files)


def _origin_lines(found: Inspection) -> Iterator[Line]:
    origin = found.provenance
    if origin and origin.data:
        yield "data", f"{origin.data.name}, {origin.data.rows:,} rows, sha256 {origin.data.sha256}"
    if origin and origin.weights:
        weights = origin.weights
        yield "weights", f"{weights.file}, {weights.format}, sha256 {weights.sha256}"
        yield "taken for", weights.taken_for
    if origin and origin.seed is not None:
        yield "seed", str(origin.seed)
    if origin and origin.versions:
        yield "made with", ", ".join(f"{name} {v}" for name, v in sorted(origin.versions.items()))
    if found.kind == "bundle":
        yield "checksums", "every file is as it was written"
    parity = found.verified
    if parity is None:
        hint = ": export it, then `lstm-export verify`" if found.kind == "training run" else ""
        yield "verified", f"no{hint}"
    else:
        verdict = "yes" if parity.passed else "FAILED"
        yield (
            "verified",
            f"{verdict}, at export: {parity.cases} cases, worst error {parity.worst_error:.2g} "
            f"(bound {parity.worst_bound:.2g}), torch's own {parity.torch_error:.2g}",
        )
