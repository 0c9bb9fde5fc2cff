"""Bundles that classify, regress or tag, verified: every kind passes, and what is wrong fails."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lstm_export.bundle.layout import LAYOUT
from lstm_export.bundle.manifest import Manifest
from lstm_export.bundle.read import open_bundle
from lstm_export.bundle.write import write_bundle
from lstm_export.bundling import export_bundle
from lstm_export.checkpoint import read_checkpoint, write_checkpoint
from lstm_export.contract import CELLS, POOLINGS
from lstm_export.parity.report import ParityReport
from lstm_export.parity.verify import verify

Make = Callable[..., Path]
COVERING: tuple[dict[str, Any], ...] = (
    {"task": "classify", "cell": "gru"},
    {"task": "classify", "pooling": "mean", "bidirectional": True},
    {"task": "classify", "text": True},
    {"task": "regress", "cell": "rnn", "pooling": "max", "text": True},
    {"task": "regress", "cell": "gru", "pooling": "sum", "bidirectional": True},
    {"task": "tag", "text": True},
    {"task": "tag", "bidirectional": True},
    {"task": "tag", "cell": "rnn"},
)
EVERY: tuple[dict[str, Any], ...] = tuple(
    {"task": task, "cell": cell, "bidirectional": two, "text": text, "pooling": pooling}
    for task, cell, two, text in itertools.product(
        ("classify", "regress", "tag"), CELLS, (False, True), (False, True)
    )
    for pooling in (POOLINGS if task != "tag" else ("last",))
)


DEFAULTS = {"cell": "lstm", "bidirectional": False, "text": False, "pooling": "last"}


def together(
    count: int, kinds: Sequence[dict[str, Any]], tried: Sequence[dict[str, Any]]
) -> list[dict[str, Any]]:
    """A few of `kinds` that have, with those already `tried`, every `count` choices that occur
    together in one of them."""

    def chosen(kind: dict[str, Any]) -> set[Any]:
        full = DEFAULTS | kind
        return set(itertools.combinations(sorted(full.items()), count))

    missing, few = set().union(*map(chosen, kinds)).difference(*map(chosen, tried)), []
    while missing:
        few.append(max(kinds, key=lambda kind: len(chosen(kind) & missing)))
        missing -= chosen(few[-1])
    return few


TWO = together(2, EVERY, COVERING)


def told(report: ParityReport) -> str:
    return "\n".join(f"{failure.check}: {failure.message}" for failure in report.failures)


@pytest.mark.parametrize("kind", COVERING, ids=str)
def test_every_kind_of_model_keeps_its_contract_and_its_golden_values(
    make_sequences: Make, kind: dict[str, Any]
) -> None:
    folder = make_sequences(**kind)
    report = verify(folder / "bundle")
    assert report.passed, told(report)
    manifest = open_bundle(folder / "bundle").manifest
    assert {one.graph for one in report.comparisons} == set(manifest.graphs)


@pytest.mark.parametrize("kind", TWO, ids=str)
def test_any_two_choices_together(make_sequences: Make, kind: dict[str, Any]) -> None:
    report = verify(make_sequences(**kind) / "bundle")
    assert report.passed, told(report)


@pytest.mark.slow
@pytest.mark.parametrize("kind", together(3, EVERY, (*COVERING, *TWO)), ids=str)
def test_any_three_choices_together(make_sequences: Make, kind: dict[str, Any]) -> None:
    report = verify(make_sequences(**kind) / "bundle")
    assert report.passed, told(report)


@pytest.mark.parametrize(
    ("kind", "runtimes"),
    [(COVERING[5], ("onnxruntime", "oracle")), (COVERING[6], ("onnxruntime",))],
    ids=str,
)
def test_against_its_run_it_is_tried_over_lengths_ends_and_chunks(
    make_sequences: Make, kind: dict[str, Any], runtimes: tuple[str, ...]
) -> None:
    folder = make_sequences(**kind)
    report = verify(folder / "bundle", against=folder / "run", runtimes=runtimes)
    assert report.passed, told(report)
    asked = {(one.check, one.graph) for one in report.comparisons if one.runtime == "onnxruntime"}
    assert {("live", LAYOUT.model), ("live", LAYOUT.ragged)} <= asked
    assert (("chunked", LAYOUT.stream) in asked) == ("text" in kind)


def changed_run(folder: Path, to: Path, name: str) -> Path:
    """The run in `folder` with one number of the weight `name` changed."""
    checkpoint = read_checkpoint(folder / "run")
    weights = {key: np.array(value) for key, value in checkpoint.weights.items()}
    weights[name].flat[-1] += 0.05
    to.mkdir()
    write_checkpoint(to, checkpoint.description, weights)
    return to


@pytest.mark.parametrize("name", ["recurrent.weight_hh_l1", "front.weight", "head.bias"])
def test_one_changed_weight_fails(make_sequences: Make, tmp_path: Path, name: str) -> None:
    folder = make_sequences("tag", text=True)
    other = changed_run(folder, tmp_path / "run", name)
    live = verify(folder / "bundle", against=other)
    assert not live.passed
    graphs = {one.graph for one in live.comparisons if not one.comparison.passed}
    assert graphs == {LAYOUT.model, LAYOUT.ragged, LAYOUT.stream}


def test_graphs_of_other_weights_fail_on_the_golden_values(
    make_sequences: Make, tmp_path: Path
) -> None:
    folder = make_sequences("tag", text=True)
    export_bundle(changed_run(folder, tmp_path / "run", "head.weight"), tmp_path / "other")
    right, other = open_bundle(folder / "bundle"), open_bundle(tmp_path / "other")
    contents = {name: right.read(name) for name in right.manifest.files}
    contents |= {name: other.read(name) for name in right.manifest.graphs}
    write_bundle(tmp_path / "mixed", right.manifest, contents)
    report = verify(tmp_path / "mixed")
    assert {failure.check for failure in report.failures} == {"golden"}


def rewritten(folder: Path, to: Path, change: Callable[[Manifest], Manifest]) -> Path:
    """The bundle in `folder` with another manifest."""
    opened = open_bundle(folder / "bundle")
    contents = {name: opened.read(name) for name in opened.manifest.files}
    write_bundle(to, change(opened.manifest), contents)
    return to


def test_a_manifest_that_promises_something_else_fails(
    make_sequences: Make, tmp_path: Path
) -> None:
    folder = make_sequences("classify", cell="gru")

    def without_ragged(manifest: Manifest) -> Manifest:
        graphs = {k: v for k, v in manifest.graphs.items() if k != LAYOUT.ragged}
        return replace(manifest, graphs=graphs)

    def renamed(manifest: Manifest) -> Manifest:
        assert manifest.sequences is not None
        return replace(manifest, sequences=replace(manifest.sequences, classes=("y", "x", "z")))

    report = verify(rewritten(folder, tmp_path / "lacking", without_ragged))
    assert "contract: the manifest has no graph ragged.onnx" in told(report)
    report = verify(rewritten(folder, tmp_path / "renamed", renamed))
    assert "model.onnx disagrees with the manifest: sequences.classes[0] is 'x', not 'y'" in told(
        report
    )


def test_a_run_of_another_task_is_named(make_sequences: Make) -> None:
    bundle = make_sequences("classify", cell="gru") / "bundle"
    report = verify(bundle, against=make_sequences("tag", text=True) / "run")
    assert "the manifest is not of this run: task is 'classify', not 'tag'" in told(report)
