"""From a matplotlib figure to SVG that lives inside a page: themed, repeatable, no clashing ids.

Figures are drawn in the light colours of `theme`; here each becomes the CSS variable of its role,
so that one drawing reads well on light and on dark paper. Text stays text, in the page's own font.
"""

from __future__ import annotations

import io
import re
import warnings
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from lstm_export.errors import MissingExtraError
from lstm_export.report.text import printable
from lstm_export.report.theme import COLOURS, light

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SVG = "http://www.w3.org/2000/svg"
_HREF = "{http://www.w3.org/1999/xlink}href"
_ROLE_OF = {colour.light: role for role, colour in COLOURS.items()}
_REFERENCE = re.compile(r"url\(#([^)]+)\)")
_HEX = re.compile(r"#[0-9a-f]{6}")
_LONG_NUMBER = re.compile(r"(\d\.\d\d)\d+")
_FONT_FAMILY = re.compile(r"font-family:[^;]*;?\s*")
_FONT = re.compile(r"font:\s*(?:(\d+)\s+)?([\d.]+px)[^;]*")

_STYLE: dict[str, Any] = {
    "svg.hashsalt": "lstm-export",
    "svg.fonttype": "none",
    # A column may be called "a$b$": names are never formulas.
    "text.parse_math": False,
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 8.5,
    "text.color": light("ink"),
    "axes.edgecolor": light("line"),
    "axes.labelcolor": light("muted"),
    "axes.titlecolor": light("ink"),
    "axes.titlesize": 9,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.unicode_minus": True,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "grid.color": light("line"),
    "grid.linewidth": 0.6,
    "xtick.color": light("line"),
    "ytick.color": light("line"),
    "xtick.labelcolor": light("muted"),
    "ytick.labelcolor": light("muted"),
    "ytick.major.size": 0,
    "ytick.minor.size": 0,
    "xtick.minor.size": 0,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "legend.handlelength": 1.6,
    "lines.solid_capstyle": "round",
}


@contextmanager
def drawing_style() -> Iterator[None]:
    """The house style for figures drawn and saved inside the block, whatever the user's own is.

    Raises MissingExtraError where matplotlib is absent.
    """
    try:
        import matplotlib as mpl
    except ImportError:
        raise MissingExtraError("matplotlib", "report", "drawing plots") from None
    with (
        mpl.rc_context(),
        warnings.catch_warnings(),
    ):
        mpl.rcdefaults()
        mpl.rcParams.update(_STYLE)
        # The page's font draws what matplotlib's own lacks; only widths are measured here.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        yield


def inline_svg(figure: Figure, *, name: str, description: str) -> str:
    """`figure` as one `<svg>` element. Call it inside `drawing_style()`.

    `name` prefixes the ids, so several figures share a page; `description` is what a screen reader
    says. The same figure gives the same text.
    """
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None}, transparent=True)
    root = ET.fromstring(buffer.getvalue())
    _drop(root, {f"{{{_SVG}}}metadata", f"{{{_SVG}}}style"})
    used = _referenced(root)
    for element in root.iter():
        _rewrite(element, name, used)
    for attribute in ("width", "height", "version"):
        root.attrib.pop(attribute, None)
    root.attrib.update(
        {"role": "img", "aria-label": printable(description), "stroke-linejoin": "round"}
    )
    ET.register_namespace("", _SVG)
    return ET.tostring(root, encoding="unicode")


def image_bytes(figure: Figure, kind: str) -> bytes:
    """`figure` as a file of its own, "png", "svg" or "pdf", on light paper; repeatable.

    Call it inside `drawing_style()`.
    """
    metadata = {"png": {"Software": None}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}
    buffer = io.BytesIO()
    figure.savefig(buffer, format=kind, dpi=160, facecolor=light("card"), metadata=metadata[kind])
    return buffer.getvalue()


def _drop(parent: ET.Element, tags: set[str]) -> None:
    for child in list(parent):
        if child.tag in tags:
            parent.remove(child)
        else:
            _drop(child, tags)


def _referenced(root: ET.Element) -> set[str]:
    used: set[str] = set()
    for element in root.iter():
        for key, value in element.attrib.items():
            used.update(_REFERENCE.findall(value))
            if key == _HREF:
                used.add(value.removeprefix("#"))
    return used


def _rewrite(element: ET.Element, name: str, used: set[str]) -> None:
    identity = element.attrib.pop("id", None)
    if identity in used:
        element.set("id", f"{name}-{identity}")
    if (target := element.attrib.pop(_HREF, None)) is not None:
        # A raster image brings its own data; whatever else is named lies within the figure.
        inside = f"#{name}-{target.removeprefix('#')}"
        element.set("href", target if target.startswith("data:") else inside)
    if element.tag != f"{{{_SVG}}}text":
        element.text = None
    element.tail = None
    for key, value in element.attrib.items():
        # A hundredth of a point is finer than any screen, and half the file.
        if key in ("d", "x", "y", "transform"):
            value = _LONG_NUMBER.sub(r"\1", value)
        value = _REFERENCE.sub(rf"url(#{name}-\1)", value)
        if key in ("style", "fill", "stroke"):
            value = _HEX.sub(_variable, _without_font(value))
        element.set(key, value)


def _without_font(style: str) -> str:
    """The page's font instead of matplotlib's; size and weight stay."""
    style = _FONT.sub(
        lambda m: f"font-size: {m[2]}" + (f"; font-weight: {m[1]}" if m[1] else ""), style
    )
    return _FONT_FAMILY.sub("", style)


def _variable(match: re.Match[str]) -> str:
    colour = match[0]
    role = _ROLE_OF.get(colour)
    return colour if role is None else f"var(--{role}, {colour})"
