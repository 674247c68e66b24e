"""The other ways do what they are said to do."""

import numpy as np

from bench.pictures import files, large_picture
from bench.ways import PlainWay, area_resize, at_full_size, full_decode
from device.preprocess import prepare
from tests.builders import a_spec


def test_the_plain_way_normalises_as_torchvision_does():
    fed = []

    def make(feed):
        fed.append(feed)
        return lambda: [np.array([[0.0, 3.0, 1.0]])]

    gray_HWC = np.full((300, 400, 3), 128, dtype=np.uint8)
    assert PlainWay(make).decide(gray_HWC) == 1
    expected_C = (128 / 255 - np.array([0.485, 0.456, 0.406])) / np.array([0.229, 0.224, 0.225])
    np.testing.assert_allclose(fed[0][0].mean(axis=(1, 2)), expected_C, atol=1e-3)
    assert fed[0].shape == (1, 3, 224, 224)


def test_the_usual_way_runs_every_stage_on_all_pixels():
    """The stages are the device's: at the model's own size both give the same picture."""
    spec = a_spec(64)
    square_HWC = large_picture(height_px=64, width_px=64)
    np.testing.assert_array_equal(at_full_size(square_HWC, spec), prepare(square_HWC, spec))
    off = a_spec(64, enabled=False)
    np.testing.assert_array_equal(at_full_size(square_HWC, off), prepare(square_HWC, spec))
    frame_HWC = large_picture(height_px=300, width_px=400)
    assert at_full_size(frame_HWC, spec).shape[0] > 64


def test_what_they_are_measured_by_is_bare():
    frame_HWC = large_picture(height_px=300, width_px=400)
    assert area_resize(frame_HWC, 64).shape == (64, 64, 3)
    assert full_decode(files(1)[0]).shape == (450, 600, 3)


def test_drawn_pictures_are_the_same_every_time():
    first, second = files(2), files(2)
    assert first == second
    assert first[0] != first[1]
