"""A lesion lies where its shape says, on a window that holds all of it."""

import numpy as np
import pytest

from device.drawing.border import Shape, draw_body
from device.drawing.canvas import stretch

DISC = Shape((0.5, 0.5), (1.0, 1.0), (0.0, 0.0), (0.0, 0.0), (0.1, 0.1))
WILD = Shape((0.3, 0.8), (0.5, 1.0), (0.1, 0.3), (0.05, 0.2), (0.1, 0.5))


def test_a_smooth_blob_is_a_disc():
    body = draw_body(stretch(1, height_px=101, width_px=101), DISC)
    u, v = body.middle_D
    distance_HW = np.hypot(body.canvas.u_1W - u, body.canvas.v_H1 - v)
    np.testing.assert_allclose(body.depth_HW, 0.5 - distance_HW, atol=1e-12)
    np.testing.assert_array_equal(body.cover_HW[distance_HW < 0.45], 1.0)
    np.testing.assert_array_equal(body.cover_HW[distance_HW > 0.55], 0.0)


@pytest.mark.parametrize("seed", range(20))
def test_the_window_holds_the_lesion_and_what_reaches_over_its_border(seed):
    whole = stretch(seed, height_px=60, width_px=80)
    body = draw_body(whole, WILD)
    rows, columns = body.window
    assert body.depth_HW.shape == body.canvas.shape_px == whole.part(rows, columns).shape_px
    is_cut = (rows.start > 0, rows.stop < 60, columns.start > 0, columns.stop < 80)
    near_HW = body.near()
    edges = (near_HW[0], near_HW[-1], near_HW[:, 0], near_HW[:, -1])
    assert all(edge.max() < 0.1 for edge, cut in zip(edges, is_cut, strict=True) if cut)


def test_places_lie_in_their_ring():
    body = draw_body(stretch(3, height_px=60, width_px=80), WILD)
    away_ND = body.places(200, 0.4, 0.9) - body.middle_D
    distance_N = np.hypot(*away_ND.T) / body.radius
    assert distance_N.min() >= 0.4 - 1e-12
    assert distance_N.max() <= 0.9 + 1e-12
