"""Every figure equals the textbook's, and its interval covers what it should."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import (
    average_precision_score,
    balanced_accuracy_score,
    brier_score_loss,
    f1_score,
    precision_score,
    roc_auc_score,
    roc_curve,
)

from device.core.manifest import Calibration
from tests.training.evaluate.answers import PLAIN, POINT, some_answers
from training.data.case import UNKNOWN
from training.errors import DataError
from training.evaluate.metrics import (
    by_lesion,
    evaluate_predictions,
    expected_calibration_error,
    predictive_values,
    score,
)
from training.evaluate.ranking import Ranking


def test_figures_equal_those_of_scikit_learn():
    scored = some_answers(calibration=Calibration(method="platt", scale=0.8, offset=-0.2))
    found = evaluate_predictions(scored, POINT, draws=20)
    truth, probability = scored.malignant_N, scored.probability_N
    above = probability >= POINT.benign_below
    expected = {
        "auroc": roc_auc_score(truth, probability),
        "average_precision": average_precision_score(truth, probability),
        "brier": brier_score_loss(truth, probability),
        "brier_uncalibrated": brier_score_loss(truth, scored.uncalibrated_N),
        "sensitivity_at_benign_below": above[truth].mean(),
        "specificity_at_benign_below": (~above)[~truth].mean(),
        "balanced_accuracy_at_benign_below": balanced_accuracy_score(truth, above),
        "melanoma_sensitivity_at_benign_below": above[scored.diagnosis_N == 0].mean(),
        "uncertain_share": ((probability >= 0.3) & (probability < 0.6)).mean(),
        "diagnosis_accuracy": (
            scored.diagnosis_probability_NK.argmax(axis=1) == scored.diagnosis_N
        ).mean(),
        "diagnosis_balanced_accuracy": balanced_accuracy_score(
            scored.diagnosis_N, scored.diagnosis_probability_NK.argmax(axis=1)
        ),
    }
    for name, value in expected.items():
        assert found[name].value == pytest.approx(value, abs=1e-9), name
        assert found[name].low <= found[name].value <= found[name].high, name


def test_decisions_equal_those_of_scikit_learn():
    scored = some_answers()
    found = evaluate_predictions(scored, POINT, complete=True, draws=20)
    truth = scored.malignant_N
    for place, threshold in (("half", 0.5), ("malignant_from", POINT.malignant_from)):
        above = scored.probability_N >= threshold
        expected = {
            "accuracy": (above == truth).mean(),
            "f1": f1_score(truth, above),
            "ppv": precision_score(truth, above),
            "npv": precision_score(~truth, ~above),
        }
        for name, value in expected.items():
            assert found[f"{name}_at_{place}"].value == pytest.approx(value), name
    false, true, _ = roc_curve(truth, scored.probability_N, drop_intermediate=False)
    for percent in (90, 95):
        first = np.argmax(true >= percent / 100)
        name = f"specificity_at_{percent}_sensitivity"
        assert found[name].value == pytest.approx(1 - false[first])
        assert found[f"sensitivity_at_{percent}_sensitivity"].value == pytest.approx(true[first])


def test_figures_of_record_are_among_all_figures_and_the_same():
    scored = some_answers()
    record = evaluate_predictions(scored, POINT, draws=20)
    everything = evaluate_predictions(scored, POINT, complete=True, draws=20)
    assert record == {name: everything[name] for name in record}
    assert len(record) == 40


def test_predictive_values_follow_bayes():
    """Of 1,000 people 50 are ill: 45 are found, and of 950 others 190 are called ill."""
    ppv, npv = predictive_values(np.array([0.9]), np.array([0.8]), np.array([0.05]))
    assert ppv[0] == pytest.approx(45 / (45 + 190))
    assert npv[0] == pytest.approx(760 / (760 + 5))


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans(), st.integers(0, 3)), min_size=4))
@settings(deadline=None)
def test_weights_count_like_repeated_pictures_also_where_scores_tie(rows):
    """A bootstrap draw's figure is that of the pictures it took, each as often as it did."""
    value_N = np.array([value for value, _, _ in rows], dtype=float)
    malignant_N = np.array([malignant for _, malignant, _ in rows])
    weight_N = np.array([weight for _, _, weight in rows])
    truth, value = np.repeat(malignant_N, weight_N), np.repeat(value_N, weight_N)
    ranking = Ranking(value_N, malignant_N)
    auroc = ranking.auroc(weight_N[None].astype(float))[0]
    precision = ranking.average_precision(weight_N[None].astype(float))[0]
    if truth.any() and not truth.all():
        assert auroc == pytest.approx(roc_auc_score(truth, value))
    else:
        assert np.isnan(auroc)
    if truth.any():
        assert precision == pytest.approx(average_precision_score(truth, value))


def test_specificity_at_high_sensitivity_by_hand():
    """20 malignant above 0.5 but one at the bottom: 95 % are reached above all 4 benign but one."""
    value_N = np.array([0.0] + [0.9] * 18 + [0.4] + [0.1, 0.2, 0.3, 0.5])
    malignant_N = np.array([True] * 20 + [False] * 4)
    reached, left = Ranking(value_N, malignant_N).at_sensitivity(
        np.ones((1, 24)), ~malignant_N, 0.95
    )
    assert (reached[0], left[0]) == (0.95, 0.75)


def test_calibration_error_by_hand():
    """Two bins: 0.1 promised and nothing came, 0.9 promised and half came: (0.1 + 0.4) / 2."""
    error = expected_calibration_error(
        np.array([0.1, 0.1, 0.9, 0.9]),
        np.array([False, False, True, False]),
        np.ones((1, 4)),
    )
    assert error[0] == pytest.approx(0.25)


def test_the_interval_of_the_calibration_error_contains_it():
    """Drawn errors are larger on average; an interval that ignored it would miss the figure."""
    rng = np.random.default_rng(3)
    logit_N = rng.normal(size=2000)
    scored = score(
        malignancy_logit_N=logit_N,
        diagnosis_logits_NK=np.zeros((2000, 7)),
        malignant_N=rng.random(2000) < 1 / (1 + np.exp(-logit_N)),
        diagnosis_N=np.full(2000, UNKNOWN),
        group_N=np.arange(2000),
        calibration=PLAIN,
    )
    ece = evaluate_predictions(scored, POINT, draws=300)["ece"]
    assert 0 <= ece.low <= ece.value <= ece.high < 0.06


def test_lesions_are_means_over_their_pictures():
    scored = score(
        malignancy_logit_N=np.array([0.0, np.log(3), -np.log(3)]),
        diagnosis_logits_NK=np.zeros((3, 7)),
        malignant_N=np.array([True, True, False]),
        diagnosis_N=np.array([UNKNOWN, 0, 1]),
        group_N=np.array(["b", "b", "a"]),
        calibration=PLAIN,
    )
    lesions = by_lesion(scored)
    assert lesions.probability_N == pytest.approx([0.25, 0.625])
    assert lesions.malignant_N.tolist() == [False, True]
    assert lesions.diagnosis_N.tolist() == [1, 0]
    assert lesions.diagnosis_probability_NK.sum(axis=1) == pytest.approx([1, 1])


def test_intervals_are_wider_where_pictures_share_lesions():
    """The same answers in fewer independent lesions are less certain."""
    rng = np.random.default_rng(0)
    malignant_G = rng.random(60) < 0.4
    logit_G = rng.normal(size=60) + malignant_G

    def width(repeats, group_N):
        scored = score(
            malignancy_logit_N=np.repeat(logit_G, repeats),
            diagnosis_logits_NK=np.zeros((60 * repeats, 7)),
            malignant_N=np.repeat(malignant_G, repeats),
            diagnosis_N=np.full(60 * repeats, UNKNOWN),
            group_N=group_N,
            calibration=PLAIN,
        )
        metric = evaluate_predictions(scored, POINT, draws=400)["auroc"]
        return metric.high - metric.low

    together = width(5, np.repeat(np.arange(60), 5))
    apart = width(5, np.arange(300))
    assert together > 1.5 * apart
    assert together == pytest.approx(width(1, np.arange(60)), abs=1e-9)


def test_the_same_seed_gives_the_same_interval():
    scored = some_answers()
    assert evaluate_predictions(scored, POINT, draws=50) == evaluate_predictions(
        scored, POINT, draws=50
    )


def test_figures_that_are_not_defined_are_left_out():
    scored = score(
        malignancy_logit_N=np.array([0.1, 0.3, -0.2, 0.5]),
        diagnosis_logits_NK=np.zeros((4, 7)),
        malignant_N=np.array([0, 1, 0, 1]),
        diagnosis_N=np.full(4, UNKNOWN),
        group_N=np.arange(4),
        calibration=PLAIN,
    )
    found = evaluate_predictions(scored, POINT, draws=50)
    assert "auroc" in found
    assert not {name for name in found if "melanoma" in name or "diagnosis" in name}


def test_a_part_with_one_label_is_refused():
    scored = some_answers()
    with pytest.raises(DataError, match="all with one label"):
        evaluate_predictions(
            score(
                malignancy_logit_N=np.zeros(5),
                diagnosis_logits_NK=np.zeros((5, 7)),
                malignant_N=np.zeros(5),
                diagnosis_N=scored.diagnosis_N[:5],
                group_N=np.arange(5),
                calibration=PLAIN,
            ),
            POINT,
        )
