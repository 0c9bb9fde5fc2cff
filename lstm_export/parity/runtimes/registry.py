"""The runtimes by name. A new one is a new file beside this one and one line below."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy.typing as npt

from lstm_export.checkpoint import Checkpoint
from lstm_export.contract import Contract
from lstm_export.errors import OptionError

Tensors = Mapping[str, npt.NDArray[Any]]
Runner = Callable[[Tensors], dict[str, npt.NDArray[Any]]]
"""Inputs by name in, all outputs by name out; to be called with any batch and length."""

RUNTIMES = {
    "onnxruntime": "lstm_export.parity.runtimes.onnxruntime",
    "torch": "lstm_export.parity.runtimes.torch",
    "oracle": "lstm_export.parity.runtimes.oracle",
}


@dataclass(frozen=True, slots=True)
class Subject:
    """One graph of a bundle, as bytes whose checksum has been compared; `path` is its file.

    `checkpoint` is the run to verify against, for runtimes that compute from weights.
    """

    graph: str
    content: bytes
    path: Path
    contract: Contract
    checkpoint: Checkpoint | None = None


def adapter(name: str) -> Callable[[Subject], Runner]:
    """What opens a graph in the runtime `name`. Raises OptionError for an unknown name.

    Opening raises MissingExtraError where the runtime is not installed, OptionError where it
    needs a run, BundleError where it refuses the graph.
    """
    if name not in RUNTIMES:
        raise OptionError(f"there is no runtime {name!r}; known are {', '.join(RUNTIMES)}")
    opener: Callable[[Subject], Runner] = importlib.import_module(RUNTIMES[name]).open_graph
    return opener


def weights_of(subject: Subject, runtime: str) -> Checkpoint:
    """The run's checkpoint. Raises OptionError where there is none."""
    if subject.checkpoint is None:
        raise OptionError(f"the runtime {runtime!r} computes from a run's weights: add --against")
    return subject.checkpoint
