"""One program for each graph of a bundle and each language, filled in from the bundle.

`model.py`, `model.mjs` and `model.c` run `model.onnx`, and so on. They print one line for each
output: its name, its sizes in brackets, its numbers.
"""

from __future__ import annotations

import os
from pathlib import Path

import jinja2

from lstm_export.bundle.golden import read_golden
from lstm_export.bundle.layout import LAYOUT
from lstm_export.bundle.manifest import Manifest
from lstm_export.bundle.read import Bundle, open_bundle
from lstm_export.contract import Column, TensorSpec
from lstm_export.errors import OptionError
from lstm_export.exporting.examples import languages
from lstm_export.exporting.examples.inputs import ExampleInput, example_inputs, states_of
from lstm_export.files import new_files, refuse_existing, refuse_within, writing

LANGUAGES = ("py", "mjs", "c")


def write_examples(path: Path, folder: Path, *, force: bool = False) -> tuple[Path, ...]:
    """Writes the programs for the bundle at `path` into `folder`; returns their paths.

    They find their graph where it is now, by a path relative to `folder`, or where their first
    argument says. Raises OutputError if `folder` lies within the bundle, a program exists (without
    `force`) or cannot be written, BundleError if there is no bundle or a damaged one, OptionError
    for an element type that a language lacks.
    """
    bundle = open_bundle(path)
    refuse_within(folder, bundle.path, "whose files its manifest covers")
    inputs = inputs_by_graph(bundle)
    texts = {
        f"{Path(graph).stem}.{language}": _program(
            bundle.manifest, graph, given, language, _relative(bundle.path / graph, folder)
        )
        for graph, given in inputs.items()
        for language in LANGUAGES
    }
    for name in texts:
        refuse_existing(folder / name, force=force)
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with new_files(folder, list(texts)) as scratch:
        for name, text in texts.items():
            (scratch / name).write_text(text, encoding="utf-8")
    return tuple(folder / name for name in texts)


def inputs_by_graph(bundle: Bundle) -> dict[str, tuple[ExampleInput, ...]]:
    """What the programs feed to each graph. Raises as `write_examples` does."""
    manifest = bundle.manifest
    where = bundle.where(LAYOUT.golden)
    cases = read_golden(bundle.read(LAYOUT.golden), where)
    starts = manifest.stream_start or {}
    for graph, spec in manifest.graphs.items():
        for tensor in (*spec.inputs, *spec.outputs):
            if tensor.dtype not in languages.C_TYPES:
                raise OptionError(
                    f"{graph}: no example can be written for {tensor.name} of {tensor.dtype}; "
                    f"expected one of {', '.join(languages.C_TYPES)}"
                )
    return {
        graph: example_inputs(graph, spec, cases, starts) for graph, spec in manifest.graphs.items()
    }


def _program(
    manifest: Manifest, graph: str, inputs: tuple[ExampleInput, ...], language: str, there: str
) -> str:
    spec = manifest.graphs[graph]
    positions = {tensor.name: i for i, tensor in enumerate(spec.outputs)}
    states = states_of(graph, spec)
    carried = [
        (i, positions[states[tensor.name]])
        for i, tensor in enumerate(spec.inputs)
        if tensor.name in states
    ]
    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters = ("python_text", "javascript_text", "c_text", "remark", "numbers", "c_type")
    environment.filters |= {name: getattr(languages, name) for name in filters}
    template = Path(__file__).with_name(f"program.{language}.jinja").read_text(encoding="utf-8")
    return environment.from_string(template).render(
        graph=graph,
        stem=Path(graph).stem,
        there=there,
        inputs=inputs,
        outputs=spec.outputs,
        output_types=[languages.c_type(d) for d in sorted({x.dtype for x in spec.outputs})],
        arrays=languages.JAVASCRIPT_TYPES,
        input_dtypes=sorted({tensor.dtype for tensor in spec.inputs}),
        states=states,
        carried=carried,
        aligned=all(one == other for one, other in carried) and _without_gaps(carried),
        remarks={tensor.name: _remark(manifest, tensor) for tensor in spec.inputs},
    )


def _without_gaps(carried: list[tuple[int, int]]) -> bool:
    """Whether the positions of the states are consecutive, so that one loop carries them all."""
    places = [place for place, _ in carried]
    return bool(places) and places == list(range(places[0], places[-1] + 1))


def _remark(manifest: Manifest, tensor: TensorSpec) -> str:
    """What an input is, with the columns of a forecaster's."""
    columns: dict[str, tuple[Column, ...]] = {}
    if manifest.forecast is not None:
        columns = {"x": manifest.forecast.features, "future": manifest.forecast.known}
    elif manifest.sequences is not None:
        columns = {"x": manifest.sequences.features}
    named = [f"{c.name} [{c.unit}]" if c.unit else c.name for c in columns.get(tensor.name, ())]
    return f"{tensor}: {', '.join(named)}" if named else str(tensor)


def _relative(graph: Path, folder: Path) -> str:
    try:
        return Path(os.path.relpath(graph.resolve(), folder.resolve())).as_posix()
    except ValueError:  # another drive of Windows
        return graph.resolve().as_posix()
