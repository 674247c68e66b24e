"""What a model file says about a part, asked through the device's own classifier."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from device.classifier import OnnxClassifier
from training.data.dataset import PreparedPart


def predict_with_file(
    classifier: OnnxClassifier, part: PreparedPart
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """
    Show the untouched pictures of *part* to the device's classifier, one by one, in order.

    Returns:
        Malignancy logits ``[N]`` and diagnosis logits ``[N, K]``.
    """
    answers = [classifier.classify(pixels_HWC) for pixels_HWC in part.pixels_VNSSC[0]]
    return (
        np.array([answer.malignancy_logit for answer in answers]),
        np.array([answer.diagnosis_logits_K for answer in answers], dtype=np.float64),
    )
