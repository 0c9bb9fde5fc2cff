"""One self-contained HTML page: its content as plain values, its looks in `page.html.j2`.

Whatever comes from data - names, units, paths - is text here and is escaped by the template. The
page needs no network and no script, follows the reader's light or dark setting, and prints.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from lstm_export.errors import MissingExtraError
from lstm_export.files import write_atomic
from lstm_export.report.svg import inline_svg
from lstm_export.report.text import printable
from lstm_export.report.theme import custom_properties

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, slots=True)
class Tile:
    """One number at the head of the page."""

    label: str
    value: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Plot:
    """An inline SVG and the words under it; `wide` plots may scroll on a narrow screen."""

    svg: str
    caption: str
    wide: bool = True
    kind: str = field(default="plot", init=False)


@dataclass(frozen=True, slots=True)
class Table:
    """A table whose first column names the rows; `strong` rows (by position) stand out."""

    caption: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    strong: frozenset[int] = frozenset()
    text_columns: frozenset[int] = frozenset()
    """Columns besides the first that hold words: aligned to the left."""
    bad: frozenset[int] = frozenset()
    """Rows (by position) that are red."""
    kind: str = field(default="table", init=False)


@dataclass(frozen=True, slots=True)
class Facts:
    """Terms and what they are."""

    pairs: Sequence[tuple[str, str]]
    kind: str = field(default="facts", init=False)


@dataclass(frozen=True, slots=True)
class Code:
    """Text to copy; folded away under `summary` where there is one."""

    text: str
    summary: str = ""
    kind: str = field(default="code", init=False)


@dataclass(frozen=True, slots=True)
class Findings:
    """A list of things that went wrong, or must be known."""

    items: Sequence[str]
    good: bool = False
    kind: str = field(default="findings", init=False)


Tone = Literal["good", "loud", "fallen", "bad", "absent"]
"""How a cell looks: as it should be; a clear no; no answer at all; wrong; not there."""


@dataclass(frozen=True, slots=True)
class GridCell:
    """A word, a number below it, and a whole sentence for who points at it."""

    word: str
    tone: Tone
    note: str = ""
    title: str = ""


@dataclass(frozen=True, slots=True)
class GridRow:
    """A name, what is small below it, and a cell for each column; None where there is nothing."""

    name: str
    note: str
    cells: Sequence[GridCell | None]


@dataclass(frozen=True, slots=True)
class Grid:
    """Coloured words. `groups` are heads over the columns: a name, and how many it spans."""

    caption: str
    groups: Sequence[tuple[str, int]]
    columns: Sequence[str]
    rows: Sequence[GridRow]
    kind: str = field(default="grid", init=False)


Block = Plot | Table | Facts | Code | Findings | Grid


@dataclass(frozen=True, slots=True)
class Section:
    """A heading, a few sentences and blocks; with `beside`, the first two blocks share a line."""

    heading: str
    text: str = ""
    blocks: Sequence[Block] = ()
    beside: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """A check's outcome at the head of the page."""

    text: str
    passed: bool


@dataclass(frozen=True, slots=True)
class Page:
    """A whole page."""

    eyebrow: str
    title: str
    lead: str
    verdict: Verdict | None = None
    tiles: Sequence[Tile] = ()
    sections: Sequence[Section] = ()
    footer: str = ""


def plot(figure: Figure, name: str, caption: str, *, alt: str, wide: bool = True) -> Plot:
    """`figure` as a block; `alt` says in words what it shows. Call inside `drawing_style()`."""
    return Plot(inline_svg(figure, name=name, description=alt), caption, wide)


def render(page: Page) -> str:
    """The page as HTML; the same page gives the same text.

    Raises MissingExtraError where jinja2 is absent.
    """
    template: Any = _environment().get_template("page.html.j2")
    html: str = template.render(
        page=page, light=custom_properties("light"), dark=custom_properties("dark")
    )
    return html


def write_page(path: Path, page: Page) -> None:
    """Writes the page to `path`, whole or not at all. Raises OutputError."""
    write_atomic(path, render(page))


def _environment() -> Any:
    try:
        import jinja2
    except ImportError:
        raise MissingExtraError("jinja2", "report", "writing an HTML report") from None
    return jinja2.Environment(
        loader=jinja2.PackageLoader("lstm_export", "report"),
        autoescape=True,
        finalize=_printable,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def _printable(value: object) -> object:
    # Markup is what the template itself has made; only plain text can bring stray characters.
    return printable(value) if type(value) is str else value
