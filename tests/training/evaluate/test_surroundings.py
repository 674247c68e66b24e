"""The lesion is found, hidden without a trace of it, and the skin's tone is that of the skin."""

import cv2
import numpy as np
import pytest

from tests.builders import a_picture
from training.evaluate.surroundings import (
    NO_TONE,
    central_disc,
    hidden,
    lesion_mask,
    skin_color,
    tone,
    typology_angle,
)

SKIN_C, LESION_C = (226, 180, 158), (92, 54, 40)


def a_spot(*, skin_C=SKIN_C, middle=(70, 80), radius=24):
    """A dark disc on plain skin, and where it is."""
    image_HWC = np.full((150, 150, 3), skin_C, dtype=np.uint8)
    cv2.circle(image_HWC, middle, radius, LESION_C, cv2.FILLED)
    return image_HWC, (image_HWC == LESION_C).all(axis=2)


def test_the_mask_covers_the_lesion_and_little_more():
    image_HWC, spot_HW = a_spot()
    mask_HW = lesion_mask(image_HWC)
    assert mask_HW[spot_HW].all()
    assert mask_HW.sum() < 2.5 * spot_HW.sum()


def test_a_drawn_lesion_is_darker_than_what_is_left():
    image_HWC = a_picture(5, height_px=128, width_px=128)
    mask_HW = lesion_mask(image_HWC)
    assert 0.02 < mask_HW.mean() < 0.9
    assert image_HWC[mask_HW].mean() < image_HWC[~mask_HW].mean() - 10


def test_of_several_spots_the_one_in_the_middle_counts():
    image_HWC, spot_HW = a_spot()
    cv2.circle(image_HWC, (8, 8), 20, LESION_C, cv2.FILLED)
    mask_HW = lesion_mask(image_HWC)
    assert mask_HW[spot_HW].all()
    assert not mask_HW[8, 8]


@pytest.mark.parametrize("level", [0, 200])
def test_where_nothing_is_found_the_middle_is_taken(level):
    image_HWC = np.full((60, 60, 3), level, dtype=np.uint8)
    np.testing.assert_array_equal(lesion_mask(image_HWC), central_disc(image_HWC))


def test_a_hidden_lesion_leaves_plain_skin():
    image_HWC, _ = a_spot()
    mask_HW = lesion_mask(image_HWC)
    color_C = skin_color(image_HWC, mask_HW)
    assert color_C.tolist() == list(SKIN_C)
    assert (hidden(image_HWC, mask_HW, color_C) == SKIN_C).all()
    shown_HWC = hidden(image_HWC, ~mask_HW, color_C)
    np.testing.assert_array_equal(shown_HWC, image_HWC)


def test_black_corners_are_no_skin():
    image_HWC, _ = a_spot()
    image_HWC[:, :50] = 0
    assert skin_color(image_HWC, lesion_mask(image_HWC)).tolist() == list(SKIN_C)


@pytest.mark.parametrize(
    ("skin_C", "name"),
    [
        ((245, 226, 214), "very light"),
        ((220, 175, 145), "light"),
        ((198, 150, 120), "intermediate"),
        ((180, 130, 95), "tan"),
        ((150, 105, 75), "brown"),
        ((90, 50, 20), "dark"),
        ((200, 190, 220), NO_TONE),
    ],
)
def test_tones_of_plain_skin(skin_C, name):
    image_HWC = np.full((150, 150, 3), skin_C, dtype=np.uint8)
    assert tone(typology_angle(image_HWC)) == name


def test_the_angle_is_that_of_the_definition():
    """Gray level 200 with a little yellow; L and b by an independent formula."""
    image_HWC = np.full((40, 40, 3), (200, 190, 170), dtype=np.uint8)
    linear = [((c / 255 + 0.055) / 1.055) ** 2.4 for c in (200, 190, 170)]
    y = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    z = (0.0193 * linear[0] + 0.1192 * linear[1] + 0.9505 * linear[2]) / 1.0890
    lightness, b = 116 * np.cbrt(y) - 16, 200 * (np.cbrt(y) - np.cbrt(z))
    expected = np.degrees(np.arctan2(lightness - 50, b))
    assert typology_angle(image_HWC) == pytest.approx(expected, abs=0.5)
