"""Results go to stdout, talk goes to stderr, and `--json` makes the result one JSON document."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

_UTF_8 = ("utf-8", "utf8")

Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Force = Annotated[bool, typer.Option("--force", help="Replace an output that exists.")]
Key = Annotated[
    str | None,
    typer.Option("--key", metavar="NAME", help="Of several models in a file of weights, this one."),
]
LayerString = Annotated[
    str | None,
    typer.Option(
        "--layers",
        metavar="LAYERS",
        help='What the weights are: "emb:embedding, lstm, last, fc:linear", or a .toml file.',
    ),
]
AllowUnused = Annotated[
    bool, typer.Option("--allow-unused", help="Leave tensors of the file that nothing uses.")
]


def say(message: str) -> None:
    """Talk: progress, notes and hints, on stderr."""
    with contextlib.suppress(OSError):  # a full or closed stderr must not cost the result
        print(message, file=sys.stderr, flush=True)


def emit(message: str) -> None:
    """A result for people, on stdout."""
    print(message, flush=True)


def emit_table(text: str) -> None:
    """A CSV on stdout: UTF-8 whatever the terminal's encoding, as in a file."""
    binary = getattr(sys.stdout, "buffer", None)
    if binary is None:  # closed, or redirected within Python
        print(text, end="", flush=True)
        return
    binary.write(text.encode())
    binary.flush()


def emit_json(document: Mapping[str, Any]) -> None:
    """A result for machines, on stdout."""
    # A terminal that is not UTF-8 gets \u escapes, which are the same JSON.
    ascii_only = (getattr(sys.stdout, "encoding", None) or "utf-8").lower() not in _UTF_8
    text = json.dumps(document, indent=2, ensure_ascii=ascii_only, allow_nan=False)
    print(text, flush=True)


def table(header: Sequence[str], rows: Sequence[Sequence[str]], *, left: int = 1) -> str:
    """Columns aligned with spaces: the first `left` to the left, the others to the right."""
    lines = [list(header), *(list(row) for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(header))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if i < left else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )
