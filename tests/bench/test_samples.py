"""Few figures that outliers cannot move, and differences that chance does not make."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.samples import (
    SIGNIFICANT,
    blocks,
    chance_of_difference,
    corrected,
    ratio_interval,
    summarize,
)


def test_quantiles_are_the_nearest_rank_above():
    summary = summarize([float(value) for value in range(1, 101)])
    assert (summary.p50, summary.p90, summary.p95, summary.p99) == (50, 90, 95, 99)
    assert summary.count == 100


def test_the_interval_of_the_median_is_that_of_the_binomial():
    """For 100 samples the ranks 40 and 61 hold the median with a confidence of 96 %."""
    summary = summarize([float(value) for value in range(1, 101)])
    assert (summary.low, summary.high) == (41, 61)


@given(st.lists(st.floats(0.01, 1e3), min_size=1, max_size=50))
def test_the_figures_are_in_their_order_and_among_the_samples(samples):
    summary = summarize(samples)
    assert summary.low <= summary.p50 <= summary.high
    assert summary.p50 <= summary.p90 <= summary.p95 <= summary.p99
    assert {summary.p50, summary.p99, summary.low, summary.high} <= set(samples)


def test_one_outlier_moves_nothing_but_is_counted():
    samples = [1.0, 1.01, 0.99] * 33
    with_outlier = summarize([*samples, 1000.0])
    assert with_outlier.p50 == summarize(samples).p50
    assert with_outlier.p90 == summarize(samples).p90
    assert with_outlier.far_out == 1


def test_blocks_are_medians_of_neighbours():
    found = blocks([1.0, 1.0, 50.0] * 16)
    assert found.tolist() == [1.0] * 16
    assert blocks([3.0, 5.0]).tolist() == [3.0, 5.0]


def test_what_is_twice_as_slow_is_seen_with_its_interval():
    rng = np.random.default_rng(1)
    before = 1 + 0.05 * rng.random(16)
    ratio, low, high = ratio_interval(before, 2 * before)
    assert ratio == pytest.approx(2, rel=0.05)
    assert 1.9 < low <= ratio <= high < 2.1
    assert chance_of_difference(before, 2 * before) < 1e-4


def test_equal_sets_do_not_differ():
    same = np.full(16, 3.0)
    assert chance_of_difference(same, same) == 1.0


def test_a_difference_is_found_by_luck_as_seldom_as_said():
    """The whole point of the test: among sets from one source, few are told apart."""
    rng = np.random.default_rng(2)
    chances = [chance_of_difference(rng.random(16), rng.random(16)) for _ in range(2000)]
    assert np.mean(np.array(chances) < 0.05) == pytest.approx(0.05, abs=0.015)


def test_the_test_is_the_published_one():
    from scipy.stats import mannwhitneyu

    rng = np.random.default_rng(3)
    left, right = rng.integers(0, 9, 16).astype(float), rng.integers(2, 11, 16).astype(float)
    expected = mannwhitneyu(left, right, method="asymptotic").pvalue
    assert chance_of_difference(left, right) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(("n", "m"), [(7, 7), (9, 9), (3, 12), (1, 1)])
def test_few_samples_are_counted_out(n, m):
    from scipy.stats import mannwhitneyu

    rng = np.random.default_rng(n)
    for shift in (0.0, 0.3, 2.0):
        left, right = rng.random(n), rng.random(m) + shift
        expected = mannwhitneyu(left, right, method="exact").pvalue
        assert chance_of_difference(left, right) == pytest.approx(expected, rel=1e-9)


def test_many_comparisons_ask_for_more_of_each():
    from scipy.stats import false_discovery_control

    chances = {"a": 0.001, "b": 0.2, "c": 0.03, "d": 0.04}
    expected = false_discovery_control(list(chances.values()))
    found = corrected(chances)
    assert [found[name] for name in chances] == pytest.approx(expected)
    assert found["a"] < SIGNIFICANT < found["b"]
