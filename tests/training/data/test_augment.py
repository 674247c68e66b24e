"""Augmentation turns and tints pictures within its bounds, and does nothing when told so."""

import math

import pytest
import torch

from training.data import augment as module
from training.data.augment import apply_changes, draw_changes
from training.runs import AugmentConfig

STILL = AugmentConfig(
    largest_scale=1.0,
    largest_aspect=1.0,
    largest_shift=0.0,
    largest_contrast=1.0,
    largest_brightness=0.0,
    largest_color_cast=0.0,
)


def some_pictures(batch=4, side=16):
    return torch.rand((batch, 3, side, side), generator=torch.Generator().manual_seed(0))


def generator(seed=1):
    return torch.Generator().manual_seed(seed)


def augment(x_BCHW, config, generator):
    return apply_changes(x_BCHW, draw_changes(len(x_BCHW), config, generator))


def test_the_generator_decides_and_nothing_else():
    x_BCHW = some_pictures()
    first, second, other = (augment(x_BCHW, AugmentConfig(), generator(s)) for s in (1, 1, 2))
    assert torch.equal(first, second)
    assert not torch.equal(first, other)


def test_pictures_stay_in_range_and_shape_and_each_goes_its_own_way():
    x_BCHW = some_pictures(1).expand(8, -1, -1, -1)
    changed = augment(x_BCHW, AugmentConfig(largest_brightness=0.5), generator())
    assert changed.shape == x_BCHW.shape
    assert changed.min() >= 0
    assert changed.max() <= 1
    assert len({round(float(picture.mean()), 6) for picture in changed}) == 8


@pytest.mark.parametrize(
    ("angle", "mirror", "expected"),
    [
        (0.0, 0.9, lambda x: x),
        (0.0, 0.1, lambda x: x.flip(3)),
        (math.pi / 2, 0.9, lambda x: torch.rot90(x, 1, (2, 3))),
        (math.pi, 0.9, lambda x: torch.rot90(x, 2, (2, 3))),
    ],
)
def test_a_known_turn_gives_the_known_picture(monkeypatch, angle, mirror, expected):
    """The draws are replaced by known ones: angle, scale, aspect, mirror, then nothing else."""
    drawn = iter([(angle / math.pi + 1) / 2, 0.5, 0.5, mirror, 0.5, 0.5, 0.5, 0.5])
    monkeypatch.setattr(
        module.torch, "rand", lambda shape, **_: torch.full(_shape(shape), next(drawn))
    )
    x_BCHW = torch.arange(2 * 3 * 8 * 8, dtype=torch.float32).view(2, 3, 8, 8) / 400
    turned = augment(x_BCHW, STILL, generator())
    assert torch.allclose(turned, expected(x_BCHW), atol=1e-4)


def test_contrast_and_brightness_follow_their_formula(monkeypatch):
    x_BCHW = 0.3 + 0.1 * some_pictures(2)
    drawn = iter([0.5, 0.5, 0.5, 0.9, 0.5, 1.0, 1.0, 0.5])
    monkeypatch.setattr(
        module.torch, "rand", lambda shape, **_: torch.full(_shape(shape), next(drawn))
    )
    config = STILL.model_copy(update={"largest_contrast": 1.5, "largest_brightness": 0.1})
    mean = x_BCHW.mean(dim=(2, 3), keepdim=True)
    expected = 1.5 * (x_BCHW - mean) + mean + 0.1
    assert torch.allclose(augment(x_BCHW, config, generator()), expected, atol=1e-4)


def test_two_sides_are_changed_alike():
    """A teacher at twice the side sees what the student sees, but for the sampling."""
    rows = torch.linspace(0, 1, 64)[None, None, :, None].expand(2, 3, 64, 64)
    changes = draw_changes(2, AugmentConfig(), generator())
    large = apply_changes(rows, changes)
    small = apply_changes(torch.nn.functional.avg_pool2d(rows, 2), changes)
    assert (torch.nn.functional.avg_pool2d(large, 2) - small).abs().max() < 0.05


def test_changes_of_some_are_those_of_all():
    x_BCHW = some_pictures(4)
    changes = draw_changes(4, AugmentConfig(), generator())
    chosen = torch.tensor([2, 0])
    some = apply_changes(x_BCHW[chosen], changes.of(chosen))
    assert torch.equal(some, apply_changes(x_BCHW, changes)[chosen])


def _shape(shape):
    return (shape,) if isinstance(shape, int) else shape
