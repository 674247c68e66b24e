"""The pencils: chance repeats, planes stay in their range, a window changes nothing."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.drawing.canvas import (
    Chance,
    clouds,
    depth_of_blob,
    mesh,
    noise,
    smooth_step,
    stretch,
    strokes,
    window_where,
)


def a_canvas(height_px=60, width_px=80, seed=1):
    return stretch(Chance(seed), height_px=height_px, width_px=width_px)


def test_chance_repeats_from_its_seed():
    first, second = Chance(5), Chance(5)
    assert [first.between(0, 1) for _ in range(9)] == [second.between(0, 1) for _ in range(9)]
    assert first.between(0, 1) != Chance(6).between(0, 1)


def test_whole_numbers_reach_both_ends():
    chance = Chance(0)
    assert {chance.whole(2, 4) for _ in range(100)} == {2, 3, 4}


def test_near_stays_within_three_and_a_half_deviations():
    chance = Chance(0)
    drawn = np.array([chance.near(10.0, 2.0) for _ in range(4000)])
    assert drawn.mean() == pytest.approx(10.0, abs=0.15)
    assert drawn.std() == pytest.approx(2.0, abs=0.1)
    assert np.abs(drawn - 10.0).max() <= 7.0


def test_a_canvas_measures_in_half_shorter_sides():
    canvas = a_canvas(60, 80)
    assert canvas.unit_px == 30.0
    assert canvas.v_H1[0, 0] == pytest.approx(-1.0 + 0.5 / 30.0)
    assert canvas.u_1W[0, -1] == pytest.approx(80 / 60 - 0.5 / 30.0)


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
    chance = Chance(seed)
    canvas = stretch(chance, height_px=height_px, width_px=width_px)
    for plane_HW, low in (
        (noise(canvas, chance, period), -1.0),
        (clouds(canvas, chance, period, octaves=3), -1.0),
        (mesh(canvas, chance, period, disorder=0.4), 0.0),
    ):
        assert plane_HW.shape == (height_px, width_px)
        assert plane_HW.dtype == np.float64
        assert plane_HW.min() >= low - 1e-12
        assert plane_HW.max() <= 1.0 + 1e-12


def test_noise_finer_than_a_pixel_fades():
    canvas = a_canvas()
    coarse_HW, fine_HW = noise(canvas, Chance(2), 0.3), noise(canvas, Chance(2), 0.002)
    assert fine_HW.std() < 0.2 * coarse_HW.std()


def test_a_mesh_too_fine_to_see_is_even():
    assert np.ptp(mesh(a_canvas(), Chance(2), 0.05, disorder=0.3)) == pytest.approx(0.0)


def test_a_smooth_blob_is_a_disc():
    canvas = a_canvas(101, 101)
    depth_HW = depth_of_blob(
        canvas,
        Chance(1),
        middle_D=(0.0, 0.0),
        radius=0.5,
        aspect=1.0,
        waviness=0.0,
        raggedness=0.0,
    )
    distance_HW = np.hypot(canvas.u_1W, canvas.v_H1)
    np.testing.assert_allclose(depth_HW, 0.5 - distance_HW, atol=1e-12)


def test_a_dot_is_full_in_its_middle_and_ends_beside_it():
    canvas = a_canvas(101, 101)
    plane_HW = strokes(canvas, np.zeros((1, 2)), np.zeros((1, 2)), np.array([0.2]))
    assert plane_HW[50, 50] == 1.0
    assert plane_HW[50, 50 + 16] == 0.0
    assert plane_HW[50, 50 + 10] == pytest.approx(0.5, abs=0.05)


def test_a_stroke_reaches_from_end_to_end_and_may_leave_the_picture():
    canvas = a_canvas(101, 101)
    start_ND, end_ND = np.array([[-0.5, 0.0]]), np.array([[2.0, 0.0]])
    plane_HW = strokes(canvas, start_ND, end_ND, np.array([0.1]))
    assert plane_HW[50, 30:].min() == 1.0
    assert plane_HW[50, :15].max() == 0.0


def test_a_stroke_thinner_than_a_pixel_is_fainter():
    canvas = a_canvas(101, 101)
    start_ND, end_ND = np.array([[-0.5, 0.0]]), np.array([[0.5, 0.0]])
    assert strokes(canvas, start_ND, end_ND, np.array([0.35 / 50.5])).max() == pytest.approx(0.5)


def test_no_stroke_gives_an_empty_plane():
    nothing = np.zeros((0, 2))
    assert not strokes(a_canvas(), nothing, nothing, np.zeros(0)).any()


def test_a_window_shows_what_the_whole_canvas_shows():
    """Lesions are drawn in a window only, which must not be seen in the picture."""
    canvas = a_canvas(64, 96)
    is_wanted_HW = np.zeros((64, 96), bool)
    is_wanted_HW[10, 30] = is_wanted_HW[49, 71] = True
    window = window_where(canvas, is_wanted_HW)
    assert (window.height_px, window.width_px, window.top_px, window.left_px) == (40, 42, 10, 30)
    place_ND = Chance(8).many(-1.0, 1.0, 30, 2)
    for draw in (
        lambda place: noise(place, Chance(3), 0.2),
        lambda place: mesh(place, Chance(3), 0.2, disorder=0.3),
        lambda place: strokes(place, place_ND, place_ND, np.full(30, 0.1)),
    ):
        np.testing.assert_allclose(draw(window), draw(canvas)[10:50, 30:72], atol=1e-9)


def test_a_window_round_nothing_is_refused():
    with pytest.raises(ValueError, match="expected at least one wanted pixel"):
        window_where(a_canvas(), np.zeros((60, 80), bool))
