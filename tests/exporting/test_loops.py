"""Loops over time that a user wrote in Python: one Scan, exact at every length."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

Forward = Callable[..., Any]
SIZES = [(2, 4), (1, 1), (3, 2), (2, 9)]


class Cells(nn.Module):
    """What the loops below are made of; x is (batch, sequence_length, 3)."""

    def __init__(self) -> None:
        super().__init__()
        self.gru, self.lstm, self.rnn = nn.GRUCell(3, 4), nn.LSTMCell(3, 4), nn.RNNCell(3, 4)
        self.deep = nn.ModuleList([nn.LSTMCell(3, 4), nn.LSTMCell(4, 4)])
        self.upper, self.stepped = nn.GRUCell(4, 4), nn.LSTM(3, 4, 2, batch_first=True)
        self.head, self.back = nn.Linear(4, 2), nn.Linear(4, 3)
        self.W_x, self.W_h = nn.Parameter(torch.randn(3, 16)), nn.Parameter(torch.randn(4, 16) / 2)
        self.bias, self.embed = nn.Parameter(torch.randn(16)), nn.Embedding(5, 3)

    def zeros(self, x: Tensor) -> Tensor:
        return x.new_zeros(x.size(0), 4)


CASES: dict[str, Forward] = {}


def case(forward: Forward) -> Forward:
    CASES[forward.__name__] = forward
    return forward


def build(forward: Forward) -> nn.Module:
    torch.manual_seed(0)
    return type(forward.__name__, (Cells,), {"forward": forward})().eval()  # type: ignore[no-any-return]


@case
def index_and_stack(self: Any, x: Tensor) -> Any:
    h, c, outputs = self.zeros(x), self.zeros(x), []
    for t in range(x.size(1)):
        h, c = self.lstm(x[:, t], (h, c))
        outputs.append(h)
    return self.head(h), torch.stack(outputs, dim=1), c, outputs[0], outputs[-1] * 2


@case
def from_scratch(self: Any, x: Tensor) -> Any:
    h, c, outputs = self.zeros(x), self.zeros(x), []
    for t in range(x.shape[1]):
        i, f, g, o = (x[:, t, :] @ self.W_x + h @ self.W_h + self.bias).chunk(4, 1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        outputs += [h.unsqueeze(0)]
    return torch.cat(outputs, dim=0).transpose(0, 1).contiguous(), h


@case
def final_state_alone(self: Any, x: Tensor) -> Any:
    h = self.zeros(x)
    for x_t in x.transpose(0, 1):
        h = self.gru(x_t, h)
    return self.head(h)


@case
def what_torch_can_iterate_over(self: Any, x: Tensor) -> Any:
    h, outputs = self.zeros(x), []
    for x_t in x.unbind(1):
        h = self.gru(x_t, h)
        outputs.append(h)
    for x_t in x.split(1, dim=1):
        h = self.gru(x_t.squeeze(1), h)
        outputs.append(h)
    for position, x_t in enumerate(torch.chunk(x, x.size(1), 1)):
        h = self.gru(x_t[:, 0] * (position + 1), h)
        outputs.append(h)
    for x_t, y_t in zip(x.unbind(1), (x * 2).unbind(1), strict=True):
        h = self.gru(x_t + y_t, h)
        outputs.append(h)
    for t, x_t in zip(range(x.size(1)), reversed(x.unbind(1)), strict=False):
        h = self.gru(x_t + x[:, t : t + 1].squeeze(1), h)
        outputs.append(h)
    return torch.stack(outputs, -2)


@case
def backwards(self: Any, x: Tensor) -> Any:
    h, last, first = self.zeros(x), [], []
    for t in range(x.size(1) - 1, -1, -1):
        h = self.gru(x[:, t], h)
        last.append(h)
    for t in reversed(range(len(x[0]))):
        h = self.gru(x[:, t], h)
        first.insert(0, h)
    return torch.stack(last[::-1], 1), torch.stack(first, 1), h


@case
def buffers(self: Any, x: Tensor) -> Any:
    batch, length, _ = x.shape
    h, whole, halves = self.zeros(x), x.new_zeros(batch, length, 4), x.new_zeros(batch, length, 8)
    for t in range(length):
        h = self.gru(x[:, t], h)
        whole[:, t, :] = h
        halves[:, t, :4] = h
    for t in range(length - 1, -1, -1):
        h = self.gru(x[:, t], h)
        halves[:, t, 4:] = h
    return whole, halves


@case
def time_major_buffer(self: Any, x: Tensor) -> Any:
    x = x.transpose(0, 1)
    h, out = x.new_zeros(x.size(1), 4), torch.ones(x.size(0), x.size(1), 4, dtype=x.dtype)
    for t in range(1, len(x)):
        h = self.gru(x[t] - x[t - 1], h)
        out[t] = h
    return out, h


@case
def growing(self: Any, x: Tensor) -> Any:
    h, begun, grown, lead = (
        self.zeros(x),
        None,
        x.new_zeros(x.size(0), 0, 4),
        self.zeros(x)[:, None],
    )
    for t in range(x.size(1)):
        h = self.gru(x[:, t], h)
        begun = h.unsqueeze(1) if begun is None else torch.cat((begun, h.unsqueeze(1)), 1)
        grown = torch.cat([grown, h.unsqueeze(1)], dim=1)
        lead = torch.cat([h.unsqueeze(1), lead], dim=1)
    return begun, grown, lead.mean(1)


@case
def cat_along_other_axes(self: Any, x: Tensor) -> Any:
    h, outputs = self.zeros(x), []
    for t in range(x.size(1)):
        h = self.gru(x[:, t], h)
        outputs.append(h)
        outputs.append(h * 2)
    return torch.cat(outputs, 1), torch.vstack(outputs), torch.hstack(outputs)


@case
def states_of_none(self: Any, x: Tensor) -> Any:
    state, upper, outputs = None, None, []
    for t in range(x.size(1)):
        state = self.lstm(x[:, t], state)
        upper = self.upper(state[0], upper)
        outputs.append((upper, state[1]))
    first, second = zip(*outputs, strict=True)
    return torch.stack(first, 1), torch.stack(second, 1)


@case
def layers_inside(self: Any, x: Tensor) -> Any:
    h, c = [self.zeros(x) for _ in self.deep], [self.zeros(x) for _ in self.deep]
    outputs = []
    for t in range(x.size(1)):
        value = x[:, t]
        for layer, cell in enumerate(self.deep):
            h[layer], c[layer] = cell(value, (h[layer], c[layer]))
            value = h[layer]
        outputs.append(value)
    return torch.stack(outputs, 1), torch.stack(h)


@case
def layers_outside(self: Any, x: Tensor) -> Any:
    values = [x[:, t] for t in range(x.size(1))]
    for cell in self.deep:
        h, c, outputs = self.zeros(x), self.zeros(x), []
        for t in range(len(values)):
            h, c = cell(values[t], (h, c))
            outputs.append(h)
        values = outputs
    return torch.stack(values, 1)


@case
def states_in_one_tensor(self: Any, x: Tensor) -> Any:
    states, total, outputs = x.new_zeros(2, x.size(0), 4), self.zeros(x), []
    for t in range(x.size(1)):
        states[0] = self.gru(x[:, t], states[0].clone())
        states[1] = self.upper(states[0], states[1].clone())
        total += states[1]
        outputs.append(states[1].clone())
    return states, total, torch.stack(outputs, 1)


@case
def appended_before_the_update(self: Any, x: Tensor) -> Any:
    h = self.zeros(x)
    before, around = [], [h]
    for t in range(x.size(1)):
        before.append(h)
        h = self.gru(x[:, t], h)
        around.append(h)
    return torch.stack(before, 1), torch.stack(around, 1)


@case
def first_step_apart(self: Any, x: Tensor) -> Any:
    outputs, total = [], 0
    for t in range(x.size(1)):
        h = torch.tanh(x[:, t] @ self.W_x[:, :4]) if t == 0 else self.gru(x[:, t], outputs[t - 1])
        outputs.append(h)
        total = total + h
    return torch.stack(outputs, 1), total / x.size(1)


@case
def two_steps_back(self: Any, x: Tensor) -> Any:
    h = before = self.zeros(x)
    outputs = []
    for t in range(x.size(1)):
        before, h = h, self.gru(x[:, t], h + before)
        outputs.append(h)
    return torch.stack(outputs, 1)


@case
def lists_read_again(self: Any, x: Tensor) -> Any:
    h, outputs = self.zeros(x), []
    for t in range(x.size(1)):
        h = self.gru(x[:, t], h)
        outputs.append(h)
    up = down = self.zeros(x)
    for value in outputs:
        up = self.upper(value, up)
    for value in reversed(outputs):
        down = self.upper(value, down)
    heads = torch.stack([self.head(value) for value in outputs], 1)
    return up, down, heads, sum(outputs) / len(outputs)


@case
def nested(self: Any, x: Tensor) -> Any:
    h, outputs = self.zeros(x), []
    for t in range(x.size(1)):
        scores = []
        for s in range(x.size(1)):
            scores.append(self.head(h)[:, :1] + x[:, s, :1])  # noqa: PERF401
        weights = torch.softmax(torch.cat(scores, 1), 1)
        h = self.gru(x[:, t] + (weights[:, :, None] * x).sum(1), h)
        outputs.append(h)
    return torch.stack(outputs, 1), weights


@case
def modules_stepped_through(self: Any, x: Tensor) -> Any:
    state, outputs = None, []
    for t in range(x.size(1)):
        y, state = self.stepped(x[:, t : t + 1], state)
        outputs.append(self.head(y))
    return torch.cat(outputs, 1), state[0]


@case
def feedback(self: Any, x: Tensor) -> Any:
    token = x[:, 0].argmax(1)
    h, tokens = self.zeros(x), [token]
    for _ in range(1, x.size(1)):
        h = self.gru(self.embed(token), h)
        token = self.head(h).argmax(1)
        tokens.append(token)
    return torch.stack(tokens, 1), h


@case
def other_ways_to_index(self: Any, x: Tensor) -> Any:
    h, rows = self.zeros(x), torch.arange(x.size(0))
    for t in torch.arange(x.size(1)):
        h = self.gru(x[:, t] + x.narrow(1, 0, 1).squeeze(1), h)
    for t in range(x.size(1)):
        h = self.gru(x.narrow(1, t, 1).squeeze(1) + x[rows, t] + x[..., t, :] + x.select(1, t), h)
    return h


@case
def map_alone(self: Any, x: Tensor) -> Any:
    return torch.stack([torch.relu(self.head(self.gru(x[:, t]))) for t in range(x.size(1))], 1)


@case
def fixed_numbers_stay_unrolled(self: Any, x: Tensor) -> Any:
    h = self.zeros(x)
    for t in range(x.size(1)):
        h = self.gru(x[:, t], h)
    outputs = []
    for step in range(3):
        h = self.gru(self.back(h) * step, h)
        outputs.append(h if step != 1 else h * 2)
    return torch.stack(outputs, 1)


@pytest.mark.parametrize("forward", CASES.values(), ids=CASES)
def test_every_length_of_what(forward: Forward, exported: Any) -> None:
    module = build(forward)
    graph = exported(module, torch.randn(2, 4, 3))
    for batch, length in SIZES:
        graph.check(torch.randn(batch, length, 3), about=f"batch {batch}, length {length}")


@pytest.mark.parametrize("length", [1, 2, 3])
def test_traced_at_a_short_length(length: int, exported: Any) -> None:
    graph = exported(build(index_and_stack), torch.randn(1, length, 3))
    graph.check(torch.randn(3, 7, 3))
    graph.check(torch.randn(1, 1, 3))


def test_plain_loops_are_one_scan_and_nothing_else(exported: Any) -> None:
    """What is needed after the loop alone is computed there."""
    graph = exported(build(final_state_alone), torch.randn(2, 4, 3))
    found = sorted(graph.operators)
    assert found == ["Concat", "ConstantOfShape", "Gemm", "Scan", "Shape", "Transpose"]


def test_a_buffer_is_what_the_scan_yields(exported: Any) -> None:
    def whole(self: Any, x: Tensor) -> Any:
        h, out = self.zeros(x), x.new_zeros(x.size(0), x.size(1), 4)
        for t in range(x.size(1)):
            h = self.gru(x[:, t], h)
            out[:, t] = h
        return out

    graph = exported(build(whole), torch.randn(2, 4, 3))
    assert "ScatterND" not in graph.operators
    assert graph.operators.count("Transpose") == 2
    graph.check(torch.randn(3, 6, 3))


class Decoder(nn.Module):
    """As many steps as `steps` says, each fed what the one before it gave."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.cell = nn.LSTM(3, 4, batch_first=True), nn.LSTMCell(2, 4)
        self.head = nn.Linear(4, 2)

    def forward(self, x: Tensor, steps: Tensor) -> Any:
        _, (h, c) = self.encoder(x)
        h, c, y, outputs = h[-1], c[-1], x.new_zeros(x.size(0), 2), []
        for _ in range(steps):
            h, c = self.cell(y, (h, c))
            y = self.head(h)
            outputs.append(y)
        return torch.stack(outputs, 1), y


def test_a_number_of_steps_given_at_run_time(exported: Any) -> None:
    torch.manual_seed(0)
    graph = exported(Decoder(), torch.randn(2, 5, 3), torch.tensor(4))
    for steps in (1, 2, 11):
        graph.check(torch.randn(3, 6, 3), torch.tensor(steps))


def test_zip_ends_with_the_shorter(exported: Any) -> None:
    def forward(self: Any, x: Tensor, y: Tensor) -> Any:
        h, outputs = self.zeros(x), []
        for x_t, y_t in zip(x.unbind(1), y.unbind(1), strict=False):
            h = self.gru(x_t + y_t, h)
            outputs.append(h)
        return torch.stack(outputs, 1)

    graph = exported(build(forward), torch.randn(2, 4, 3), torch.randn(2, 5, 3))
    for one, other in [(3, 3), (2, 7), (7, 1)]:
        graph.check(torch.randn(3, one, 3), torch.randn(3, other, 3))


class Attention(nn.Module):
    """A decoder over one length that attends over another."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.encoder = nn.Embedding(7, 3), nn.GRU(3, 4, batch_first=True)
        self.cell, self.score, self.head = nn.GRUCell(7, 4), nn.Linear(8, 1), nn.Linear(4, 7)

    def forward(self, source: Tensor, target: Tensor) -> Any:
        states, final = self.encoder(self.embed(source))
        h, token = final[0], target[:, 0]
        outputs = states.new_zeros(target.size(0), target.size(1), 7)
        for t in range(1, target.size(1)):
            repeated = h.unsqueeze(1).repeat(1, states.size(1), 1)
            scores = self.score(torch.tanh(torch.cat([repeated, states], 2))).squeeze(2)
            context = torch.bmm(torch.softmax(scores, 1).unsqueeze(1), states).squeeze(1)
            h = self.cell(torch.cat([self.embed(token), context], 1), h)
            outputs[:, t] = self.head(h)
            token = outputs[:, t].argmax(1)
        return outputs, h


def test_a_decoder_with_attention(exported: Any) -> None:
    torch.manual_seed(0)
    graph = exported(Attention(), torch.randint(7, (2, 5)), torch.randint(7, (2, 4)))
    for batch, source, target in [(1, 1, 2), (3, 2, 8), (2, 6, 1)]:
        graph.check(torch.randint(7, (batch, source)), torch.randint(7, (batch, target)))
