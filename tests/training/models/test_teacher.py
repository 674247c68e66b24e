"""The fused teacher, with two of the smallest backbones that timm has."""

import pytest
import torch

from training.models import FusedTeacher, Outputs, build_model
from training.runs import TeacherConfig

CONFIG = TeacherConfig(backbones=("test_resnet", "test_convnext"), hidden_channels=16, dropout=0.5)


@pytest.fixture(scope="module")
def teacher():
    torch.manual_seed(0)
    return build_model(CONFIG).eval()


def test_a_teacher_answers_as_a_student_does(teacher):
    """Same outputs, but for the map: backbones of different kinds share no grid."""
    assert isinstance(teacher, FusedTeacher)
    with torch.no_grad():
        outputs = teacher(torch.rand(3, 3, 64, 64))
    assert isinstance(outputs, Outputs)
    assert [tuple(value.shape) for value in outputs] == [(3, 1), (3, 7), (3, 0, 0), (3, 16)]


def test_the_fusion_hears_all_backbones(teacher):
    """Its first layer is as wide as the features of both together."""
    widths = [backbone.num_features for backbone in teacher.backbones]
    assert teacher.fusion[0].in_features == sum(widths)
    assert min(widths) > 0


@pytest.mark.parametrize("silent", [0, 1])
def test_every_backbone_has_a_say(teacher, silent):
    """Without the features of one of them the answer is another one."""
    x_BCHW = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        whole_B1 = teacher(x_BCHW).malignancy_logit_B1
        handle = teacher.backbones[silent].register_forward_hook(lambda _m, _i, out: 0 * out)
        without_B1 = teacher(x_BCHW).malignancy_logit_B1
        handle.remove()
    assert not torch.allclose(whole_B1, without_B1)


def test_each_backbone_is_shown_what_it_was_made_for(teacher):
    """Mean and deviation of each backbone's own configuration are taken off before it."""
    seen = []
    handles = [
        backbone.register_forward_pre_hook(lambda _m, inputs: seen.append(inputs[0]))
        for backbone in teacher.backbones
    ]
    with torch.no_grad():
        teacher(torch.full((1, 3, 64, 64), 0.5))
    for handle in handles:
        handle.remove()
    for backbone, x_BCHW in zip(teacher.backbones, seen, strict=True):
        mean, deviation = (torch.tensor(backbone.pretrained_cfg[key]) for key in ("mean", "std"))
        torch.testing.assert_close(x_BCHW[0, :, 0, 0], (0.5 - mean) / deviation)
