"""A runtime in a process of its own: what it crashes or blocks is not the verifier."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import IO, Any

import numpy.typing as npt

from lstm_export.parity.frames import FrameError, Message, Tensors, read, written
from lstm_export.parity.runtimes.last_words import last_words
from lstm_export.parity.runtimes.registry import CrashedError, HungError, RefusedError

LOAD_LIMIT_S = 120.0
RUN_LIMIT_S = 60.0
_MOST_SAID = 1 << 18
"""Bytes at the end of what a process said in which its last words are looked for."""


class Isolated:
    """A Runner: one process, one loaded model, any number of runs one after the other.

    Raises RefusedError where the runtime says no, CrashedError where its process dies, HungError
    where it takes longer than its limit and is killed; after the last two the next run starts
    another process. To be closed.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        load_limit_s: float = LOAD_LIMIT_S,
        run_limit_s: float = RUN_LIMIT_S,
    ) -> None:
        self.name, self._command = name, list(command)
        self._env = {**os.environ, **(env or {})}
        self._load_limit, self._run_limit = load_limit_s, run_limit_s
        self._process: subprocess.Popen[bytes] | None = None
        self._said: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  # as long as this lives
        try:
            self._start()
        except BaseException:
            self.close()
            raise

    def __call__(self, inputs: Tensors) -> dict[str, npt.NDArray[Any]]:
        if self._process is None:
            self._start()
        answer = self._asked(written("run", inputs), self._run_limit)
        if answer.word == "failed":
            raise RefusedError(self.name, answer.text)
        if answer.word != "ok":
            self._stop()
            raise CrashedError(self.name, f"it answered {answer.word!r} to a run")
        return dict(answer.tensors)

    def close(self) -> None:
        """Ends the process."""
        self._stop()
        self._said.close()

    def _start(self) -> None:
        self._said.seek(0)
        self._said.truncate()
        try:
            # A group of its own: what it starts (a browser) goes when it is killed.
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._said,
                env=self._env,
                start_new_session=True,
            )
        except OSError as error:
            reason = error.strerror or str(error)
            raise RefusedError(
                self.name, f"{self._command[0]} cannot be started: {reason}"
            ) from None
        answer = self._asked(b"", self._load_limit)
        if answer.word == "refused":
            self._stop()
            raise RefusedError(self.name, answer.text)
        if answer.word != "ready":
            self._stop()
            raise CrashedError(self.name, f"it began with {answer.word!r}")

    def _asked(self, message: bytes, limit_s: float) -> Message:
        process = self._process
        assert process is not None
        assert process.stdin is not None
        assert process.stdout is not None
        with _killed_after(limit_s, self._kill) as over:
            try:
                process.stdin.write(message)
                process.stdin.flush()
                answer = read(process.stdout)  # type: ignore[arg-type]  # a pipe, opened in binary
            except (OSError, FrameError) as error:
                answer, reason = None, str(error)
            else:
                reason = "its output ended"
        if answer is not None:
            return answer
        code = self._stop()
        if over.is_set():
            raise HungError(self.name, limit_s)
        raise CrashedError(self.name, f"{_ended(code, reason)}{self._last_words()}")

    def _kill(self) -> None:
        process = self._process
        if process is not None and process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)

    def _stop(self) -> int | None:
        """Ends the process, gently first; its exit code."""
        process, self._process = self._process, None
        if process is None:
            return None
        for pipe in (process.stdin, process.stdout):
            with contextlib.suppress(OSError):
                pipe.close()  # type: ignore[union-attr]
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(2.0)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        return process.wait()

    def _last_words(self) -> str:
        self._said.seek(0, os.SEEK_END)
        self._said.seek(max(0, self._said.tell() - _MOST_SAID))
        words = last_words(self._said.read().decode("utf-8", "replace"))
        return f": {words}" if words else ""


@contextlib.contextmanager
def _killed_after(seconds: float, kill: Callable[[], None]) -> Iterator[threading.Event]:
    """Within the block a timer runs; the event tells whether it has gone off."""
    over = threading.Event()

    def go_off() -> None:
        over.set()
        kill()

    timer = threading.Timer(seconds, go_off)
    timer.daemon = True
    timer.start()
    try:
        yield over
    finally:
        timer.cancel()


def _ended(code: int | None, reason: str) -> str:
    if code is not None and code < 0:
        try:
            return f"killed by {signal.Signals(-code).name}"
        except ValueError:
            return f"killed by signal {-code}"
    if code:
        return f"exit code {code}"
    return reason
