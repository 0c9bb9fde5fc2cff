"""Pickles written opcode by opcode, as an attacker writes them."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

DANGEROUS = (
    *("os.system", "os.exec", "os.posix_spawn", "os.fork", "os.remove", "subprocess.Popen"),
    *("socket.", "ctypes.", "webbrowser.", "pickle.find_class", "exec", "compile", "import"),
    *("builtins.input", "code.__new__", "function.__new__", "marshal.", "shutil."),
)


class Watch:
    """What the interpreter reports of itself (PEP 578) while `on`."""

    def __init__(self) -> None:
        self.on, self.seen = False, list[str]()

    def __call__(self, event: str, arguments: object) -> None:
        if self.on and event.startswith(DANGEROUS):
            self.seen.append(event)


WATCH = Watch()
sys.addaudithook(WATCH)


@pytest.fixture
def nothing_runs() -> Iterator[Watch]:
    """The test fails if anything was imported, compiled, looked up or started while `on`."""
    WATCH.seen.clear()
    yield WATCH
    WATCH.on = False
    assert WATCH.seen == []
