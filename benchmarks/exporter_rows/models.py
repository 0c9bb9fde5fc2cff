"""Ordinary recurrent models, each as a factory without arguments: the rows of exporters.py."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

WIDTH, HIDDEN = 3, 8


class Plain(nn.Module):
    """A recurrent layer and a linear head on every step."""

    def __init__(self, layer: nn.RNNBase) -> None:
        super().__init__()
        self.rnn = layer
        width = (layer.proj_size or layer.hidden_size) * (2 if layer.bidirectional else 1)
        self.head = nn.Linear(width, 2)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.head(self.rnn(x)[0])
        return y


def lstm() -> nn.Module:
    return Plain(nn.LSTM(WIDTH, HIDDEN, batch_first=True))


def gru() -> nn.Module:
    return Plain(nn.GRU(WIDTH, HIDDEN, batch_first=True))


def rnn_tanh() -> nn.Module:
    return Plain(nn.RNN(WIDTH, HIDDEN, batch_first=True))


def rnn_relu() -> nn.Module:
    return Plain(nn.RNN(WIDTH, HIDDEN, batch_first=True, nonlinearity="relu"))


def stacked() -> nn.Module:
    return Plain(nn.LSTM(WIDTH, HIDDEN, 3, batch_first=True, dropout=0.2))


def bidirectional() -> nn.Module:
    return Plain(nn.LSTM(WIDTH, HIDDEN, 2, batch_first=True, bidirectional=True))


def time_major() -> nn.Module:
    return Plain(nn.LSTM(WIDTH, HIDDEN))


def projected() -> nn.Module:
    return Plain(nn.LSTM(WIDTH, HIDDEN, batch_first=True, proj_size=5))


class LastStep(nn.Module):
    """The forecaster of every tutorial: a head on the last step."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(WIDTH, HIDDEN, 2, batch_first=True)
        self.head = nn.Linear(HIDDEN, 1)

    def forward(self, x: Tensor) -> Tensor:
        y, _ = self.lstm(x)
        output: Tensor = self.head(y[:, -1, :])
        return output


def last_step() -> nn.Module:
    return LastStep()


class ExplicitState(nn.Module):
    """Initial states in, final states out."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(WIDTH, HIDDEN, 2, batch_first=True)

    def forward(
        self, x: Tensor, state: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        y, final = self.lstm(x, state)
        return y, final


def explicit_state() -> nn.Module:
    return ExplicitState()


class ZerosFromBatch(nn.Module):
    """Zero states built from x.size(0), as older tutorials do."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(WIDTH, HIDDEN, 2, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        zeros = torch.zeros(2, x.size(0), HIDDEN)
        y: Tensor = self.lstm(x, (zeros, zeros))[0]
        return y


def zeros_from_batch() -> nn.Module:
    return ZerosFromBatch()


class LearnedState(nn.Module):
    """Initial states that are parameters, expanded to the batch."""

    def __init__(self) -> None:
        super().__init__()
        self.gru = nn.GRU(WIDTH, HIDDEN, batch_first=True)
        self.initial = nn.Parameter(torch.randn(1, 1, HIDDEN))

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.gru(x, self.initial.expand(-1, x.size(0), -1).contiguous())[0]
        return y


def learned_state() -> nn.Module:
    return LearnedState()


class Packed(nn.Module):
    """Ragged sequences: packed, run, padded again."""

    def __init__(self, bidirectional: bool) -> None:
        super().__init__()
        self.lstm = nn.LSTM(WIDTH, HIDDEN, batch_first=True, bidirectional=bidirectional)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        y: Tensor = pad_packed_sequence(self.lstm(packed)[0], batch_first=True)[0]
        return y


def packed() -> nn.Module:
    return Packed(bidirectional=False)


def packed_two_directions() -> nn.Module:
    return Packed(bidirectional=True)


class CellLoop(nn.Module):
    """nn.LSTMCell in a loop over time."""

    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.LSTMCell(WIDTH, HIDDEN)

    def forward(self, x: Tensor) -> Tensor:
        h = torch.zeros(x.size(0), HIDDEN)
        c = torch.zeros(x.size(0), HIDDEN)
        outputs = []
        for t in range(x.size(1)):
            h, c = self.cell(x[:, t], (h, c))
            outputs.append(h)
        return torch.stack(outputs, dim=1)


def cell_loop() -> nn.Module:
    return CellLoop()


class FromScratch(nn.Module):
    """The LSTM that tutorials write out, gate by gate."""

    def __init__(self) -> None:
        super().__init__()
        for gate in "ifgo":
            setattr(self, f"W_x{gate}", nn.Parameter(torch.randn(WIDTH, HIDDEN) * 0.3))
            setattr(self, f"W_h{gate}", nn.Parameter(torch.randn(HIDDEN, HIDDEN) * 0.3))
            setattr(self, f"b_{gate}", nn.Parameter(torch.zeros(HIDDEN)))

    def forward(self, x: Tensor) -> Tensor:
        h = torch.zeros(x.shape[0], HIDDEN)
        c = torch.zeros(x.shape[0], HIDDEN)
        outputs = []
        for t in range(x.shape[1]):
            x_t = x[:, t, :]
            i = torch.sigmoid(x_t @ self.W_xi + h @ self.W_hi + self.b_i)
            f = torch.sigmoid(x_t @ self.W_xf + h @ self.W_hf + self.b_f)
            g = torch.tanh(x_t @ self.W_xg + h @ self.W_hg + self.b_g)
            o = torch.sigmoid(x_t @ self.W_xo + h @ self.W_ho + self.b_o)
            c = f * c + i * g
            h = o * torch.tanh(c)
            outputs.append(h.unsqueeze(1))
        return torch.cat(outputs, dim=1)


def from_scratch() -> nn.Module:
    return FromScratch()


class Attention(nn.Module):
    """Tokens, two directions, and a weighted sum over time: a text classifier."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(50, 6)
        self.lstm = nn.LSTM(6, HIDDEN, batch_first=True, bidirectional=True)
        self.score = nn.Linear(2 * HIDDEN, 1)
        self.head = nn.Linear(2 * HIDDEN, 4)

    def forward(self, tokens: Tensor) -> Tensor:
        y, _ = self.lstm(self.embedding(tokens))
        weights = torch.softmax(self.score(torch.tanh(y)), dim=1)
        logits: Tensor = self.head((weights * y).sum(dim=1))
        return logits


def attention() -> nn.Module:
    return Attention()


class FramesThenLstm(nn.Module):
    """A small CNN on every frame of a video, then an LSTM over the frames."""

    def __init__(self) -> None:
        super().__init__()
        self.cnn = nn.Sequential(
            nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()
        )
        self.lstm = nn.LSTM(4, HIDDEN, batch_first=True)
        self.head = nn.Linear(HIDDEN, 2)

    def forward(self, frames: Tensor) -> Tensor:
        batch, length, channels, height, width = frames.shape
        features = self.cnn(frames.view(batch * length, channels, height, width))
        y, _ = self.lstm(features.view(batch, length, -1))
        output: Tensor = self.head(y[:, -1])
        return output


def cnn_per_frame() -> nn.Module:
    return FramesThenLstm()


class ConvPool(nn.Module):
    """Convolution and max pooling over time before the recurrent layer."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(WIDTH, 6, 3, padding=1)
        self.pool = nn.MaxPool1d(2)
        self.gru = nn.GRU(6, HIDDEN, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        features = self.pool(torch.relu(self.conv(x.transpose(1, 2)))).transpose(1, 2)
        y: Tensor = self.gru(features)[0]
        return y


def max_pool() -> nn.Module:
    return ConvPool()


class EncoderDecoder(nn.Module):
    """One LSTM reads a sequence, another writes from its final state."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.LSTM(WIDTH, HIDDEN, batch_first=True)
        self.decoder = nn.LSTM(WIDTH, HIDDEN, batch_first=True)
        self.head = nn.Linear(HIDDEN, WIDTH)

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        _, state = self.encoder(source)
        y, _ = self.decoder(target, state)
        output: Tensor = self.head(y)
        return output


def encoder_decoder() -> nn.Module:
    return EncoderDecoder()


class Stateful(nn.Module):
    """State kept from one call to the next in a buffer: no file can be right."""

    def __init__(self) -> None:
        super().__init__()
        self.gru = nn.GRU(WIDTH, HIDDEN, batch_first=True)
        self.register_buffer("state", torch.zeros(1, 1, HIDDEN))

    def forward(self, x: Tensor) -> Tensor:
        y, state = self.gru(x, self.state.expand(1, x.size(0), HIDDEN).contiguous())
        self.state = state[:, :1].detach()
        output: Tensor = y
        return output


def stateful() -> nn.Module:
    return Stateful()


class BranchOnLength(nn.Module):
    """Another head for short sequences: no file can be right for both."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(WIDTH, HIDDEN, batch_first=True)
        self.short, self.long = nn.Linear(HIDDEN, 2), nn.Linear(HIDDEN, 2)

    def forward(self, x: Tensor) -> Tensor:
        y, _ = self.lstm(x)
        head = self.long if x.size(1) > 4 else self.short
        output: Tensor = head(y[:, -1])
        return output


def branch_on_length() -> nn.Module:
    return BranchOnLength()
