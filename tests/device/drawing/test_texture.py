"""Planes stay in their range, fade where they get too fine, and do not know of windows."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.drawing.canvas import stretch
from device.drawing.texture import clouds, mesh, noise, smooth_step


def a_canvas(height_px=60, width_px=80, seed=1):
    return stretch(seed, height_px=height_px, width_px=width_px)


def test_a_smooth_step_rises_or_falls():
    value = np.array([[-1.0, 0.0, 0.5, 1.0, 2.0]])
    assert smooth_step(0.0, 1.0, value).tolist() == [[0.0, 0.0, 0.5, 1.0, 1.0]]
    assert smooth_step(1.0, 0.0, value).tolist() == [[1.0, 1.0, 0.5, 0.0, 0.0]]


@given(
    height_px=st.integers(16, 90),
    width_px=st.integers(16, 90),
    period=st.floats(0.005, 3.0),
    seed=st.integers(0, 2**32),
)
@settings(max_examples=40, deadline=None)
def test_planes_have_the_canvas_shape_and_stay_in_range(height_px, width_px, period, seed):
    canvas = a_canvas(height_px, width_px, seed)
    for plane_HW, low in (
        (noise(canvas, period), -1.0),
        (clouds(canvas, period, octaves=3), -1.0),
        (mesh(canvas, period, disorder=0.4), 0.0),
    ):
        assert plane_HW.shape == (height_px, width_px)
        assert plane_HW.dtype == np.float64
        assert plane_HW.min() >= low - 1e-12
        assert plane_HW.max() <= 1.0 + 1e-12


def test_noise_finer_than_a_pixel_fades():
    coarse_HW, fine_HW = noise(a_canvas(), 0.3), noise(a_canvas(), 0.002)
    assert fine_HW.std() < 0.2 * coarse_HW.std()


def test_a_mesh_too_fine_to_see_is_even():
    assert np.ptp(mesh(a_canvas(), 0.05, disorder=0.3)) == pytest.approx(0.0)


def test_a_window_shows_what_the_whole_canvas_shows():
    """Lesions are drawn in a window only, which must not be seen in the picture."""
    for draw in (lambda canvas: noise(canvas, 0.2), lambda canvas: mesh(canvas, 0.2, disorder=0.3)):
        window = slice(10, 50), slice(30, 72)
        expected = draw(a_canvas(64, 96))[window]
        np.testing.assert_allclose(draw(a_canvas(64, 96).part(*window)), expected, atol=1e-9)
