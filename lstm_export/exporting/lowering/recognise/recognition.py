"""One loop, taken apart state by state.

The states of a cell (h, or h and c) are followed through the step; if what comes out is an LSTM,
GRU or RNN, one operator computes h for the whole sequence. From then on h is an input like any
other: the next layer, or the head, is looked at in turn, and what needs no loop is computed for
all steps at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import onnx_ir as ir

from lstm_export.exporting.lowering.builder import Builder
from lstm_export.exporting.lowering.recognise.accumulate import Accumulation
from lstm_export.exporting.lowering.recognise.cells import NoCellError
from lstm_export.exporting.lowering.recognise.constants import Constants
from lstm_export.exporting.lowering.recognise.emit import emit
from lstm_export.exporting.lowering.recognise.groups import first_group, values_behind
from lstm_export.exporting.lowering.recognise.layout import Layout
from lstm_export.exporting.lowering.recognise.loop import ScanLoop, State, is_used
from lstm_export.exporting.lowering.recognise.matching import Match, match_cell
from lstm_export.exporting.lowering.recognise.names import cell_name
from lstm_export.exporting.lowering.recognise.projected import projected_inputs
from lstm_export.exporting.lowering.recognise.sequences import Sequences
from lstm_export.exporting.lowering.recognise.shapes import dims
from lstm_export.exporting.lowering.recognise.stacked import single_states, stacked
from lstm_export.exporting.target import Target


class Recognition:
    """What a loop becomes: the outputs of `loop.node` without it, and in words what was found."""

    def __init__(
        self, graph: ir.Graph, loop: ScanLoop, constants: Constants, target: Target
    ) -> None:
        self.loop, self.constants, self.target = loop, constants, target
        self.builder = Builder(graph, loop.node)
        self.sequences = Sequences(self.builder, loop.body, constants)
        self.singles = {
            state: single_states(state, self.builder, constants) for state in loop.states
        }
        self.states = [single for singles in self.singles.values() for single in singles]
        self.stops = {state.previous for state in self.states}
        self.finals: dict[State, Callable[[], ir.Value]] = {}
        self.found: list[str] = []
        for value, whole in loop.scanned:
            self.sequences.add(value, whole)
        self.projected = projected_inputs(loop, self.sequences, constants)
        for state in [*loop.states, *self.states]:
            self.sequences.initial[state.previous] = state.initial

    def run(self) -> list[ir.Value | None]:
        """A value for each output of the loop that is used.

        Raises NoCellError or NotLiftableError with what needs the loop.
        """
        waiting = list(self.states)
        while group := first_group(waiting, self.sequences.known):
            waiting = [state for state in waiting if state not in group]
            self._resolve(group)
        finals = [
            self._final(state, singles) if is_used(state.final) else None
            for state, singles in self.singles.items()
        ]
        collected = [
            self.sequences.sequence(value) if is_used(result) else None
            for value, result in self.loop.collected
        ]
        return [*finals, *collected]

    def _final(self, state: State, singles: Sequence[State]) -> ir.Value:
        finals = [self.finals[single]() for single in singles]
        return finals[0] if singles == (state,) else stacked(self.builder, finals, state.final)

    def _resolve(self, group: list[State]) -> None:
        first, alone = group[0], len(group) == 1
        if alone and first.previous not in values_behind(first.next, self.sequences.known):
            self._without_cycle(first)
        elif alone and (gathers := Accumulation.of(first, self.sequences)):
            self._accumulate(first, gathers)
        else:
            self._fuse(
                match_cell(group, self.stops, self.sequences, self.constants, self.projected)
            )

    def _without_cycle(self, state: State) -> None:
        """A state that its own past does not enter: a delay by one step."""
        if is_used(state.final):
            whole = self.sequences.sequence(state.next)
            self.finals[state] = lambda: self._at(whole, -1)
        self.sequences.deferred[state.previous] = lambda: self._delayed(state)

    def _accumulate(self, state: State, gathers: Accumulation) -> None:
        self.finals[state] = lambda: gathers.final(self.sequences)
        whole = gathers.whole(self.sequences)
        if whole is not None:
            self.sequences.add(state.next, whole)
            self.sequences.deferred[state.previous] = lambda: self._delayed(state)

    def _delayed(self, state: State) -> ir.Value:
        """(sequence_length, …): the initial value, then that of each step but the last."""
        builder, whole = self.builder, self.sequences.sequence(state.next)
        first = builder.op("Unsqueeze", [state.initial, builder.integers([0])])
        longer = builder.concat([first, whole], 0)
        return builder.op("Slice", [longer, *(builder.integers([n]) for n in (0, -1, 0))])

    def _at(self, whole: ir.Value, step: int) -> ir.Value:
        return self.builder.op("Gather", [whole, self.builder.integer(step)], {"axis": 0})

    def _fuse(self, match: Match) -> None:
        builder, cell = self.builder, match.cell
        if self.target == "portable" and cell.activation == "Relu":
            raise NoCellError("some runtimes compute tanh where an RNN operator says relu")
        x = builder.concat(
            [
                self._layout(variable.value, variable.axis).stacked(
                    builder, self.sequences.sequence(variable.value)
                )
                for variable in cell.inputs
            ],
            -1,
        )
        inputs = {variable.value for variable in cell.inputs}
        name = cell_name([state.next for state in match.states], self.stops | inputs)
        initial = [self._initial(state, match.axis) for state in match.states]
        y, *finals = emit(builder, cell, x, initial, name, self.target)
        h = match.states[0]
        self.sequences.add(h.next, self._layout(h.previous, match.axis).restored(builder, y))
        self.stops.add(h.next)
        self.sequences.deferred[h.previous] = lambda: self._delayed(h)
        for state in match.states[1:]:
            for value in (state.previous, state.next):
                self.sequences.withheld[value] = "an LSTM operator gives c of the last step alone"
        for state, final in zip(match.states, finals, strict=True):
            self.finals[state] = self._final_of(state, final, match.axis)
        self.found.append(f"{cell.cell.upper()} of {cell.hidden_size} ({name})")

    def _initial(self, state: State, axis: int) -> ir.Value | None:
        if self.constants.is_zero(state.initial):
            return None
        builder = self.builder
        stacked = builder.op("Unsqueeze", [state.initial, builder.integers([0])])
        return self._layout(state.previous, axis).stacked(builder, stacked)

    def _final_of(self, state: State, final: ir.Value, axis: int) -> Callable[[], ir.Value]:
        def make() -> ir.Value:
            builder = self.builder
            stacked = self._layout(state.previous, axis).restored(builder, final)
            return builder.op("Squeeze", [stacked, builder.integers([0])])

        return make

    def _layout(self, value: ir.Value, axis: int) -> Layout:
        sizes = dims(value)
        assert sizes is not None
        return Layout(sizes, axis)

    def replace(self, outputs: Sequence[ir.Value | None]) -> None:
        """Puts what was built where the loop stands, without what nothing reads."""
        node, graph = self.loop.node, self.loop.node.graph
        assert isinstance(graph, ir.Graph)
        own = set(self.builder.tape.nodes)
        taken: list[ir.Value] = []
        for old, new in zip(node.outputs, outputs, strict=True):
            if new is None:
                continue
            if old.is_graph_output() and (new in taken or new.producer() not in own):
                new = self.builder.op("Identity", [new])
            taken.append(new)
            if old.is_graph_output():
                new.shape, new.type, new.name = old.shape, old.type, old.name
            old.replace_all_uses_with(new, replace_graph_outputs=True)
        needed = _needed(taken, self.builder.tape.nodes)
        graph.insert_before(node, needed)
        self.forget(needed)
        graph.remove(node, safe=True)

    def forget(self, kept: Sequence[ir.Node] = ()) -> None:
        """Lets go of what was built but not `kept`: values of the graph count who reads them."""
        for node in set(self.builder.tape.nodes).difference(kept):
            for position in range(len(node.inputs)):
                node.replace_input_with(position, None)


def _needed(values: Sequence[ir.Value], nodes: Sequence[ir.Node]) -> list[ir.Node]:
    wanted, kept = set(values), []
    for node in reversed(nodes):
        if wanted.intersection(node.outputs):
            kept.append(node)
            wanted.update(part for part in node.inputs if part is not None)
    return kept[::-1]
