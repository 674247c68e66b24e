"""Calibration recovers what was bent, and the thresholds keep what they promise."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit

from device.core.manifest import Calibration
from training.errors import DataError
from training.evaluate.calibration import calibrate, choose_operating_point, fit_calibration


def bent_logits(scale, offset, count=4000, seed=0):
    """Logits whose true log-odds are ``scale * logit + offset``, with labels drawn from them."""
    rng = np.random.default_rng(seed)
    logit_N = rng.normal(0.0, 2.0, count)
    return logit_N, rng.random(count) < expit(scale * logit_N + offset)


def test_a_pure_temperature_is_recovered():
    calibration = fit_calibration(*bent_logits(0.5, 0.0, seed=1))
    assert calibration.scale == pytest.approx(0.5, rel=0.1)
    assert calibration.offset == pytest.approx(0.0, abs=0.1)


def test_a_shifted_network_gets_a_platt_line():
    calibration = fit_calibration(*bent_logits(1.5, -1.0))
    assert calibration.method == "platt"
    assert calibration.scale == pytest.approx(1.5, rel=0.1)
    assert calibration.offset == pytest.approx(-1.0, abs=0.15)


def test_the_method_with_the_lower_loss_on_unseen_pictures_is_taken():
    """Without a shift, the line's second number only costs: some draw must prefer one number."""
    methods = {fit_calibration(*bent_logits(1.0, 0.0, 200, seed)).method for seed in range(8)}
    assert "temperature" in methods


def test_separable_classes_have_a_finite_fit():
    logit_N = np.concatenate([np.linspace(-3, -1, 20), np.linspace(1, 3, 20)])
    calibration = fit_calibration(logit_N, logit_N > 0)
    assert math.isfinite(calibration.scale)
    assert calibrate(calibration, np.array([2.0]))[0] < 1.0


def test_calibration_is_the_contract_s_formula():
    calibration = Calibration(method="platt", scale=2.0, offset=-1.0)
    assert calibrate(calibration, np.array([0.5, 1.0])) == pytest.approx([0.5, expit(1.0)])


def test_thresholds_against_values_worked_by_hand():
    """20 malignant lesions: none may be missed; 10 benign pictures: one may be called malignant."""
    malignant = np.arange(1, 21) * 0.02
    benign = np.arange(10) * 0.04
    point = choose_operating_point(
        np.concatenate([malignant, benign]), np.array([True] * 20 + [False] * 10), np.arange(30)
    )
    assert point.benign_below == pytest.approx(0.02 - 1e-4)
    assert point.malignant_from == np.nextafter(0.32, 1.0)


def test_two_pictures_of_one_lesion_are_one_lesion():
    """39 lesions, of which one may be missed; 20 of them with a second picture that is higher."""
    first = np.arange(1, 40) * 0.02
    probability_N = np.concatenate([first, first[:20] + 0.1, [0.0]])
    point = choose_operating_point(
        probability_N,
        np.array([True] * 59 + [False]),
        np.concatenate([np.arange(39), np.arange(20), [99]]),
    )
    assert point.benign_below == pytest.approx(0.04 - 1e-4)


def test_a_perfect_ranking_leaves_nothing_uncertain_between_bad_thresholds():
    point = choose_operating_point(
        np.array([0.1, 0.2, 0.8, 0.9]), np.array([0, 0, 1, 1]), np.arange(4)
    )
    assert point.benign_below == point.malignant_from == pytest.approx(0.8 - 1e-4)


@given(
    st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=2, max_size=80).filter(
        lambda rows: len({malignant for _, malignant in rows}) == 2
    )
)
@settings(deadline=None)
def test_the_thresholds_keep_their_promise_and_no_better_ones_exist(rows):
    probability_N = np.array([p for p, _ in rows])
    malignant_N = np.array([m for _, m in rows])
    point = choose_operating_point(probability_N, malignant_N, np.arange(len(rows)))
    positive, negative = probability_N[malignant_N], probability_N[~malignant_N]
    may_be_missed = max(0, int(0.05 * (len(positive) + 1) + 1e-9) - 1)
    assert np.sum(positive < point.benign_below) <= may_be_missed
    assert np.sum(positive < point.benign_below + 2e-4) > may_be_missed
    if point.malignant_from < 1.0:
        assert np.mean(negative < point.malignant_from) >= 0.90 - 1e-9
    if point.malignant_from > point.benign_below:
        assert np.mean(negative < np.nextafter(point.malignant_from, -1)) < 0.90 - 1e-9


def test_a_part_with_one_label_is_refused():
    value_N, nothing_N = np.linspace(0, 1, 10), np.zeros(10)
    with pytest.raises(DataError, match="malignant: expected at least"):
        fit_calibration(value_N, nothing_N)
    with pytest.raises(DataError, match="malignant: expected at least"):
        choose_operating_point(value_N, nothing_N, np.arange(10))
