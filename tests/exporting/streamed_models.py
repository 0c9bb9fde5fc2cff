"""Modules that can stream, as people write them, and modules that cannot, each for its reason."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Made = tuple[nn.Module, tuple[Any, ...]]
STREAMS: dict[str, Callable[[], Made]] = {}
REFUSED: dict[str, tuple[str, Callable[[], Made]]] = {}


def streams(make: Callable[[], Made]) -> Callable[[], Made]:
    STREAMS[make.__name__] = make
    return make


class Over(nn.Module):
    """A recurrent layer over (batch, sequence_length, 3), and a function of what it gives."""

    def __init__(
        self, function: Callable[[Tensor], Tensor], layer: nn.Module | None = None
    ) -> None:
        super().__init__()
        self.layer = layer or nn.LSTM(3, 4, batch_first=True)
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(self.layer(x)[0])


class Two(nn.Module):
    """Two kinds of layers with all that usually stands between them."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(3, 6), nn.GELU(), nn.Dropout(0.2))
        self.first = nn.LSTM(6, 5, 2, batch_first=True, proj_size=4, dropout=0.1)
        self.norm = nn.LayerNorm(4)
        self.blocks = nn.ModuleDict({"second-one": nn.GRU(4, 4, batch_first=True)})
        self.head = nn.Linear(4, 2)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        y, _ = self.first(self.encoder(x))
        y = self.norm(y) + y
        z, h = self.blocks["second-one"](y)
        return {"steps": self.head(z + y), "last": self.head(z[:, -1]), "state": h[-1]}


@streams
def two_layers_with_norm_residual_and_heads() -> Made:
    return Two(), (torch.randn(2, 6, 3),)


class Tagger(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.words, self.shapes = nn.Embedding(30, 4), nn.Embedding(7, 2)
        self.layer = nn.GRU(7, 5, batch_first=True)
        self.head = nn.Linear(5, 3)

    def forward(self, words: Tensor, shapes: Tensor, speaker: Tensor) -> tuple[Tensor, Tensor]:
        beside = speaker.unsqueeze(1).expand(-1, words.size(1), -1)
        y, _ = self.layer(torch.cat([self.words(words), self.shapes(shapes), beside], -1))
        scores = self.head(y).log_softmax(-1)
        return scores, scores.argmax(-1)


@streams
def integers_in_and_out_with_a_static_feature() -> Made:
    words, shapes = torch.randint(30, (2, 6)), torch.randint(7, (2, 6))
    return Tagger(), (words, shapes, torch.randn(2, 1))


class Towers(nn.Module):
    """One layer over each input, and one of them twice."""

    def __init__(self) -> None:
        super().__init__()
        self.left, self.right = nn.LSTM(3, 4), nn.RNN(2, 4, nonlinearity="relu")

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        return (self.left(a)[0] * self.left(-a)[0] + self.right(b)[0]).tanh()


@streams
def two_towers_in_time_major_order() -> Made:
    return Towers(), (torch.randn(6, 2, 3), torch.randn(6, 2, 2))


class Stateful(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer, self.head = nn.LSTM(3, 4, 2, batch_first=True), nn.Linear(4, 1)

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor]) -> Any:
        y, state = self.layer(x, state)
        return self.head(y), state


@streams
def states_as_arguments() -> Made:
    return Stateful(), (torch.randn(2, 6, 3), (torch.randn(2, 2, 4), torch.randn(2, 2, 4)))


class Squeezed(nn.Module):
    """A state of (batch, hidden), as forward's caller keeps it."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.GRU(3, 4, batch_first=True)

    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        y, h = self.layer(x, h.unsqueeze(0))
        return y, h.squeeze(0)


@streams
def a_state_in_another_shape() -> Made:
    return Squeezed(), (torch.randn(2, 6, 3), torch.randn(2, 4))


class Learned(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.LSTM(3, 4, 2, batch_first=True)
        self.h0, self.seed = nn.Parameter(torch.randn(2, 1, 4)), nn.Parameter(torch.randn(1, 3))
        self.c0 = nn.Linear(3, 4)

    def forward(self, x: Tensor) -> Tensor:
        h = self.h0.expand(-1, x.size(0), -1).contiguous()
        c = self.c0(self.seed.repeat(x.size(0), 1)).unsqueeze(0).repeat(2, 1, 1)
        return self.layer(x, (h, c))[0]


@streams
def a_learned_initial_state() -> Made:
    return Learned(), (torch.randn(2, 6, 3),)


class Zeros(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.RNN(3, 4, 2, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x, x.new_zeros(2, len(x), 4))[0][:, -1:]


@streams
def zeros_made_by_hand_and_the_last_step_kept_as_an_axis() -> Made:
    # Its output has one step whatever the length: a value after the chunk's last step.
    return Zeros(), (torch.randn(2, 6, 3),)


class BatchNormed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm, self.layer = nn.BatchNorm1d(3), nn.GRU(3, 4, batch_first=True)
        self.norm.running_mean = torch.tensor([0.5, -1.0, 2.0])

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(self.norm(x.transpose(1, 2)).transpose(1, 2))[0]


@streams
def batch_norm_with_running_statistics() -> Made:
    return BatchNormed(), (torch.randn(2, 6, 3),)


class OwnLSTM(nn.LSTM):
    """A subclass with another result, as libraries have them."""

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        y, (h, _) = super().forward(x)
        return torch.cat([y, h[-1].unsqueeze(1).expand_as(y)], -1)[..., :4]


@streams
def a_subclass_of_a_layer() -> Made:
    return nn.Sequential(OwnLSTM(3, 4, batch_first=True), nn.Linear(4, 2)), (torch.randn(2, 6, 3),)


@streams
def pointwise_convolution_and_a_step_axis_that_is_reshaped() -> Made:
    pointwise = nn.Conv1d(4, 5, 1)

    def function(y: Tensor) -> Tensor:
        z = pointwise(y.transpose(1, 2)).transpose(1, 2)
        return z.reshape(-1, 5).softmax(-1).view(y.size(0), y.size(1), 5)

    module = Over(function)
    module.pointwise = pointwise
    return module, (torch.randn(2, 6, 3),)


MEET = r"from step [123] on, .*steps meet at .*self.function"
"""The lambdas below are called by that line of forward."""


def refused(name: str, reason: str, make: Callable[[], nn.Module], *args: Any) -> None:
    inputs = args or (torch.randn(2, 6, 3),)
    REFUSED[name] = reason, lambda: (make(), inputs)


def over(name: str, reason: str, function: Callable[[Tensor], Tensor]) -> None:
    refused(name, reason, lambda: Over(function))


over("mean over time", MEET, lambda y: y.mean(1))
over("max over time", MEET, lambda y: y.amax(1))
over("the step before the last", "chunk of 1 step", lambda y: y[:, -2])
over("the first step", MEET, lambda y: y[:, 0])
over("cumulative sum", MEET, lambda y: y.cumsum(1))
over("centred", MEET, lambda y: y - y.mean(1, keepdim=True))
over("softmax over time", MEET, lambda y: y.softmax(1))
over("flipped", MEET, lambda y: y.flip(1))
over("delayed by one", MEET, lambda y: F.pad(y, (0, 0, 1, 0))[:, :-1])
over("ahead by one", MEET, lambda y: torch.cat([y[:, 1:], y[:, -1:]], 1))
over("positions", MEET, lambda y: y + torch.arange(y.size(1))[None, :, None] * 1e-3)
over("odd steps", MEET, lambda y: y * (torch.arange(y.size(1)) % 2)[None, :, None])
over(
    "late positions",
    "from step [0-9]{3} on, .*self.function",
    lambda y: y + (torch.arange(y.size(1)) // 100)[None, :, None],
)
over("length", "at once", lambda y: y / y.size(1))
over("a warm-up", "steps", lambda y: y[:, 3:])
over("every other step", "steps", lambda y: y[:, ::2])
over(
    "attention",
    MEET,
    lambda y: F.scaled_dot_product_attention(y[:, None], y[:, None], y[:, None])[:, 0],
)
over(
    "causal attention",
    MEET,
    lambda y: F.scaled_dot_product_attention(*[y[:, None]] * 3, is_causal=True)[:, 0],
)
refused(
    "causal convolution",
    "as if it depended on other steps",
    lambda: nn.Sequential(CausalConvolution(), nn.Linear(4, 1)),
)
refused("two directions", "two directions", lambda: nn.GRU(3, 4, bidirectional=True))
refused(
    "two directions beside one",
    "1 reads the sequence in two directions|layer reads",
    lambda: Over(lambda y: y, nn.LSTM(3, 2, batch_first=True, bidirectional=True)),
)
refused("no batch", "batch of 1", lambda: nn.LSTM(3, 4), torch.randn(6, 3))


class CausalConvolution(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer, self.conv = nn.LSTM(3, 4, batch_first=True), nn.Conv1d(3, 3, 3)

    def forward(self, x: Tensor) -> Tensor:
        z = self.conv(F.pad(x.transpose(1, 2), (2, 0))).transpose(1, 2)
        return self.layer(z)[0]


class Packed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.LSTM(3, 4, batch_first=True)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        packed = nn.utils.rnn.pack_padded_sequence(
            x, lengths, batch_first=True, enforce_sorted=False
        )
        return nn.utils.rnn.pad_packed_sequence(self.layer(packed)[0], batch_first=True)[0]


refused("packed", "packed", Packed, torch.randn(2, 6, 3), torch.tensor([6, 4]))


class Seq2Seq(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.decoder = nn.GRU(3, 4), nn.GRU(3, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.decoder(x, self.encoder(x)[1])[0]


refused("encoder and decoder", "decoder starts from a state that depends on x", Seq2Seq)


class Loop(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.LSTMCell(3, 4)

    def forward(self, x: Tensor) -> Tensor:
        h = c = x.new_zeros(x.size(0), 4)
        out = []
        for x_t in x.unbind(1):
            h, c = self.cell(x_t, (h, c))
            out.append(h)
        return torch.stack(out, 1)


refused("a loop of its own", "loop over time", Loop)


class Head(nn.Module):
    """Lines that keep steps apart, and lines that do not."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.norm = nn.LSTM(3, 4, batch_first=True), nn.LayerNorm(4)
        self.attention = nn.MultiheadAttention(4, 2, batch_first=True)
        self.pool = nn.MaxPool1d(3, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(self.layer(x.flatten(2))[0]).softmax(-1).cumsum(-1)
        y = torch.cat([y, y.mean(-1, keepdim=True)], -1)[..., :-1] + y[:, -1:]
        z, _ = self.attention(y, y, y)  # meets
        z = z + self.pool(y.transpose(1, 2)).transpose(1, 2)  # meets
        z = z - z[:, :1]  # meets
        return z + torch.arange(z.size(1)).unsqueeze(1)  # meets
