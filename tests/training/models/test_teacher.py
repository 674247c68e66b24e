"""The fused teacher, with two of the smallest backbones that timm has."""

import pytest
import torch

from training.models import FusedTeacher, Outputs, build_model
from training.runs import BackboneConfig, TeacherConfig

CONFIG = TeacherConfig(
    backbones=(
        BackboneConfig(name="test_resnet", side_px=64, weights=None),
        BackboneConfig(name="test_convnext", side_px=48, weights=None),
    ),
    hidden_channels=8,
    dropout=0.5,
    drop_path=0.0,
)


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


def test_each_backbone_has_its_own_side(teacher):
    """A picture is brought to it by area; one that has it already stays as it is."""
    seen = []
    handles = [
        backbone.register_forward_pre_hook(lambda _m, inputs: seen.append(inputs[0].shape[-1]))
        for backbone in teacher.backbones
    ]
    with torch.no_grad():
        teacher(torch.rand(1, 3, 64, 64))
    for handle in handles:
        handle.remove()
    assert seen == [64, 48]


def test_a_fusion_begins_as_the_mean_of_its_members(teacher):
    """Heads say the mean of what the members' heads say, to the last rounding."""
    members = []
    for seed, backbone in enumerate(CONFIG.backbones):
        torch.manual_seed(seed)
        members.append(build_model(CONFIG.model_copy(update={"backbones": (backbone,)})).eval())
    fused = build_model(CONFIG).eval()
    fused.begin_as_mean_of(members)
    x_BCHW = torch.rand(3, 3, 64, 64)
    with torch.no_grad():
        said = [member(x_BCHW).diagnosis_logits_BK for member in members]
        found = fused(x_BCHW).diagnosis_logits_BK
        heads = [m.malignancy(m.fusion(m.look(x_BCHW))) for m in members]
        head = fused.malignancy(fused.fusion(fused.look(x_BCHW)))
    torch.testing.assert_close(found, torch.stack(said).mean(dim=0))
    torch.testing.assert_close(head, torch.stack(heads).mean(dim=0))
