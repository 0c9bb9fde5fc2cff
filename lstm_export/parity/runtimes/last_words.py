"""What a process that died had said last: the text that tells what happened, not where.

The forms are those of the languages that runtimes are written in. Lines of a backtrace come last
and tell nobody anything; they are taken only where there is nothing else.
"""

from __future__ import annotations

import re

LONGEST = 300
_LAST_LINES = 3

_PANIC = re.compile(
    # Rust: a head, the message below it (before 1.73 in it), then a note or a backtrace.
    r"^thread '[^'\n]*'(?: \(\d+\))? panicked at .+?"
    r"(?=\n\s*\n|\nnote: |\nstack backtrace:|\n\s+\d+: |\nthread |\nTraceback |\Z)",
    re.MULTILINE | re.DOTALL,
)
_FOLLOWS = re.compile(r"panic in a (?:function that cannot unwind|destructor during cleanup)")
"""Panics that come of another one."""
_TERMINATE = re.compile(
    r"^(?:terminate called .*(?:\n\s*what\(\): .*)?|libc\+\+abi: .*)", re.MULTILINE
)
_FATAL = re.compile(
    # assert, glibc, Python's own, V8.
    r"^(?:.*: Assertion .* failed\.?|(?:\w+\(\): |double free |corrupted ).*|\*\*\* .* \*\*\*.*"
    r"|Fatal Python error: .*|.*FATAL ERROR: .*)",
    re.MULTILINE,
)
_PYTHON = re.compile(r"^Traceback .*\n(?:[ \t].*\n|\n)*(\S.*)", re.MULTILINE)
_NODE = re.compile(
    r"^\S*(?:Error|Exception|Rejection)(?: \[\w+\])?: .*(?:\n(?!\s+at ).*){0,5}(?=\n\s+at )",
    re.MULTILINE,
)
_STACK = re.compile(
    r"^(?:at \S|\d+: |#\d+ |\[?0x|File \"|\^+$|note: run with|stack backtrace:|Node\.js v)"
    r"|thread caused non-unwinding panic"
)
_THREAD = re.compile(r"(?<=') \(\d+\)(?= panicked)")
"""A number that is another in every run."""
_FOLDERS = re.compile(r"(?<![\w/.])(?:[\w.+-]*/)+(?=[\w.+-]+:\d)")


def last_words(text: str) -> str:
    """The message in what a process wrote to stderr, in one line; empty where it wrote nothing.

    Of several forms the one that comes first in a fall: a panic before the exception made of it,
    an exception that nobody caught before the abort.
    """
    text = text.replace("\r\n", "\n")
    panics = [found[0] for found in _PANIC.finditer(text) if not _FOLLOWS.search(found[0])]
    for messages in (
        panics,
        [found[0] for found in _TERMINATE.finditer(text)],
        [found[0] for found in _FATAL.finditer(text)],
        [found[1] for found in _PYTHON.finditer(text)],
        [found[0] for found in _NODE.finditer(text)],
    ):
        if messages:
            return _short(" ".join(messages[-1].split()))
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    telling = [line for line in lines if not _STACK.search(line)] or lines
    return _short(" | ".join(telling[-_LAST_LINES:]))


def _short(text: str) -> str:
    """Without a thread's number, and the folders that only who built it has."""
    text = _FOLDERS.sub("", _THREAD.sub("", text))
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
