"""Evidence becomes color, on one scale for all pictures."""

import cv2
import numpy as np
import pytest

from device.history.heatmap import ALONE_PX, heatmap
from tests.builders import a_picture

pytestmark = pytest.mark.portable


def colors(png):
    """Decode to uint8 RGB."""
    return cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)[:, :, ::-1]


def lightness(color_HWC):
    return cv2.cvtColor(np.ascontiguousarray(color_HWC), cv2.COLOR_RGB2LAB)[:, :, 0]


def test_alone_it_is_a_square_of_one_size():
    assert colors(heatmap(np.zeros((8, 8), np.float32))).shape == (ALONE_PX, ALONE_PX, 3)


@pytest.mark.parametrize("shape", [(1, 1), (2, 2), (8, 8), (3, 14)])
def test_any_map_will_do(shape):
    assert colors(heatmap(np.ones(shape, np.float32))).shape == (ALONE_PX, ALONE_PX, 3)


def test_more_evidence_is_lighter():
    lights = [
        lightness(colors(heatmap(np.full((4, 4), evidence, np.float32)))).mean()
        for evidence in (-20, -3, -1, 0, 1, 3, 20)
    ]
    assert lights == sorted(lights)
    assert lights[-1] > lights[0] + 150


def test_a_benign_lesion_stays_dark_all_over():
    """Its own largest value is not blown up to the end of the scale."""
    map_HW = np.full((8, 8), -6, np.float32)
    map_HW[3, 3] = -4
    assert lightness(colors(heatmap(map_HW))).max() < 60


def test_the_spot_is_where_the_map_has_it():
    map_HW = np.full((8, 8), -6, np.float32)
    map_HW[1, 6] = 6
    light_HW = lightness(colors(heatmap(map_HW)))
    row, column = np.unravel_index(light_HW.argmax(), light_HW.shape)
    cell = ALONE_PX // 8
    assert (row // cell, column // cell) == (1, 6)


def test_over_a_picture_both_can_be_seen():
    square_HWC = a_picture(height_px=200, width_px=200)
    map_HW = np.full((8, 8), -6, np.float32)
    map_HW[:, 4:] = 6
    overlay_HWC = colors(heatmap(map_HW, square_HWC))
    assert overlay_HWC.shape == square_HWC.shape
    gray_HW = cv2.cvtColor(square_HWC, cv2.COLOR_RGB2GRAY)
    for half in (np.s_[:, :80], np.s_[:, 120:]):
        light = lightness(overlay_HWC)[half].ravel()
        assert np.corrcoef(light, gray_HW[half].ravel())[0, 1] > 0.9
    assert overlay_HWC[:, 150].mean(axis=0)[1] > overlay_HWC[:, 50].mean(axis=0)[1] + 50


def test_evidence_beyond_all_numbers_is_the_end_of_the_scale():
    map_HW = np.array([[-3e38, 3e38]], np.float32)
    color_HWC = colors(heatmap(map_HW))
    assert lightness(color_HWC)[0, 0] < 50
    assert lightness(color_HWC)[0, -1] > 200
