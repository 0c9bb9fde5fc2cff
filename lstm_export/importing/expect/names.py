"""Which array of a file is which input or output: by its name, else by what people call them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lstm_export.errors import InputError
from lstm_export.importing.description import Description, Input, Step
from lstm_export.importing.expect.stored import Stored
from lstm_export.importing.ops.op import shown

USUAL: Mapping[str, tuple[str, ...]] = {
    "sequence": (
        *("x", "xs", "input", "inputs", "input_0", "input_ids", "ids", "tokens", "data"),
        *("features", "sequence", "sequences", "x_test"),
    ),
    "lengths": ("lengths", "length", "lens", "n", "seq_lens", "seq_lengths", "sequence_lens",
                "sequence_lengths", "x_lengths", "input_lengths"),
    "initial_h": ("initial_h", "h0", "h_0", "hx", "hidden", "hidden_state", "state", "h"),
    "initial_c": ("initial_c", "c0", "c_0", "cx", "cell", "cell_state", "c"),
    "output": (
        *("y", "ys", "output", "outputs", "output_0", "out", "expected", "expect", "target"),
        *("targets", "prediction", "predictions", "pred", "y_pred", "y_hat", "logits", "result"),
        *("results", "y_test"),
    ),
}  # fmt: skip
_BY_POSITION = ("arr_0", "arr_1")


@dataclass(frozen=True, slots=True)
class Matched:
    """Arrays by the names of the description; `extra` under their own."""

    inputs: Mapping[str, Stored]
    outputs: Mapping[str, Stored]
    extra: Mapping[str, Stored]
    notes: tuple[str, ...]


def matched(arrays: Mapping[str, Stored], description: Description, where: str) -> Matched:
    """`arrays` as inputs and outputs.

    Names as they are come first, then the usual ones where there is one input or output of a
    kind, then the one array that is left for the one place that is. A missing `lengths` is no
    error here. Raises InputError with both sides listed.
    """
    left, notes = dict(arrays), list[str]()
    inputs, outputs = dict[str, Stored](), dict[str, Stored]()

    def take(name: str, key: str, into: dict[str, Stored]) -> None:
        into[name] = left.pop(key)
        if key != name:
            notes.append(f"{key} was taken as {name}")

    names = [each.name for each in description.inputs]
    for name in names:
        if name in left and name not in description.outputs:
            take(name, name, inputs)
    for name in description.outputs:
        if name in left:
            take(name, name, outputs)
    if _by_position(left, description) and not inputs and not outputs:
        take(names[0], _BY_POSITION[0], inputs)
        take(description.outputs[0], _BY_POSITION[1], outputs)
    for each in description.inputs:
        if each.name not in inputs and (key := _usual(left, _role(each, description))) is not None:
            take(each.name, key, inputs)
    alone = len(description.outputs) == 1 and not outputs
    if alone and (key := _usual(left, "output")) is not None:
        take(description.outputs[0], key, outputs)
    missing = [e.name for e in description.inputs if e.name not in inputs and e.kind != "lengths"]
    if alone and not outputs and not missing and len(left) == 1:
        take(description.outputs[0], next(iter(left)), outputs)
    elif outputs and len(missing) == 1 and len(left) == 1:
        take(missing.pop(), next(iter(left)), inputs)
    if missing or not outputs:
        raise InputError(_refusal(arrays, description, where, missing))
    notes += [
        f"the output {name} was not compared: {where} has no such array"
        for name in description.outputs
        if name not in outputs
    ]
    return Matched(inputs, outputs, left, tuple(notes))


def usual(name: str, role: str) -> bool:
    """Whether people call an array of `role` so."""
    return name.casefold() in USUAL[role]


def _usual(left: Mapping[str, Stored], role: str | None) -> str | None:
    found = [key for key in left if role is not None and usual(key, role)]
    return found[0] if len(found) == 1 else None


def _role(each: Input, description: Description) -> str | None:
    """What an input is to the model; None where there are several such and the name must tell."""
    if each.kind == "state":
        roles = {
            role
            for step in description.steps
            for role, name in zip(step.options.get("takes", ()), _further(step), strict=True)
            if name == each.name
        }
        return roles.pop() if len(roles) == 1 else None
    alike: Sequence[Input] = [
        other
        for other in description.inputs
        if (other.kind == "lengths") == (each.kind == "lengths") and other.kind != "state"
    ]
    if len(alike) > 1:
        return None
    return "lengths" if each.kind == "lengths" else "sequence"


def _further(step: Step) -> tuple[str, ...]:
    """The inputs that an op takes by an option."""
    return step.inputs[len(step.inputs) - len(step.options.get("takes", ())) :]


def _by_position(left: Mapping[str, Stored], description: Description) -> bool:
    one = len(description.inputs) == 1 and len(description.outputs) == 1
    return one and sorted(left) == sorted(_BY_POSITION)


def _refusal(
    arrays: Mapping[str, Stored], description: Description, where: str, missing: Sequence[str]
) -> str:
    inputs = ", ".join(f"{each.name} {shown(each.axes)}" for each in description.inputs)
    has = ", ".join(f"{name} {stored.values.shape}" for name, stored in arrays.items()) or "none"
    lacks = f"no input {missing[0]}" if missing else "none of the outputs"
    return (
        f"{where} has {lacks}. Expected arrays named as the model's inputs ({inputs}) and outputs "
        f"({', '.join(description.outputs)}); it has {has}. Write it with numpy.savez("
        f"'io.npz', {', '.join(f'{each.name}=…' for each in description.inputs)}, "
        f"{', '.join(f'{name}=…' for name in description.outputs)})"
    )
