"""The page, and the images, of an explanation."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lstm_export.files import new_files, refuse_existing, writing
from lstm_export.report.explain_bars import memory_figure, shares_figure, switches_figure
from lstm_export.report.explain_heat import heat_figure
from lstm_export.report.explain_units import units_figure
from lstm_export.report.page import (
    Block,
    Facts,
    Findings,
    Page,
    Section,
    Table,
    Tile,
    Verdict,
    plot,
    write_page,
)
from lstm_export.report.svg import drawing_style, image_bytes
from lstm_export.report.text import number, percent, scientific, short

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from lstm_export.explain.explanation import Explanation, LayerFacts

_MEMORY = (
    "A unit's memory is −1 / mean(log f), f being the gate that carries its state on: after so "
    "many steps 1/e of a value is left (Tallec and Ollivier, 2018)."
)
_SHARES = "Shares of gate values below 0.1 (shut) and above 0.9 (open), over all that was run."


def write_explanation(path: Path, found: Explanation) -> None:
    """Writes the page on `found` to `path`, whole or not at all.

    Raises OutputError if it cannot be written, MissingExtraError where the report extra is absent.
    """
    with drawing_style():
        sections = [*_sections(found)]
    page = Page(
        eyebrow="lstm-export · explanation",
        title=f"Inside {short(Path(found.bundle).name or found.bundle, 60)}",
        lead=(
            f"What the recurrent layers of {found.bundle} do on {short(found.series, 80)}: "
            f"{found.steps:,} steps, computed by the equations on the model's own weights."
        ),
        verdict=_verdict(found),
        tiles=_tiles(found),
        sections=sections,
    )
    write_page(path, page)


def write_images(folder: Path, found: Explanation, *, force: bool) -> tuple[Path, ...]:
    """Writes every figure into `folder` as .png, all of them or none; gives their paths.

    The folder is made where it is missing. Raises OutputError for one that holds an image of such a
    name, without `force`, or that cannot be written.
    """
    with drawing_style():
        images = {f"{name}.png": image_bytes(figure, "png") for name, figure in figures(found)}
    for name in images:
        refuse_existing(folder / name, force=force)
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with new_files(folder, tuple(images)) as temporary:
        for name, image in images.items():
            (temporary / name).write_bytes(image)
    return tuple(folder / name for name in images)


def require_figures() -> None:
    """Raises MissingExtraError where matplotlib is absent."""
    with drawing_style():
        pass


def figures(found: Explanation) -> Iterator[tuple[str, Figure]]:
    """Every figure by its name, drawn as it is asked for. Inside `drawing_style()`."""
    for layer in found.layers:
        name = f"layer-{layer.number}" + ("-backward" if layer.backward else "")
        yield f"{name}-gates", heat_figure(found, layer)
        yield f"{name}-units", units_figure(found, layer)
        if layer.gates:
            yield f"{name}-shares", shares_figure(layer)
        if layer.memory is not None:
            yield f"{name}-memory", memory_figure(layer, found.steps)
    yield "switches", switches_figure(found.layers)


def _verdict(found: Explanation) -> Verdict:
    if found.passed:
        return Verdict("The equations give the runtime's numbers", True)
    return Verdict("The equations do NOT give the runtime's numbers", False)


def _tiles(found: Explanation) -> list[Tile]:
    layer = found.layers[0]
    tiles = [
        Tile(
            "Layers explained",
            str(len(found.layers)),
            f"{layer.cell.upper()}, {layer.hidden_size:,} units",
        ),
        Tile("Steps", f"{found.steps:,}", f"{found.sequences:,} sequences in all"),
    ]
    memories = [one.memory for one in found.layers if one.memory is not None]
    if memories:
        longest = max(float(np.median(memory)) for memory in memories)
        tiles.append(Tile("Memory, median unit", number(longest, 3), "steps, of the longest layer"))
    effects = [effect for one in found.layers for effect in one.switches]
    strongest = max(effects, key=lambda effect: effect.rms)
    tiles.append(Tile("Strongest change", number(strongest.rms, 3), strongest.name))
    return tiles


def _sections(found: Explanation) -> Iterator[Section]:
    if found.notes:
        yield Section("What to know", "", [Findings(found.notes)])
    for layer in found.layers:
        yield from _layer(found, layer)
    yield _effects(found)
    yield _checks(found)


def _layer(found: Explanation, layer: LayerFacts) -> Iterator[Section]:
    name = f"layer-{layer.number}{'b' if layer.backward else ''}"
    kind = f"{layer.cell.upper()}, {layer.hidden_size:,} units, {short(layer.name, 60)}"
    heat = plot(
        heat_figure(found, layer),
        f"{name}-heat",
        "A row is a unit, the one with the longest memory at the top; a column is a step. "
        + ("The layer reads from the end to the start." if layer.backward else ""),
        alt=f"Heat maps of the gates and the state of {layer.title} over time.",
    )
    yield Section(f"{layer.title.capitalize()} over time", f"{kind}.", [heat])
    alt = f"Gates and state of three units of {layer.title}."
    caption = "The unit with the longest memory, the middle one, and the one with the shortest."
    units = plot(units_figure(found, layer), f"{name}-units", caption, alt=alt)
    yield Section(f"{layer.title.capitalize()}: three units", "", [units])
    blocks: list[Block] = []
    if layer.gates:
        alt = "; ".join(
            f"{gate.name}: {percent(gate.near_zero)} near 0, {percent(gate.near_one)} near 1"
            for gate in layer.gates
        )
        figure = shares_figure(layer)
        blocks.append(plot(figure, f"{name}-shares", _SHARES, alt=alt, wide=False))
    if layer.memory is not None:
        figure = memory_figure(layer, found.steps)
        alt = f"Memory of the units of {layer.title} in steps."
        blocks.append(plot(figure, f"{name}-memory", _MEMORY, alt=alt, wide=False))
    if blocks:
        heading = f"{layer.title.capitalize()}: how open its gates are, how long it remembers"
        yield Section(heading, "", blocks, beside=True)


def _effects(found: Explanation) -> Section:
    text = (
        "Each gate is held at 0 or 1 in the whole layer, at every step and for every unit; the "
        "rest of the model goes on with what the layer then gives. The longer the bar, the more "
        "the answer depends on what the gate has learned."
    )
    rows = [
        [
            effect.name,
            layer.title,
            effect.meaning,
            number(effect.rms),
            number(effect.rms_chosen),
            number(effect.relative, 3),
        ]
        for layer in found.layers
        for effect in layer.switches
    ]
    header = ["Switched off", "Layer", "What is left", "RMS", "This series", "In std"]
    caption = f"Change of {found.output} over {found.sequences:,} sequences, in its own units."
    table = Table(caption, header, rows, text_columns=frozenset({1, 2}))
    figure = plot(
        switches_figure(found.layers),
        "switches",
        "In standard deviations of the unchanged answers, where these vary.",
        alt="Change of the answer with each gate switched off.",
    )
    return Section("What each gate is for", text, [figure, table])


def _checks(found: Explanation) -> Section:
    comparisons = [(layer, check) for layer in found.layers for check in layer.checks]
    rows = [
        [
            check.name,
            layer.title,
            scientific(check.max_abs_error),
            scientific(check.bound),
            "as in the runtime" if check.passed else check.reason,
        ]
        for layer, check in comparisons
    ]
    bad = frozenset(i for i, (_, check) in enumerate(comparisons) if not check.passed)
    table = Table(
        "What leaves a layer, and the answer that follows, beside onnxruntime's.",
        ["Tensor", "Layer", "Error", "Bound", "Verdict"],
        rows,
        text_columns=frozenset({1, 4}),
        bad=bad,
    )
    facts = Facts(
        [("Model", found.bundle), ("Data", found.data), ("Series", short(found.series, 80))]
    )
    return Section("Checked against the runtime", "", [table, facts])
