"""
Drawn lesions repeat from their seed, at any size, and lie on its skin.

Started as a program, this file writes the golden pixels afresh; do so only when the drawing
is meant to change: ``PYTHONPATH=. python tests/device/drawing/test_lesion.py``.
"""

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.core.manifest import DIAGNOSES
from device.drawing import draw_lesion, draw_skin

GOLDEN = Path(__file__).with_name("lesions.npy")


def golden_pixels():
    """Every twelfth row and sixteenth column of one picture per diagnosis, ``[7, 8, 8, 3]``."""
    pictures = [
        draw_lesion(40 + number, diagnosis=diagnosis, height_px=96, width_px=128)
        for number, diagnosis in enumerate(DIAGNOSES)
    ]
    return np.stack([picture[6::12, 8::16] for picture in pictures])


@given(
    seed=st.integers(0, 2**40),
    diagnosis=st.sampled_from(DIAGNOSES),
    height_px=st.integers(16, 120),
    width_px=st.integers(16, 120),
)
@settings(max_examples=60, deadline=None)
def test_any_seed_gives_one_picture_of_any_size(seed, diagnosis, height_px, width_px):
    first, second = (
        draw_lesion(seed, diagnosis=diagnosis, height_px=height_px, width_px=width_px)
        for _ in range(2)
    )
    assert first.shape == (height_px, width_px, 3)
    assert first.dtype == np.uint8
    assert np.array_equal(first, second)
    assert 20 < first.mean() < 250


def test_a_lesion_lies_on_the_skin_of_its_seed():
    for seed, diagnosis in enumerate(DIAGNOSES):
        skin_HWC = draw_skin(seed, height_px=150, width_px=200).astype(int)
        for_seed = {"height_px": 150, "width_px": 200}
        lesion_HWC = draw_lesion(seed, diagnosis=diagnosis, **for_seed).astype(int)
        # Left and right edge of a 4:3 picture are beyond most lesions.
        assert np.array_equal(skin_HWC[:, 0], lesion_HWC[:, 0])
        assert np.abs(skin_HWC - lesion_HWC)[70:80, 90:110].mean() > 8


def test_one_seed_looks_the_same_at_any_size():
    for seed, diagnosis in enumerate(DIAGNOSES):
        large = draw_lesion(seed, diagnosis=diagnosis, height_px=450, width_px=600)
        small = draw_lesion(seed, diagnosis=diagnosis, height_px=150, width_px=200)
        shrunk = cv2.resize(large, (200, 150), interpolation=cv2.INTER_AREA)
        assert np.abs(shrunk.astype(int) - small).mean() < 3.0


def test_pixels_are_the_golden_ones_to_within_one_level():
    expected = np.load(GOLDEN).astype(int)
    assert np.abs(expected - golden_pixels()).max() <= 1


def test_an_unknown_diagnosis_is_refused_with_the_seven():
    with pytest.raises(ValueError, match=r"expected a diagnosis of MEL NV .*, found 'nv'"):
        draw_lesion(1, diagnosis="nv")


@pytest.mark.parametrize("draw", [draw_lesion, draw_skin])
def test_a_picture_too_small_is_refused(draw):
    with pytest.raises(ValueError, match=r"expected sides of 16 px or more, found 15 x 64"):
        draw(1, height_px=15, width_px=64)


if __name__ == "__main__":
    np.save(GOLDEN, golden_pixels())
