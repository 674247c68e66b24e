"""Weigh a prediction and a quality report by the contract's calibration and thresholds."""

from __future__ import annotations

import math

import numpy as np

from device.core.manifest import Calibration, ModelManifest, OperatingPoint
from device.core.values import Decision, Prediction, QualityReport, Reason, Result
from device.decision.novelty import novelty

BELOW = Reason(
    code="below_benign_threshold", text="the malignancy score is below the benign threshold"
)
ABOVE = Reason(
    code="above_malignant_threshold", text="the malignancy score reaches the malignant threshold"
)
BETWEEN = Reason(
    code="between_thresholds", text="the malignancy score lies between the two thresholds"
)
NOT_A_LESION = Reason(
    code="not_a_lesion",
    text="this does not look like a dermoscopic picture of a lesion: put the lens on the skin "
    "with the lesion in its middle",
)
_WORD = {
    Result.BENIGN: BELOW,
    Result.MALIGNANT: ABOVE,
    Result.UNCERTAIN: BETWEEN,
}
_LARGEST_EXPONENT = 700.0
"""Beyond it exp overflows; the probability is 0 or 1 to the last digit long before."""


def decide(prediction: Prediction, quality: QualityReport, manifest: ModelManifest) -> Decision:
    """
    Answer with one of the product's four words.

    A picture that the gate refused gets ``retake`` whatever the network said, and so does one
    that is unlike all training pictures; raising the probability never lowers the suspicion.

    Args:
        prediction: Of the network.
        quality: Of the same picture.
        manifest: Calibration, thresholds, diagnoses, what training pictures are like.

    Returns:
        The decision; ``probability_malignant`` is a number for every result.

    Threads: pure.
    """
    probability = probability_malignant(prediction.malignancy_logit, manifest.calibration)
    distance = novelty(prediction.embedding_D, manifest.out_of_distribution)
    # What the gate found is the more basic reason: a dark frame is unlike a lesion too.
    reasons = quality.reasons or ((NOT_A_LESION,) if distance > 1.0 else ())
    result = Result.RETAKE if reasons else _word(probability, manifest.operating_point)
    reasons = reasons or (_WORD[result],)
    shares_K = softmax(prediction.diagnosis_logits_K)
    return Decision(
        result=result,
        probability_malignant=probability,
        diagnoses=dict(zip(manifest.diagnoses, map(float, shares_K), strict=True)),
        reasons=reasons,
        novelty=distance,
    )


def probability_malignant(malignancy_logit: float, calibration: Calibration) -> float:
    """Calibrated probability, 0 to 1: a sigmoid after the contract's scale and offset."""
    score = calibration.scale * malignancy_logit + calibration.offset
    return 1.0 / (1.0 + math.exp(-max(-_LARGEST_EXPONENT, min(_LARGEST_EXPONENT, score))))


def softmax(logits_K: np.ndarray) -> np.ndarray:
    """Probabilities of the diagnoses, float64 ``[K]``, summing to one."""
    exponents_K = np.exp(logits_K.astype(np.float64) - float(logits_K.max()))
    return np.asarray(exponents_K / exponents_K.sum())


def _word(probability: float, point: OperatingPoint) -> Result:
    if probability >= point.malignant_from:
        return Result.MALIGNANT
    if probability < point.benign_below:
        return Result.BENIGN
    return Result.UNCERTAIN
