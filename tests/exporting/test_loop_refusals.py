"""Loops over time that no scan can express are refused, with the line and the way out of it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.fx.experimental import _config as shape_settings

from lstm_export.errors import ExportError
from lstm_export.exporting.capture.loops import loop_capture
from lstm_export.exporting.rolling.roll import roll_loops
from lstm_export.exporting.rolling.twice import expect_same
from lstm_export.exporting.unchanged.quiet import no_chatter, no_warnings

Forward = Callable[..., Any]


class Cells(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.gru, self.head = nn.GRUCell(3, 3), nn.Linear(3, 3)
        self.each = nn.ModuleList([nn.GRUCell(3, 3) for _ in range(6)])
        self.weights = [0.5, 0.5, 0.5, 0.5, 0.5, 0.1]

    def zeros(self, x: Tensor) -> Tensor:
        return x.new_zeros(x.size(0), 3)


def program(module: nn.Module, x: Tensor, *, steps: int = 3) -> torch.export.ExportedProgram:
    oblivious = shape_settings.patch(backed_size_oblivious=True)  # type: ignore[attr-defined]
    axes = (dict.fromkeys(range(x.dim()), torch.export.Dim.AUTO),)
    with no_warnings(), no_chatter(), torch.no_grad(), loop_capture(module, steps=steps), oblivious:
        return roll_loops(torch.export.export(module, (x,), dynamic_shapes=axes, strict=False))


def build(forward: Forward) -> nn.Module:
    # torch keeps the lines of functions of this name alone.
    forward.__code__ = forward.__code__.replace(co_name="forward")
    return type("Loop", (Cells,), {"forward": forward})().eval()  # type: ignore[no-any-return]


def leaves_early(self: Any, x: Tensor) -> Any:
    h = self.zeros(x)
    for t in range(x.size(1)):
        h = self.gru(x[:, t], h)
        break
    return h


def decides_by_parity(self: Any, x: Tensor) -> Any:
    h = self.zeros(x)
    for t in range(x.size(1)):
        h = self.gru(x[:, t], h)
        if t % 2:
            h = h * 2
    return h


def decides_by_the_last_step(self: Any, x: Tensor) -> Any:
    h = self.zeros(x)
    for t in range(x.size(1)):
        h = self.gru(x[:, t], h)
        if t < x.size(1) - 1:
            h = h * 2
    return h


def decides_by_data(self: Any, x: Tensor) -> Any:
    h = self.zeros(x)
    for t in range(x.size(1)):
        h = self.gru(x[:, t], h)
        if h.sum() > 100:
            h = h / 2
    return h


def uses_a_module_per_step(self: Any, x: Tensor) -> Any:
    h = self.zeros(x)
    for t in range(x.size(1)):
        h = self.each[t](x[:, t], h)
    return h


def uses_a_number_per_step(self: Any, x: Tensor) -> Any:
    h = self.zeros(x)
    for t in range(x.size(1)):
        h = self.gru(x[:, t], h) * self.weights[t]
    return h


def looks_at_all_the_past(self: Any, x: Tensor) -> Any:
    h, outputs = self.zeros(x), []
    for t in range(x.size(1)):
        outputs.append(h)
        h = self.gru(x[:, t], torch.stack(outputs, 1).mean(1))
    return h


def looks_at_all_of_the_input(self: Any, x: Tensor) -> Any:
    h = self.zeros(x)
    for t in range(x.size(1)):
        h = self.gru(x[:, : t + 1].mean(1), h)
    return h


def returns_the_list(self: Any, x: Tensor) -> Any:
    h, outputs = self.zeros(x), []
    for t in range(x.size(1)):
        h = self.gru(x[:, t], h)
        outputs.append(h)
    return outputs


def scales_by_a_number_that_changes(self: Any, x: Tensor) -> Any:
    h, scale = self.zeros(x), 1.0
    for t in range(x.size(1)):
        h = self.gru(x[:, t], h) * scale
        scale = scale * 0.9
    return h


def changes_the_shape_of_its_state(self: Any, x: Tensor) -> Any:
    h = self.zeros(x)
    for t in range(x.size(1)):
        h = torch.cat([self.gru(x[:, t], h[:, -3:]), h], 1)
    return h.sum(1)


def pairs_with_a_fixed_list(self: Any, x: Tensor) -> Any:
    h = self.zeros(x)
    for cell, x_t in zip(self.each, x.unbind(1), strict=False):
        h = cell(x_t, h)
    return h


REFUSED: dict[Forward, tuple[str, str]] = {
    leaves_early: ("for t in range", "left before its end"),
    decides_by_parity: ("if t % 2", "torch.where"),
    decides_by_the_last_step: ("if t < x.size(1) - 1", "torch.where"),
    decides_by_data: ("if h.sum() > 100", "torch.where"),
    uses_a_module_per_step: ("self.each[t]", "use it to index tensors"),
    uses_a_number_per_step: ("self.weights[t]", "use it to index tensors"),
    looks_at_all_the_past: ("torch.stack(outputs, 1)", "state of fixed size"),
    looks_at_all_of_the_input: (": t + 1]", "x[:, t:t+k]"),
    returns_the_list: ("self.gru(x[:, t], h)", "torch.stack(outputs, 1)"),
    scales_by_a_number_that_changes: ("* scale", "0.9"),
    changes_the_shape_of_its_state: ("", "this time loop cannot be exported"),
    pairs_with_a_fixed_list: ("zip(self.each", "fixed length"),
}


@pytest.mark.parametrize("forward", REFUSED, ids=lambda forward: forward.__name__)
def test_refused(forward: Forward) -> None:
    source, advice = REFUSED[forward]
    with pytest.raises(ExportError) as raised:
        program(build(forward), torch.randn(2, 5, 3))
    message = str(raised.value)
    assert "test_loop_refusals.py:" in message
    assert source in message
    assert advice in message


def counts_in_python(self: Any, x: Tensor) -> Any:
    h, total, count = self.zeros(x), 0, 0
    for t in range(x.size(1)):
        h = self.gru(x[:, t], h)
        total, count = total + h, count + 1
    return total / count


def takes_the_third(self: Any, x: Tensor) -> Any:
    h, outputs = self.zeros(x), []
    for t in range(x.size(1)):
        h = self.gru(x[:, t], h)
        outputs.append(h)
    return outputs[2]


def fills_a_list_with_one_tensor(self: Any, x: Tensor) -> Any:
    h, outputs, mean = self.zeros(x), [], x.mean(1)
    for t in range(x.size(1)):
        h = self.gru(x[:, t], h)
        outputs.append(mean)
    return torch.stack(outputs, 1) + h.mean()


def does_neither(self: Any, x: Tensor) -> Any:
    h, outputs = self.zeros(x), []
    for t in range(x.size(1)):
        h = self.gru(x[:, t] * float("-inf"), h)
        outputs.append(h)
    return sum(outputs) / len(outputs)


@pytest.mark.parametrize(
    "forward", [counts_in_python, takes_the_third, fills_a_list_with_one_tensor]
)
def test_what_counts_recorded_steps_comes_out_different(forward: Forward) -> None:
    module, x = build(forward), torch.randn(2, 5, 3)
    with pytest.raises(ExportError, match=r"how often a time loop was recorded|single steps"):
        expect_same(program(module, x), program(module, x, steps=4))


def test_what_does_not_comes_out_the_same() -> None:
    module, x = build(does_neither), torch.randn(2, 5, 3)
    expect_same(program(module, x), program(module, x, steps=4))


def test_axes_of_fixed_size_are_unpacked() -> None:
    def forward(self: Any, x: Tensor) -> Any:
        first, second = x.unbind(1)
        return self.head(first) + second

    shape = program(build(forward), torch.randn(3, 2, 3)).graph.find_nodes(op="placeholder")[-1]
    assert shape.meta["val"].shape[1] == 2


@pytest.fixture
def _names() -> Iterator[None]:
    before = {name: globals().get(name) for name in ("range", "enumerate", "zip", "len")}
    yield
    assert {name: globals().get(name) for name in before} == before


@pytest.mark.usefixtures("_names")
def test_everything_is_as_it_was_afterwards() -> None:
    overlap = torch._debug_has_internal_overlap
    with pytest.raises(ExportError):
        program(build(decides_by_parity), torch.randn(2, 5, 3))
    program(build(does_neither), torch.randn(2, 5, 3))
    assert torch._debug_has_internal_overlap is overlap


def test_other_threads_loop_as_ever() -> None:
    """While one thread records, another runs the same module, with Python's own loops."""
    module, x = build(does_neither), torch.randn(2, 5, 3)
    expected, found = module(x), []

    def run() -> None:
        found.append(module(x))
        found.append((list(range(3)), isinstance(range(2), range), list(enumerate("ab"))))

    with loop_capture(module):
        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
    torch.testing.assert_close(found[0], expected, equal_nan=True)
    assert found[1] == ([0, 1, 2], True, [(0, "a"), (1, "b")])
