"""Chance repeats from its seed, and a canvas measures in units."""

import numpy as np
import pytest

from device.drawing.canvas import Chance, stretch


def test_chance_repeats_from_its_seed():
    first, second = Chance(5), Chance(5)
    assert [first.between(0, 1) for _ in range(9)] == [second.between(0, 1) for _ in range(9)]
    assert first.between(0, 1) != Chance(6).between(0, 1)


def test_whole_numbers_reach_both_ends():
    chance = Chance(0)
    assert {chance.whole(2, 4) for _ in range(100)} == {2, 3, 4}


def test_near_stays_within_three_and_a_half_deviations():
    chance = Chance(0)
    drawn = np.array([chance.near(10.0, 2.0) for _ in range(4000)])
    assert drawn.mean() == pytest.approx(10.0, abs=0.15)
    assert drawn.std() == pytest.approx(2.0, abs=0.1)
    assert np.abs(drawn - 10.0).max() <= 7.0


def test_a_canvas_measures_in_half_shorter_sides():
    canvas = stretch(1, height_px=60, width_px=80)
    assert canvas.unit_px == 30.0
    assert canvas.v_H1[0, 0] == pytest.approx(-1.0 + 0.5 / 30.0)
    assert canvas.u_1W[0, -1] == pytest.approx(80 / 60 - 0.5 / 30.0)


def test_a_part_keeps_the_coordinates_and_the_chance_of_the_whole():
    canvas = stretch(1, height_px=60, width_px=80)
    part = canvas.part(slice(10, 50), slice(30, 72))
    assert part.shape_px == (40, 42)
    assert part.v_H1[0, 0] == canvas.v_H1[10, 0]
    assert part.u_1W[0, -1] == canvas.u_1W[0, 71]
    assert part.chance is canvas.chance
