"""Do manifest, graph file and task promise the same thing, and does the file keep it?

Four views of one graph are laid beside each other: the manifest, the contract inside the file,
the file's own inputs and outputs, and what the task's terms demand.
"""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

from lstm_export.bundle.layout import LAYOUT
from lstm_export.bundle.manifest import Manifest
from lstm_export.bundle.onnx_file import OnnxFile, parse_onnx
from lstm_export.contract import METADATA_KEY, Contract, GraphSpec, Intervals, TensorSpec
from lstm_export.errors import LstmExportError
from lstm_export.parity.expected import graphs_of, required
from lstm_export.parity.report import Failure


def check_manifest(manifest: Manifest) -> list[Failure]:
    """Whether the manifest lists the files and graphs that its task needs, and no others."""
    problems = []
    needed = dict.fromkeys([*manifest.graphs, LAYOUT.model, LAYOUT.golden, LAYOUT.card])
    problems += [f"the manifest lists no file {n}" for n in needed if n not in manifest.files]
    strays = [n for n in manifest.files if n.endswith(".onnx") and n not in manifest.graphs]
    problems += [f"the manifest says nothing about the graph {n}" for n in strays]
    if manifest.forecast is not None and manifest.intervals is not None:
        problems += _intervals(manifest.intervals, len(manifest.forecast.targets))
    terms = manifest.forecast or manifest.sequences
    if terms is not None:
        demanded = graphs_of(terms)
        lacking = [name for name in required(terms) if name not in manifest.graphs]
        problems += [f"the manifest has no graph {name}" for name in lacking]
        for name, spec in manifest.graphs.items():
            if name in demanded:
                problems += _tensors(f"{name} in the manifest", spec, demanded[name])
            else:
                problems.append(f"a model of these terms has no graph {name}")
    return [Failure("contract", problem) for problem in problems]


def check_graph(manifest: Manifest, graph: str, content: bytes, where: str) -> list[Failure]:
    """Whether the ONNX file `content` is what the manifest says of `graph`."""
    try:
        file = parse_onnx(content, where)
    except LstmExportError as error:
        return [Failure("contract", str(error))]
    problems = _tensors(graph, file.spec, manifest.graphs[graph])
    problems += _versions(manifest, graph, file)
    problems += _metadata(manifest, graph, file)
    return [Failure("contract", problem) for problem in problems]


def differences(path: str, one: Any, other: Any) -> list[str]:
    """Where two values of the same plain structure differ, each as "path is one, not other"."""
    if isinstance(one, dict) and isinstance(other, dict):
        lines = [f"{path}.{key} is unexpected" for key in one if key not in other]
        lines += [f"{path}.{key} is missing" for key in other if key not in one]
        for key in [key for key in one if key in other]:
            lines += differences(f"{path}.{key}", one[key], other[key])
        return lines
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        if len(one) != len(other):
            return [f"{path} has {len(one)} entries, not {len(other)}"]
        pairs = enumerate(zip(one, other, strict=True))
        return [line for i, (a, b) in pairs for line in differences(f"{path}[{i}]", a, b)]
    return (
        [] if one == other and type(one) is type(other) else [f"{path} is {one!r}, not {other!r}"]
    )


def _intervals(intervals: Intervals, targets: int) -> list[str]:
    """Whether every level has half-widths for every target, wider ones the higher it is."""
    levels, known = intervals.levels, len(intervals.residuals)
    problems = []
    if not levels or list(levels) != sorted({c for c in levels if 0 < c < 1}):
        problems.append(f"the intervals' levels do not ascend between 0 and 1: {levels}")
    if len(intervals.half_widths) != len(levels):
        problems.append(f"{len(levels)} levels of intervals, {len(intervals.half_widths)} widths")
    narrower: tuple[tuple[float, ...], ...] = ((0.0,) * known,) * targets
    for level, widths in zip(levels, intervals.half_widths, strict=False):
        where = f"the intervals for {level:g}"
        if len(widths) != targets or len({len(target) for target in widths}) != 1:
            problems.append(f"{where} are not one list of steps for each of {targets} targets")
            break
        if not 0 < len(widths[0]) <= len(narrower[0]):
            problems.append(f"{where} reach {len(widths[0])} steps of {len(narrower[0])}")
            break
        pairs = [
            pair
            for target, below in zip(widths, narrower, strict=True)
            for pair in zip(target, below, strict=False)
        ]
        if not all(below <= width < math.inf for width, below in pairs):
            problems.append(f"{where} are narrower than those for less, or not finite")
        narrower = widths
    return problems


def _versions(manifest: Manifest, graph: str, file: OnnxFile) -> list[str]:
    pairs = (
        ("opset", file.opset_version, manifest.opset_version),
        ("IR version", file.ir_version, manifest.ir_version),
    )
    return [
        f"{graph} has {name} {got}, the manifest says {said}"
        for name, got, said in pairs
        if got != said
    ]


def _metadata(manifest: Manifest, graph: str, file: OnnxFile) -> list[str]:
    text = file.metadata_props.get(METADATA_KEY)
    if text is None:
        return [f"{graph} carries no contract: its metadata has no {METADATA_KEY!r}"]
    try:
        inside = Contract.from_json(text, graph)
    except LstmExportError as error:
        return [str(error)]
    said = asdict(manifest.contract(graph))
    lines = differences("", asdict(inside), said)
    return [f"{graph} disagrees with the manifest: {line[1:]}" for line in lines]


def _tensors(where: str, got: GraphSpec, expected: GraphSpec) -> list[str]:
    return [
        *_side(f"{where}: input", got.inputs, expected.inputs),
        *_side(f"{where}: output", got.outputs, expected.outputs),
    ]


def _side(where: str, got: tuple[TensorSpec, ...], expected: tuple[TensorSpec, ...]) -> list[str]:
    present = {tensor.name: tensor for tensor in got}
    wanted = {tensor.name: tensor for tensor in expected}
    problems = [f"{where} {name} is missing" for name in wanted if name not in present]
    problems += [f"{where} {name} is unexpected" for name in present if name not in wanted]
    for name in [n for n in wanted if n in present]:
        problems += _tensor(f"{where} {name}", present[name], wanted[name])
    if not problems and list(present) != list(wanted):
        problems.append(f"{where}s are in the order {list(present)}, expected {list(wanted)}")
    return problems


def _tensor(where: str, got: TensorSpec, expected: TensorSpec) -> list[str]:
    problems = []
    if got.dtype != expected.dtype:
        problems.append(f"{where} is {got.dtype}, expected {expected.dtype}")
    if len(got.axes) != len(expected.axes):
        return [*problems, f"{where} has axes {got.axes}, expected {expected.axes}"]
    for position, (axis, wanted) in enumerate(zip(got.axes, expected.axes, strict=True)):
        if axis == wanted:
            continue
        if isinstance(wanted, str) and isinstance(axis, int):
            problems.append(f"{where}: {wanted} (axis {position}) is baked in as {axis}")
        else:
            problems.append(f"{where}: axis {position} is {axis!r}, expected {wanted!r}")
    return problems
