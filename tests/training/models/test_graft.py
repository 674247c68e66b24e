"""What a student takes over from a larger network, and how it is thinned out."""

import pytest
import torch
from torch import nn

from training.errors import RunError
from training.models import Student, build_model
from training.models.graft import graft
from training.models.weights import IMAGENET_MEAN, IMAGENET_STD, load_backbone
from training.runs import BackboneConfig, BlockConfig, StudentConfig

DONOR = BackboneConfig(name="tf_efficientnet_lite0", side_px=64, weights=None)
# So that mean and deviation are those of the packages, which are not the donor's own in timm.
PACKAGED = DONOR.model_copy(update={"weights": "package:any"})
SHIFT_PX = 7
"""By how much TensorFlow's padding moves the picture in three convolutions that stride."""


def a_config(*, stem=32, expansion=6, kernel=5):
    return StudentConfig(
        stem_channels=stem,
        blocks=(
            BlockConfig(kind="separable", channels=16, repeats=1, stride=1, expansion=1),
            BlockConfig(kind="inverted", channels=24, repeats=2, stride=2, expansion=expansion),
            BlockConfig(
                kind="inverted",
                channels=40,
                repeats=1,
                stride=2,
                expansion=expansion,
                kernel=kernel,
            ),
        ),
        embedding_channels=16,
        dropout=0.0,
        grafted_from=DONOR,
    )


@pytest.fixture(scope="module")
def donor():
    """Random weights, and activations that the ceiling of ReLU6 does not touch."""
    torch.manual_seed(0)
    network = load_backbone(DONOR, drop_path=0.0).eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, 0.0, 0.1)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
            nn.init.uniform_(module.weight, 0.2, 0.6)
            nn.init.normal_(module.bias, 0.0, 0.2)
    return network


def grafted(donor, config):
    student = Student(config)
    graft(student, donor, PACKAGED)
    return student.eval()


def test_a_student_of_full_width_sees_what_the_donor_sees(donor):
    """Away from the borders, where the two pad differently, and moved by that difference."""
    x_BCHW = torch.rand(1, 3, 128, 128)
    mean, deviation = (
        torch.tensor(values).view(1, 3, 1, 1) for values in (IMAGENET_MEAN, IMAGENET_STD)
    )
    moved_BCHW = torch.roll(x_BCHW, (SHIFT_PX, SHIFT_PX), (2, 3))
    with torch.no_grad():
        seen = donor.bn1(donor.conv_stem((moved_BCHW - mean) / deviation))
        for stage in donor.blocks[:2]:
            seen = stage(seen)
        seen = donor.blocks[2][0](seen)
        ours = grafted(donor, a_config()).trunk[:-1](x_BCHW)
    inside = (..., slice(4, -4), slice(4, -4))
    torch.testing.assert_close(ours[inside], seen[inside], rtol=1e-3, atol=1e-3)


def test_a_thinner_middle_keeps_the_channels_that_carry_most(donor):
    """A channel whose projection is loud stays, one that is never active goes."""
    block = donor.blocks[1][0]
    with torch.no_grad():
        kept = block.conv_pwl.weight.clone(), block.bn2.bias.clone()
        block.conv_pwl.weight[:, 70] *= 100
        block.bn2.bias[:60] = -100
    student = grafted(donor, a_config(stem=16, expansion=2))
    first = student.trunk[2].layers
    wanted = [
        int((first[0][0].weight == row).flatten(1).all(1).any()) for row in block.conv_pw.weight
    ]
    with torch.no_grad():
        block.conv_pwl.weight.copy_(kept[0])
        block.bn2.bias.copy_(kept[1])
    assert sum(wanted) == 32
    assert wanted[70]
    assert not any(wanted[:60])


def test_a_thinner_stem_gives_the_channels_that_the_first_block_takes(donor):
    student = grafted(donor, a_config(stem=16))
    stem, separable = student.trunk[0], student.trunk[1].layers
    rows = donor.conv_stem.weight / torch.tensor(IMAGENET_STD)[None, :, None, None]
    places = [
        next(i for i, row in enumerate(rows) if torch.allclose(row, own)) for own in stem[0].weight
    ]
    assert len(set(places)) == 16
    torch.testing.assert_close(separable[0][0].weight, donor.blocks[0][0].conv_dw.weight[places])


def test_blocks_without_a_counterpart_are_refused(donor):
    with pytest.raises(RunError, match="expected a kernel of"):
        grafted(donor, a_config(kernel=3))
    wide = a_config().model_copy(
        update={
            "blocks": (BlockConfig(kind="inverted", channels=16, repeats=1, stride=1, expansion=1),)
        }
    )
    with pytest.raises(RunError, match="a block of 3 convolutions, found 2"):
        grafted(donor, wide)


def test_building_grafts_unless_other_weights_are_loaded_over_it():
    torch.manual_seed(0)
    fresh = build_model(a_config(), fresh=True)
    torch.manual_seed(0)
    begun = build_model(a_config())
    assert not torch.equal(fresh.trunk[0][0].weight, begun.trunk[0][0].weight)
    torch.manual_seed(0)
    assert torch.equal(fresh.trunk[0][0].weight, Student(a_config()).trunk[0][0].weight)
