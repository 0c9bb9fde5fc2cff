"""Models of torch with the outputs of what they really compute, as a user would save them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from lstm_export.importing.expect.agreement import Agreement
from lstm_export.importing.expect.check import check
from lstm_export.importing.expect.read import read_expected
from lstm_export.importing.layers.bind import bind
from lstm_export.importing.layers.grammar import parse

Arrays = dict[str, npt.NDArray[Any]]


class Model:
    """Modules by name, in torch float32; `tensors` are their state dict."""

    def __init__(self, **modules: nn.Module) -> None:
        self.modules = nn.ModuleDict(modules).eval()
        generator = torch.Generator().manual_seed(7)
        for parameter in self.modules.parameters():
            # Larger than torch begins with, so that every gate and bias counts.
            nn.init.normal_(parameter, std=0.5, generator=generator)

    def __getattr__(self, name: str) -> Any:
        return self.modules[name]

    @property
    def tensors(self) -> Arrays:
        return {name: value.numpy() for name, value in self.modules.state_dict().items()}

    def save(self, path: Path, function: Callable[..., Any], **inputs: npt.NDArray[Any]) -> Path:
        """An .npz of `inputs` and of what `function` gives for those that are named first."""
        with torch.inference_mode():
            given = function(*(torch.from_numpy(array) for array in inputs.values()))
        named = given if isinstance(given, dict) else {"output": given}
        np.savez(path, **inputs, **{name: value.numpy() for name, value in named.items()})
        return path

    def check(self, text: str, *paths: Path, **options: Any) -> Agreement:
        """`text` over the tensors beside what `paths` hold."""
        layers = parse(text)
        expected = read_expected(paths, bind(layers, self.tensors))
        return check(layers, self.tensors, (), expected, **options)


def random(*shape: int, seed: int = 1) -> npt.NDArray[np.float32]:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def lstm_head(**options: Any) -> Model:
    """One LSTM of 3 features and 5 units with a head of 2."""
    ways = 2 if options.get("bidirectional") else 1
    lstm = nn.LSTM(3, 5, **{"batch_first": True, **options})
    return Model(lstm=lstm, fc=nn.Linear(5 * ways, 2))
