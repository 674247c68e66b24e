"""Made-up answers of a model that knows something."""

from __future__ import annotations

import numpy as np

from device.core.manifest import DIAGNOSES, MALIGNANT_DIAGNOSES, Calibration, OperatingPoint
from training.evaluate.metrics import Scored, score

PLAIN = Calibration(method="none", scale=1.0, offset=0.0)
POINT = OperatingPoint(benign_below=0.3, malignant_from=0.6)
_MALIGNANT = [DIAGNOSES.index(code) for code in MALIGNANT_DIAGNOSES]


def some_answers(
    count: int = 400,
    *,
    seed: int = 0,
    groups: int = 150,
    calibration: Calibration = PLAIN,
    knows: float = 1.5,
    diagnosis_N: np.ndarray | None = None,
) -> Scored:
    """Random truth, and logits that lie *knows* higher where it is malignant."""
    rng = np.random.default_rng(seed)
    drawn_N = rng.integers(0, len(DIAGNOSES), count)
    diagnosis_N = drawn_N if diagnosis_N is None else diagnosis_N
    malignant_N = np.isin(diagnosis_N, _MALIGNANT)
    logits_NK = rng.normal(size=(count, len(DIAGNOSES)))
    logits_NK[np.arange(count), diagnosis_N] += 1.0
    return score(
        malignancy_logit_N=rng.normal(size=count) + knows * malignant_N - 0.7,
        diagnosis_logits_NK=logits_NK,
        malignant_N=malignant_N,
        diagnosis_N=diagnosis_N,
        group_N=rng.integers(0, groups, count),
        calibration=calibration,
    )
