"""Models that are exported as programs, whose lines their messages quote."""

import torch
from torch import Tensor, nn


class Classifier(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.LSTM(3, 4, batch_first=True)
        self.drop = nn.Dropout(0.5)
        self.fc = nn.Linear(4, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.drop(self.rnn(x)[0][:, -1])).squeeze(-1)


class TimeMajor(nn.Module):
    """A ReLU RNN whose learned state is repeated for the batch; some of it without gradients."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.RNN(3, 4, nonlinearity="relu")
        self.start = nn.Parameter(torch.randn(1, 1, 4))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        with torch.no_grad():
            y, h = self.rnn(x, self.start.repeat(1, x.size(1), 1))
        return y.mean(0), h


class Stateful(nn.Module):
    """A GRU in two directions and two layers, with its state in and out."""

    def __init__(self) -> None:
        super().__init__()
        self.gru = nn.GRU(3, 4, num_layers=2, bidirectional=True, batch_first=True)

    def forward(self, x: Tensor, h: Tensor) -> dict[str, Tensor]:
        y, h = self.gru(x, h)
        return {"steps": y, "state": h}


class Tokens(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.emb = nn.Embedding(7, 3)
        self.rnn = nn.LSTM(3, 6, proj_size=4, batch_first=True)

    def forward(self, ids: Tensor) -> Tensor:
        return self.rnn(self.emb(ids))[0]


class Views(nn.Module):
    """Sizes of the batch and of the length in views that merge, split and keep axes."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.LSTM(3, 4, bidirectional=True, batch_first=True)
        self.fc = nn.Linear(8, 2)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        y, (h, _) = self.rnn(x)
        batch, length = x.size(0), x.size(1)
        steps = self.fc(y.reshape(batch * length, 8)).view(batch, length, 2)
        both = y.view(batch, length, 2, 4).sum(2)
        return {"steps": steps, "both": both, "last": h.transpose(0, 1).reshape(batch, -1)}


class Positions(nn.Module):
    """Positions of the length, zeros of the batch, differences of steps."""

    def __init__(self) -> None:
        super().__init__()
        self.where = nn.Embedding(20, 3)
        self.rnn = nn.GRU(3, 4, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        y, _ = self.rnn(x + self.where(torch.arange(x.size(1))))
        y = torch.cat([y, torch.zeros(x.size(0), 1, 4)], 1)
        return y[:, 1:] - y[:, :-1]


class LastValid(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.GRU(3, 4, batch_first=True)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        y, _ = self.rnn(x)
        return y[torch.arange(x.size(0)), lengths - 1]


class Mean(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.GRU(3, 4, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.rnn(x)[0].sum(1) / x.size(1)


class Unrolled(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.LSTMCell(3, 4)

    def forward(self, x: Tensor) -> Tensor:
        h, c = torch.zeros(x.size(0), 4), torch.zeros(x.size(0), 4)
        for t in range(x.size(1)):
            h, c = self.cell(x[:, t], (h, c))
        return h


class Chosen(Mean):
    def forward(self, x: Tensor) -> Tensor:
        return self.rnn(x)[0][:, [0, 2, 4]]


class Flat(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.GRU(3, 4, batch_first=True)
        self.fc = nn.Linear(20, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.rnn(x)[0].reshape(x.size(0), -1))
