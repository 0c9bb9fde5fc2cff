"""A model of sequences: front end → recurrent → pooling → head, from raw units to answers.

With x (batch, sequence_length, features) in raw units, or ids (batch, sequence_length)::

    z[t] = (x[t] − offset) / scale             or  z[t] = embedding[x[t]]
    y    = recurrent(z)
    s    = y at the last step | the mean | the maximum | the sum over steps;  or every y[t] itself
    a    = W s + b
    answer = softmax(a)                        or  a · target_scale + target_offset

The last step of the backward direction is the sequence's first. Steps behind the end of a
sequence change nothing.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from lstm_export.contract import Sequences
from lstm_export.nn.forecaster import recurrent_layers
from lstm_export.nn.front_ends import FRONT_ENDS
from lstm_export.nn.heads import HEADS
from lstm_export.nn.pooling import POOL
from lstm_export.nn.trainable import Trainable


class SequenceModel(Trainable):
    """Sequences in raw units or ids in; probabilities, or numbers in the targets' units, out.

    The state_dict holds `front.*` where symbols are read, `recurrent.*` and `head.*`; scaling is
    part of the contract, not of the weights.
    """

    def __init__(
        self,
        terms: Sequences,
        dropout: float = 0.0,
        *,
        class_weights: tuple[float, ...] | None = None,
    ) -> None:
        """`class_weights` (classes,) multiply the losses of the classes in training."""
        super().__init__()
        spec = terms.recurrent
        self.terms = terms
        self.front = FRONT_ENDS[terms.reads](terms)
        self.recurrent = recurrent_layers(spec, dropout)
        self.dropout = nn.Dropout(dropout)
        self.head = HEADS[terms.task](spec.state_size * spec.num_directions, terms, class_weights)

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """(batch, sequence_length, features) or ids (batch, sequence_length) to answers.

        They are (batch, width), or (batch, sequence_length, width) where every step is answered.
        `lengths` (batch,) int64 tell how many steps each sequence has; None: all of them.
        """
        return self.head.answer(self.scores(self.front.prepared(x), lengths))

    def scores(self, z: Tensor, lengths: Tensor | None = None) -> Tensor:
        """The trained part, of prepared steps; before softmax, or in scaled units."""
        y = self.steps(self.front(z), lengths)
        if self.terms.pooling is not None:
            y = POOL[self.terms.pooling](y, lengths, self.terms.recurrent.bidirectional)
        scores: Tensor = self.head(self.dropout(y))
        return scores

    def steps(self, z: Tensor, lengths: Tensor | None) -> Tensor:
        """What the layers give at every step: (batch, sequence_length, width)."""
        y: Tensor
        if lengths is None or not self.terms.recurrent.bidirectional:
            y, _ = self.recurrent(z)
            return y
        packed = pack_padded_sequence(z, lengths.cpu(), batch_first=True, enforce_sorted=False)
        y, _ = pad_packed_sequence(
            self.recurrent(packed)[0], batch_first=True, total_length=z.shape[1]
        )
        return y

    def loss(self, z: Tensor, truth: Tensor, lengths: Tensor | None = None) -> Tensor:
        """The mean over sequences, of prepared steps; `truth` is as the head has it."""
        return self.head.loss(self.scores(z, lengths).float(), truth)


class SequenceStream(nn.Module):
    """The same model as a state machine: an answer for every step, state in and out.

    Inputs are `x`, `initial_h` and for an LSTM `initial_c`; outputs the answers (batch,
    sequence_length, width) and the matching `final_*`.
    """

    def __init__(self, model: SequenceModel) -> None:
        super().__init__()
        if not model.terms.causal:
            raise ValueError("an answer of this model needs the whole sequence: it cannot stream")
        self.model = model

    def forward(self, x: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        model = self.model
        initial = state if model.terms.recurrent.cell == "lstm" else state[0]
        y, final = model.recurrent(model.front(model.front.prepared(x)), initial)
        final = final if isinstance(final, tuple) else (final,)
        return (model.head.answer(model.head(y)), *final)


class RaggedSequenceModel(nn.Module):
    """The model on a padded batch, with `lengths`: each sequence as if it were alone.

    Where every step is answered, what stands behind the end of a sequence is 0.
    """

    def __init__(self, model: SequenceModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        answer: Tensor = self.model(x, lengths)
        if self.model.terms.pooling is not None:
            return answer
        inside = torch.arange(x.shape[1], device=x.device) < lengths.unsqueeze(1)
        return torch.where(inside.unsqueeze(2), answer, 0.0)
