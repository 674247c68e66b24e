"""Ink darkens, beside the lesion."""

import numpy as np

from device.drawing import add_ink


def even_skin():
    return np.full((150, 200, 3), (205, 160, 145), np.uint8)


def test_ink_only_takes_light_away():
    for seed in range(30):
        assert (add_ink(even_skin(), np.random.default_rng(seed)) <= even_skin()).all()


def test_ink_marks_the_skin_and_spares_most_of_the_middle():
    marked, middle = [], []
    for seed in range(60):
        is_marked_HW = (add_ink(even_skin(), np.random.default_rng(seed)) < 0.8 * even_skin()).any(
            axis=2
        )
        marked.append(is_marked_HW.mean())
        middle.append(is_marked_HW[50:100, 70:130].mean())
    assert 0.005 < np.mean(marked) < 0.15
    assert np.mean(middle) < 0.02
