"""Four words, and suspicion never falls as the probability rises."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.core.manifest import Calibration
from device.core.values import Reason, Result
from device.decision import decide, probability_malignant
from device.decision.policy import softmax
from tests.builders import a_manifest, a_prediction, a_quality, an_out_of_distribution

pytestmark = pytest.mark.portable

GOOD = a_quality()
BLURRED = a_quality(reasons=(Reason(code="blurred", text="blurred: hold still"),))
SUSPICION = {Result.BENIGN: 0, Result.UNCERTAIN: 1, Result.MALIGNANT: 2}


def logit(probability):
    return math.log(probability / (1 - probability))


@pytest.mark.parametrize(
    ("probability", "word"),
    [
        (0.29, Result.BENIGN),
        (0.31, Result.UNCERTAIN),
        (0.69, Result.UNCERTAIN),
        (0.71, Result.MALIGNANT),
    ],
)
def test_the_thresholds_make_the_word(probability, word):
    decision = decide(a_prediction(logit(probability)), GOOD, a_manifest())
    assert decision.result is word
    assert decision.probability_malignant == pytest.approx(probability)
    assert len(decision.reasons) == 1


def test_each_threshold_belongs_to_the_more_suspicious_word():
    manifest = a_manifest(operating_point={"benign_below": 0.5, "malignant_from": 0.5})
    assert decide(a_prediction(0.0), GOOD, manifest).result is Result.MALIGNANT


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6))
def test_raising_the_logit_never_lowers_the_suspicion(a, b):
    low, high = sorted((a, b))
    words = [decide(a_prediction(x), GOOD, a_manifest()).result for x in (low, high)]
    assert SUSPICION[words[0]] <= SUSPICION[words[1]]


@given(st.floats(-1e4, 1e4))
def test_a_refused_picture_is_taken_again_and_still_has_a_number(malignancy_logit):
    decision = decide(a_prediction(malignancy_logit), BLURRED, a_manifest())
    assert decision.result is Result.RETAKE
    assert decision.reasons == BLURRED.reasons
    assert 0 <= decision.probability_malignant <= 1


@given(st.floats(-1e4, 1e4))
def test_a_picture_unlike_all_training_pictures_is_taken_again(malignancy_logit):
    """Its direction is the opposite of theirs; the number stays, the reason says what to do."""
    manifest = a_manifest(out_of_distribution=an_out_of_distribution((1, 0, 0, 0), limit=0.5))
    away_D, near_D = np.array([-2, 0, 0, 0], np.float32), np.array([5, 0, 0, 0], np.float32)
    refused = decide(a_prediction(malignancy_logit, embedding_D=away_D), GOOD, manifest)
    assert refused.result is Result.RETAKE
    assert [reason.code for reason in refused.reasons] == ["not_a_lesion"]
    assert "put the lens on the skin" in refused.reasons[0].text
    assert refused.novelty == pytest.approx(2.0)
    assert 0 <= refused.probability_malignant <= 1
    answered = decide(a_prediction(malignancy_logit, embedding_D=near_D), GOOD, manifest)
    assert answered.result is not Result.RETAKE
    assert answered.novelty == 0


def test_what_the_gate_found_is_said_first():
    """A blurred picture is unlike a lesion too; that it is blurred helps more."""
    manifest = a_manifest(out_of_distribution=an_out_of_distribution((1, 0, 0, 0), limit=0.1))
    decision = decide(a_prediction(0.0), BLURRED, manifest)
    assert decision.novelty > 1
    assert decision.reasons == BLURRED.reasons


def test_calibration_scales_and_shifts_the_logit():
    calibration = Calibration(method="platt", scale=2.0, offset=-1.0)
    assert probability_malignant(0.5, calibration) == pytest.approx(0.5)
    assert probability_malignant(1.0, calibration) == pytest.approx(1 / (1 + math.exp(-1)))


@given(st.lists(st.floats(-1e3, 1e3, width=32), min_size=7, max_size=7))
def test_the_diagnoses_sum_to_one(logits):
    assert softmax(np.array(logits, dtype=np.float32)).sum() == pytest.approx(1)


def test_the_diagnoses_carry_the_codes_of_the_contract():
    decision = decide(a_prediction(), GOOD, a_manifest())
    assert tuple(decision.diagnoses) == a_manifest().diagnoses
