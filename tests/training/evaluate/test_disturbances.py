"""Disturbances repeat, grow with the level, and leave size and original alone."""

import numpy as np
import pytest

from tests.builders import a_picture
from training.evaluate.disturbances import DISTURBANCES, LEVELS, disturb


@pytest.fixture(scope="module")
def original():
    return a_picture(3)


@pytest.mark.parametrize("name", DISTURBANCES)
def test_a_disturbance_repeats_and_changes_more_at_a_higher_level(original, name):
    before = original.copy()
    changes = []
    for level in LEVELS:
        shown_HWC = disturb(original, name, level, key="set/I1")
        assert (shown_HWC.shape, shown_HWC.dtype) == (original.shape, np.uint8)
        np.testing.assert_array_equal(shown_HWC, disturb(original, name, level, key="set/I1"))
        changes.append(np.abs(shown_HWC.astype(int) - original).mean())
    assert changes[0] > 0
    assert changes == sorted(changes)
    np.testing.assert_array_equal(original, before)


@pytest.mark.parametrize("name", ["hair", "ruler", "ink", "vignette", "noise"])
def test_another_picture_gets_other_marks(original, name):
    first, second = (disturb(original, name, 3, key=key) for key in ("set/I1", "set/I2"))
    assert (first != second).any()
