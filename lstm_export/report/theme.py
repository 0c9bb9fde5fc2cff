"""The colours of pages and plots: one light and one dark value per role."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Colour:
    """One role's colour on light and on dark paper, as #rrggbb."""

    light: str
    dark: str


COLOURS: dict[str, Colour] = {
    "paper": Colour("#f6f5f2", "#121419"),
    "card": Colour("#fffffe", "#1a1d24"),
    "ink": Colour("#1c2430", "#e9e7e2"),
    "muted": Colour("#5d6675", "#9da6b4"),
    "line": Colour("#dfdcd5", "#323843"),
    "shade": Colour("#f0ede6", "#232833"),
    "series": Colour("#4a586d", "#a8b5c8"),
    "model": Colour("#1b6ac9", "#6fb1ff"),
    "forecast": Colour("#c4500b", "#ff9f5f"),
    "baseline": Colour("#8d96a3", "#7d8796"),
    "good": Colour("#17784a", "#5fd097"),
    "bad": Colour("#bd2430", "#ff8084"),
}
"""Roles by name. The light values differ from each other, so a role is known by its value."""


def light(role: str) -> str:
    """The colour of `role` on light paper."""
    return COLOURS[role].light


def custom_properties(mode: str) -> str:
    """CSS declarations `--role: colour;` for mode "light" or "dark"."""
    return " ".join(f"--{role}: {getattr(c, mode)};" for role, c in COLOURS.items())
