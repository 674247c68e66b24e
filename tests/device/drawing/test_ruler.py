"""A ruler lies at the edge."""

import numpy as np

from device.drawing import add_ruler


def even_skin():
    return np.full((150, 200, 3), (205, 160, 145), np.uint8)


def test_a_ruler_leaves_the_middle_free():
    is_changed_HW = np.zeros((150, 200), bool)
    for seed in range(60):
        is_changed_HW |= (add_ruler(even_skin(), np.random.default_rng(seed)) != even_skin()).any(
            axis=2
        )
    assert is_changed_HW.any()
    assert not is_changed_HW[55:95, 60:140].any()
