"""onnxruntime sessions: opening one with settings that suit recurrent models, and running it."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import onnxruntime

from lstm_export.errors import BundleError, InputError, OptionError

if TYPE_CHECKING:
    from lstm_export.runtime.arrays import Array

_FATAL = 4
CPU = "CPUExecutionProvider"
RUN_OPTIONS = onnxruntime.RunOptions()
"""The defaults. onnxruntime would make them anew for every run, a tenth of a small one."""


class Session:
    """An opened model. Running it is thread-safe; `inputs` and `outputs` are names, in order.

    onnxruntime's threads do not survive a fork. In the child process the first run opens the
    model again, from the same file.
    """

    __slots__ = ("_forks", "_open", "_session", "inputs", "outputs", "where")

    def __init__(
        self,
        model: Callable[[], bytes | str],
        where: str,
        *,
        providers: Sequence[str] = (CPU,),
        threads: int = 0,
        spinning: bool = True,
        sizes: Mapping[str, int] | None = None,
    ) -> None:
        """Opens what `model` gives: the bytes of an ONNX file or (with external data) its path.

        `threads` 0 leaves the number to onnxruntime; `sizes` fixes named axes, for small models:
        what depends on them is computed beforehand. Raises BundleError naming `where` if
        onnxruntime refuses the model, OptionError for a provider that does not start.
        """
        self.where = where

        def opened() -> onnxruntime.InferenceSession:
            return _opened(model(), where, list(providers), threads, spinning, sizes or {})

        self._open = opened
        self._session = opened()
        self._forks = forks
        self.inputs = tuple(value.name for value in self._session.get_inputs())
        self.outputs = tuple(value.name for value in self._session.get_outputs())

    @property
    def providers(self) -> tuple[str, ...]:
        """The execution providers in use, first choice first."""
        return tuple(self.live().get_providers())

    def live(self) -> onnxruntime.InferenceSession:
        """onnxruntime's session, of this very process."""
        if self._forks != forks:
            # Closing the parent's would wait for threads that are not there.
            _leak(self._session)
            self._session, self._forks = self._open(), forks
        return self._session

    def run(self, feeds: Mapping[str, Array]) -> list[Array]:
        """All outputs, in the order of `outputs`. Raises InputError if onnxruntime refuses."""
        try:
            result: list[Array] = self.live().run(self.outputs, feeds, RUN_OPTIONS)
        except BundleError:
            raise
        except Exception as error:
            raise refused(self.where, feeds, error) from None
        return result


def refused(where: str, feeds: Mapping[str, Array], error: Exception) -> InputError:
    """What onnxruntime says of a run, as an error of ours."""
    shapes = ", ".join(f"{name} {value.shape}" for name, value in feeds.items())
    return InputError(f"{where} cannot run on {shapes}: {_reason(error)}")


def available(providers: Sequence[str] | None) -> tuple[str, ...]:
    """`providers`, if this onnxruntime has them all; the CPU's for None. Raises OptionError."""
    if providers is None:
        return (CPU,)
    if isinstance(providers, str) or not providers:
        raise OptionError(f"providers must be a list of names, got {providers!r}")
    present = onnxruntime.get_available_providers()
    for name in providers:
        if name not in present:
            raise OptionError(
                f"the provider {name!r} is not in this onnxruntime; it has {', '.join(present)}"
            )
    return tuple(providers)


def _opened(
    model: bytes | str,
    where: str,
    providers: list[str],
    threads: int,
    spinning: bool,
    sizes: Mapping[str, int],
) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    if not spinning:
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    for axis, size in sizes.items():
        options.add_free_dimension_override_by_name(axis, size)
    if sizes:
        # For a few kilobytes malloc is faster than the arena, by a seventh of a small run.
        options.enable_cpu_mem_arena = options.enable_mem_pattern = False
    # What goes wrong is raised; the log would only say it a second time.
    options.log_severity_level = _FATAL
    try:
        session = onnxruntime.InferenceSession(model, options, providers=providers)
    except Exception as error:
        raise BundleError(f"{where}: onnxruntime refuses it: {_reason(error)}") from None
    used = session.get_providers()
    if missing := [name for name in providers if name not in used]:
        raise OptionError(
            f"onnxruntime could not start {', '.join(missing)} for {where} and would have "
            f"used {', '.join(used)}; name the providers that you want"
        )
    return session


def _reason(error: Exception) -> str:
    # "[ONNXRuntimeError] : 2 : INVALID_ARGUMENT : what happened", on one line.
    return " ".join(str(error).split()).removeprefix("[ONNXRuntimeError] : ")


forks = 0
"""How many forks lie between the first process and this one."""


def _leak(value: object) -> None:
    """Keeps `value` for as long as the process lives, past the end of the interpreter too."""
    import ctypes

    ctypes.pythonapi.Py_IncRef(ctypes.py_object(value))


def _in_child() -> None:
    global forks
    forks += 1
    if sys.platform != "linux":
        return
    # onnxruntime waits at the end of a process for threads of its own that a fork leaves behind:
    # any child that has inherited it would hang there. Python has done all its cleaning up by then,
    # so the child ends at once, with the status it was ending with.
    import ctypes

    with contextlib.suppress(OSError, AttributeError):  # a libc without on_exit: nothing to do
        libc = ctypes.CDLL(None)
        libc.on_exit(libc._exit, None)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
