"""Many single requests at once, beside answering them one at a time on one thread."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import lstm_export
from inference_rows.models import Config, forecaster_bundle
from inference_rows.row import OURS, Row
from lstm_export.bench.interleave import Contender, take_turns
from lstm_export.bench.limit import measured_peak, recurrent_flops
from lstm_export.bench.plain_session import plain_runner
from lstm_export.bundle.onnx_file import read_onnx

REQUESTS = (Config(1, 50, 2, 1, 100),)
_AT_ONCE, _ONE_BY_ONE = 256, 8


def requests_row(name: str, config: Config, folder: Path, seconds: float) -> Row:
    """Seconds per request."""
    path, _ = forecaster_bundle(config, folder)
    row = Row(name, f"{config}, {_AT_ONCE} requests")
    rng = np.random.default_rng(0)
    size = (_AT_ONCE, config.length, config.input_size)
    requests = list(rng.normal(size=size).astype(np.float32))
    model = lstm_export.load(path)
    single = lstm_export.load(path, intra_op_num_threads=1)
    file = path / "model.onnx"
    plain = plain_runner(file.read_bytes(), str(file), 1)

    def one_by_one() -> None:
        for request in requests[:_ONE_BY_ONE]:
            single(request)

    def dicts_one_by_one() -> None:
        for request in requests[:_ONE_BY_ONE]:
            plain({"x": request[np.newaxis]})

    one_list, mapped = "ours, a list", "ours, map"
    contenders = [
        Contender(one_list, lambda: model(requests), work=_AT_ONCE),
        Contender("one by one, 1 thread", one_by_one, work=_ONE_BY_ONE),
        Contender("one run each, 1 thread", dicts_one_by_one, work=_ONE_BY_ONE),
    ]
    expected = np.concatenate([plain({"x": request[np.newaxis]})[0] for request in requests])
    np.testing.assert_allclose(model(requests), expected, rtol=1e-3, atol=1e-5)
    if hasattr(model, "map"):
        np.testing.assert_allclose(list(model.map(requests)), expected, rtol=1e-3, atol=1e-5)
        contenders.append(Contender(mapped, lambda: list(model.map(requests)), work=_AT_ONCE))
    else:
        row.missing[mapped] = "the model has no map"
    times = dict(take_turns(contenders, seconds=seconds))
    best = min((n for n in (one_list, mapped) if n in times), key=lambda n: sorted(times[n])[0])
    row.times = {OURS: times[best], **times}
    flops = recurrent_flops(read_onnx(file), _AT_ONCE, config.length)
    row.floor = measured_peak().floor(flops) / _AT_ONCE
    row.at_least(5.0, "one by one, 1 thread", "one run each, 1 thread")
    return row
