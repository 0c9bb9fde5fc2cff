"""Tuning on planted times, and the cache that it fills."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from lstm_export.bench.interleave import Contender
from lstm_export.bench.tune import RULE, candidates, tune_model, words
from lstm_export.bench.tuned_cache import file_for, forget, keep
from lstm_export.errors import OptionError, OutputError
from lstm_export.runtime.settings import Settings
from lstm_export.runtime.tuned import read_cache, shape_class, tuned

ONE_THREAD = Settings(intra_op_num_threads=1, shards=1)


class Planted:
    """Stands in for the turns: every contender takes one second but those that are named."""

    def __init__(self, times: Mapping[str, Sequence[float]]) -> None:
        self.times, self.heats = times, list[list[str]]()

    def __call__(self, contenders: Sequence[Contender], **_: Any) -> dict[str, list[float]]:
        for contender in contenders:
            contender.call()
        self.heats.append([contender.name for contender in contenders])
        return {one.name: list(self.times.get(one.name, [1.0] * 8)) for one in contenders}


def test_what_is_faster_beyond_noise_is_kept(run_bundle: Path, cache: Path) -> None:
    turns = Planted({"1 thread": [0.5] * 8})
    result = tune_model(run_bundle, batches=(4,), lengths=(9,), turns=turns)
    (found,) = result.classes
    assert (found.settings, found.gain.low, result.kept) == (ONE_THREAD, 2.0, 1)
    assert turns.heats[1] == ["the rule", "1 thread"]
    assert Path(result.file).parent == cache / "tuned"
    measured = tuned(str(run_bundle / "model.onnx"))
    assert measured is None  # the bare file is another model than the bundle
    from lstm_export.bundle.read import open_bundle

    measured = tuned(open_bundle(run_bundle).manifest)
    assert measured is not None
    assert measured(7, 15) == ONE_THREAD  # the same class
    assert measured(8, 15) == measured(4, 16) == RULE


@pytest.mark.parametrize(
    "times",
    [
        [1.0] * 8,
        [0.99] * 8,  # less than a gain
        [0.2, 0.2, 0.2, 0.2, 0.2, 1.1, 1.1, 1.1],  # faster by the median, not beyond noise
        [3.0] * 8,
    ],
    ids=["equal", "hardly", "noise", "slower"],
)
def test_otherwise_the_rule_stays(run_bundle: Path, cache: Path, times: list[float]) -> None:
    result = tune_model(run_bundle, batches=(4,), lengths=(9,), turns=Planted({"1 thread": times}))
    assert result.classes[0].settings == RULE
    assert result.kept == 0


def test_candidates() -> None:
    few, many = candidates(1), candidates(64)
    assert all(one.shards in (None, 1) for one in few)
    assert {one.shards for one in many} >= {1}
    assert len({words(one) for one in many}) == len(many)
    assert RULE not in many
    assert words(RULE) == "the rule"
    assert words(Settings(intra_op_num_threads=0, spinning=False)) == (
        "threads as onnxruntime chooses, not spinning"
    )


def test_the_key_is_machine_release_and_bundle(
    run_bundle: Path, module_bundle: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import onnxruntime

    from lstm_export.bundle.read import open_bundle
    from lstm_export.runtime import tuned as module

    manifest, name = open_bundle(run_bundle).manifest, shape_class(1, 9)
    keep(file_for(run_bundle), {name: ONE_THREAD}, {})

    def found() -> Settings | None:
        measured = tuned(manifest)
        return None if measured is None else measured(1, 9)

    assert found() == ONE_THREAD
    assert tuned(open_bundle(module_bundle).manifest) is None
    for target, attribute, value in (
        (onnxruntime, "__version__", "9.9"),
        (module, "processor", lambda: "another one"),
        (module, "available_cores", lambda: 99),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(target, attribute, value)
            assert found() is None
            keep(file_for(run_bundle), {name: Settings(spinning=False)}, {})
            assert found() == Settings(spinning=False)
        assert found() == ONE_THREAD  # the other machine's are beside ours
    assert len(json.loads(file_for(run_bundle).read_bytes())["machines"]) == 4


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"\xff\xfe",
        b"null",
        b'{"format_version": 2, "machines": {}}',
        b'{"format_version": 1}',
        b'{"format_version": 1, "machines": {"HERE": 3}}',
        b'{"format_version": 1, "machines": {"HERE": {"classes": []}}}',
        b'{"format_version": 1, "machines": {"HERE": {"classes": {"a": {"settings": {"x": 1}}}}}}',
        b'{"format_version": 1, "machines": {"HERE": {"classes": '
        b'{"a": {"settings": {"shards": -1}}}}}}',
        b"[" * 100_000,
    ],
)
def test_a_damaged_file_is_as_good_as_none(run_bundle: Path, cache: Path, content: bytes) -> None:
    import lstm_export
    from lstm_export.bundle.read import open_bundle
    from lstm_export.runtime.tuned import machine

    file = file_for(run_bundle)
    file.parent.mkdir(parents=True)
    file.write_bytes(content.replace(b"HERE", machine().encode()))
    measured = tuned(open_bundle(run_bundle).manifest)
    assert measured is None or measured(1, 9) == RULE
    assert lstm_export.load(run_bundle)([[0.1]] * 9).shape == (1, 1)
    keep(file, {shape_class(1, 9): ONE_THREAD}, {})
    measured = tuned(open_bundle(run_bundle).manifest)
    assert measured is not None
    assert measured(1, 9) == ONE_THREAD


def test_load_takes_what_was_measured_unless_told_otherwise(run_bundle: Path, cache: Path) -> None:
    import lstm_export
    from lstm_export.runtime.settings import Settings

    keep(file_for(run_bundle), {shape_class(1, 9): Settings(intra_op_num_threads=3)}, {})
    for given, threads in ((None, 3), ("rule", 1), (Settings(intra_op_num_threads=2), 2)):
        model = lstm_export.load(run_bundle, settings=given)
        assert model._graphs.plan(1, 9).threads == threads
    with pytest.raises(OptionError, match='settings must be Settings, "rule" or None'):
        lstm_export.load(run_bundle, settings="fast")


def test_tuned_settings_give_the_same_numbers(run_bundle: Path, cache: Path) -> None:
    import numpy as np

    import lstm_export

    x = np.random.default_rng(0).normal(size=(32, 9, 1)).astype(np.float32)
    expected = lstm_export.load(run_bundle, settings="rule")(x)
    for settings in candidates(32):
        keep(file_for(run_bundle), {shape_class(32, 9): settings}, {})
        found = lstm_export.load(run_bundle)(x)
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_a_cache_that_cannot_be_written(
    run_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import lstm_export

    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv("LSTM_EXPORT_CACHE", str(blocked / "below"))
    turns = Planted({})
    with pytest.raises(OutputError, match=r"cannot write .*LSTM_EXPORT_CACHE names another folder"):
        tune_model(run_bundle, batches=(1,), turns=turns)
    assert turns.heats == []  # before anything was measured
    assert lstm_export.load(run_bundle)([[0.1]] * 9).shape == (1, 1)


def test_shapes_of_one_class_are_tuned_once(run_bundle: Path, cache: Path) -> None:
    with pytest.raises(OptionError, match=r"\(4, 8\) and \(5, 8\) are of one class, batch 4"):
        tune_model(run_bundle, batches=(4, 5), turns=Planted({}))
    with pytest.raises(OptionError, match="--batch must be an integer ≥ 1, got 0"):
        tune_model(run_bundle, batches=(0,), turns=Planted({}))
    assert not cache.exists()


def test_forgetting(run_bundle: Path, cache: Path) -> None:
    keep(file_for(run_bundle), {shape_class(1, 9): ONE_THREAD}, {"batch 1, length 8": {"gain": {}}})
    file, there = forget(run_bundle)
    assert there
    assert read_cache(file) is None
    assert forget(run_bundle) == (file, False)
