"""Batches: every picture at most once an epoch, shared fairly between processes."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.training.small import a_part
from training.data.dataset import plain_batches, steps_of_an_epoch, training_batches


def batches(part, *, rank=0, world=1, batch_size=4, extra_share=1.0, seed=5):
    return list(
        training_batches(
            part,
            batch_size=batch_size,
            rank=rank,
            world=world,
            generator=torch.Generator().manual_seed(seed),
            extra_share=extra_share,
        )
    )


def with_extra(count, extra):
    """A part whose last *extra* pictures come from another set."""
    part = a_part(count)
    cases = [
        replace(case, dataset="other") if index >= count - extra else case
        for index, case in enumerate(part.cases)
    ]
    return replace(part, cases=tuple(cases))


def test_pictures_are_fp32_from_zero_to_one_and_labels_lie_beside():
    part = a_part(7)
    indices = np.array([2, 0])
    x_BCHW = part.pictures(indices, np.array([0, 0]))
    assert x_BCHW.shape == (2, 3, 48, 48)
    assert x_BCHW.dtype == torch.float32
    expected = part.pixels_VNSSC[0, 2].transpose(2, 0, 1) / np.float32(255)
    np.testing.assert_allclose(x_BCHW[0].numpy(), expected, atol=1e-7)
    malignant_B, diagnosis_B = part.labels(indices)
    assert malignant_B.tolist() == [float(part.malignant_N[2]), float(part.malignant_N[0])]
    assert diagnosis_B.tolist() == [2, 0]


def test_several_processes_see_together_what_one_sees_alone():
    part = a_part(14)
    alone, first, second = (batches(part, rank=r, world=w) for r, w in ((0, 1), (0, 2), (1, 2)))
    assert len(alone) == len(first) == len(second) == 3
    for whole, *halves in zip(alone, first, second, strict=True):
        assert whole[0::2].tolist() == halves[0].tolist()
        assert whole[1::2].tolist() == halves[1].tolist()


def test_an_epoch_takes_each_picture_at_most_once():
    taken = np.concatenate(batches(a_part(14)))
    assert len(set(taken.tolist())) == len(taken) == 12


@pytest.mark.parametrize(("share", "expected"), [(1.0, 8), (0.5, 4), (0.0, 0)])
def test_an_epoch_takes_its_share_of_the_further_sets(share, expected):
    part = with_extra(20, 8)
    taken = np.concatenate(batches(part, batch_size=1, extra_share=share))
    assert np.sum(taken >= 12) == expected
    assert np.sum(taken < 12) == 12
    assert len(taken) == steps_of_an_epoch(part, batch_size=1, extra_share=share)


def test_another_epoch_takes_others_of_the_further_sets():
    part = with_extra(20, 8)
    first, second = (
        {i for b in batches(part, batch_size=1, extra_share=0.5, seed=s) for i in b.tolist()}
        for s in (1, 2)
    )
    assert first != second


def test_plain_batches_go_through_all_pictures_in_order():
    found = list(plain_batches(a_part(5), batch_size=2))
    assert [batch.tolist() for batch in found] == [[0, 1], [2, 3], [4]]
