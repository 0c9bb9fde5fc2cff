"""`prim::If` and `prim::Loop` as Python's own if, for and while."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lstm_export.importing.scripted.lines import Block, Line, Statements
from lstm_export.importing.scripted.place import place
from lstm_export.importing.scripted.scalars import grouped
from lstm_export.importing.scripted.terms import Term

if TYPE_CHECKING:
    from lstm_export.importing.scripted.translate import Translator

_ENDLESS = 9223372036854775807


def branch(translator: Translator, node: Any, inputs: list[Term]) -> list[Term]:
    """An if; only the branch taken where that is known."""
    (condition,) = inputs
    yes, no = node.blocks()
    if isinstance(condition.known, bool):
        return translator.block(yes if condition.known else no)
    names = [translator.fresh(output.debugName()) for output in node.outputs()]
    blocks: list[Statements] = []
    for block in (yes, no):
        with translator.collecting() as statements:
            results = translator.block(block)
            for name, text in zip(names, translator.texts(results), strict=True):
                translator.line(name, text, node)
        blocks.append(statements)
    head, (body, other) = f"if {condition.text}", blocks
    translator.add(Block(head, body, other, place(node)))
    return [Term(name) for name in names]


def loop(translator: Translator, node: Any, inputs: list[Term]) -> list[Term]:
    """A for where the number of turns is given and nothing ends it early, else a while."""
    count, start, *carried = inputs
    (body,) = node.blocks()
    index, *places = body.inputs()
    names = [translator.fresh(one.debugName()) for one in places]
    for name, text in zip(names, translator.texts(carried), strict=True):
        translator.line(name, text, node)
    turn = translator.fresh(index.debugName())
    translator.bind(index, Term(turn))
    for one, name in zip(places, names, strict=True):
        translator.bind(one, Term(name))
    with translator.collecting() as statements:
        goes_on, *results = translator.block(body)
        texts = translator.texts(results)
    plain = start.known is True and goes_on.known is True
    if names:
        # All at once: one may be computed from what another was.
        statements.append(Line(", ".join(names), ", ".join(texts)))
    if plain:
        translator.add(Block(f"for {turn} in range({count.text})", statements, [], place(node)))
        return [Term(name) for name in names]
    again = translator.fresh("again")
    translator.line(again, start.text, node, pure=False)
    statements.append(Line(again, goes_on.text, pure=False))
    if count.known == _ENDLESS:
        translator.add(Block(f"while {again}", statements, [], place(node)))
        return [Term(name) for name in names]
    statements.append(Line(turn, f"{turn} + 1"))
    translator.line(turn, "0", node)
    head = f"while {turn} < {grouped(count.text)} and {again}"
    translator.add(Block(head, statements, [], place(node)))
    return [Term(name) for name in names]
