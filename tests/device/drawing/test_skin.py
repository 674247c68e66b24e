"""Bare skin is skin at any size."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from device.drawing import draw_skin


@given(seed=st.integers(0, 2**40), height_px=st.integers(16, 120), width_px=st.integers(16, 120))
@settings(max_examples=20, deadline=None)
def test_bare_skin_is_bright_and_pale(seed, height_px, width_px):
    pixels_HWC = draw_skin(seed, height_px=height_px, width_px=width_px)
    assert pixels_HWC.shape == (height_px, width_px, 3)
    assert np.array_equal(pixels_HWC, draw_skin(seed, height_px=height_px, width_px=width_px))
    red, _, blue = pixels_HWC.mean(axis=(0, 1))
    assert red > blue
    assert red > 90
