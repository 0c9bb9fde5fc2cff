"""Modules built from descriptions, exported: every batch and length, all inputs and outputs."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from lstm_export.exporting.export import export_onnx
from lstm_export.importing.build import build
from lstm_export.importing.description import Description
from lstm_export.importing.ops.activations import ACTIVATIONS
from lstm_export.importing.reference import run

sys.path.insert(0, str(Path(__file__).parent))

from descriptions import Arrays, Weights, feed, recurrent_roles

# One beside the other, so that none makes the rounding of another larger.
_KINDS = [op.name for op in ACTIVATIONS]
EVERY_ACTIVATION = "x:floats(size=2); " + "".join(f"{kind}_0 = {kind}(x); " for kind in _KINDS)
EVERY_ACTIVATION += f"concat(x, {', '.join(f'{kind}_0' for kind in _KINDS)})"


def weights() -> Weights:
    made = Weights(3)
    made.add("embedding", "emb", "torch", {"weight": (7, 4)})
    made.add("lstm", "rnn", "torch", recurrent_roles("lstm", "torch", (4, 5), layers=2, ways=2))
    made.add("lstm", "k", "keras", recurrent_roles("lstm", "keras", (4, 5)))
    made.add("gru", "after", "keras", recurrent_roles("gru", "keras", (4, 5)))
    before = recurrent_roles("gru", "keras", (4, 5), reset_after=False)
    made.add("gru", "before", "keras", before)
    made.add("lstm", "amp", "nam", recurrent_roles("lstm", "nam", (1, 6)))
    made.add("rnn", "plain", "torch", recurrent_roles("rnn", "torch", (4, 5), suffix=False))
    made.add("linear", "amp_head", "torch", {"weight": (1, 6), "bias": (1,)})
    made.add("linear", "fc", "torch", {"weight": (2, 10), "bias": (2,)})
    made.add("linear", "fc5", "keras", {"kernel": (5, 2)})
    made.add("linear", "static.fc", "torch", {"weight": (5, 3), "bias": (5,)})
    made.add("conv1d", "conv", "torch", {"weight": (4, 4, 3), "bias": (4,)})
    statistics = dict.fromkeys(("weight", "bias", "running_mean", "running_var"), (4,))
    made.add("batch_norm", "bn", "torch", statistics)
    made.add("group_norm", "gn", "torch", {"weight": (4,), "bias": (4,)})
    made.add("rms_norm", "rms", "torch", {"weight": (4,)})
    made.add("prelu", "act", "torch", {"weight": (4,)})
    made.add("prelu", "one", "torch", {"weight": (1,)})
    return made


def session_agrees(path: Path, description: Description) -> None:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    assert [each.name for each in session.get_inputs()] == [e.name for e in description.inputs]
    assert [each.name for each in session.get_outputs()] == list(description.outputs)
    for batch, time in ((1, 4), (3, 4), (1, 11), (3, 11)):
        inputs = feed(description, batch, time, seed=time)
        expected = run(description, inputs)
        found = session.run(None, typed(inputs))
        for values, (name, wanted) in zip(found, expected.items(), strict=True):
            assert values.shape == wanted.shape, name
            np.testing.assert_allclose(values, wanted, rtol=0, atol=5e-6, err_msg=name)


def typed(inputs: Arrays) -> Arrays:
    kinds = {"i": np.int64, "f": np.float32}
    return {name: array.astype(kinds[array.dtype.kind]) for name, array in inputs.items()}


@pytest.mark.parametrize(
    "text",
    [
        "emb:embedding, rnn:lstm, last, relu, fc:linear",
        "tokens:ids; n:lengths; emb:embedding, rnn:lstm(lengths=n), last_valid(lengths=n), "
        "fc:linear",
        "x:floats; n:lengths; s:floats(steps=false); a = x > rnn:lstm(lengths=n) > mean(lengths=n) "
        "> fc:linear; y = x > k:lstm; b = y > last; c = s > static.fc:linear > tanh; "
        "d = add(b, c) > fc5:linear; return y, a, d",
        "x:floats; h0:state; c0:state; y, h, c = x > rnn:lstm(initial_h=h0, initial_c=c0); "
        "return y, h, c",
        "audio:floats, amp:lstm, amp_head:linear, skip(audio)",
        "conv:conv1d(padding=causal), relu, conv:conv1d(padding=2, stride=2), bn:batch_norm, "
        "act:prelu, max_pool1d(kernel=2), after:gru, max, fc5:linear, softmax",
        EVERY_ACTIVATION,
        "x:floats(size=4); a = x > avg_pool1d(kernel=3, stride=1, padding=1) > rms:rms_norm > "
        "gn:group_norm(groups=2) > one:prelu; b = x > before:gru > last > fc5:linear; "
        "c = x > plain:rnn(activation=relu) > last > fc5:linear; return a, b, c",
        "x:floats(time_major=true); plain:rnn(batch_first=false), last(batch_first=false), "
        "fc5:linear",
        "input:floats; str:lengths; before:gru(lengths=str), max(lengths=str), fc5:linear",
    ],
)
def test_every_batch_and_length_of_a_built_module(text: str, tmp_path: Path) -> None:
    description = weights().description(text)
    module = build(description)
    args = typed(feed(description, 2, 5))
    report = export_onnx(module, tuple(map(torch.from_numpy, args.values())), tmp_path / "m.onnx")
    assert report.verification is not None
    session_agrees(tmp_path / "m.onnx", description)
