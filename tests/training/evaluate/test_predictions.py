"""What a network says of a part, of one view and on average over several."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from tests.training.small import a_part, a_student
from training.evaluate import predictions
from training.evaluate.predictions import predict
from training.models import Outputs


@pytest.fixture(scope="module")
def part():
    return a_part(6)


class Brightness(nn.Module):
    """Answers by the mean of a picture alone."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, x_BCHW):
        level_B1 = self.weight * x_BCHW.mean(dim=(1, 2, 3))[:, None]
        return Outputs(level_B1, level_B1 * torch.arange(7), x_BCHW[:, 0], x_BCHW[:, :, 0, 0])


def probability(found):
    return 1 / (1 + np.exp(-found.malignancy_logit_N))


def test_one_view_is_the_untouched_picture(part):
    student = a_student()
    expected = student.eval()(torch.from_numpy(part.pixels_VNSSC[0]).permute(0, 3, 1, 2) / 255)
    found = predict(student, part)
    np.testing.assert_allclose(
        found.malignancy_logit_N, expected.malignancy_logit_B1[:, 0].detach(), atol=1e-5
    )


def test_the_answer_is_the_mean_of_the_views_and_the_same_every_time(part, monkeypatch):
    student, real, seen = a_student(), predictions._look, []

    def look(*arguments):
        seen.append(real(*arguments))
        return seen[-1]

    monkeypatch.setattr(predictions, "_look", look)
    found = predict(student, part, tta=3)
    views = [probability(each) for each in seen]
    assert len(views) == 3
    assert not np.allclose(views[0], views[1])
    assert not np.allclose(views[1], views[2])
    np.testing.assert_allclose(probability(found), np.mean(views, axis=0))
    np.testing.assert_allclose(np.exp(found.diagnosis_logits_NK).sum(axis=1), 1.0)
    again = predict(student, part, tta=3)
    np.testing.assert_array_equal(found.malignancy_logit_N, again.malignancy_logit_N)


def test_no_view_changes_light_or_colour(part):
    """Of one colour all over, a picture is the same however it is turned."""
    pixels_VNSSC = np.empty_like(part.pixels_VNSSC)
    pixels_VNSSC[:] = np.arange(40, 40 + 6 * 25, 25, dtype=np.uint8)[None, :, None, None, None]
    plain = replace(part, pixels_VNSSC=pixels_VNSSC)
    network = Brightness()
    np.testing.assert_allclose(
        predict(network, plain, tta=5).malignancy_logit_N,
        predict(network, plain).malignancy_logit_N,
        atol=1e-5,
    )
