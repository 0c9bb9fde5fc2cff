"""Golden values: what torch and the oracle answer on inputs of several shapes and scales."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from lstm_export.bundle.golden import GoldenCase
from lstm_export.bundle.layout import LAYOUT
from lstm_export.checkpoint import Weights
from lstm_export.compare.cases import model_inputs, stream_inputs
from lstm_export.contract import GraphSpec
from lstm_export.nn.forecaster import Forecaster, ForecasterStream
from lstm_export.oracle import forecaster as oracle

Arrays = Mapping[str, npt.NDArray[Any]]


def golden_cases(
    model: Forecaster, weights: Weights, graphs: Mapping[str, GraphSpec]
) -> list[GoldenCase]:
    """Cases for every graph: batch and length varied apart, raw values small, usual and large."""
    terms = model.forecast
    shortest, usual = terms.window.shortest, terms.window.history
    cases = []
    for seed, (batch, length, scale) in enumerate(
        [
            (1, shortest, "typical"),
            (3, usual, "typical"),
            (2, usual + 1, "typical"),
            (2, shortest + 2, "tiny"),
            (2, shortest + 3, "large"),
        ]
    ):
        inputs = model_inputs(terms, batch, length, scale, seed)
        cases.append(
            GoldenCase(
                LAYOUT.model,
                f"batch{batch}-length{length}-{scale}",
                inputs,
                run_torch(model, graphs[LAYOUT.model], inputs),
                {"output": oracle.forecast(terms, weights, inputs["x"])},
            )
        )
    if LAYOUT.stream not in graphs:
        return cases
    stream = ForecasterStream(model).eval()
    for seed, (batch, length, scale, state) in enumerate(
        [
            (1, 1, "typical", "zero"),
            (3, 7, "typical", "random"),
            (2, 1, "typical", "random"),
            (1, 5, "large", "random"),
        ]
    ):
        inputs = stream_inputs(terms, batch, length, scale, state, seed)
        cases.append(
            GoldenCase(
                LAYOUT.stream,
                f"batch{batch}-length{length}-{scale}-{state}",
                inputs,
                run_torch(stream, graphs[LAYOUT.stream], inputs),
                oracle.stream(terms, weights, inputs),
            )
        )
    return cases


@torch.no_grad()
def run_torch(
    module: nn.Module, graph: GraphSpec, inputs: Arrays
) -> dict[str, npt.NDArray[np.float32]]:
    """The module's outputs by name, float32, for the inputs of `graph`."""
    outputs = module(*(torch.from_numpy(inputs[spec.name]) for spec in graph.inputs))
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    return {spec.name: output.numpy() for spec, output in zip(graph.outputs, outputs, strict=True)}
