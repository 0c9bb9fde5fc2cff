"""Names and numbers as people read them in plots and tables."""

from __future__ import annotations

import math
import unicodedata


def short(name: str, limit: int = 40) -> str:
    """`name` fit for a label: one line, no control characters, at most `limit` characters."""
    clean = printable("".join(" " if c.isspace() else c for c in name))
    return clean if len(clean) <= limit else clean[: limit - 1] + "…"


def printable(text: str) -> str:
    """`text` with what no document may hold (control characters, half characters) marked."""
    return "".join(
        "\N{REPLACEMENT CHARACTER}" if _unprintable(c) and c not in "\n\t" else c for c in text
    )


def number(value: float | None, digits: int = 4) -> str:
    """`value` to `digits` significant digits, grouped by thousands; "–" where there is none."""
    if value is None:
        return "–"
    if not math.isfinite(value):
        return {math.inf: "∞", -math.inf: "−∞"}.get(value, "NaN")
    if value != 0 and not 1e-4 <= abs(value) < 1e7:
        return scientific(value, digits - 1)
    decimals = 0 if value == 0 else max(0, digits - 1 - math.floor(math.log10(abs(value))))
    return f"{value:,.{decimals}f}".replace("-", "−")


def scientific(value: float | None, decimals: int = 1) -> str:
    """`value` as 1.2e−7; "–" where there is none and "0" for nothing at all."""
    if value is None:
        return "–"
    if value == 0:
        return "0"
    if not math.isfinite(value):
        return number(value)
    mantissa, exponent = f"{value:.{decimals}e}".split("e")
    return f"{mantissa}e{int(exponent)}".replace("-", "−")


def size(count: int) -> str:
    """A number of bytes: 812 B, 15.9 kB, 3.2 MB."""
    if count < 1000:
        return f"{count} B"
    scaled, unit = (count / 1e3, "kB") if count < 999_500 else (count / 1e6, "MB")
    return f"{scaled:,.1f} {unit}"


def duration(seconds: float) -> str:
    """A time span in the unit that suits it: 9.7 µs, 1.3 ms, 0.29 s."""
    for limit, factor, unit in ((1e-3, 1e6, "µs"), (1.0, 1e3, "ms")):
        if seconds < limit:
            return f"{number(seconds * factor, 3)} {unit}"
    return f"{number(seconds, 3)} s"


def percent(fraction: float) -> str:
    """A share of one, as whole per cent."""
    return f"{100 * fraction:.0f} %"


def _unprintable(character: str) -> bool:
    return unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Cn")
