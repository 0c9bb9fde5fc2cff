"""Inputs that no contract allows, where a runtime does not refuse them."""

from __future__ import annotations

from lstm_export.doctor import surroundings
from lstm_export.doctor.limits.known import OPENVINO, Limit, Outcome

LIMITS = (
    Limit(
        "a batch of 0",
        surroundings.fed_batch,
        "refuse it before the call, as lstm_export.load does",
        (
            Outcome(
                "unguarded",
                "onnxruntime onnxruntime-node c",
                "the process ends, without an error to catch",
            ),
        ),
    ),
    Limit(
        "a future that is too short",
        surroundings.steps_ahead,
        "count its steps before the call, as lstm_export.load does",
        (
            Outcome(
                "unguarded",
                f"{OPENVINO} onnxruntime-openvino",
                "numbers come for the steps that are missing too",
            ),
            Outcome("unguarded", "tract", "the process ends, without an error to catch"),
        ),
    ),
)
