"""Tuned settings beside a session of default options: never slower beyond noise."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import numpy as np

import lstm_export
from inference_rows.models import Config, forecaster_bundle
from inference_rows.row import OURS, Row
from lstm_export.bench.interleave import Contender, take_turns
from lstm_export.bench.plain_session import plain_runner
from lstm_export.bench.statistics import paired_ratio
from lstm_export.bench.tune import GAIN, tune_model, words
from lstm_export.runtime.cache_folder import VARIABLE

TUNED = (
    Config(1, 20, 1, 1, 4),
    Config(1, 50, 2, 1, 100),
    Config(8, 128, 2, 1, 100),
    Config(8, 128, 2, 64, 100),
)
_DEFAULT, _RULE = "default session, run", "the rule"


def tuned_row(name: str, config: Config, folder: Path, seconds: float) -> Row:
    """Tunes one shape in a cache of its own, then times what `load` makes of it."""
    path, _ = forecaster_bundle(config, folder)
    x = np.random.default_rng(0).normal(size=(config.batch, config.length, config.input_size))
    x = x.astype(np.float32)
    before = os.environ.get(VARIABLE)
    with tempfile.TemporaryDirectory() as cache:
        os.environ[VARIABLE] = cache
        try:
            found = tune_model(
                path, batches=[config.batch], lengths=[config.length], seconds=seconds
            )
            model = lstm_export.load(path)
        finally:
            del os.environ[VARIABLE]
            if before is not None:
                os.environ[VARIABLE] = before
    rule = lstm_export.load(path, settings="rule")
    file = path / "model.onnx"
    plain = plain_runner(file.read_bytes(), str(file))
    contenders = [
        Contender(OURS, lambda: model(x)),
        Contender(_RULE, lambda: rule(x)),
        Contender(_DEFAULT, lambda: plain({"x": x})),
    ]
    row = Row(name, str(config), facts={"settings": words(found.classes[0].settings)})
    row.times = take_turns(contenders, seconds=seconds / 2)
    for other in (_DEFAULT, _RULE):
        ratio = paired_ratio(row.times[OURS], row.times[other])
        # Less than the gain for which the tuner leaves the rule counts as equal.
        row.not_above(f"tuned / {other}", ratio, GAIN)
    return row
