"""Artefacts keep shape and dtype, repeat from their generator, and leave their input alone."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.drawing import add_hair, add_ink, add_ruler, add_vignette

ARTIFACTS = [add_hair, add_ink, add_ruler, add_vignette]


@pytest.mark.parametrize("add", ARTIFACTS)
@given(height_px=st.integers(32, 200), width_px=st.integers(32, 200), seed=st.integers(0, 2**32))
@settings(max_examples=30, deadline=None)
def test_any_picture_keeps_shape_and_dtype_and_is_not_written_to(add, height_px, width_px, seed):
    pixels_HWC = np.random.default_rng(seed).integers(0, 256, (height_px, width_px, 3), np.uint8)
    before_HWC = pixels_HWC.copy()
    pixels_HWC.setflags(write=False)
    first, second = (
        add(pixels_HWC, np.random.default_rng(seed)),
        add(pixels_HWC, np.random.default_rng(seed)),
    )
    assert first.shape == pixels_HWC.shape
    assert first.dtype == np.uint8
    assert np.array_equal(first, second)
    assert np.array_equal(pixels_HWC, before_HWC)
    assert not np.shares_memory(first, pixels_HWC)
    assert first.flags.writeable


@pytest.mark.parametrize("add", ARTIFACTS)
def test_a_part_of_a_larger_picture_is_taken_as_well(add):
    """A crop is a view with gaps between its rows."""
    large_HWC = np.random.default_rng(0).integers(0, 256, (200, 300, 3), np.uint8)
    crop_HWC = large_HWC[20:170, 40:240]
    expected = add(np.ascontiguousarray(crop_HWC), np.random.default_rng(4))
    assert np.array_equal(expected, add(crop_HWC, np.random.default_rng(4)))


@pytest.mark.parametrize("add", ARTIFACTS)
@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((31, 64, 3), np.uint8),
        np.zeros((64, 64), np.uint8),
        np.zeros((64, 64, 4), np.uint8),
        np.zeros((64, 64, 3), np.float32),
        np.zeros(64, np.uint8),
    ],
    ids=["too small", "gray", "alpha", "float", "a row"],
)
def test_what_is_no_picture_is_refused_with_what_was_found(add, pixels):
    with pytest.raises(
        ValueError, match=rf"{add.__name__}: expected uint8 .*, found {pixels.dtype}"
    ):
        add(pixels, np.random.default_rng(0))
