"""Where a lesion is, on pictures of which that is known."""

import cv2
import numpy as np
import pytest

from device.quality.lesion import _lab, coarse_lab, middle_contrast, outline, share_outside

pytestmark = pytest.mark.portable


def a_picture(radius, *, x=64, y=64):
    picture = np.full((128, 128, 3), (210, 170, 150), np.uint8)
    cv2.circle(picture, (x, y), radius, (90, 60, 50), cv2.FILLED)
    return picture


def test_lab_is_opencvs():
    """But for its tables, which are good to a quarter of a unit."""
    levels = np.arange(0, 256, 15, dtype=np.uint8)
    grid = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(1, -1, 3)
    expected = cv2.cvtColor(grid.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    assert np.abs(_lab(grid) - expected).max() < 0.5


@pytest.mark.parametrize(("level", "lightness"), [(0, 0), (255, 100), (119, 50)])
def test_gray_has_no_color(level, lightness):
    gray = np.full((1, 1, 3), level, np.uint8)
    assert _lab(gray)[0, 0] == pytest.approx([lightness, 0, 0], abs=0.1)


@pytest.mark.parametrize("radius", [20, 40])
def test_a_disc_in_the_middle_is_found_where_it_is(radius):
    found = outline(coarse_lab(a_picture(radius)))
    assert found.area == pytest.approx(np.pi * radius**2 / 128**2, rel=0.1)
    assert found.outside == 0
    assert found.distinctness > 4
    assert found.tail < 0.2


def test_a_half_disc_at_the_border_has_its_straight_part_outside():
    found = outline(coarse_lab(a_picture(40, x=0)))
    # The diameter over the diameter and half of the circumference.
    assert found.outside == pytest.approx(2 / (2 + np.pi), abs=0.05)


def test_of_two_the_one_in_the_middle_counts():
    picture = a_picture(15)
    cv2.circle(picture, (128, 128), 30, (90, 60, 50), cv2.FILLED)
    assert outline(coarse_lab(picture)).outside == 0


def test_one_color_has_no_outline_and_no_contrast():
    lab_HWC = coarse_lab(np.full((128, 128, 3), 128, np.uint8))
    assert outline(lab_HWC) is None
    assert middle_contrast(lab_HWC) == pytest.approx(0, abs=1e-3)


def test_light_that_falls_off_is_no_lesion():
    y, x = np.mgrid[-1:1:128j, -1:1:128j]
    light = 1 - 0.15 * (x**2 + y**2) + 0.05 * x
    picture = np.rint(light[:, :, None] * (210, 170, 150)).astype(np.uint8)
    assert middle_contrast(coarse_lab(picture)) < 0.5


@pytest.mark.parametrize(
    ("rows", "columns", "expected"),
    [
        (slice(None), slice(None), 1.0),
        (slice(2, 8), slice(2, 8), 0.0),
        (slice(None), slice(0, 0), 0.0),
    ],
)
def test_the_share_outside_is_that_of_the_border(rows, columns, expected):
    region = np.zeros((10, 10), np.uint8)
    region[rows, columns] = 1
    assert share_outside(region) == expected
