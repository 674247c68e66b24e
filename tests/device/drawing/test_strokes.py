"""Strokes reach from end to end, keep to their width, and fade where they get too thin."""

import numpy as np
import pytest

from device.drawing.border import Shape, draw_body
from device.drawing.canvas import Chance, stretch
from device.drawing.strokes import dots, strokes, vessels


def a_canvas(height_px=101, width_px=101):
    return stretch(1, height_px=height_px, width_px=width_px)


def test_a_dot_is_full_in_its_middle_and_ends_beside_it():
    canvas = a_canvas()
    plane_HW = strokes(canvas, np.zeros((1, 2)), np.zeros((1, 2)), np.array([0.2]))
    assert plane_HW[50, 50] == 1.0
    assert plane_HW[50, 50 + 16] == 0.0
    assert plane_HW[50, 50 + 10] == pytest.approx(0.5, abs=0.05)


def test_a_stroke_reaches_from_end_to_end_and_may_leave_the_picture():
    canvas = a_canvas()
    start_ND, end_ND = np.array([[-0.5, 0.0]]), np.array([[2.0, 0.0]])
    plane_HW = strokes(canvas, start_ND, end_ND, np.array([0.1]))
    assert plane_HW[50, 30:].min() == 1.0
    assert plane_HW[50, :15].max() == 0.0


def test_a_stroke_thinner_than_a_pixel_is_fainter():
    canvas = a_canvas()
    start_ND, end_ND = np.array([[-0.5, 0.0]]), np.array([[0.5, 0.0]])
    assert strokes(canvas, start_ND, end_ND, np.array([0.35 / 50.5])).max() == pytest.approx(0.5)


def test_no_stroke_gives_an_empty_plane():
    nothing = np.zeros((0, 2))
    assert not strokes(a_canvas(), nothing, nothing, np.zeros(0)).any()


def test_a_window_shows_what_the_whole_canvas_shows():
    canvas, window = a_canvas(64, 96), (slice(10, 50), slice(30, 72))
    place_ND = Chance(8).many(-1.0, 1.0, 30, 2)
    whole_HW, part_HW = (
        strokes(place, place_ND, place_ND, np.full(30, 0.1))
        for place in (canvas, canvas.part(*window))
    )
    np.testing.assert_allclose(part_HW, whole_HW[window], atol=1e-9)


def test_dots_lie_at_their_places():
    canvas = a_canvas()
    plane_HW = dots(canvas, np.array([[0.5, 0.0], [-0.5, 0.2]]), (0.05, 0.1), longer=1.0)
    assert plane_HW[50, 75] > 0.5
    assert plane_HW[60, 25] > 0.5
    assert plane_HW[:, 45:56].max() == 0.0


def test_vessels_grow_from_trunks_and_from_nothing_else():
    shape = Shape((0.6, 0.6), (1.0, 1.0), (0.0, 0.0), (0.0, 0.0), (0.1, 0.1))
    body = draw_body(a_canvas(), shape)
    assert not vessels(body, 0, (0.02, 0.03)).any()
    assert 0.001 < (vessels(body, 3, (0.02, 0.03)) > 0.5).mean() < 0.3
