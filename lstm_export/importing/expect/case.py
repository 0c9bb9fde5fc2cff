"""Layers over the user's tensors with the user's arrays: what is judged, and what is edited."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from lstm_export.importing.description import Description
from lstm_export.importing.expect.expected import Expected, Values
from lstm_export.importing.expect.fitting import fitted, sizes
from lstm_export.importing.layers.bind import bind
from lstm_export.importing.layers.layers import Layers
from lstm_export.importing.ops.op import Axes
from lstm_export.importing.raw import Array, RawLayer
from lstm_export.importing.shapes import shapes


@dataclass(frozen=True, slots=True)
class Weights:
    """A file's tensors, and the layers that it declares itself."""

    tensors: Mapping[str, Array]
    declared: tuple[RawLayer, ...] = ()


@dataclass(frozen=True, slots=True)
class Case:
    """Layers that fit the tensors, with the arrays that they take.

    `axes` are those of every value; `sizes` those of the named axes in these arrays. `added` are
    arrays that the file has no input by this name for: lengths that were counted, say.
    """

    layers: Layers
    weights: Weights
    expected: Expected
    description: Description
    axes: Mapping[str, Axes]
    feeds: Mapping[str, Values]
    sizes: Mapping[str, int]
    added: Mapping[str, Values] = field(default_factory=dict)

    def output_shape(self, name: str) -> tuple[int, ...] | None:
        """The shape of a value for these arrays; None where an axis cannot be told beforehand."""
        found = [self.sizes.get(a) if isinstance(a, str) else a for a in self.axes[name]]
        return None if None in found else tuple(n for n in found if n is not None)


def case_of(
    layers: Layers,
    weights: Weights,
    expected: Expected,
    added: Mapping[str, Values] | None = None,
) -> Case:
    """Raises CheckpointError for layers that do not fit the tensors, InputError for arrays that do
    not fit the layers."""
    description = bind(layers, weights.tensors, weights.declared)
    known = {**expected.extra, **expected.given, **(added or {})}
    feeds = {
        each.name: fitted(each, known[each.name], expected.source)[0] for each in description.inputs
    }
    found = sizes(
        {each.name: (each.axes, feeds[each.name]) for each in description.inputs}, expected.source
    )
    return Case(
        layers, weights, expected, description, shapes(description), feeds, found, added or {}
    )
