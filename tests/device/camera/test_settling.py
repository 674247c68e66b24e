"""When frames agree, and which of them is the sharpest."""

import cv2
import numpy as np
import pytest

from device.camera.settling import Settling, agree, brightness, sharpest
from tests.builders import a_picture

pytestmark = pytest.mark.portable


def test_three_frames_that_agree_are_at_rest():
    settling = Settling()
    assert [settling.add(each) for each in (100, 102, 101)] == [False, False, True]


def test_a_slow_drift_is_no_rest():
    """Each frame is near the one before it, but not near the one before that."""
    settling = Settling(frames=3, tolerance=0.04)
    assert not any(settling.add(100 * 1.03**number) for number in range(20))


def test_all_values_of_a_frame_must_agree():
    settling = Settling(frames=2)
    settling.add(9000, 2.0)
    assert not settling.add(9000, 3.0)
    assert settling.add(9000, 3.0)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [(0, 0, True), (100, 96, True), (96, 100, True), (100, 90, False)],
)
def test_values_agree_but_for_a_share_of_the_larger(first, second, expected):
    assert agree(first, second) is expected


def test_brightness_is_the_mean_level():
    assert brightness(np.full((3000, 40, 3), 77, dtype=np.uint8)) == 77


@pytest.mark.parametrize("place", [0, 1, 2])
def test_the_sharpest_is_found_wherever_it_stands(place):
    sharp = a_picture(height_px=200, width_px=300)
    frames = [cv2.GaussianBlur(sharp, (0, 0), sigma) for sigma in (1.0, 3.0)]
    frames.insert(place, sharp)
    assert sharpest(frames) == place


def test_a_picture_too_small_for_a_middle_is_still_compared():
    assert sharpest([np.zeros((1, 1, 3), dtype=np.uint8)] * 2) == 0
