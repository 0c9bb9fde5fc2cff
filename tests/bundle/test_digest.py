"""The interpreter's own sha256 and OpenSSL's are one function."""

from __future__ import annotations

import hashlib
import subprocess
import sys

import pytest

from lstm_export.bundle import digest


@pytest.mark.parametrize("size", [0, 1, 1000, (1 << 21) - 1, 1 << 21])
def test_it_is_sha256(size: int) -> None:
    content = bytes(range(256)) * (size // 256) + bytes(size % 256)
    assert digest.sha256_hex(content) == hashlib.sha256(content).hexdigest()


def test_an_interpreter_without_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digest, "_BUILT_IN", "_no_such_module")
    assert digest.sha256_hex(b"x") == hashlib.sha256(b"x").hexdigest()


def test_small_files_load_no_openssl() -> None:
    code = (
        "import sys; from lstm_export.bundle.digest import sha256_hex; sha256_hex(b'x');"
        "sys.exit('_hashlib' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
