"""What a wheel of this package holds, and what it makes pip install."""

from __future__ import annotations

import email
import re
import subprocess
import sys
import zipfile
from email.message import Message
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
BASE = {"numpy", "onnxruntime", "typer"}
EXTRAS = {"digits", "export", "report", "runtimes", "tables", "train"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    out = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out)]
    done = subprocess.run([*command, str(ROOT)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = out.iterdir()
    return zipfile.ZipFile(path)


@pytest.fixture(scope="module")
def metadata(wheel: zipfile.ZipFile) -> Message:
    (name,) = [name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")]
    return email.message_from_bytes(wheel.read(name))


def test_every_file_of_the_package_is_in_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    inside = {name for name in wheel.namelist() if ".dist-info/" not in name}
    files = {path for path in (ROOT / "lstm_export").rglob("*") if path.is_file()}
    wanted = {
        path.relative_to(ROOT).as_posix()
        for path in files
        if "__pycache__" not in path.parts and path.name != "ruff.toml"
    }
    assert inside == wanted
    for name in ("py.typed", "data/embedded/sunspots.csv", "data/embedded/SOURCE.md"):
        assert f"lstm_export/{name}" in inside
    assert any(name.endswith(".jinja") for name in inside)
    assert any(name.endswith(".j2") for name in inside)


def test_a_plain_install_brings_three_packages(metadata: Message) -> None:
    required = metadata.get_all("Requires-Dist") or []
    always = {re.match(r"[\w.-]+", line)[0] for line in required if "extra ==" not in line}  # type: ignore[index]
    assert always == BASE
    assert set(metadata.get_all("Provides-Extra") or []) == EXTRAS
    assert any(line.startswith("torch") and "extra == 'export'" in line for line in required)


def test_the_program_is_installed(wheel: zipfile.ZipFile) -> None:
    (name,) = [name for name in wheel.namelist() if name.endswith("entry_points.txt")]
    assert "lstm-export = lstm_export.cli.main:main" in wheel.read(name).decode()
