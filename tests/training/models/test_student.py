"""The student: what it gives, and how large it may be."""

import pytest
import torch
from torch import nn

from tests.training.small import a_student
from training.export.count import count_macs, count_parameters
from training.export.graph import export_graph
from training.models import Outputs, Student, build_model
from training.recipes.ham10000 import STUDENT, student_control


def test_a_student_gives_four_outputs():
    """One logit, seven diagnoses, a map on the last grid, and the pooled features."""
    student = a_student()
    outputs = student(torch.rand(5, 3, 48, 48))
    assert isinstance(outputs, Outputs)
    assert [tuple(value.shape) for value in outputs] == [(5, 1), (5, 7), (5, 6, 6), (5, 24)]
    assert all(value.dtype == torch.float32 for value in outputs)


def test_pictures_of_a_batch_do_not_see_each_other():
    """Outside of training an answer depends on its own picture alone."""
    student, x_BCHW = a_student(), torch.rand(4, 3, 48, 48)
    with torch.no_grad():
        together = student(x_BCHW).malignancy_logit_B1
        alone = torch.cat([student(x_BCHW[i : i + 1]).malignancy_logit_B1 for i in range(4)])
    torch.testing.assert_close(together, alone)


def test_the_shipped_student_keeps_its_limits():
    """Under 240,000 parameters, in torch and in the file, and under 40 million multiply-adds."""
    config = student_control()
    student = build_model(config.model, fresh=True).eval()
    assert sum(parameter.numel() for parameter in student.parameters()) < 240_000
    model = export_graph(student, config.side_px).model
    assert count_parameters(model) < 240_000
    assert count_macs(model) < 40_000_000
    assert config.side_px <= 160


def test_the_student_has_no_activation_but_relu():
    """Every board's runtime merges ReLU into the convolution before it."""
    kinds = {type(module) for module in Student(STUDENT).modules() if not list(module.children())}
    assert kinds == {nn.Conv2d, nn.BatchNorm2d, nn.ReLU, nn.Linear, nn.Dropout}


@pytest.mark.parametrize("level", [0.0, 1.0])
def test_a_uniform_picture_has_a_finite_answer(level):
    """Black and white frames are scored too; the quality gate speaks about them."""
    outputs = a_student()(torch.full((1, 3, 48, 48), level))
    assert all(torch.isfinite(value).all() for value in outputs)
