"""What a file of weights is, as far as it can be told: the one entry to all of this package."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from lstm_export.errors import CheckpointError, OptionError
from lstm_export.importing.description import Description, Step
from lstm_export.importing.infer.canonical import canonical
from lstm_export.importing.infer.declared import with_declared
from lstm_export.importing.infer.given_layers import from_layers
from lstm_export.importing.infer.group import Group
from lstm_export.importing.infer.groups import find_groups
from lstm_export.importing.infer.proposal import Proposal, propose
from lstm_export.importing.infer.state import State, as_stored, normalise
from lstm_export.importing.infer.table import TensorRow, table_dicts, tensor_table
from lstm_export.importing.raw import RawFile


@dataclass(frozen=True, slots=True)
class Inference:
    """What was understood.

    `proposal` is None where sizes leave a `question`, an error that says what to choose from; the
    table then shows what each tensor would be used as. `groups` are the layers found, in the
    file's order; none where the file itself gave them.
    """

    state: State
    groups: tuple[Group, ...]
    proposal: Proposal | None
    question: CheckpointError | OptionError | None
    table: tuple[TensorRow, ...]

    @property
    def notes(self) -> tuple[str, ...]:
        return self.state.notes

    def description(self) -> Description:
        """The proposal over the file's tensors. Raises `question` where there is none."""
        if self.proposal is None:
            assert self.question is not None
            raise self.question
        p = self.proposal
        return Description(p.inputs, p.steps, p.outputs, self.state.tensors)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for `--json`."""
        p = self.proposal
        return {
            "layers": p.text if p else None,
            "inputs": [asdict(given) for given in p.inputs] if p else [],
            "assumptions": list(p.assumptions) if p else [],
            "question": str(self.question) if self.question else None,
            "found": [
                {"name": g.name, "kind": g.kind, "sizes": dict(g.sizes)} for g in self.groups
            ],
            "notes": list(self.notes),
            "tensors": table_dicts(self.table),
        }


def infer(raw: RawFile, key: str | None = None) -> Inference:
    """The model in `raw`, or the one under `key`.

    Raises OptionError if a key is needed, CheckpointError for weights that are not finite, not
    whole, contradict each other or what the file declares. What sizes cannot tell, and that there
    are no recurrent weights at all, is the `question`, so that the table can still be shown.
    """
    if raw.layers is not None:
        state = as_stored(raw)
        given = from_layers(raw, raw.layers)
        return Inference(state, (), given, None, tensor_table(raw, state, given.steps, {}, {}))
    state = normalise(raw, key)
    found = find_groups(state)
    state, groups = canonical(state, with_declared(state, found.groups))
    proposal: Proposal | None = None
    question: CheckpointError | OptionError | None = None
    try:
        proposal = propose(state, found, groups)
    except (CheckpointError, OptionError) as error:
        question = error
    steps = proposal.steps if proposal else _as_steps(groups)
    table = tensor_table(raw, state, steps, found.ignored, found.unused)
    return Inference(state, groups, proposal, question, table)


def _as_steps(groups: tuple[Group, ...]) -> list[Step]:
    return [Step(g.kind, (), (), g.name, g.options, g.tensors) for g in groups]
