"""LSTM, GRU and RNN layers out of torch's names and the shapes of their weights.

torch.nn.LSTM, GRU and RNN keep weight_ih_l{k} (gH, D), weight_hh_l{k} (gH, H), bias_ih_l{k} and
bias_hh_l{k} (gH,), with `_reverse` for the other direction; g is 4, 3 or 1. With proj_size P an
LSTM's weight_hh is (4H, P) and weight_hr_l{k} (P, H). The cells have the same without `_l{k}`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from lstm_export.errors import CheckpointError
from lstm_export.importing.infer.choose import RECURRENT_LEAF
from lstm_export.importing.infer.group import Group
from lstm_export.importing.infer.state import State

_CELLS = {4: "lstm", 3: "gru", 1: "rnn"}
_PARTS = ("weight_ih", "weight_hh", "weight_hr", "bias_ih", "bias_hh")


def recurrent_group(
    state: State, module: str, leaves: Mapping[str, str], position: int
) -> Group | None:
    """The recurrent layers among `leaves` (own name → name in `state`) of one module, if any.

    Raises CheckpointError for layers, directions or biases that are not all there, and for shapes
    that contradict each other.
    """
    found: dict[tuple[int, bool, str], str] = {}
    suffixed: dict[bool, str] = {}
    for leaf, name in leaves.items():
        match = RECURRENT_LEAF.fullmatch(leaf)
        if match is not None:
            suffixed[match["layer"] is not None] = state.shown(name)
            layer = int((match["layer"] or "0")[:9])
            found[layer, match["reverse"] is not None, match["kind"]] = name
    if not found:
        return None
    if len(suffixed) == 2:
        raise CheckpointError(
            f"{state.path}: {suffixed[True]} belongs to layers and {suffixed[False]} to a cell, "
            f"under one name, {module or 'the top'}: expected one of them"
        )
    return _Layers(state, module, found, cell=False in suffixed).group(position)


class _Layers:
    def __init__(
        self, state: State, module: str, found: dict[tuple[int, bool, str], str], *, cell: bool
    ) -> None:
        self.state, self.module, self.found, self.cell = state, module, found, cell
        self.layers = sorted({layer for layer, _, _ in found})
        self.reverse = any(reverse for _, reverse, _ in found)
        self.kinds = {kind for _, _, kind in found}

    def group(self, position: int) -> Group:
        self._complete()
        rows, width = self._matrix(0, False, "weight_hh")
        hidden, state_size = width, width
        if "weight_hr" in self.kinds:
            state_size, hidden = self._matrix(0, False, "weight_hr")
        gates = rows // hidden if hidden and rows % hidden == 0 else 0
        if (
            gates not in _CELLS
            or (width != state_size)
            or ("weight_hr" in self.kinds and gates != 4)
        ):
            self._refuse_gates(rows, width)
        directions = 2 if self.reverse else 1
        takes = self._matrix(0, False, "weight_ih")[1]
        for layer, reverse in self._directions():
            columns = state_size * directions if layer else takes
            self._expect(layer, reverse, "weight_ih", (rows, columns))
            self._expect(layer, reverse, "weight_hh", (rows, state_size))
            for kind in self.kinds & {"bias_ih", "bias_hh"}:
                self._expect(layer, reverse, kind, (rows,))
            if "weight_hr" in self.kinds:
                self._expect(layer, reverse, "weight_hr", (state_size, hidden))
        sizes = {
            "input_size": takes,
            "hidden_size": hidden,
            "num_layers": len(self.layers),
            "num_directions": directions,
            **({"proj_size": state_size} if "weight_hr" in self.kinds else {}),
        }
        tensors = {
            f"{kind}_l{layer}{'_reverse' if reverse else ''}": name
            for (layer, reverse, kind), name in self.found.items()
        }
        gives = state_size * directions
        return Group(_CELLS[gates], self.module, tensors, takes, gives, position, sizes=sizes)

    def _complete(self) -> None:
        if self.layers != list(range(len(self.layers))):
            missing = next(i for i in range(self.layers[-1]) if i not in self.layers)
            named = ", ".join(map(str, self.layers[:8]))
            raise CheckpointError(
                f"{self.state.path}: {self._title} has layers {named} but no layer {missing} "
                f"(weight_ih_l{missing}, weight_hh_l{missing}): the file is not whole"
            )
        for layer, reverse in self._directions():
            for kind in _PARTS:
                wanted = kind in ("weight_ih", "weight_hh") or kind in self.kinds
                wanted |= kind.startswith("bias") and bool(self.kinds & {"bias_ih", "bias_hh"})
                if wanted and (layer, reverse, kind) not in self.found:
                    beside = self.state.shown(next(iter(self.found.values())))
                    raise CheckpointError(
                        f"{self.state.path}: {self._own(layer, reverse, kind)} is missing, which "
                        f"belongs to {self._title} beside {beside}: the file is not whole"
                    )

    def _directions(self) -> Iterator[tuple[int, bool]]:
        for layer in self.layers:
            yield layer, False
            if self.reverse:
                yield layer, True

    def _expect(self, layer: int, reverse: bool, kind: str, shape: tuple[int, ...]) -> None:
        name = self.found[layer, reverse, kind]
        got = self.state.tensors[name].shape
        if got != shape:
            told = self.found[0, False, "weight_hh"]
            raise CheckpointError(
                f"{self.state.path}: {self.state.shown(name)} is {got}, and {shape} is what "
                f"{self.state.shown(told)} {self.state.tensors[told].shape} asks for"
                + (f" in layer {layer} of {self._direction_words}" if layer else "")
                + ": the two contradict each other"
            )

    @property
    def _direction_words(self) -> str:
        return "two directions" if self.reverse else "one direction"

    def _matrix(self, layer: int, reverse: bool, kind: str) -> tuple[int, int]:
        name = self.found[layer, reverse, kind]
        array = self.state.tensors[name]
        if array.dtype.kind != "f" or array.ndim != 2 or 0 in array.shape:
            raise CheckpointError(
                f"{self.state.path}: {self.state.shown(name)} is {array.dtype} {array.shape}, "
                "expected a matrix of floats; integers are a quantised model's, whose float "
                "weights are needed"
            )
        return int(array.shape[0]), int(array.shape[1])

    def _refuse_gates(self, rows: int, width: int) -> None:
        name = self.state.shown(self.found[0, False, "weight_hh"])
        message = (
            f"{self.state.path}: {name} is ({rows}, {width}), expected 4, 3 or 1 times as many "
            "rows as columns (LSTM, GRU, RNN)"
        )
        if (hr := self.found.get((0, False, "weight_hr"))) is not None:
            message = (
                f"{self.state.path}: {name} is ({rows}, {width}) and {self.state.shown(hr)} "
                f"{self.state.tensors[hr].shape}: with a projection (P, H) the first is (4H, P)"
            )
        elif width and rows and width % rows == 0 and width // rows in _CELLS:
            message += ": it looks transposed, as other frameworks store it"
        elif rows % 4 == 0 and width < rows // 4:
            message += (
                f"; an LSTM of hidden size {rows // 4} projected to {width} has weight_hr "
                f"({width}, {rows // 4}) too, which is missing"
            )
        raise CheckpointError(message)

    @property
    def _title(self) -> str:
        return self.module or "the recurrent layer"

    def _own(self, layer: int, reverse: bool, kind: str) -> str:
        leaf = kind if self.cell else f"{kind}_l{layer}"
        own = f"{leaf}{'_reverse' if reverse else ''}"
        return f"{self.module}.{own}" if self.module else own
