"""Models that are scripted or traced: TorchScript reads their source, so they stand in a file."""

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence


class Classifier(nn.Module):
    """A recurrent layer and a linear one on its last step."""

    def __init__(self, cell: str, batch_first: bool = True, **options: bool | int) -> None:
        super().__init__()
        self.batch_first = batch_first
        self.rnn = getattr(nn, cell)(3, 4, batch_first=batch_first, **options)
        self.drop = nn.Dropout(0.5)
        self.fc = nn.Linear(4 * (2 if self.rnn.bidirectional else 1), 2)

    def forward(self, x: Tensor) -> Tensor:
        y, _ = self.rnn(x)
        last = y[:, -1] if self.batch_first else y[-1]
        return torch.relu(self.fc(self.drop(last)))


class Packed(nn.Module):
    """Token ids of different lengths."""

    def __init__(self) -> None:
        super().__init__()
        self.emb = nn.Embedding(7, 3)
        self.lstm = nn.LSTM(3, 4, batch_first=True, bidirectional=True)
        self.fc = nn.Linear(8, 2)

    def forward(self, ids: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        packed = pack_padded_sequence(
            self.emb(ids), lengths, batch_first=True, enforce_sorted=False
        )
        y, state = self.lstm(packed)
        padded, _ = pad_packed_sequence(y, batch_first=True)
        return self.fc(padded), state[0]


class Steps(nn.Module):
    """A cell in a loop over time, its results in a list; a state may be given."""

    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.LSTMCell(3, 4)
        self.fc = nn.Linear(4, 2)

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor] | None = None) -> dict[str, Tensor]:
        if state is None:
            h, c = x.new_zeros(x.size(0), 4), x.new_zeros(x.size(0), 4)
        else:
            h, c = state
        steps: list[Tensor] = []
        for t in range(x.size(1)):
            h, c = self.cell(x[:, t], (h, c))
            steps.append(self.fc(h))
        if self.training:
            steps.append(torch.rand(2, 2))
        return {"y": torch.stack(steps, dim=1), "h": h}


class Stateful(nn.Module):
    """A GRU with its state in and out, by keyword where it is wanted."""

    def __init__(self) -> None:
        super().__init__()
        self.gru = nn.GRU(3, 4, num_layers=2, batch_first=True)

    def forward(self, x: Tensor, h_0: Tensor | None = None, scale: float = 2.0):
        y, h_n = self.gru(x, h_0)
        return y * scale, h_n


class Stacked(nn.Module):
    """Modules in a list, one of them twice, with a norm between them and a branch on a size."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.GRU(3, 3, batch_first=True) for _ in range(2)])
        self.norm = nn.LayerNorm(3)

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = x + self.norm(layer(x)[0])
        if x.size(2) > 2:
            x = x[..., :2]
        mean = x.sum(1) / x.size(1)
        return torch.cat([mean, x[:, 0]], dim=-1)


class Kept(nn.Module):
    """Sets an attribute in forward."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(3, 4)
        self.last = torch.zeros(1)

    def forward(self, x: Tensor) -> Tensor:
        y, _ = self.lstm(x)
        self.last = y
        return y


class Decides(nn.Module):
    """A branch on the values of a tensor."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(3, 4)

    def forward(self, x: Tensor) -> Tensor:
        y, _ = self.lstm(x)
        if bool(y.sum() > 0):
            y = -y
        return y


class Baked(nn.Module):
    """Initial states of the traced batch, and a view of the traced length."""

    def __init__(self, view: bool) -> None:
        super().__init__()
        self.view = view
        self.lstm = nn.LSTM(3, 4, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        zeros = torch.zeros(1, int(x.shape[0]), 4)
        y, _ = self.lstm(x, (zeros, zeros))
        return y.reshape(int(x.shape[0]), int(x.shape[1]) * 4) if self.view else y


class Forks(nn.Module):
    """Runs a layer in a thread of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(3, 4)

    def forward(self, x: Tensor) -> Tensor:
        return torch.jit.wait(torch.jit.fork(self.fc, x))
