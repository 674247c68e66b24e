"""
The quality gate: a picture that shows nothing gets ``retake`` and a reason a person can act on.

Every measure is dimensionless and independent of the camera's resolution: it is taken on the
working copy, sharpness after an area resize to at most 512 pixels.
"""

from __future__ import annotations

import cv2
import numpy as np

from device.core.manifest import QualityLimits
from device.core.values import Pixels, QualityReport, Reason

_SHARPNESS_SIDE_PX = 512
_SATURATED_LEVEL = 250

TOO_DARK = Reason(code="too_dark", text="too dark: take off the lens cap, switch the lamp on")
TOO_BRIGHT = Reason(code="too_bright", text="too bright: lower the lamp or the exposure")
FLAT = Reason(code="flat", text="nothing to see: hold the lens on the lesion")
BLURRED = Reason(code="blurred", text="blurred: hold still, and let the lens touch the skin")


def assess(working_HWC: Pixels, limits: QualityLimits) -> QualityReport:
    """
    Measure a picture and list why it should be taken again.

    Args:
        working_HWC: From ``preprocess.working_copy``, uint8 ``[S, S, 3]``.
        limits: From the model contract.

    Returns:
        Measures and reasons, the most basic reason first.

    Threads: pure.

    Source: sharpness is the variance of the Laplacian (Pech-Pacheco et al., ICPR 2000), here
    over the variance of the picture, so that a pale lesion does not pass for a blurred one.
    """
    luma_HW = cv2.cvtColor(working_HWC, cv2.COLOR_RGB2GRAY)
    mean, deviation = (float(value[0, 0]) for value in cv2.meanStdDev(luma_HW))
    saturated = np.count_nonzero(luma_HW >= _SATURATED_LEVEL)
    brightness, contrast = mean / 255, deviation / 255
    saturated_share = saturated / luma_HW.size
    sharpness = _sharpness(luma_HW)
    reasons = [
        reason
        for reason, applies in (
            (TOO_DARK, brightness < limits.darkest_brightness),
            (TOO_BRIGHT, saturated_share > limits.brightest_saturated_share),
            (FLAT, contrast < limits.lowest_contrast),
            (BLURRED, sharpness < limits.lowest_sharpness),
        )
        if applies
    ]
    return QualityReport(
        brightness=brightness,
        saturated_share=saturated_share,
        contrast=contrast,
        sharpness=sharpness,
        reasons=tuple(reasons),
    )


def _sharpness(luma_HW: np.ndarray) -> float:
    if min(luma_HW.shape) > _SHARPNESS_SIDE_PX:
        size = (_SHARPNESS_SIDE_PX, _SHARPNESS_SIDE_PX)
        luma_HW = cv2.resize(luma_HW, size, interpolation=cv2.INTER_AREA)
    variance = float(cv2.meanStdDev(luma_HW)[1][0, 0]) ** 2
    edges = float(cv2.meanStdDev(cv2.Laplacian(luma_HW, cv2.CV_32F))[1][0, 0]) ** 2
    # A picture of one colour has no edges either; it is flat, not sharp.
    return edges / variance if variance > 0 else 0.0
