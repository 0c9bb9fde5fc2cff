"""The runtimes by name. A new one is a new file beside this one and one line below."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal

import numpy.typing as npt

from lstm_export.checkpoint import Checkpoint
from lstm_export.contract import Contract
from lstm_export.errors import OptionError

if TYPE_CHECKING:
    from lstm_export.parity.runtimes.providers import Provider

Tensors = Mapping[str, npt.NDArray[Any]]
Runner = Callable[[Tensors], dict[str, npt.NDArray[Any]]]
"""Inputs by name in, all outputs by name out; to be called with any batch and length."""

# A new runtime is a file beside this one and its name here.
RUNTIMES = {
    name: f"lstm_export.parity.runtimes.{name.replace('-', '_')}"
    for name in (
        "oracle",
        "torch",
        "onnxruntime",
        "onnx-reference",
        "openvino",
        "openvino-default",
        "onnxruntime-openvino",
        "opencv",
        "tract",
        "onnxruntime-node",
        "onnxruntime-web",
        "chromium",
        "c",
    )
}


class UnansweredError(Exception):
    """What keeps a runtime from an answer; `runtime` is its name."""

    kind: Literal["refused", "crashed", "hung"] = "refused"

    def __init__(self, runtime: str, message: str) -> None:
        self.runtime, self.message = runtime, message
        super().__init__(f"{runtime}: {message}")


class RefusedError(UnansweredError):
    """The runtime says no, loudly, in its own words: when it loads a graph or when it runs it."""


class CrashedError(UnansweredError):
    """The runtime's process died, or answered what is no answer."""

    kind = "crashed"


class HungError(UnansweredError):
    """The runtime was killed because it took too long."""

    kind = "hung"

    def __init__(self, runtime: str, seconds: float) -> None:
        super().__init__(runtime, f"no answer within {seconds:g} s")


@dataclass(frozen=True, slots=True)
class Status:
    """Whether a runtime is there, and which version; `how_to_get` is a command or a sentence.

    `limits` are what is known not to work there, a sentence each.
    """

    installed: bool
    version: str = ""
    how_to_get: str = ""
    limits: tuple[str, ...] = ()


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


def adapter(name: str, *, apart: bool = False) -> Callable[[Subject], Runner]:
    """What opens a graph in the runtime `name`. Raises OptionError for an unknown name.

    `apart` asks for a process of its own, so that the runtime's death is not the caller's; most
    have one in any case.

    Opening raises MissingExtraError where the runtime is not installed, OptionError where it needs
    a run, BundleError or RefusedError where it refuses the graph.
    """
    module = module_of(name)
    opener: Callable[[Subject], Runner] = module.open_graph
    return getattr(module, "open_apart", opener) if apart else opener


def status(name: str) -> Status:
    """Whether the runtime `name` is installed, found without importing it.

    Only what onnxruntime can do has to be asked of itself. Raises OptionError for an unknown name.
    """
    found: Status = module_of(name).status()
    return found


def names() -> tuple[str, ...]:
    """Every runtime: those of RUNTIMES, and onnxruntime again for each other provider it has."""
    from lstm_export.parity.runtimes.providers import present

    others = [name for name in present() if name not in RUNTIMES]
    own = list(RUNTIMES)
    place = own.index("onnxruntime") + 1 if "onnxruntime" in own else len(own)
    return (*own[:place], *others, *own[place:])


def module_of(name: str) -> ModuleType | Provider:
    """What has the `status` and the `open_graph` of a runtime. Raises OptionError if unknown."""
    if name in RUNTIMES:
        return importlib.import_module(RUNTIMES[name])
    from lstm_export.parity.runtimes.providers import named

    provider = named(name)
    if provider is None:
        raise OptionError(f"there is no runtime {name!r}; known are {', '.join(names())}")
    return provider


def weights_of(subject: Subject, runtime: str) -> Checkpoint:
    """The run's checkpoint. Raises OptionError where there is none."""
    if subject.checkpoint is None:
        raise OptionError(f"the runtime {runtime!r} computes from a run's weights: add --against")
    return subject.checkpoint
