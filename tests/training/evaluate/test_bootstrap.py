"""Draws take whole groups, the same ones for the same seed, and intervals lie where they should."""

import numpy as np
import pytest

from training.evaluate.bootstrap import draw_groups, drawn, interval, with_intervals


def mean_of(value_N):
    return lambda weight_WN: {"mean": weight_WN @ value_N / weight_WN.sum(axis=1)}


def test_every_draw_takes_as_many_groups_as_there_are():
    counts_WG = draw_groups(7, draws=50)
    assert counts_WG.shape == (50, 7)
    assert (counts_WG.sum(axis=1) == 7).all()
    np.testing.assert_array_equal(counts_WG, draw_groups(7, draws=50))
    assert (counts_WG != draw_groups(7, draws=50, seed=1)).any()


def test_the_interval_of_a_mean_is_that_of_theory():
    """2,000 draws of 400 values: 1.96 standard errors to either side, within a tenth."""
    value_N = np.random.default_rng(0).normal(size=400)
    metric = with_intervals(mean_of(value_N), np.arange(400), draw_groups(400))["mean"]
    half = 1.96 * value_N.std() / 20
    assert metric.value == pytest.approx(value_N.mean())
    assert metric.low == pytest.approx(value_N.mean() - half, abs=0.1 * half)
    assert metric.high == pytest.approx(value_N.mean() + half, abs=0.1 * half)


def test_draws_in_chunks_are_those_of_one_piece():
    value_N, counts_WG = np.arange(5.0), draw_groups(5, draws=600)
    expected_W = counts_WG @ value_N / 5
    np.testing.assert_allclose(drawn(mean_of(value_N), np.arange(5), counts_WG)["mean"], expected_W)


def test_undefined_draws_do_not_count():
    assert interval(np.array([np.nan, 1.0, 1.0])) == (1.0, 1.0)
    assert np.isnan(interval(np.array([np.nan]))).all()
