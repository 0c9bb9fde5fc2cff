"""onnxruntime-web in a real headless Chromium, driven by playwright-core from Node.js."""

from __future__ import annotations

import functools
import re
import shutil
import subprocess

from lstm_export.errors import OptionError
from lstm_export.parity.runtimes.nodejs import open_worker, package_status
from lstm_export.parity.runtimes.registry import Runner, Status, Subject

_PACKAGES = ("onnxruntime-web", "playwright-core")
_NAMES = ("chromium", "chromium-browser", "google-chrome")
_BROWSER = "Chromium on the PATH (Debian: apt-get install chromium)"


def status() -> Status:
    """Whether Node.js, both packages and a browser are there."""
    packages, browser = package_status(*_PACKAGES), _browser()
    if browser is None:
        wanted = [packages.how_to_get] if packages.how_to_get else []
        return Status(False, how_to_get="; ".join([*wanted, _BROWSER]))
    if not packages.installed:
        return packages
    return Status(True, f"{_version(browser)}, onnxruntime-web {packages.version}")


def open_graph(subject: Subject) -> Runner:
    """One session in a page of its own browser. Raises OptionError or RefusedError."""
    found = status()
    browser = _browser()
    if not found.installed or browser is None:
        raise OptionError(f"chromium is not installed: {found.how_to_get}")
    return open_worker("chromium", _PACKAGES, "chromium.mjs", subject, [browser])


def _browser() -> str | None:
    return next((path for name in _NAMES if (path := shutil.which(name))), None)


@functools.cache
def _version(browser: str) -> str:
    command = [browser, "--version"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return "Chromium"
    found = re.search(r"\d+(\.\d+)+", done.stdout)
    return f"Chromium {found[0]}" if found else "Chromium"
