"""A translated graph with the states of its recurrent layers among its inputs and outputs.

Every recurrent node takes its initial states from new graph inputs and gives its final states as
new graph outputs; all else of the graph runs on a chunk as it would on the whole sequence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import onnx_ir as ir

from lstm_export.contract import BATCH, GraphSpec, TensorSpec
from lstm_export.exporting.graph.tidy import prune
from lstm_export.exporting.lowering.zeros import is_zero
from lstm_export.exporting.streams.refusal import NoStreamError
from lstm_export.exporting.streams.slots import Slot, only_starts, slots_of, sources
from lstm_export.exporting.streams.stepwise import Sizes
from lstm_export.exporting.tracing.axes import AxisNames


@dataclass(frozen=True, slots=True)
class State:
    """One state of a stream.

    `initial` and `final` are its tensors in the graph, `path` and `kind` say whose state it is,
    `given` names the input of the module that was its start, if one was. It starts at zero unless
    `computed`: then at a value of the module's own, which is the same for all series.
    """

    initial: TensorSpec
    final: TensorSpec
    path: str
    kind: str
    given: str | None = None
    computed: bool = False

    @property
    def name(self) -> str:
        return self.initial.name


@dataclass(frozen=True, slots=True)
class Carrying:
    """The graph with its states in and out: `model` is `graph` before lowering.

    `starting` are the module's inputs that only give states their start, and are no inputs of the
    graph.
    """

    model: ir.Model
    graph: GraphSpec
    states: tuple[State, ...]
    starting: frozenset[str]


def carrying(translated: ir.Model, names: AxisNames, sizes: Sizes) -> Carrying:
    """A copy of `translated` as a stream. Raises NoStreamError."""
    model = translated.clone()
    return _Carrying(model, names.spec, sizes).run()


class _Carrying:
    def __init__(self, model: ir.Model, spec: GraphSpec, sizes: Sizes) -> None:
        self.model, self.graph, self.sizes = model, model.graph, sizes
        self.slots = slots_of(model.graph)
        self.inputs = list(spec.inputs)
        self.outputs = list(spec.outputs)
        self.starting = {
            value: spec
            for value, spec in zip(model.graph.inputs, spec.inputs, strict=True)
            if only_starts(value, self.slots)
        }

    def run(self) -> Carrying:
        states = [
            self._state(slot, name)
            for slot, name in zip(self.slots, _names(self.slots), strict=True)
        ]
        finals = [self._final(state, slot) for state, slot in zip(states, self.slots, strict=True)]
        self.graph.outputs.extend(finals)
        prune(self.graph)
        for value, spec in self.starting.items():
            if value.uses():
                raise NoStreamError(f"it needs the size of {spec.name}, which only starts a state")
            self.graph.inputs.remove(value)
            self.inputs.remove(spec)
        self._refuse_taken_names()
        for slot in self.slots:
            assert slot.initial is not None
            self.graph.inputs.append(slot.initial)
        return Carrying(
            self.model,
            GraphSpec(
                (*map(self.sizes.renamed, self.inputs), *(state.initial for state in states)),
                (*map(self.sizes.renamed, self.outputs), *(state.final for state in states)),
            ),
            tuple(states),
            frozenset(spec.name for spec in self.starting.values()),
        )

    def _state(self, slot: Slot, name: str) -> State:
        """The state of `slot`, which from now on starts at a value without a producer."""
        before, axes = slot.initial, self._axes(slot)
        initial = TensorSpec(f"initial_{name}", "float32", axes)
        state = State(initial, replace(initial, name=f"final_{name}"), slot.path, slot.kind)
        if before is not None and not is_zero(before):
            others = [value for value in sources(before) if value not in self.starting]
            if others:
                told = ", ".join(str(value.name) for value in others)
                raise NoStreamError(
                    f"{_layer(slot.path)} starts from a state that depends on {told}, which is "
                    "there only once the stream has started"
                )
            given = self.starting.get(before)
            if given is not None and len(before.uses()) == 1 + _measured(before):
                state = replace(state, given=given.name)
            else:
                state = replace(state, computed=True)
        after = ir.Value(name=initial.name, type=ir.TensorType(ir.DataType.FLOAT))
        after.shape = slot.final.shape
        slot.node.replace_input_with(slot.index, after)
        if state.given is not None:
            assert before is not None
            before.replace_all_uses_with(after)  # as where its size is asked for
        return state

    def _axes(self, slot: Slot) -> tuple[str | int, ...]:
        shape = slot.final.shape
        assert shape is not None
        axes: list[str | int] = []
        for size in shape:
            value = getattr(size, "value", size)
            axes.append(value if isinstance(value, int) else BATCH)
        if axes.count(BATCH) != 1:
            raise NoStreamError(f"the states of {_layer(slot.path)} have the shape {shape}")
        return tuple(axes)

    def _final(self, state: State, slot: Slot) -> ir.Value:
        value = slot.final
        if not value.is_graph_output():
            return value
        if state.given is not None and len(self.outputs) > 1:
            position = self.graph.outputs.index(value)
            del self.graph.outputs[position], self.outputs[position]
            return value
        # A graph gives each value once, and this one is a result of the module's as well.
        node = ir.node("Identity", [value])
        self.graph.append(node)
        (copy,) = node.outputs
        copy.shape, copy.type = value.shape, value.type
        return copy

    def _refuse_taken_names(self) -> None:
        for specs, prefix in ((self.inputs, "initial_"), (self.outputs, "final_")):
            for spec in specs:
                if spec.name.startswith(prefix):
                    raise NoStreamError(
                        f"{spec.name} is a tensor of its own, and in a stream {prefix}* are the "
                        "recurrent states: give it another name"
                    )


def _measured(value: ir.Value) -> int:
    return sum(node.op_type in ("Shape", "Size") for node, _ in value.uses())


def _layer(path: str) -> str:
    return path or "the module"


def _names(slots: Sequence[Slot]) -> list[str]:
    """`h` and `c` where there is one layer, else `lstm_h`, after the layer's path; a layer that is
    called again is numbered.
    """
    nodes = list(dict.fromkeys(slot.node for slot in slots))
    if len(nodes) == 1:
        return [slot.kind for slot in slots]
    stems: dict[ir.Node, str] = {}
    for slot in slots:
        if slot.node not in stems:
            stem = "".join(c if c.isalnum() else "_" for c in slot.path) or "layer"
            number, free = 1, stem
            while free in stems.values():
                number += 1
                free = f"{stem}_{number}"
            stems[slot.node] = free
    return [f"{stems[slot.node]}_{slot.kind}" for slot in slots]
