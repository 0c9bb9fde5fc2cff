"""A runtime's Python package on its own: `python -m lstm_export.parity.runtimes.worker NAME FILE`.

Loads the ONNX file in the runtime NAME and answers `lstm_export.parity.frames` on stdin and stdout.
Needs numpy and the package, and is run by whichever interpreter has that one.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any, BinaryIO

import numpy.typing as npt

from lstm_export.parity.frames import Tensors, read, written
from lstm_export.parity.runtimes.registry import module_of

Load = Callable[[str], Callable[[Tensors], dict[str, npt.NDArray[Any]]]]
"""What loads the ONNX file at a path; the result takes inputs by name, gives outputs by name."""
Reason = Callable[[str], str]
"""What finds in an error's text the line that says what is wrong: a runtime's own `reason`."""

_LONGEST = 300


def main() -> None:
    """Serves one model until stdin ends."""
    name, model = sys.argv[1:]
    answers = os.fdopen(os.dup(1), "wb")
    # What a library prints by itself would stand in the middle of an answer.
    os.dup2(2, 1)
    module = module_of(name)
    reason: Reason = getattr(module, "reason", first_line)
    serve(module.load, model, sys.stdin.buffer, answers, reason)


def first_line(text: str) -> str:
    """The first line of an error's text that is not blank."""
    return next((line.strip() for line in text.splitlines() if line.strip()), "")


def serve(
    load: Load,
    model: str,
    questions: BinaryIO,
    answers: BinaryIO,
    reason: Reason = first_line,
) -> None:
    """Loads `model`, then answers every `run` until `questions` ends."""

    def answer(message: bytes) -> None:
        answers.write(message)
        answers.flush()

    def told(error: Exception) -> str:
        text = reason(str(error))
        # A KeyError says a bare name.
        return (text if " " in text else f"{type(error).__name__}: {text}")[:_LONGEST]

    try:
        runner = load(model)
    except Exception as error:
        answer(written("refused", text=told(error)))
        return
    answer(written("ready"))
    while (message := read(questions)) is not None:
        try:
            outputs = runner(message.tensors)
        except Exception as error:
            answer(written("failed", text=told(error)))
        else:
            answer(written("ok", outputs))


if __name__ == "__main__":
    main()
