"""Modules whose answer depends on more than their arguments: on calls before, or on chance.

A graph has neither memory nor dice. State that a module keeps for its next call would be frozen
into the file as it was when it was traced; a random number too.
"""

from __future__ import annotations

from torch import nn

from lstm_export.exporting.audit.carried_state import carried_state
from lstm_export.exporting.audit.finding import Finding
from lstm_export.exporting.audit.randomness import randomness
from lstm_export.exporting.audit.rehearsal import Rehearsal
from lstm_export.exporting.tracing.call import Call


def unsteady_findings(module: nn.Module, call: Call) -> tuple[Finding, ...]:
    """Why `module` answers the same call in two ways; nothing where it does not.

    To be used within `kept` and in eval mode. Raises whatever the module raises on its examples.
    """
    rehearsal = Rehearsal(module, call)
    return randomness(rehearsal) or carried_state(rehearsal)


def unsteady(module: nn.Module, call: Call) -> str | None:
    """`unsteady_findings` as one message, None where there are none."""
    findings = unsteady_findings(module, call)
    return "\n".join(map(str, findings)) or None
