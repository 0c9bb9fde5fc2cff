"""onnxruntime sessions: opening one with settings that suit recurrent models, and running it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import onnxruntime

from lstm_export.errors import BundleError, InputError, OptionError

if TYPE_CHECKING:
    from lstm_export.runtime.arrays import Array

_SMALL_HIDDEN = 64
_FATAL = 4


def threads_for(hidden_size: int) -> int:
    """`intra_op_num_threads` for a model of this width; 0 leaves the choice to onnxruntime.

    Up to 64 units handing work to a second thread costs more than it saves at small batches.
    """
    return 1 if hidden_size <= _SMALL_HIDDEN else 0


class Session:
    """An opened model. Running it is thread-safe; `inputs` and `outputs` are names, in order."""

    __slots__ = ("_session", "_where", "inputs", "outputs")

    def __init__(
        self,
        model: bytes | str,
        where: str,
        *,
        providers: Sequence[str] | None = None,
        intra_op_num_threads: int | None = None,
    ) -> None:
        """Opens `model`, the bytes of an ONNX file or (with external data) its path.

        Raises BundleError naming `where` if onnxruntime refuses it, OptionError for a provider
        that is not there.
        """
        wanted = _available(providers)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = _threads(intra_op_num_threads)
        # What goes wrong is raised; the log would only say it a second time.
        options.log_severity_level = _FATAL
        try:
            self._session = onnxruntime.InferenceSession(model, options, providers=wanted)
        except Exception as error:
            raise BundleError(f"{where}: onnxruntime refuses it: {_reason(error)}") from None
        if missing := [name for name in wanted if name not in self.providers]:
            raise OptionError(
                f"onnxruntime could not start {', '.join(missing)} for {where} and would have "
                f"used {', '.join(self.providers)}; name the providers that you want"
            )
        self._where = where
        self.inputs = tuple(value.name for value in self._session.get_inputs())
        self.outputs = tuple(value.name for value in self._session.get_outputs())

    @property
    def providers(self) -> tuple[str, ...]:
        """The execution providers in use, first choice first."""
        return tuple(self._session.get_providers())

    def run(self, feeds: Mapping[str, Array]) -> list[Array]:
        """All outputs, in the order of `outputs`. Raises InputError if onnxruntime refuses."""
        try:
            result: list[Array] = self._session.run(None, feeds)
        except Exception as error:
            shapes = ", ".join(f"{name} {value.shape}" for name, value in feeds.items())
            raise InputError(f"{self._where} cannot run on {shapes}: {_reason(error)}") from None
        return result


def _available(providers: Sequence[str] | None) -> list[str]:
    if providers is None:
        return ["CPUExecutionProvider"]
    if isinstance(providers, str) or not providers:
        raise OptionError(f"providers must be a list of names, got {providers!r}")
    available = onnxruntime.get_available_providers()
    for name in providers:
        if name not in available:
            raise OptionError(
                f"the provider {name!r} is not in this onnxruntime; it has {', '.join(available)}"
            )
    return list(providers)


def _threads(number: int | None) -> int:
    if number is None:
        return 0
    if isinstance(number, bool) or not isinstance(number, int) or number < 0:
        raise OptionError(f"intra_op_num_threads must be an integer ≥ 0, got {number!r}")
    return number


def _reason(error: Exception) -> str:
    # "[ONNXRuntimeError] : 2 : INVALID_ARGUMENT : what happened", on one line.
    return " ".join(str(error).split()).removeprefix("[ONNXRuntimeError] : ")
