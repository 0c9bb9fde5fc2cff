"""A file of weights into a module: safetensors, or a torch checkpoint of tensors and plain values.

Checkpoints differ in where they keep the state_dict and in what wrapped the module when it was
saved; both are found by the names that the module itself has.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from lstm_export.errors import CheckpointError, MissingExtraError

_NESTED = ("state_dict", "model_state_dict", "model", "net", "module", "weights")


def load_weights(module: nn.Module, path: Path) -> None:
    """Loads the weights at `path` into `module`, every one of them or none.

    Nothing in the file is executed. Raises CheckpointError if it cannot be read so, holds no
    state_dict, or its names and shapes are not the module's; all of those are listed.
    """
    wanted = {k: v for k, v in module.state_dict().items() if isinstance(v, Tensor)}
    given = min(
        (_without_prefix(candidate, wanted) for candidate in _state_dicts(_read(path))),
        key=lambda state: len(wanted.keys() ^ state.keys()),
        default=None,
    )
    if given is None:
        raise CheckpointError(
            f"{path} holds no weights: expected a state_dict, as a mapping of names to tensors, "
            f"alone or under one of {', '.join(_NESTED)}"
        )
    if problems := list(_mismatches(wanted, given)):
        raise CheckpointError(f"{path} does not fit {type(module).__name__}: {'; '.join(problems)}")
    module.load_state_dict(given, strict=False)


def _read(path: Path) -> Any:
    if not path.is_file():
        raise CheckpointError(f"{path}: there is no such file")
    if path.suffix == ".safetensors":
        try:
            from safetensors import SafetensorError
            from safetensors.torch import load_file
        except ImportError:
            what = "reading a .safetensors file"
            raise MissingExtraError("safetensors", "export", what) from None
        try:
            return load_file(path)
        except (SafetensorError, OSError) as error:
            raise CheckpointError(f"{path} is not a whole safetensors file: {error}") from None
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            f"{path} holds more than tensors and plain values, and loading it would run code. Save "
            f"torch.save(module.state_dict(), ...) instead ({_first_sentence(error)})"
        ) from None
    except (OSError, RuntimeError, EOFError, ValueError, KeyError) as error:
        raise CheckpointError(
            f"{path} is not a torch checkpoint: {_first_sentence(error)}"
        ) from None


def _first_sentence(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    named = [line for line in lines if "Unsupported" in line]
    return (named or lines or [type(error).__name__])[0]


def _state_dicts(value: Any, depth: int = 0) -> Iterator[dict[str, Tensor]]:
    """Every mapping of names to tensors in `value`, the outermost first."""
    if not isinstance(value, Mapping):
        return
    tensors = {k: v for k, v in value.items() if isinstance(k, str) and isinstance(v, Tensor)}
    if tensors:
        yield tensors
    if depth < 3:
        for key in _NESTED:
            yield from _state_dicts(value.get(key), depth + 1)


def _without_prefix(given: dict[str, Tensor], wanted: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """`given` without what a wrapper (DataParallel, Lightning, torch.compile) put before names."""
    prefixes = {""} | {
        key.removesuffix(name)
        for name in list(wanted)[:1]
        for key in given
        if key.endswith(f".{name}")
    }
    best = max(
        prefixes, key=lambda prefix: (sum(prefix + name in given for name in wanted), not prefix)
    )
    return {key.removeprefix(best): tensor for key, tensor in given.items()}


def _mismatches(wanted: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> Iterator[str]:
    missing = [name for name in wanted if name not in given]
    unexpected = [name for name in given if name not in wanted]
    if missing:
        yield f"missing {', '.join(missing)}"
    if unexpected:
        yield f"not in the module: {', '.join(unexpected)}"
    for name, tensor in given.items():
        if name in wanted and tensor.shape != wanted[name].shape:
            yield f"{name} is {tuple(tensor.shape)}, the module's is {tuple(wanted[name].shape)}"
