"""A view is made of its seed alone, and shows every picture in one of its variants."""

import numpy as np
import torch

from tests.training.small import a_part
from training.data.views import draw_view, plain_view
from training.runs import AugmentConfig

CPU = torch.device("cpu")
OFF = AugmentConfig(enabled=False)


def test_the_seed_decides_alone():
    part, indices = a_part(5, variants=2), np.arange(5)
    first, again, other = (
        draw_view(5, 2, AugmentConfig(), seed=seed).show(part, indices, CPU) for seed in (3, 3, 4)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_a_part_of_a_view_is_what_the_whole_has_there():
    part = a_part(5, variants=2)
    view = draw_view(5, 2, AugmentConfig(), seed=3)
    whole = view.show(part, np.arange(5), CPU)
    assert torch.equal(view.show(part, np.array([4, 1]), CPU), whole[[4, 1]])


def test_without_augmentation_only_variants_differ():
    part = a_part(6, variants=2)
    view = draw_view(6, 2, OFF, seed=1)
    shown = view.show(part, np.arange(6), CPU).permute(0, 2, 3, 1).numpy() * 255
    np.testing.assert_allclose(shown, part.pixels_VNSSC[view.variant_N, np.arange(6)], atol=1e-3)
    assert set(view.variant_N) == {0, 1}


def test_the_plain_view_is_what_the_device_sees():
    part = a_part(3, variants=2)
    shown = plain_view(3).show(part, np.arange(3), CPU).permute(0, 2, 3, 1).numpy() * 255
    np.testing.assert_allclose(shown, part.pixels_VNSSC[0], atol=1e-3)


def test_a_part_of_one_variant_is_shown_changed_alike():
    """The teacher of a student may know its pictures without what was drawn over them."""
    both, plain = a_part(6, variants=2), a_part(6)
    view, of_plain = (draw_view(6, count, AugmentConfig(), seed=1) for count in (2, 1))
    shown = view.show(plain, np.arange(6), CPU)
    assert torch.equal(shown, of_plain.show(plain, np.arange(6), CPU))
    same = torch.from_numpy(view.variant_N == 0)
    assert torch.equal(shown[same], view.show(both, np.arange(6), CPU)[same])
    assert not torch.equal(shown, view.show(both, np.arange(6), CPU))
