"""OpenVINO as a contender, computing in float32: by its own choice it takes bfloat16 where the
processor has it, which is another model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy.typing as npt

NAME = "OpenVINO, float32"


def openvino_runner(content: bytes | str) -> Callable[[Mapping[str, npt.NDArray[Any]]], object]:
    """A function from feeds to results, its infer request reused from call to call.

    Optimised for latency, as for one caller. Raises ImportError without openvino.
    """
    import openvino  # type: ignore[import-not-found,unused-ignore]

    core = openvino.Core()
    model = core.read_model(content) if isinstance(content, str) else core.read_model(content, b"")
    settings = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
    request = core.compile_model(model, "CPU", settings).create_infer_request()
    return lambda feeds: request.infer(feeds, share_inputs=True, share_outputs=True)
