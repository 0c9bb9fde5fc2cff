"""`texts`: short English sentences about four things, made by a grammar."""

from __future__ import annotations

import numpy as np

from lstm_export.data.write import csv_text

_ROWS = 1200

_WHO = ["I", "we", "my sister", "our neighbour", "the children", "two old friends", "nobody here"]
_WHEN = ["today", "last night", "on Sunday", "again", "this year", "at noon", "for once"]
_FELT = ["was a surprise", "made us laugh", "could have been better", "is all anyone talks about"]
_SAW = ["remembered", "talked about", "waited for", "could not forget", "wrote about"]

_THINGS = {
    "weather": [
        *("rain", "snow", "a thunderstorm", "thick fog", "sunshine", "a cold wind", "hail"),
        *("the heatwave", "grey clouds", "a rainbow", "frost", "drizzle"),
    ],
    "sport": [
        *("the final", "a late goal", "the marathon", "their coach", "a penalty", "the referee"),
        *("tennis", "the swimming team", "a world record", "the stadium", "rowing", "the league"),
    ],
    "food & drink, café": [
        *("crème brûlée", "black coffee", "fresh bread", "an omelette", "green tea", "jalapeños"),
        *("soup", "a cheesecake", "the new menu", "smoked salmon", "a jug of lemonade", "dinner"),
    ],
    "travel": [
        *("the night train", "our passports", "a ferry", "the airport", "a suitcase", "the hostel"),
        *("a map of Zürich", "the border", "a boarding pass", "the last bus", "a tent", "customs"),
    ],
}
"""Things by their label: no word of one label's is among another's but a, an, our, the and of."""


def texts() -> bytes:
    """1,200 sentences of 3 to 13 words, 300 for each label: text, topic. One thing at least in
    each tells the label; all else is shared."""
    random = np.random.default_rng(0)

    def one(of: list[str]) -> str:
        return of[int(random.integers(0, len(of)))]

    def sentence(things: list[str]) -> str:
        thing, form = one(things), int(random.integers(0, 5))
        if form == 0:
            return f"{one(_WHO)} {one(_SAW)} {thing}."
        if form == 1:
            return f"{one(_WHEN)}, {thing} {one(_FELT)}!"
        if form == 2:
            return f"{one(_WHO)} {one(_SAW)} {thing} {one(_WHEN)}."
        if form == 3:
            return f"why was it {thing} that {one(_WHO)} {one(_SAW)}?"
        other = one([another for another in things if another != thing])
        return f"{thing} and {other}: we {one(_SAW)} both."

    topics = [list(_THINGS)[i % len(_THINGS)] for i in random.permutation(_ROWS).tolist()]
    lines = [sentence(_THINGS[topic]) for topic in topics]
    return csv_text(
        {"text": [line[0].upper() + line[1:] for line in lines], "topic": topics}
    ).encode()
