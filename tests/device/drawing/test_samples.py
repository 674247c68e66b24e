"""The shipped samples are drawn by name, at any size."""

import numpy as np
import pytest

from device.drawing import SAMPLES, draw_sample


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_each_sample_repeats(sample):
    first, second = (draw_sample(sample.name, height_px=150, width_px=200) for _ in range(2))
    assert first.shape == (150, 200, 3)
    assert first.dtype == np.uint8
    assert np.array_equal(first, second)


def test_names_are_unique_and_fit_file_names():
    names = [sample.name for sample in SAMPLES]
    assert len(set(names)) == len(names)
    assert all(name.replace("-", "").isalpha() and name.islower() for name in names)


def test_the_two_unusable_samples_are_dark():
    mean = {
        sample.name: draw_sample(sample.name, height_px=96, width_px=128).mean()
        for sample in SAMPLES
    }
    assert mean["lens-cap"] < 3
    assert 3 < mean["too-dark"] < 30
    assert min(mean[name] for name in mean.keys() - {"lens-cap", "too-dark"}) > 60


def test_an_unknown_name_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match=r"expected one of nevus, .*, found 'wart'"):
        draw_sample("wart")
