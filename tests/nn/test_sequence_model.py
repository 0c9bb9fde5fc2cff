"""Models of sequences: the torch module against the oracle, ragged batches, streams, losses."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from lstm_export.contract import (
    POOLINGS,
    Cell,
    Column,
    Pooling,
    Recurrent,
    Scaling,
    Sequences,
    Vocabulary,
)
from lstm_export.nn.heads import PADDED
from lstm_export.nn.pooling import total
from lstm_export.nn.sequence_model import RaggedSequenceModel, SequenceModel, SequenceStream
from lstm_export.oracle import sequences as oracle

STANDARD = Scaling("standard", (0.5,) * 3, (2.0,) * 3)
LENGTHS = torch.tensor([9, 3, 1, 5])


def terms_of(
    pooling: Pooling | None,
    *,
    cell: Cell = "lstm",
    bidirectional: bool = False,
    vocabulary: bool = False,
    targets: bool = False,
) -> Sequences:
    """Three features or four symbols; three classes or two targets."""
    columns = tuple(Column(name, "", -1.0, 1.0) for name in "abc")
    words = Vocabulary("word", False, ("a", "b", "c")) if vocabulary else None
    return Sequences(
        answer=("label",),
        features=() if words else columns,
        input_scaling=Scaling("none", (), ())
        if words
        else Scaling("standard", (0.5,) * 3, (2.0,) * 3),
        vocabulary=words,
        embedding_size=6 if words else 0,
        recurrent=Recurrent(cell, 6 if words else 3, 5, 2, bidirectional),
        pooling=pooling,
        classes=() if targets else ("x", "y", "z"),
        targets=columns[:2] if targets else (),
        target_scaling=Scaling("standard", (10.0, -3.0), (4.0, 0.5)) if targets else None,
    )


def made(terms: Sequences) -> tuple[SequenceModel, dict[str, np.ndarray], torch.Tensor]:
    torch.manual_seed(0)
    model = SequenceModel(terms).eval()
    x = torch.randint(0, 4, (4, 9)) if terms.vocabulary else torch.randn(4, 9, 3)
    return model, {name: w.numpy() for name, w in model.state_dict().items()}, x


@pytest.mark.parametrize(
    ("pooling", "bidirectional", "vocabulary"),
    list(itertools.product((*POOLINGS, None), (False, True), (False, True))),
)
def test_the_module_gives_what_the_oracle_gives_each_sequence_alone(
    pooling: Pooling | None, bidirectional: bool, vocabulary: bool
) -> None:
    terms = terms_of(pooling, bidirectional=bidirectional, vocabulary=vocabulary)
    model, weights, x = made(terms)
    with torch.inference_mode():
        whole, ragged = model(x).numpy(), RaggedSequenceModel(model)(x, LENGTHS).numpy()
    assert np.abs(whole - oracle.answer(terms, weights, x.numpy())).max() < 1e-6
    expected = oracle.ragged(terms, weights, x.numpy(), LENGTHS.numpy())
    assert np.abs(ragged - expected).max() < 1e-6
    assert np.allclose(whole.sum(axis=-1), 1)
    if pooling is None:
        assert not expected[np.arange(9) >= LENGTHS.numpy()[:, np.newaxis]].any()


def test_what_lies_behind_the_end_changes_nothing_not_even_nan() -> None:
    for pooling, bidirectional in itertools.product((*POOLINGS, None), (False, True)):
        model, _, x = made(terms_of(pooling, bidirectional=bidirectional))
        padded = x.clone()
        padded[torch.arange(9) >= LENGTHS.unsqueeze(1)] = float("nan")
        with torch.inference_mode():
            ragged = RaggedSequenceModel(model)
            assert torch.equal(ragged(padded, LENGTHS), ragged(x, LENGTHS))


def test_numbers_come_in_the_targets_units() -> None:
    terms = terms_of("mean", targets=True)
    model, weights, x = made(terms)
    with torch.inference_mode():
        got = model(x).numpy()
    assert np.abs(got - oracle.answer(terms, weights, x.numpy())).max() < 1e-5
    assert np.allclose(got.mean(axis=0), (10, -3), atol=5)


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
@pytest.mark.parametrize("pooling", ["last", None])
def test_a_stream_in_two_chunks_is_the_oracles_and_ends_as_the_whole(
    cell: Cell, pooling: Pooling | None
) -> None:
    terms = terms_of(pooling, cell=cell)
    model, weights, x = made(terms)
    names = ["initial_h", *(["initial_c"] if cell == "lstm" else [])]
    state = [torch.zeros(2, 4, 5) for _ in names]
    stream = SequenceStream(model)
    answers = []
    with torch.inference_mode():
        for chunk in (x[:, :4], x[:, 4:]):
            inputs = dict(zip(names, (s.numpy() for s in state), strict=True))
            expected = oracle.stream(terms, weights, {"x": chunk.numpy(), **inputs})
            answer, *state = stream(chunk, *state)
            assert np.abs(answer.numpy() - expected["probabilities"]).max() < 1e-6
            assert np.abs(state[0].numpy() - expected["final_h"]).max() < 1e-6
            answers.append(answer)
        whole = model(x)
    joined = torch.cat(answers, dim=1)
    assert torch.allclose(joined if pooling is None else joined[:, -1], whole, atol=1e-6)


def test_a_model_that_needs_the_whole_sequence_does_not_stream() -> None:
    for terms in (terms_of("mean"), terms_of("last", bidirectional=True)):
        with pytest.raises(ValueError, match="whole sequence"):
            SequenceStream(made(terms)[0])


def test_padded_steps_carry_no_loss_and_every_sequence_weighs_the_same() -> None:
    model, _, x = made(terms_of(None))
    truth = torch.randint(0, 3, (4, 9))
    truth[torch.arange(9) >= LENGTHS.unsqueeze(1)] = PADDED
    alone = [
        model.loss(x[i : i + 1, :n], truth[i : i + 1, :n], LENGTHS[i : i + 1])
        for i, n in enumerate(LENGTHS.tolist())
    ]
    assert torch.allclose(model.loss(x, truth, LENGTHS), torch.stack(alone).mean())


def test_class_weights_multiply_the_losses_of_their_class() -> None:
    terms = terms_of("last")
    torch.manual_seed(0)
    plain = SequenceModel(terms)
    weighted = SequenceModel(terms, class_weights=(1.0, 1.0, 3.0))
    weighted.load_state_dict(plain.state_dict())
    x = torch.randn(1, 4, 3)
    for label, factor in ((0, 1.0), (2, 3.0)):
        truth = torch.tensor([label])
        assert torch.allclose(weighted.loss(x, truth), factor * plain.loss(x, truth))


def test_an_unknown_symbol_is_the_zero_vector() -> None:
    model, _, _ = made(terms_of("last", vocabulary=True))
    assert not model.front(torch.tensor([[0]])).any()


def test_a_sum_over_thousands_of_steps_rounds_once_and_has_the_gradient_of_a_sum() -> None:
    torch.manual_seed(0)
    y = (torch.rand(2, 4000, 3) * 2 - 1).requires_grad_()
    added = total(y, None, False)
    added.sum().backward()
    assert y.grad is not None
    assert (y.grad == 1).all()
    exact = y.detach().double().sum(dim=1)
    once = float(torch.finfo(torch.float32).eps * exact.abs().max())
    assert (added.double() - exact).abs().max() < once
    # One after the other, as runtimes may add them.
    one_by_one = np.cumsum(y.detach().numpy(), axis=1, dtype=np.float32)[:, -1]
    assert np.abs(one_by_one - exact.numpy()).max() > 4 * once
