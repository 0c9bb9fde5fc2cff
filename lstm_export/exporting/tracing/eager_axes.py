"""Which axes of a module's inputs can vary, found by running the module at other sizes.

No exporter is asked: the sizes of the example say which axes belong together, and eager torch says
which of them may grow. Two axes of one size that have nothing to do with each other are told apart
where the module refuses them to grow together.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn

from lstm_export.contract import BATCH, SEQUENCE_LENGTH, GraphSpec, TensorSpec
from lstm_export.exporting.tracing.call import Call, Leaf
from lstm_export.exporting.unchanged.kept import eval_mode, kept
from lstm_export.exporting.unchanged.quiet import no_warnings

Place = tuple[int, int]
"""An input, by position, and one of its axes."""
Groups = dict[str, tuple[Place, ...]]


def varying_axes(module: nn.Module, call: Call) -> Groups:
    """Groups of axes that grow together, by name: `batch`, `sequence_length`, then others.

    The module comes back as it was.
    """
    by_size: dict[int, list[Place]] = {}
    for position, leaf in enumerate(call.inputs):
        for axis, size in enumerate(leaf.example.shape):
            by_size.setdefault(size, []).append((position, axis))
    found: list[tuple[Place, ...]] = []
    with kept(module) as snapshot, eval_mode(module), no_warnings(), torch.no_grad():
        for places in by_size.values():
            for group in _readings(places):
                if any(set(group) & set(other) for other in found):
                    continue
                try:
                    args, kwargs = call.bind(_grown(call.inputs, group))
                    module(*args, **kwargs)
                except Exception:  # the module's own refusal
                    continue
                else:
                    found.append(group)
                finally:
                    snapshot.restore()
    layers = [layer for layer in module.modules() if isinstance(layer, nn.RNNBase)]
    return _named(found, time_first=not all(layer.batch_first for layer in layers))


def graph_inputs(call: Call, groups: Mapping[str, tuple[Place, ...]]) -> GraphSpec:
    """The inputs of `call` as a graph would have them whose axes vary by `groups`."""
    names = {place: name for name, places in groups.items() for place in places}
    return GraphSpec(
        tuple(
            TensorSpec(
                leaf.name,
                str(leaf.example.dtype).removeprefix("torch."),
                tuple(
                    names.get((position, axis), size)
                    for axis, size in enumerate(leaf.example.shape)
                ),
            )
            for position, leaf in enumerate(call.inputs)
        ),
        (),
    )


def _readings(places: list[Place]) -> Iterator[tuple[Place, ...]]:
    """All axes of one size, then those at one place of each input, then each by itself."""
    yield tuple(places)
    for axis in dict.fromkeys(axis for _, axis in places):
        yield tuple(place for place in places if place[1] == axis)
    for place in places:
        yield (place,)


def _grown(leaves: tuple[Leaf, ...], group: tuple[Place, ...]) -> list[Tensor]:
    """The examples with one more element along the axes of `group`, repeating the last one.

    Integers as large as an axis was, such as the length of a full sequence, grow with it.
    """
    sizes = {leaves[position].example.shape[axis] for position, axis in group}
    grown = []
    for position, leaf in enumerate(leaves):
        tensor = leaf.example.clone()
        if tensor.dtype == torch.int64 and tensor.dim() <= 1:
            (size,) = sizes
            tensor = torch.where(tensor == size, size + 1, tensor)
        for axis in (axis for at, axis in group if at == position):
            tensor = torch.cat([tensor, tensor.narrow(axis, -1, 1)], dim=axis)
        grown.append(tensor)
    return grown


def _named(groups: list[tuple[Place, ...]], *, time_first: bool) -> Groups:
    """The group that leads the first input is `batch`, or the second one where time leads."""
    ordered = sorted(groups)
    names = (
        [SEQUENCE_LENGTH, BATCH] if time_first and len(ordered) > 1 else [BATCH, SEQUENCE_LENGTH]
    )
    names += [f"axis_{i}" for i in range(len(ordered) - len(names))]
    return dict(zip(names, ordered, strict=False))
