"""Padded batches of whole sequences: every member once, its own steps and truth, nothing else."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from lstm_export.nn.heads import PADDED
from lstm_export.training.sequence_batches import SequenceBatches

LENGTHS = st.lists(st.integers(1, 9), min_size=1, max_size=12)


@given(lengths=LENGTHS, size=st.integers(1, 5), every_step=st.booleans(), seed=st.integers(0, 9))
def test_every_member_comes_once_with_its_own_steps(
    lengths: list[int], size: int, every_step: bool, seed: int
) -> None:
    starts = torch.tensor([0, *lengths]).cumsum(0)
    steps = torch.arange(int(starts[-1])).float().unsqueeze(1)
    truth = torch.arange(int(starts[-1]) if every_step else len(lengths))
    generator = torch.Generator().manual_seed(seed)
    members = torch.randperm(len(lengths), generator=generator)[: max(1, len(lengths) - 2)]
    order = torch.randperm(len(members), generator=generator)
    batches = SequenceBatches(steps, starts, truth, members, every_step=every_step)
    seen = []
    for x, y, counts in batches.batches(size, order):
        assert len(x) <= size
        assert x.shape[1] == counts.max()
        for rows, answer, count in zip(x, y, counts.tolist(), strict=True):
            first = int(rows[0, 0])
            member = starts.tolist().index(first)
            seen.append(member)
            assert rows[:count, 0].tolist() == list(range(first, int(starts[member + 1])))
            assert (rows[count:] == rows[count - 1]).all()
            if every_step:
                assert answer[:count].tolist() == list(range(first, first + count))
                assert (answer[count:] == PADDED).all()
            else:
                assert answer == member
    assert seen == members[order].tolist()


def test_a_resumed_epoch_leaves_out_the_batches_that_are_done() -> None:
    starts, truth = torch.tensor([0, 2, 3, 7]), torch.tensor([5, 6, 7])
    steps = torch.arange(7)
    batches = SequenceBatches(steps, starts, truth, torch.tensor([0, 1, 2]), every_step=False)
    order = torch.tensor([2, 0, 1])
    whole, rest = list(batches.batches(1, order)), list(batches.batches(1, order, first=1))
    assert len(batches) == len(whole) == 3
    assert [y.item() for _, y, _ in rest] == [y.item() for _, y, _ in whole[1:]] == [5, 6]
