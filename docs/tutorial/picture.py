"""From a figure to an SVG file that reads well on light and on dark paper, alone."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING

from runs import Runs

from lstm_export.report.svg import drawing_style, inline_svg
from lstm_export.report.theme import custom_properties

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_STYLE = (
    f"svg {{ {custom_properties('light')} background: var(--card); "
    "font-family: system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif; } "
    f"@media (prefers-color-scheme: dark) {{ svg {{ {custom_properties('dark')} }} }}"
)


def picture(description: str) -> Callable[[Callable[[Runs], Figure]], Callable[[Runs], str]]:
    """Makes a function that draws a figure one that gives its file's text."""

    def wrap(draw: Callable[[Runs], Figure]) -> Callable[[Runs], str]:
        @wraps(draw)
        def svg(runs: Runs) -> str:
            with drawing_style():
                text = inline_svg(draw(runs), name=draw.__name__, description=description)
            start = text.index(">") + 1
            # A file alone has no page whose width it could take.
            size = text.partition('viewBox="0 0 ')[2].partition('"')[0].split()
            head = text[: start - 1] + f' width="{size[0]}pt" height="{size[1]}pt">'
            return f"{head}<style>{_STYLE}</style>{text[start:]}\n"

        return svg

    return wrap
