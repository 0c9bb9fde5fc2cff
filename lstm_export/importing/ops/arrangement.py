"""What a file's recurrent arrays mean where their layout's own arrangement is not it.

gates=ifog    the order in which the file stacks the gates: letters i, f, g, o of an LSTM (c for
              g too), r, z, n of a GRU (u for z and h for n too). Left out: the layout's own
bias=input    which biases count. both: the input's and the recurrent one, as torch has them.
              input, recurrent: that one alone. none: neither. twice: the only one there is, as
              both, which is what copying it into two places comes to
initial=zeros states that the file holds are not started from
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from lstm_export.importing.description import Step
from lstm_export.importing.ops.op import Float, Option, misfit

LETTERS = {"lstm": "ifgo", "gru": "rzn"}
_SYNONYMS = {"lstm": str.maketrans("c", "g"), "gru": str.maketrans("uh", "zn")}
BIASES = ("both", "input", "recurrent", "none", "twice")


@dataclass(frozen=True, slots=True)
class Arrangement:
    """How the tensors of one step are to be read."""

    layout: str
    gates: str = ""
    """Letters as in LETTERS, in the order of the file; empty where the layout's own holds."""
    bias: str = "both"


def arrangement(step: Step) -> Arrangement:
    """As the step's options say; raises CheckpointError for gates that are not its cell's."""
    given = step.options.get("gates", "")
    if given and (expected := _problem(step.op)(given)) is not None:
        raise misfit(step, f"expected {expected} for gates, got {given}")
    gates = given.translate(_SYNONYMS[step.op]) if given else ""
    return Arrangement(step.layout, gates, step.options.get("bias", "both"))


def options(op: str) -> dict[str, Option]:
    """The options of `op` that say how its arrays are meant; an RNN has no gates to order."""
    gates = {"gates": Option(str, check=_problem(op))} if op in LETTERS else {}
    return {
        **gates,
        "bias": Option(str, "both", BIASES),
        "initial": Option(str, "file", ("file", "zeros")),
    }


def check_biases(step: Step, weights: Mapping[str, Float]) -> None:
    """Raises CheckpointError where the option `bias` asks for what one layer does not have."""
    there = biases_of(weights)
    wanted = step.options.get("bias", "both")
    if wanted in ("input", "recurrent") and wanted not in there:
        raise misfit(step, f"bias={wanted}, but it has {_named(there)}")
    if wanted == "twice" and len(there) != 1:
        raise misfit(step, f"bias=twice is of the only bias there is, but it has {_named(there)}")


def biases_of(weights: Mapping[str, Float]) -> tuple[str, ...]:
    """Which biases one layer has: "input" and "recurrent". A bias by itself is the input's."""
    if "bias" in weights:
        return ("input", "recurrent")[: weights["bias"].ndim]
    return tuple(
        word for word, role in (("input", "bias_ih"), ("recurrent", "bias_hh")) if role in weights
    )


def _named(there: Iterable[str]) -> str:
    found = " and ".join(f"the {word} bias" for word in there)
    return f"{found} alone" if found and " and " not in found else found or "no bias"


def _problem(op: str) -> Callable[[object], str | None]:
    letters = LETTERS.get(op, "")

    def problem(value: object) -> str | None:
        same = isinstance(value, str) and sorted(value.translate(_SYNONYMS[op])) == sorted(letters)
        return None if same else f"the letters {', '.join(letters)} in the order of the file"

    return problem
