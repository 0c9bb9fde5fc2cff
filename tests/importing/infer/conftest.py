"""State dicts as a reader gives them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lstm_export.importing.raw import RawFile

AsRead = Callable[..., RawFile]


def as_read(state: Mapping[str, Any] | nn.Module, **rest: Any) -> RawFile:
    """Nested mappings under dotted names, half precision as float32: what readers promise."""
    if isinstance(state, nn.Module):
        state = state.state_dict()
    flat = dict(_flat(state, ""))
    tensors = {
        name: (t.float() if t.dtype in (torch.float16, torch.bfloat16) else t).detach().numpy()
        for name, t in flat.items()
    }
    stored = {name: str(t.dtype).removeprefix("torch.") for name, t in flat.items()}
    return RawFile("weights.pth", "torch", tensors, stored, **rest)


def _flat(state: Mapping[str, Any], prefix: str) -> Any:
    for name, value in state.items():
        if isinstance(value, Tensor):
            yield f"{prefix}{name}", value
        else:
            yield from _flat(value, f"{prefix}{name}.")


class Net(nn.Module):
    """Modules and parameters under the names given, in that order."""

    def __init__(self, **parts: Any) -> None:
        super().__init__()
        for name, part in parts.items():
            setattr(self, name, part)


@pytest.fixture(scope="session")
def read_as() -> AsRead:
    return as_read


@pytest.fixture(scope="session")
def net() -> type[Net]:
    return Net
