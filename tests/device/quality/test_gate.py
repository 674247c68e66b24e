"""The gate says what a person has to do, and passes a usable picture."""

import cv2
import numpy as np
import pytest

from device.core.manifest import DIAGNOSES
from device.quality import assess
from tests.builders import a_manifest, a_picture

pytestmark = pytest.mark.portable

LIMITS = a_manifest().quality


def codes(picture):
    return [reason.code for reason in assess(picture, LIMITS).reasons]


@pytest.mark.parametrize("diagnosis", DIAGNOSES)
def test_a_usable_picture_passes(diagnosis):
    for seed in range(5):
        assert codes(a_picture(seed, diagnosis=diagnosis, height_px=300, width_px=300)) == []


def test_a_black_frame_is_too_dark():
    assert "too_dark" in codes(np.zeros((200, 200, 3), dtype=np.uint8))


def test_an_overexposed_frame_is_too_bright():
    assert "too_bright" in codes(np.full((200, 200, 3), 255, dtype=np.uint8))


def test_a_frame_of_one_colour_is_flat():
    assert codes(np.full((200, 200, 3), 128, dtype=np.uint8)) == ["flat", "blurred"]


def test_a_blurred_picture_is_blurred():
    picture = cv2.GaussianBlur(a_picture(height_px=512, width_px=512), (0, 0), 12)
    assert codes(picture) == ["blurred"]


@pytest.mark.parametrize("scale", [1, 2, 3])
def test_resolution_hardly_changes_the_measures(scale):
    """Above 512 pixels a picture measures like its smaller self."""
    picture = a_picture(height_px=512, width_px=512)
    larger = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_NEAREST)
    expected, found = assess(picture, LIMITS), assess(larger, LIMITS)
    assert found.sharpness == pytest.approx(expected.sharpness, rel=0.05)
    assert found.brightness == pytest.approx(expected.brightness, abs=0.01)


def test_measures_are_shares():
    report = assess(a_picture(), LIMITS)
    assert 0 <= report.brightness <= 1
    assert 0 <= report.saturated_share <= 1
    assert 0 <= report.contrast <= 1
