"""Whom a graph is written for."""

from __future__ import annotations

from typing import Literal

Target = Literal["portable", "onnxruntime"]
"""`portable` keeps to what every runtime was found to compute rightly, or to refuse when loading;
`onnxruntime` may use what only that runtime does."""
