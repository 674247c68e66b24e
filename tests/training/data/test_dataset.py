"""Batches: every picture at most once an epoch, shared fairly between processes."""

import numpy as np
import torch

from tests.training.small import a_part
from training.data.dataset import plain_batches, training_batches


def test_a_batch_is_fp32_from_zero_to_one_with_its_labels():
    part = a_part(7)
    batch = part.batch(np.array([2, 0]), np.array([0, 0]))
    assert batch.x_BCHW.shape == (2, 3, 48, 48)
    assert batch.x_BCHW.dtype == torch.float32
    expected = part.pixels_VNSSC[0, 2].transpose(2, 0, 1) / np.float32(255)
    np.testing.assert_allclose(batch.x_BCHW[0].numpy(), expected, atol=1e-7)
    assert batch.malignant_B.tolist() == [float(part.malignant_N[2]), float(part.malignant_N[0])]
    assert batch.diagnosis_B.tolist() == [2, 0]


def test_several_processes_see_together_what_one_sees_alone():
    part = a_part(14, variants=2)

    def epoch(rank, world):
        generator = torch.Generator().manual_seed(5)
        return list(
            training_batches(part, batch_size=4, rank=rank, world=world, generator=generator)
        )

    alone, first, second = epoch(0, 1), epoch(0, 2), epoch(1, 2)
    assert len(alone) == len(first) == len(second) == 3
    for whole, *halves in zip(alone, first, second, strict=True):
        together = torch.empty_like(whole.x_BCHW)
        together[0::2], together[1::2] = halves[0].x_BCHW, halves[1].x_BCHW
        assert torch.equal(whole.x_BCHW, together)


def test_plain_batches_go_through_the_clean_pictures_in_order():
    part = a_part(5, variants=2)
    batches = list(plain_batches(part, batch_size=2))
    assert [len(batch.x_BCHW) for batch in batches] == [2, 2, 1]
    labels = torch.cat([batch.diagnosis_B for batch in batches])
    assert labels.tolist() == part.diagnosis_N.tolist()
    np.testing.assert_allclose(
        batches[2].x_BCHW[0].permute(1, 2, 0).numpy() * 255, part.pixels_VNSSC[0, 4], atol=1e-3
    )
