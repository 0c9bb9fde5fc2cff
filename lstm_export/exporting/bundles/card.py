"""Model cards: a template filled in, everything in it safe for Markdown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jinja2


def render_card(template: str, **values: Any) -> str:
    """The card that the file `template` beside this module gives with `values`."""
    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined, keep_trailing_newline=True, autoescape=False
    )
    text = Path(__file__).with_name(template).read_text(encoding="utf-8")
    return environment.from_string(text).render(**values)


def markdown(text: str) -> str:
    """Names are the user's: none of them may end a table row or start a code block."""
    return text.replace("|", "\\|").replace("`", "'").replace("\n", " ")
