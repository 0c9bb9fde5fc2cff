"""How far back a gradient reaches: why a plain RNN forgets, and gates remember.

With s[t] all that the layers carry from step t to the next (h of every layer, for an LSTM c as
well), T the last step and a = W h[T] + b the answer that the head gives there, before softmax and
in scaled units::

    g[k] = ‖∂a / ∂s[T−k]‖        (Frobenius norm of the Jacobian),  k = 0, 1, …

It is a product of k Jacobians of one step, ∂s[T]/∂s[T−1] · … · ∂s[T−k+1]/∂s[T−k]. For
h[t] = tanh(W x[t] + R h[t−1] + b) each is diag(1 − h[t]²) R, whose norm is at most the largest
singular value of R: is that below 1, then g[k] falls at least as fast as its k-th power, and what
stood further back can hardly be learned (Y. Bengio, P. Simard, P. Frasconi, "Learning long-term
dependencies with gradient descent is difficult", IEEE Transactions on Neural Networks 5, 1994;
R. Pascanu, T. Mikolov, Y. Bengio, "On the difficulty of training recurrent neural networks", ICML
2013, section 2). Along the cell state of an LSTM the factor is the forget gate, diag(f[t]), which
may be 1.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from lstm_export.nn.forecaster import Forecaster
from lstm_export.nn.sequence_model import SequenceModel

Norms = npt.NDArray[np.float64]


def gradient_norms(
    layers: nn.Module, head: nn.Module, z: Tensor, lengths: Tensor | None = None
) -> Norms:
    """g[k] of every sequence, (batch, sequence_length); NaN where one is not as long as that.

    `layers` are torch's, batch first and of one direction; `z` (batch, sequence_length,
    input_size) is what they read, of the dtype of their weights; `lengths` (batch,) int64 tell how
    long each sequence is, None: all of them are as long as `z`.
    """
    batch, count = z.shape[:2]
    if lengths is None:
        lengths = torch.full((batch,), count)
    carried: list[tuple[Tensor, ...]] = []
    state = None
    for t in range(count):
        _, state = layers(z[:, t : t + 1], state)
        carried.append(state if isinstance(state, tuple) else (state,))
    # The last layer's h out of the state itself: the gradient has to pass through what is carried.
    tops = torch.stack([state[0][-1] for state in carried], dim=1)
    answer = head(tops[torch.arange(batch), lengths - 1])
    states = [part for state in carried for part in state]
    squared = torch.zeros(batch, count, dtype=z.dtype)
    for i in range(answer.shape[1]):
        # The last c of an LSTM is of no use to the last answer: its gradient is 0.
        gradients = torch.autograd.grad(
            answer[:, i].sum(), states, retain_graph=True, materialize_grads=True
        )
        parts = len(carried[0])
        for t in range(count):
            for part in gradients[t * parts : (t + 1) * parts]:
                squared[:, t] += part.square().sum(dim=(0, 2))
    back = lengths.unsqueeze(1) - 1 - torch.arange(count)
    norms = torch.gather(squared.sqrt(), 1, back.clamp(min=0))
    return norms.masked_fill(back < 0, torch.nan).double().numpy()


def gradient_reach(
    model: Forecaster | SequenceModel, z: Tensor, lengths: Tensor | None = None
) -> Norms:
    """The geometric mean of g[k] over the sequences, (steps,), computed in float64.

    `z` and `lengths` are a batch as the model's loss takes it: prepared rows, or ids. It ends where
    fewer than half of the sequences are that long. `model` is float64 afterwards.
    """
    model = model.double().eval()
    if isinstance(model, SequenceModel):
        entering = model.front(z if model.terms.vocabulary else z.double())
    else:
        entering = z.double()
    norms = gradient_norms(model.recurrent, model.head, entering.detach(), lengths)
    return geometric_mean(norms)


def geometric_mean(norms: Norms) -> Norms:
    """Over the sequences (batch, steps) that have a number, as far as half of them have one.

    A gradient of 0 counts as the smallest number there is.
    """
    there = np.isfinite(norms)
    long_enough = 2 * there.sum(axis=0) >= len(norms)
    logs = np.log(np.maximum(norms[:, long_enough], np.finfo(np.float64).tiny))
    means: Norms = np.exp(np.nanmean(logs, axis=0))
    return means
