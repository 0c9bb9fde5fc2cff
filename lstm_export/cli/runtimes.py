"""`lstm-export runtimes`."""

from __future__ import annotations

from lstm_export.cli.console import Json, emit, emit_json


def runtimes(json: Json = False) -> None:
    """List the runtimes that `verify --runtimes` knows: installed or how to get them, and limits.

    With --json: runtimes (by name: installed, version, how_to_get, limits).
    """
    from dataclasses import asdict

    from lstm_export.parity.runtimes.registry import names, status

    found = {name: status(name) for name in names()}
    if json:
        emit_json({"runtimes": {name: asdict(one) for name, one in found.items()}})
        return
    width = max(map(len, found))
    for name, one in found.items():
        state = one.version if one.installed else f"not installed: {one.how_to_get}"
        emit(f"{name:<{width}}  {state}")
        for limit in one.limits:
            emit(f"{'':<{width}}    {limit}")
