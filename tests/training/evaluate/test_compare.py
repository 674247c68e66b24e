"""A difference is that of the figures, and pairing takes out what both sides share."""

import numpy as np
import pytest

from tests.training.evaluate.answers import POINT, some_answers
from training.errors import DataError
from training.evaluate.compare import compare
from training.evaluate.metrics import evaluate_predictions, figures


def side(*seeds, knows=1.5):
    """Models that differ in what they say about the same pictures."""
    truth = some_answers(groups=400)
    scored = []
    for seed in seeds:
        said = some_answers(groups=400, seed=seed, knows=knows, diagnosis_N=truth.diagnosis_N)
        assert (said.malignant_N == truth.malignant_N).all()
        scored.append(said)
    return scored


def test_a_model_against_itself_is_no_difference():
    (scored,) = side(0)
    found = compare([figures(scored, POINT)], [figures(scored, POINT)], scored.group_N, draws=100)
    assert {(d.value, d.low, d.high) for d in found.values()} == {(0.0, 0.0, 0.0)}


def test_a_better_model_is_better_and_the_interval_says_how_surely():
    (better,), (worse,) = side(1, knows=3.0), side(2, knows=0.5)
    found = compare([figures(better, POINT)], [figures(worse, POINT)], better.group_N, draws=300)
    auroc = found["auroc"]
    assert auroc.first == evaluate_predictions(better, POINT, draws=2)["auroc"].value
    assert auroc.value == pytest.approx(auroc.first - auroc.second)
    assert 0.1 < auroc.low < auroc.value < auroc.high < 0.5
    assert (auroc.spread_first, auroc.spread_second) == (None, None)


def test_pairing_takes_out_what_both_sides_share():
    """Two models that say nearly the same differ by less than either is uncertain."""
    (scored,) = side(0)
    near = np.random.default_rng(5).normal(scale=0.05, size=len(scored.group_N))
    other = side(0)[0]
    object.__setattr__(other, "probability_N", np.clip(scored.probability_N + near, 0, 1))
    found = compare([figures(scored, POINT)], [figures(other, POINT)], scored.group_N, draws=300)
    single = evaluate_predictions(scored, POINT, draws=300)["auroc"]
    assert found["auroc"].high - found["auroc"].low < 0.5 * (single.high - single.low)


def test_several_seeds_count_as_their_mean_and_show_their_spread():
    first, (single,) = side(1, 2, 3), side(4)
    found = compare(
        [figures(scored, POINT) for scored in first],
        [figures(single, POINT)],
        single.group_N,
        draws=50,
    )["auroc"]
    values = [evaluate_predictions(scored, POINT, draws=2)["auroc"].value for scored in first]
    assert found.first == pytest.approx(np.mean(values))
    assert found.spread_first == pytest.approx(np.std(values, ddof=1))


def test_an_empty_side_is_refused():
    with pytest.raises(DataError, match="at least one model"):
        compare([], [], np.zeros(1, dtype=np.int64))
