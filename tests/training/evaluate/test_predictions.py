"""What a network says of a part, at one look and on average over several."""

import numpy as np
import pytest
import torch
from torch import nn

from tests.training.small import a_part, a_student
from training.evaluate.predictions import predict
from training.models import Outputs


@pytest.fixture(scope="module")
def part():
    return a_part(6)


class Brightness(nn.Module):
    """Answers by what turning a picture does not change much, and counts its looks."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))
        self.looks = 0

    def forward(self, x_BCHW):
        self.looks += 1
        level_B = self.weight * x_BCHW.mean(dim=(1, 2, 3))
        return Outputs(
            level_B[:, None], level_B[:, None] * torch.arange(7), x_BCHW[:, 0], x_BCHW[:, :, 0, 0]
        )


def test_one_look_is_at_the_untouched_picture(part):
    student = a_student()
    expected = student.eval()(torch.from_numpy(part.pixels_VNSSC[0]).permute(0, 3, 1, 2) / 255)
    found = predict(student, part)
    np.testing.assert_allclose(
        found.malignancy_logit_N, expected.malignancy_logit_B1[:, 0].detach(), atol=1e-5
    )


def test_several_looks_are_averaged_and_the_same_every_time(part):
    student = a_student()
    found = predict(student, part, looks=4)
    again = predict(student, part, looks=4)
    np.testing.assert_array_equal(found.malignancy_logit_N, again.malignancy_logit_N)
    assert not np.allclose(found.malignancy_logit_N, predict(student, part).malignancy_logit_N)
    np.testing.assert_allclose(np.exp(found.diagnosis_logits_NK).sum(axis=1), 1.0)


def test_what_a_turn_does_not_change_is_answered_alike(part):
    """The looks change neither light nor colour."""
    network = Brightness()
    found = predict(network, part, looks=5)
    assert network.looks == 5
    np.testing.assert_allclose(
        found.malignancy_logit_N, predict(network, part).malignancy_logit_N, atol=0.05
    )
