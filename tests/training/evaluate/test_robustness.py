"""Shares are counted among the right pictures, and every row meets the same draws."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from device.core.values import Result
from training.evaluate.probes import CLEAN, LESION_HIDDEN, SHARPER, Answers
from training.evaluate.robustness import robustness

RESULTS = list(Result)


def answers(seed, malignant_N):
    rng = np.random.default_rng(seed)
    return Answers(
        probability_N=np.clip(0.3 * malignant_N + 0.7 * rng.random(len(malignant_N)), 0, 1),
        result_N=rng.integers(0, len(RESULTS), len(malignant_N)),
    )


def test_figures_by_hand():
    malignant_N = np.arange(60) % 3 == 0
    clean, hair = answers(0, malignant_N), answers(1, malignant_N)
    found = robustness(
        {(CLEAN, 0): clean, ("hair", 1): hair, ("hair", 2): hair},
        {CLEAN: clean, LESION_HIDDEN: hair},
        malignant_N,
        np.arange(60),
        draws=60,
    )
    assert found.disturbed["hair", 1] == found.disturbed["hair", 2]
    figures = found.disturbed["hair", 1]
    said = hair.result_N
    expected = {
        "auroc": roc_auc_score(malignant_N, hair.probability_N),
        "uncertain_share": (said == RESULTS.index(Result.UNCERTAIN)).mean(),
        "retake_share": (said == RESULTS.index(Result.RETAKE)).mean(),
        "called_benign_share": (said == RESULTS.index(Result.BENIGN))[malignant_N].mean(),
    }
    assert {name: metric.value for name, metric in figures.items()} == pytest.approx(expected)
    assert found.masked[LESION_HIDDEN] == figures["auroc"]
    assert found.sharper is None


def test_sharper_copies_are_judged_with_the_labels_of_their_own_pictures():
    malignant_N = np.arange(60) % 3 == 0
    clean, places_M = answers(0, malignant_N), np.arange(1, 60, 2)
    copies = answers(2, malignant_N[places_M])
    found = robustness(
        {(CLEAN, 0): clean},
        {},
        malignant_N,
        np.arange(60) // 2,
        sharper=(places_M, {SHARPER: copies}),
        draws=60,
    )
    assert found.sharper_pictures == 30
    expected = roc_auc_score(malignant_N[places_M], copies.probability_N)
    assert found.sharper[SHARPER]["auroc"].value == pytest.approx(expected)
