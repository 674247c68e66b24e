"""Scenes are drawn by seed, at the size of a camera's picture."""

import numpy as np
import pytest

from training.evaluate.out_of_distribution.scenes import PLAIN_SKIN, SCENES, draw_scene


@pytest.mark.parametrize("name", SCENES)
def test_the_same_seed_draws_the_same_scene(name):
    scene = draw_scene(name, 1)
    assert scene.shape == (480, 640, 3)
    assert scene.dtype == np.uint8
    assert scene.std() > 1
    assert (draw_scene(name, 1) == scene).all()
    assert (draw_scene(name, 2) != scene).any()


def test_kinds_with_the_same_seed_are_different():
    """Each kind has chances of its own: two do not share the slope of their light."""
    means = {round(float(draw_scene(name, 0).mean()), 3) for name in SCENES}
    assert len(means) == len(SCENES)
    assert PLAIN_SKIN in SCENES
