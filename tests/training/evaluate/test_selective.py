"""Risk falls where only sure answers are given, and the shipped point is counted as it answers."""

import numpy as np
import pytest

from device.core.manifest import OperatingPoint
from tests.training.evaluate.answers import PLAIN, POINT, some_answers
from training.data.case import UNKNOWN
from training.evaluate.metrics import score
from training.evaluate.selective import risk_curve, selective_risk


def by_hand():
    """Ten pictures, surest first; the third and the last are answered wrongly."""
    probability = np.array([0.99, 0.02, 0.97, 0.05, 0.9, 0.2, 0.75, 0.3, 0.6, 0.45])
    malignant = probability >= 0.5
    malignant[[2, 9]] = ~malignant[[2, 9]]
    return score(
        malignancy_logit_N=np.log(probability / (1 - probability)),
        diagnosis_logits_NK=np.zeros((10, 7)),
        malignant_N=malignant,
        diagnosis_N=np.full(10, UNKNOWN),
        group_N=np.arange(10),
        calibration=PLAIN,
    )


def test_risk_by_hand():
    found = selective_risk(by_hand(), POINT, draws=20)
    assert {c: m.value for c, m in found.by_coverage.items()} == pytest.approx(
        {1.0: 0.2, 0.9: 1 / 9, 0.8: 1 / 8, 0.7: 1 / 7, 0.6: 1 / 6, 0.5: 0.2, 0.4: 0.25, 0.3: 1 / 3}
    )
    coverage, risk = risk_curve(by_hand())
    assert coverage == pytest.approx(np.arange(1, 11) / 10)
    assert risk[[1, 2, 9]] == pytest.approx([0, 1 / 3, 0.2])


def test_the_shipped_point_by_hand():
    """Benign below 0.3: three, none wrong; malignant from 0.6: five, one wrong; two uncertain."""
    found = selective_risk(by_hand(), POINT, draws=20)
    assert found.shipped_coverage == pytest.approx(0.8)
    assert found.shipped_risk.value == pytest.approx(1 / 8)
    assert found.shipped_missed.value == 0


def test_a_point_that_answers_nothing_has_no_risk():
    nothing = OperatingPoint(benign_below=0.0, malignant_from=1.0)
    found = selective_risk(by_hand(), nothing, draws=20)
    assert (found.shipped_coverage, found.shipped_risk, found.shipped_missed) == (0, None, None)


def test_intervals_cover_the_figure_and_repeat():
    scored = some_answers()
    found = selective_risk(scored, POINT, draws=100)
    assert found == selective_risk(scored, POINT, draws=100)
    for metric in found.by_coverage.values():
        assert metric.low <= metric.value <= metric.high
