"""Hairs are as many and as wide as the picture asks."""

import numpy as np
import pytest

from device.drawing import add_hair

SKIN_C = (205, 160, 145)


def even_skin(height_px=150, width_px=200):
    return np.full((height_px, width_px, 3), SKIN_C, np.uint8)


def test_no_hair_changes_nothing():
    pixels_HWC = even_skin()
    assert np.array_equal(pixels_HWC, add_hair(pixels_HWC, np.random.default_rng(0), count=0))


def test_a_negative_number_of_hairs_is_refused():
    with pytest.raises(ValueError, match="expected a count of 0 or more, found -1"):
        add_hair(even_skin(), np.random.default_rng(0), count=-1)


def test_more_hairs_cover_more_skin():
    def covered(count):
        changed = [
            (add_hair(even_skin(), np.random.default_rng(seed), count=count) != even_skin())
            .any(axis=2)
            .mean()
            for seed in range(12)
        ]
        return np.mean(changed)

    few, many = covered(5), covered(60)
    assert 0.0 < few < 0.1
    assert 3 * few < many < 0.6


@pytest.mark.parametrize("scale", [1, 4])
def test_a_hair_is_as_wide_as_the_picture_asks(scale):
    """About one pixel on a 200 x 150 frame, four pixels on one four times as wide."""
    widths_px = []
    for seed in range(40):
        picture = add_hair(
            even_skin(150 * scale, 200 * scale), np.random.default_rng(seed), count=1
        )
        change_HW = np.abs(picture.astype(int) - SKIN_C).sum(axis=2) / 3
        # A hair lies across some rows or columns only; its width is the mean share of those.
        depth = change_HW.max()
        if depth < 20:
            continue
        area_px = change_HW.sum() / depth
        rows, columns = (change_HW.max(axis=axis) > 0.3 * depth for axis in (1, 0))
        length_px = np.hypot(rows.sum(), columns.sum())
        if length_px > 40 * scale:
            widths_px.append(area_px / length_px)
    assert len(widths_px) > 8
    assert 0.6 * scale < np.median(widths_px) < 1.6 * scale


def test_hair_is_dark_or_light_but_hides_no_more_than_it_covers():
    means = [
        add_hair(even_skin(), np.random.default_rng(seed), count=25).mean() for seed in range(40)
    ]
    bare = even_skin().mean()
    assert min(means) < bare - 3
    assert max(means) > bare + 1
