"""Models as people write them: recurrent layers with all that usually surrounds them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

Made = tuple[nn.Module, tuple[Any, ...]]
MODELS: dict[str, Callable[[], Made]] = {}


def model(make: Callable[[], Made]) -> Callable[[], Made]:
    MODELS[make.__name__] = make
    return make


class Classifier(nn.Module):
    """Token ids, both directions, self-attention with a padding mask, results in a dict."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(50, 6, padding_idx=0)
        self.rnn = nn.GRU(6, 8, 2, batch_first=True, bidirectional=True, dropout=0.2)
        self.attention = nn.MultiheadAttention(16, 2, batch_first=True)
        self.norm = nn.LayerNorm(16)
        self.head = nn.Linear(16, 4)

    def forward(self, tokens: Tensor) -> dict[str, Tensor]:
        y, _ = self.rnn(self.embedding(tokens))
        attended, _ = self.attention(y, y, y, key_padding_mask=tokens == 0)
        y = self.norm(y + attended)
        return {"logits": self.head(y.mean(1)), "features": y}


@model
def classifier_with_attention() -> Made:
    return Classifier(), (torch.randint(1, 50, (2, 5)),)


class Frames(nn.Module):
    """A convolutional network per frame, then a recurrent one over the frames."""

    def __init__(self) -> None:
        super().__init__()
        self.frame = nn.Sequential(
            nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()
        )
        self.rnn = nn.LSTM(64, 8, batch_first=True)
        self.head = nn.Linear(8, 3)

    def forward(self, video: Tensor) -> Tensor:
        batch, length = video.shape[:2]
        frames = self.frame(video.view(batch * length, *video.shape[2:]))
        y, _ = self.rnn(frames.view(batch, length, -1))
        return F.log_softmax(self.head(y[:, -1]), dim=-1)


@model
def network_per_frame() -> Made:
    return Frames(), (torch.randn(2, 5, 1, 8, 8),)


class ConvolutionsFirst(nn.Module):
    """Conv1d, batch norm and pooling shorten the sequence before the recurrent layer."""

    def __init__(self, pool: nn.Module) -> None:
        super().__init__()
        self.convolution, self.norm, self.pool = (
            nn.Conv1d(3, 6, 3, padding=1),
            nn.BatchNorm1d(6),
            pool,
        )
        self.rnn = nn.LSTM(6, 8, batch_first=True, bidirectional=True)
        self.head = nn.Linear(16, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(F.relu(self.norm(self.convolution(x.transpose(1, 2))))).transpose(1, 2)
        _, (h, _) = self.rnn(x)
        return self.head(torch.cat([h[-2], h[-1]], dim=1))


@model
def max_pool_before() -> Made:
    return ConvolutionsFirst(nn.MaxPool1d(2)), (torch.randn(2, 8, 3),)


@model
def overlapping_max_pool_before() -> Made:
    return ConvolutionsFirst(nn.MaxPool1d(3, stride=2, padding=1)), (torch.randn(2, 9, 3),)


@model
def average_pool_before() -> Made:
    return ConvolutionsFirst(nn.AvgPool1d(2)), (torch.randn(2, 8, 3),)


class Pooled(nn.Module):
    """Mean, maximum and adaptive pools over the steps, one beside the other."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.GRU(3, 8, batch_first=True)
        self.norm = nn.BatchNorm1d(8)
        self.head = nn.Linear(32, 2)

    def forward(self, x: Tensor) -> Tensor:
        y, _ = self.rnn(x)
        y = self.norm(y.transpose(1, 2))
        parts = [y.mean(-1), y.max(-1)[0], F.adaptive_avg_pool1d(y, 1).squeeze(-1)]
        parts.append(F.adaptive_max_pool1d(y, 1).squeeze(-1))
        return torch.softmax(self.head(torch.cat(parts, dim=1)), dim=1)


@model
def pools_after() -> Made:
    return Pooled(), (torch.randn(2, 5, 3),)


class Translator(nn.Module):
    """Encoder and decoder with one embedding, two lengths, tied output weights."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(20, 8)
        self.encoder = nn.LSTM(8, 8, batch_first=True)
        self.decoder = nn.LSTM(8, 8, batch_first=True)
        self.output = nn.Linear(8, 20, bias=False)
        self.output.weight = self.embedding.weight

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        keys, state = self.encoder(self.embedding(source))
        y, _ = self.decoder(self.embedding(target), state)
        scores = torch.bmm(y, keys.transpose(1, 2)).softmax(-1)
        return self.output(y + torch.bmm(scores, keys))


@model
def encoder_decoder_with_shared_weights() -> Made:
    return Translator(), (torch.randint(0, 20, (2, 5)), torch.randint(0, 20, (2, 4)))


class Greedy(nn.Module):
    """A decoder that feeds back its own choice for as many steps as the caller wants."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(20, 6)
        self.encoder = nn.GRU(6, 8, batch_first=True)
        self.cell = nn.GRUCell(6, 8)
        self.output = nn.Linear(8, 20)

    def forward(self, source: Tensor, steps: int) -> Tensor:
        h = self.encoder(self.embedding(source))[1][0]
        token = torch.zeros(source.size(0), dtype=torch.long)
        logits = []
        for _ in range(steps):
            h = self.cell(self.embedding(token), h)
            logits.append(self.output(h))
            token = logits[-1].argmax(-1)
        return torch.stack(logits, dim=1)


@model
def decoder_for_a_number_of_steps() -> Made:
    return Greedy(), (torch.randint(0, 20, (2, 5)), 4)


class MaskedAttention(nn.Module):
    """Packed, padded again, and attended to under a mask made of the lengths."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.LSTM(3, 8, batch_first=True, bidirectional=True)
        self.score = nn.Linear(16, 1)
        self.head = nn.Linear(16, 2)

    def forward(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        y, _ = pad_packed_sequence(self.rnn(packed)[0], batch_first=True)
        mask = torch.arange(x.size(1))[None] < lengths[:, None]
        scores = self.score(y).squeeze(-1).masked_fill(~mask, float("-inf"))
        weights = scores.softmax(-1)
        return self.head((weights.unsqueeze(-1) * y).sum(1)), weights


@model
def attention_over_packed() -> Made:
    return MaskedAttention(), (torch.randn(3, 5, 3), torch.tensor([5, 2, 4]))


class Tagger(nn.Module):
    """Characters within words within sentences: the batch of one level is time of the next."""

    def __init__(self) -> None:
        super().__init__()
        self.characters, self.words = nn.Embedding(30, 4), nn.LSTM(6, 8, batch_first=True)
        self.spelling = nn.GRU(4, 6, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        batch, words, length = x.shape
        _, h = self.spelling(self.characters(x.reshape(batch * words, length)))
        return self.words(h[0].reshape(batch, words, -1))[0]


@model
def recurrence_within_recurrence() -> Made:
    return Tagger(), (torch.randint(0, 30, (2, 4, 5)),)


class Residual(nn.Module):
    """Layers with skips and norms between, a multi-part head, several results."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.LSTM(8, 8, batch_first=True) for _ in range(2)])
        self.norms = nn.ModuleList([nn.LayerNorm(8) for _ in range(2)])
        self.enter, self.leave = nn.Linear(3, 8), nn.Linear(8, 2)

    def forward(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        y, finals = self.enter(x), []
        for layer, norm in zip(self.layers, self.norms, strict=True):
            out, (h, _) = layer(y)
            y = norm(y + out)
            finals.append(h.squeeze(0))
        return F.gelu(self.leave(y)), finals


@model
def residual_layers() -> Made:
    return Residual(), (torch.randn(2, 5, 3),)


class Siamese(nn.Module):
    """One layer for two inputs of lengths of their own."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.LSTM(3, 8, batch_first=True)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        one, two = (self.rnn(x)[1][0][-1] for x in (a, b))
        return F.cosine_similarity(one, two, dim=1)


@model
def one_layer_for_two_inputs() -> Made:
    return Siamese(), (torch.randn(2, 5, 3), torch.randn(2, 7, 3))
