"""Another camera changes the picture, never its shape, and the same seed the same way."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.training.sets import a_lesion
from training.data.acquisition import change_light, compress, resample, vary_acquisition

PICTURE_HWC = a_lesion(3, "MEL", height_px=96, width_px=128)


@given(st.integers(0, 2**32))
@settings(max_examples=15, deadline=None)
def test_shape_and_dtype_survive_and_the_seed_decides(seed):
    before_HWC = PICTURE_HWC.copy()
    first, second = (vary_acquisition(PICTURE_HWC, np.random.default_rng(seed)) for _ in range(2))
    assert (first.shape, first.dtype) == (PICTURE_HWC.shape, np.uint8)
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(PICTURE_HWC, before_HWC)


def test_light_scales_and_clips_but_never_wraps():
    levels = np.array([[[0, 100, 200]]], dtype=np.uint8)
    brighter = change_light(levels, exposure=1.5, gain_C=np.array([1.0, 1.0, 1.0]))
    assert brighter.tolist() == [[[0, 150, 255]]]
    tinted = change_light(levels, exposure=1.0, gain_C=np.array([1.0, 0.5, 1.1]))
    assert tinted.tolist() == [[[0, 50, 220]]]


def test_resampling_and_compression_lose_detail_and_keep_the_size():
    noise_HWC = np.random.default_rng(0).integers(0, 256, (64, 80, 3)).astype(np.uint8)
    for poorer_HWC in (resample(noise_HWC, share=0.5), compress(noise_HWC, quality=40)):
        assert poorer_HWC.shape == noise_HWC.shape
        assert poorer_HWC.std() < noise_HWC.std()
    np.testing.assert_array_equal(resample(noise_HWC, share=1.0), noise_HWC)
