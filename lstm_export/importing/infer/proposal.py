"""The architecture proposed for a file: steps, the layer string that says them, what was assumed.

Sizes decide what they can; `flow` and `untold` say what is assumed beyond them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lstm_export.errors import CheckpointError, OptionError
from lstm_export.importing.description import Input, Step
from lstm_export.importing.infer.beside import floats_beside_text
from lstm_export.importing.infer.doubts import in_doubt
from lstm_export.importing.infer.flow import with_activations
from lstm_export.importing.infer.flow_text import OUTPUT, Flow, Placed
from lstm_export.importing.infer.group import Group
from lstm_export.importing.infer.groups import Found
from lstm_export.importing.infer.no_recurrence import no_recurrence
from lstm_export.importing.infer.order import Arrangement, arrange, unarranged
from lstm_export.importing.infer.plain_layers import as_embedding
from lstm_export.importing.infer.sequential import Bare, without_place
from lstm_export.importing.infer.state import State
from lstm_export.importing.infer.translator import translator_text
from lstm_export.importing.infer.turned import mixed, starts_time_first, turned
from lstm_export.importing.infer.untold import untold
from lstm_export.importing.layers.bind import bind
from lstm_export.importing.layers.grammar import parse


@dataclass(frozen=True, slots=True)
class Proposal:
    """`text` is the layer string; `steps` name tensors as `State.tensors` does.

    `assumptions` are what shapes cannot tell, each with what else is possible.
    """

    text: str
    inputs: tuple[Input, ...]
    steps: tuple[Step, ...]
    outputs: tuple[str, ...]
    assumptions: tuple[str, ...]


def propose(state: State, found: Found, groups: Sequence[Group]) -> Proposal:
    """The architecture of `groups`, which are those of `found` with what the file declares.

    Raises CheckpointError if there are no recurrent layers among them, OptionError where sizes
    leave no order or more than one, which lists them as layer strings.
    """
    if not any(group.recurrent for group in groups):
        raise no_recurrence(state, groups)
    arrangements = [
        a
        for reading in _readings(state, groups)
        for a in arrange(reading)
        # Where to turn values that several lines read, nothing tells.
        if not mixed(a.groups) or a.lines.count(()) == len(a.lines) - 1
    ]
    every_step = _every_step(state, groups, found)
    proposals = [_proposal(a, found, every_step, state.declared) for a in arrangements]
    proposals = [proposal for proposal in proposals if _fits(state, proposal)]
    if not proposals:
        perhaps = translator_text(groups) or floats_beside_text(groups)
        raise unarranged(state.path, groups, perhaps)
    if (doubt := in_doubt(groups)) is not None:
        raise OptionError(
            f"{state.path}: {doubt}. Give your own class with --module; without that the layers "
            f'may be --layers "{proposals[0].text}"'
        )
    texts = list(dict.fromkeys(proposal.text for proposal in proposals))
    if len(texts) > 1:
        options = "; or ".join(f'--layers "{text}"' for text in texts)
        raise OptionError(
            f"{state.path}: the sizes of its layers fit more than one architecture, and nothing in "
            f"the file tells which. Choose: {options}"
        )
    return proposals[0]


def _fits(state: State, proposal: Proposal) -> bool:
    """Whether the proposal's text reads back, over the tensors that are there."""
    # Of the arrays only shapes are asked, and a hull of float64 needs no copy of any.
    hulls = {
        name: np.broadcast_to(np.zeros((), np.float64 if a.dtype.kind == "f" else a.dtype), a.shape)
        for name, a in state.tensors.items()
    }
    try:
        bind(parse(proposal.text), hulls)
    except (CheckpointError, OptionError):
        return False
    return True


def _readings(state: State, groups: Sequence[Group]) -> list[list[Group]]:
    """The groups as they are, and with a square matrix in front read as an embedding."""
    readings = [list(groups)]
    first = groups[0]
    if first.kind == "linear" and "bias" not in first.tensors and first.takes == first.gives:
        declared = (f"{first.name}.in_features", f"{first.name}.out_features")
        if not any(path in state.declared for path in declared):
            readings.append([as_embedding(first), *groups[1:]])
    return readings


def _proposal(
    arrangement: Arrangement, found: Found, every_step: str | None, declared: Mapping[str, Any]
) -> Proposal:
    said = list(found.assumptions)
    if arrangement.reordered:
        said.append("layers stand in the one order in which their sizes chain, not in the file's")
    if len(arrangement.towers) > 1:
        said.append("towers stand side by side, since their widths add up to what follows")
    if arrangement.heads:
        said.append("layers that take the same features are heads side by side, each an output")

    def placed(line: Sequence[Group]) -> Placed:
        behind, more = with_activations(line, every_step, declared)
        said.extend(text for text in more if text not in said)
        steps = turned(line, behind)
        if len(steps) > len(behind):
            said.append(
                "a time_major stands where a layer with time first follows one that runs over the "
                "steps, or the other way round"
            )
        return steps

    flow = Flow()
    several = len(arrangement.towers) > 1
    if arrangement.forked:
        value = flow.read(_input("x", (*arrangement.stem, *arrangement.towers[0])))
        if arrangement.stem:
            value = flow.run(value, placed(arrangement.stem), "stem")
        values = [value] * len(arrangement.towers)
    else:
        values = [
            flow.read(_input(f"x_{index}" if several else "x", tower))
            for index, tower in enumerate(arrangement.towers)
        ]
    ends = []
    for index, (value, tower) in enumerate(zip(values, arrangement.towers, strict=True)):
        steps = placed(tower)
        if several or arrangement.heads:
            steps = _tower_end(tower, steps, arrangement, every_step, said)
        end = f"tower_{index}" if several else "trunk" if arrangement.heads else OUTPUT
        ends.append(flow.run(value, steps, end))
    if several:
        ends = [flow.join(ends, placed(arrangement.trunk), OUTPUT)]
    if arrangement.heads:
        ends = [
            flow.run(ends[0], _behind(arrangement.towers[0][-1], head, placed), f"output_{index}")
            for index, head in enumerate(arrangement.heads)
        ]
    flow.finish(ends)
    said += untold(arrangement)
    names = (*(n for g in arrangement.groups for n in g.tensors.values()), *found.unused)
    if apart := without_place(declared, {name.rpartition(".")[0] for name in names}):
        said.append(
            f"the file has {', '.join(apart)} and does not say where: nothing of them stands here "
            "but what --layers puts there"
        )
    return Proposal(flow.text, tuple(flow.inputs), tuple(flow.steps), flow.outputs, tuple(said))


def _tower_end(
    line: Sequence[Group],
    placed: Placed,
    arrangement: Arrangement,
    every_step: str | None,
    said: list[str],
) -> Placed:
    """A line that ends in recurrent layers gives its last step to what goes on without any."""
    ends = [group.kind for group in line if group.recurrent or group.kind == "linear"][-1:]
    goes_on = any(group.recurrent for group in arrangement.trunk)
    if ends in ([], ["linear"]) or goes_on or every_step is not None:
        return placed
    recurrent = next(group for group in reversed(line) if group.recurrent)
    said.append(
        f"the last step of {recurrent.name or recurrent.kind} goes on: it may be all steps, "
        "last_valid with lengths, mean or max"
    )
    first = recurrent.options.get("batch_first", True)
    return [*placed, Bare("last", {} if first else {"batch_first": False})]


def _behind(
    before: Group, head: Sequence[Group], placed: Callable[[Sequence[Group]], Placed]
) -> Placed:
    """A head with what stands between it and the layer `before`."""
    return placed([before, *head])[1:] if before.kind == "linear" else placed(head)


def _input(name: str, tower: Sequence[Group]) -> Input:
    axes: tuple[str | int, ...] = ("batch", "sequence_length")
    if starts_time_first(tower):
        axes = ("sequence_length", "batch")
    if tower[0].kind == "embedding":
        return Input(name, "ids", axes)
    widths = [group.takes for group in tower if group.takes is not None]
    channels = int(str(tower[0].options.get("groups", 1)))
    return Input(name, "floats", (*axes, widths[0] * channels))


def _every_step(state: State, groups: Sequence[Group], found: Found) -> str | None:
    """Why the head would read every step: it gives a score for each id, or for each tag."""
    heads = [group for group in groups if group.kind == "linear"]
    if not heads:
        return None
    given = heads[-1].gives
    tables = [g.sizes["num_embeddings"] for g in groups if g.kind == "embedding"]
    if given in tables:
        return f"its {given} values are as many as the embedding has ids: a language model"
    for name in found.unused:
        if "transition" in name and state.tensors[name].shape == (given, given):
            return f"{state.shown(name)} has a score for each pair of its {given} tags"
    return None
