"""onnxruntime's other execution providers, each a runtime: `onnxruntime-cuda`, and so on.

Which there are is up to the package that is installed. The CPU's is `onnxruntime` itself.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

from lstm_export.parity.frames import Tensors
from lstm_export.parity.runtimes.interpreter import WORKER
from lstm_export.parity.runtimes.isolated import Isolated
from lstm_export.parity.runtimes.registry import Runner, Status, Subject

_SUFFIX = "ExecutionProvider"
# The one is what the runtime `onnxruntime` takes; the other sends the inputs to a service.
_LEFT_OUT = ("CPUExecutionProvider", "AzureExecutionProvider")


@dataclass(frozen=True, slots=True)
class Provider:
    """What a module of an adapter has, for one provider, by onnxruntime's name of it."""

    provider: str

    @property
    def runtime(self) -> str:
        """CUDAExecutionProvider is onnxruntime-cuda."""
        return f"onnxruntime-{self.provider.removesuffix(_SUFFIX).lower()}"

    def status(self) -> Status:
        """Whether the package that is installed has the provider."""
        import onnxruntime

        present = onnxruntime.get_available_providers()
        version = onnxruntime.__version__ if self.provider in present else ""
        how = f"a package of onnxruntime with {self.provider}; this one has {', '.join(present)}"
        limits = ("operators that the provider lacks run on the CPU",)
        return Status(self.provider in present, version, how, limits)

    def open_graph(self, subject: Subject) -> Runner:
        """One session for every shape, in a process of its own; raises what `Isolated` raises."""
        command = [sys.executable, "-P", "-c", WORKER, self.runtime, str(subject.path.resolve())]
        return Isolated(self.runtime, command)

    def load(self, model: str) -> Runner:
        """The session itself, in the worker. Raises RuntimeError where another provider runs."""
        import onnxruntime

        session = onnxruntime.InferenceSession(model, providers=[self.provider])
        # Where a provider cannot be had, onnxruntime takes the CPU's without an error.
        if session.get_providers()[0] != self.provider:
            raise RuntimeError(f"{self.provider} was not taken, but {session.get_providers()}")
        names = [output.name for output in session.get_outputs()]

        def run(inputs: Tensors) -> dict[str, npt.NDArray[Any]]:
            return dict(zip(names, session.run(names, dict(inputs)), strict=True))

        return run


def present() -> dict[str, Provider]:
    """Those that are there, by the name of the runtime."""
    import onnxruntime

    found = map(Provider, onnxruntime.get_available_providers())
    return {one.runtime: one for one in found if one.provider not in _LEFT_OUT}


def named(runtime: str) -> Provider | None:
    """The provider of that name that onnxruntime knows of, whether it is there or not."""
    import onnxruntime

    known = map(Provider, onnxruntime.get_all_providers())
    return next((one for one in known if one.runtime == runtime), None) or present().get(runtime)
