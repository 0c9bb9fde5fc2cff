"""What is kept of a fallen process's words: the message, whatever stands below it."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

from lstm_export.parity.runtimes.last_words import LONGEST, last_words

BACKTRACE = "\n".join(
    f"  {i}:     0x7fc4b71159f{i} - <std::sys::backtrace>::print\n             at /b/lib.rs:{i}:9"
    for i in range(9)
)
RUST = f"""Unnamed dimension: 1
thread '<unnamed>' (15420) panicked at /home/me/.cargo/registry/src/core-0.23/ops/rec.rs:61:9:
called `Result::unwrap()` on an `Err` value: Undetermined symbol in expression: batch
stack backtrace:
{BACKTRACE}
note: Some details are omitted, run with `RUST_BACKTRACE=full` for a verbose backtrace.

thread '<unnamed>' (15420) panicked at /rustc/b94/library/core/src/panicking.rs:225:5:
panic in a function that cannot unwind
stack backtrace:
{BACKTRACE}
thread caused non-unwinding panic. aborting.
"""
OLD_RUST = f"""thread 'main' panicked at 'index out of bounds: the len is 3', src/main.rs:4:5
note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace
{BACKTRACE}
"""
CPLUSPLUS = """[I] 3 nodes
terminate called after throwing an instance of 'std::runtime_error'
  what():  shapes (3, 4) and (5,) do not fit
"""
WITH_PANIC_EXCEPTION = f"""thread '<unnamed>' panicked at src/lib.rs:10:5:
assertion failed: rank == 3
{BACKTRACE}
Traceback (most recent call last):
  File "<string>", line 1, in <module>
pyo3_runtime.PanicException: assertion failed: rank == 3
"""
PYTHON = """Loading
Traceback (most recent call last):
  File "/x/worker.py", line 61, in main
    raise ImportError from None
    ^^^^^^^^^^^^^^^^^^^^^^^^^^^

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "/x/worker.py", line 70, in main
    load(model)
  File "/x/load.py", line 9, in load
    raise ImportError("libtbb.so.12: cannot open shared object file")
ImportError: libtbb.so.12: cannot open shared object file
"""
NODE = """/x/worker.mjs:12
  throw new TypeError(`no ${name}`);
        ^

TypeError [ERR_INVALID]: no session
of this name
    at load (file:///x/worker.mjs:12:9)
    at async main (file:///x/worker.mjs:20:3) {
  code: 'ERR_INVALID'
}

Node.js v20.19.2
"""
HEAP = """<--- Last few GCs --->
[1:0x5] 30 ms: Mark-sweep 3.9 (5.2) -> 3.9 (5.2) MB
FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory
----- Native stack trace -----
 1: 0xb7b3c0 node::OOMErrorHandler [node]
"""


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        (
            RUST,
            "thread '<unnamed>' panicked at rec.rs:61:9: called `Result::unwrap()` on an `Err` "
            "value: Undetermined symbol in expression: batch",
        ),
        (
            OLD_RUST,
            "thread 'main' panicked at 'index out of bounds: the len is 3', main.rs:4:5",
        ),
        (
            CPLUSPLUS,
            "terminate called after throwing an instance of 'std::runtime_error' "
            "what(): shapes (3, 4) and (5,) do not fit",
        ),
        (
            "terminate called without an active exception\n",
            "terminate called without an active exception",
        ),
        (
            "noise\nrunner: /src/a/b.c:41: run: Assertion `n > 0' failed.\n#0 0x77 in raise\n",
            "runner: b.c:41: run: Assertion `n > 0' failed.",
        ),
        ("free(): invalid pointer\n", "free(): invalid pointer"),
        (
            WITH_PANIC_EXCEPTION,
            "thread '<unnamed>' panicked at lib.rs:10:5: assertion failed: rank == 3",
        ),
        (PYTHON, "ImportError: libtbb.so.12: cannot open shared object file"),
        (
            "Fatal Python error: Segmentation fault\n\nCurrent thread 0x7 (most recent call first)"
            ':\n  File "<string>", line 1 in <module>\n',
            "Fatal Python error: Segmentation fault",
        ),
        (NODE, "TypeError [ERR_INVALID]: no session of this name"),
        (HEAP, "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory"),
        # No form that is known: the last lines, without a stack.
        (f"one\ntwo\n\nthree\nfour\n{BACKTRACE}\n", "two | three | four"),
        ("  0: 0x7f - main\n", "0: 0x7f - main"),
        ("\n \n", ""),
    ],
)
def test_what_happened_is_kept(said: str, kept: str) -> None:
    assert last_words(said) == kept
    assert last_words(said.replace("\n", "\r\n")) == kept


def test_a_long_message_is_cut() -> None:
    words = last_words("Traceback (most recent call last):\n  x\nValueError: " + "1, " * 500)
    assert words.startswith("ValueError: 1, 1")
    assert len(words) == LONGEST


@pytest.mark.parametrize(
    ("command", "kept"),
    [
        ([sys.executable, "-c", "def f(): raise KeyError('x')\nf()"], "KeyError: 'x'"),
        (["node", "-e", "function f() { throw new RangeError('too long') }\nf()"], "RangeError: "),
        (["node", "-e", "Promise.reject('no')"], "UnhandledPromiseRejection: This error origin"),
    ],
)
def test_as_these_languages_say_it(command: list[str], kept: str) -> None:
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode != 0
    assert last_words(done.stderr).startswith(kept)
