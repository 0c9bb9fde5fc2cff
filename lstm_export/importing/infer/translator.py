"""An encoder whose final states start a decoder: a layer string to look at, never a default.

Nothing in the weights says that states go from one to the other; that their sizes are the same
and that each has an input of its own is all there is.
"""

from __future__ import annotations

from collections.abc import Sequence

from lstm_export.importing.infer.group import Group, option_text, prefix_text
from lstm_export.importing.infer.order import chain


def translator_text(groups: Sequence[Group]) -> str | None:
    """The layer string, if `groups` are two such chains in the file's order; else None."""
    for split in range(1, len(groups)):
        encoder, decoder = chain(groups[:split]), chain(groups[split:])
        if encoder is None or decoder is None or not encoder[-1].recurrent:
            continue
        reading = [group for group in decoder if group.recurrent]
        if not reading or not _same_states(encoder[-1], reading[0]):
            continue
        states = ("h", "c") if encoder[-1].kind == "lstm" else ("h",)
        options = {f"initial_{state}": state for state in states}
        declared = "; ".join(
            f"x_{i}:{'ids' if line[0].kind == 'embedding' else 'floats'}"
            for i, line in enumerate((encoder, decoder))
        )
        first = ", ".join(group.text for group in encoder)
        second = ", ".join(
            _with_options(group, options) if group is reading[0] else group.text
            for group in decoder
        )
        return f"{declared}; y, {', '.join(states)} = x_0, {first}; x_1, {second}"
    return None


def _same_states(one: Group, other: Group) -> bool:
    names = ("hidden_size", "num_layers", "num_directions", "proj_size")
    return one.kind == other.kind and all(one.sizes.get(n) == other.sizes.get(n) for n in names)


def _with_options(group: Group, options: dict[str, str]) -> str:
    return prefix_text(group.prefix) + group.kind + option_text({**options, **group.options})
