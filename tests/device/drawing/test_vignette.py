"""A vignette is a dark ring round a clear disc."""

import numpy as np
import pytest

from device.drawing import add_vignette

SKIN_C = (205, 160, 145)


def even_skin():
    return np.full((150, 200, 3), SKIN_C, np.uint8)


def test_a_vignette_is_black_outside_and_clear_inside():
    picture = add_vignette(even_skin(), np.random.default_rng(0), radius_share=0.6)
    assert picture[:3, :3].max() <= 5
    np.testing.assert_allclose(picture[75, 100], SKIN_C, atol=3)


def test_a_wider_opening_shows_more():
    seen = [
        add_vignette(even_skin(), np.random.default_rng(2), radius_share=share).mean()
        for share in (0.4, 0.6, 0.8, 1.0, 1.3)
    ]
    assert seen == sorted(seen)
    assert seen[0] < 0.5 * seen[-1]


@pytest.mark.parametrize("share", [0.0, -1.0, float("nan")])
def test_an_opening_without_radius_is_refused(share):
    with pytest.raises(ValueError, match="expected a radius_share above 0"):
        add_vignette(even_skin(), np.random.default_rng(0), radius_share=share)
