"""
The quality gate: a picture that shows nothing gets ``retake`` and a reason a person can act on.

Every measure is dimensionless (colors in CIE Lab apart) and taken on the working copy.  Light and
sharpness have their limits in the model's contract, and sharpness is measured after an area resize
to at most 256 pixels: a size that the working copy of every large frame has, whichever version of
the preprocessing made it.  All that concerns structure is measured at one size for all pictures,
128 pixels, so that a limit found on the 150 pixels of a research set holds for a camera.  Those
limits stand here: they belong to these measures and to no model, and a model made before them needs
no new export.  Where they come from: ``docs/quality.md``, which
``python -m training.evaluate.quality`` measures again.
"""

from __future__ import annotations

import math
from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from device.core.manifest import QualityLimits
from device.core.values import Pixels, QualityReport, Reason
from device.quality.lesion import (
    Outline,
    around_contrast,
    coarse_lab,
    middle_contrast,
    outline,
)

Plane: TypeAlias = NDArray[Any]
"""uint8 ``[H, W]`` or ``[H, W, 3]``, as OpenCV hands it out."""

_SHARPNESS_SIDE_PX = 256
_SATURATED_LEVEL = 250
_SIDE_PX = 128
_SOFT_SIGMA_PX = 1.0
_LINE_KERNEL_PX = 7
_LINE_LEVELS = 20
_GLARE_LEVEL, _GLARE_ABOVE_LEVELS, _GLARE_MEDIAN_PX = 230, 50, 31

SOFTEST = 0.94
"""Above it a picture is blurred."""
SOMEWHAT_SOFT = 0.90
MOST_LINES = 0.60
"""Above it hair lies over too much of the picture."""
MANY_LINES = 0.30
MOST_GLARE = 0.04
"""Above it reflections hide too much."""
MUCH_GLARE = 0.01
LOWEST_MIDDLE_CONTRAST = 1.15
"""CIE Lab; below it nothing lies in the middle."""
LESION_AROUND_CONTRAST = 1.45
"""CIE Lab; an empty middle with more than this around it: the lesion is somewhere else."""
MOST_OUTSIDE = 0.5
"""More of the outline than this on the border: the lesion runs out of the picture."""
SOME_OUTSIDE = 0.1
_COVERED = 0.5
_SMALLEST_CUT_AREA, _LEAST_DIFFERENCE, _LEAST_DISTINCTNESS, _LONGEST_TAIL = 0.33, 9.0, 2.2, 0.65
"""Whether the outline that was found is a lesion's, and not that of a shadow around a small one."""

TOO_DARK = Reason(code="too_dark", text="too dark: take off the lens cap, switch the lamp on")
TOO_BRIGHT = Reason(code="too_bright", text="too bright: lower the lamp or the exposure")
FLAT = Reason(code="flat", text="nothing to see: hold the lens on the lesion")
BLURRED = Reason(
    code="blurred", text="hold still: the picture is blurred; let the lens touch the skin"
)
NO_LESION = Reason(code="no_lesion", text="no lesion to be seen: hold the lens over the lesion")
OFF_CENTER = Reason(
    code="off_center", text="nothing in the middle: move the lens until the lesion is there"
)
CUT_OFF = Reason(
    code="cut_off",
    text="the lesion runs out of the picture: move away, or show one part of it with its border",
)
TOO_MUCH_HAIR = Reason(
    code="too_much_hair", text="too much hair: comb or clip it, or wet it with gel, and try again"
)
GLARE = Reason(code="glare", text="too many reflections: tilt the lens, or use gel without bubbles")

SOMEWHAT_BLURRED = Reason(code="somewhat_blurred", text="the picture is a little soft: hold still")
SOME_HAIR = Reason(code="some_hair", text="there is hair over the lesion: comb it aside")
SOME_GLARE = Reason(code="some_glare", text="there are reflections: tilt the lens a little")
TOUCHES_BORDER = Reason(
    code="touches_border", text="the lesion reaches the border of the picture: center it"
)


def assess(working_HWC: Pixels, limits: QualityLimits) -> QualityReport:
    """
    Measure a picture and list why it should be taken again.

    Args:
        working_HWC: From ``preprocess.working_copy``, uint8 ``[S, S, 3]``.
        limits: From the model contract.

    Returns:
        Measures, reasons and advice, the most basic first.  Without light or focus the rest says
        nothing, so then it is not looked at for reasons.

    Threads: pure.

    Sources: sharpness is the variance of the Laplacian (Pech-Pacheco et al., ICPR 2000), here
    over the variance of the picture, so that a pale lesion does not pass for a blurred one;
    softness blurs once more and looks at what that takes away (Crété et al., SPIE 6492, 2007); hair
    is what a closing and an opening change (Lee et al., "DullRazor", 1997).
    """
    luma_HW = cv2.cvtColor(working_HWC, cv2.COLOR_RGB2GRAY)
    mean, deviation = (float(value[0, 0]) for value in cv2.meanStdDev(luma_HW))
    saturated = cv2.countNonZero(cv2.inRange(luma_HW, _SATURATED_LEVEL, 255))
    brightness, contrast = mean / 255, deviation / 255
    saturated_share = float(saturated / luma_HW.size)
    sharpness = _sharpness(luma_HW)

    square_HWC = _at_most(working_HWC, _SIDE_PX)
    square_HW = cv2.cvtColor(square_HWC, cv2.COLOR_RGB2GRAY)
    softness = _softness(square_HW)
    line_share = _line_share(square_HW)
    glare_share = _glare_share(square_HWC)
    lab_HWC = coarse_lab(square_HWC)
    in_middle, around = middle_contrast(lab_HWC), around_contrast(lab_HWC)
    found = outline(lab_HWC)

    exposure = _that_apply(
        (TOO_DARK, brightness < limits.darkest_brightness),
        (TOO_BRIGHT, saturated_share > limits.brightest_saturated_share),
        (FLAT, contrast < limits.lowest_contrast),
    )
    focus = _that_apply((BLURRED, sharpness < limits.lowest_sharpness or softness > SOFTEST))
    # The middle of a large and even lesion is as calm as skin.
    is_covered = found is not None and found.middle > _COVERED and _is_lesion(found)
    is_empty = bool(in_middle < LOWEST_MIDDLE_CONTRAST and not is_covered)
    subject = _that_apply(
        (GLARE, glare_share > MOST_GLARE),
        (TOO_MUCH_HAIR, line_share > MOST_LINES),
        (NO_LESION, is_empty and around < LESION_AROUND_CONTRAST),
        (OFF_CENTER, is_empty and around >= LESION_AROUND_CONTRAST),
        (CUT_OFF, not is_empty and _is_cut_off(found)),
    )
    advice = _that_apply(
        (SOMEWHAT_BLURRED, SOMEWHAT_SOFT < softness <= SOFTEST),
        (SOME_GLARE, MUCH_GLARE < glare_share <= MOST_GLARE),
        (SOME_HAIR, MANY_LINES < line_share <= MOST_LINES),
        (TOUCHES_BORDER, _touches_border(found)),
    )
    reasons = exposure or focus or subject
    return QualityReport(
        brightness=brightness,
        saturated_share=saturated_share,
        contrast=contrast,
        sharpness=sharpness,
        softness=softness,
        line_share=line_share,
        glare_share=glare_share,
        middle_contrast=in_middle,
        outline_outside=0.0 if found is None else found.outside,
        reasons=reasons,
        # Who takes the picture again needs no more than the reasons.
        advice=() if reasons else advice,
    )


def _that_apply(*rows: tuple[Reason, bool]) -> tuple[Reason, ...]:
    return tuple(reason for reason, applies in rows if applies)


def _is_cut_off(found: Outline | None) -> bool:
    return (
        found is not None
        and found.outside > MOST_OUTSIDE
        and found.area > _SMALLEST_CUT_AREA
        and _is_lesion(found)
    )


def _touches_border(found: Outline | None) -> bool:
    return found is not None and found.outside > SOME_OUTSIDE and _is_lesion(found)


def _is_lesion(found: Outline) -> bool:
    return (
        found.difference > _LEAST_DIFFERENCE
        and found.distinctness > _LEAST_DISTINCTNESS
        and found.tail < _LONGEST_TAIL
    )


def _sharpness(luma_HW: Plane) -> float:
    luma_HW = _at_most(luma_HW, _SHARPNESS_SIDE_PX)
    variance = float(cv2.meanStdDev(luma_HW)[1][0, 0]) ** 2
    edges = float(cv2.meanStdDev(cv2.Laplacian(luma_HW, cv2.CV_16S))[1][0, 0]) ** 2
    # A picture of one colour has no edges either; it is flat, not sharp.
    return edges / variance if variance > 0 else 0.0


def _softness(luma_HW: Plane) -> float:
    """
    Return which share of the edges is left after one more blur, 0 to 1; 0 without any edge.

    By their energy: the plain sum of the slopes of one edge is the same, however soft it is.
    """
    before = _edges(luma_HW)
    if before == 0.0:
        return 0.0
    after = _edges(cv2.GaussianBlur(luma_HW, (0, 0), _SOFT_SIGMA_PX))
    return min(1.0, math.sqrt(after / before))


def _edges(luma_HW: Plane) -> float:
    # Whole numbers, so their squares' sum is exact in whatever order.
    across, down = (
        cv2.norm(cv2.Sobel(luma_HW, cv2.CV_16S, *order), cv2.NORM_L2SQR)
        for order in ((1, 0), (0, 1))
    )
    return (across + down) / luma_HW.size


def _line_share(luma_HW: Plane) -> float:
    """
    Return which share of the picture lies on thin lines, and which on the gaps between them.

    Both are counted, so it may come to 2; a dense net of hair has as much of the one as of the
    other, the network of a pigmented lesion is fainter.
    """
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (_LINE_KERNEL_PX, _LINE_KERNEL_PX))
    thin = sum(
        int(np.count_nonzero(cv2.morphologyEx(luma_HW, operation, kernel) >= _LINE_LEVELS))
        for operation in (cv2.MORPH_BLACKHAT, cv2.MORPH_TOPHAT)
    )
    return thin / luma_HW.size


def _glare_share(square_HWC: Pixels) -> float:
    """Return the share of spots that are white, and much whiter than their surroundings."""
    channels = cv2.split(square_HWC)
    whiteness_HW = cv2.min(cv2.min(channels[0], channels[1]), channels[2])
    top_HW = cv2.max(cv2.max(channels[0], channels[1]), channels[2])
    if cv2.minMaxLoc(top_HW)[1] < _GLARE_LEVEL:
        return 0.0  # The median is the dearest part of the gate.
    usual_HW = cv2.medianBlur(whiteness_HW, _GLARE_MEDIAN_PX)
    # Saturating: where it is darker than usual the difference is zero.
    above_HW = cv2.subtract(whiteness_HW, usual_HW)
    is_glare_HW = (above_HW > _GLARE_ABOVE_LEVELS) & (top_HW >= _GLARE_LEVEL)
    return float(np.count_nonzero(is_glare_HW) / is_glare_HW.size)


def _at_most(image: Plane, side_px: int) -> Pixels:
    if min(image.shape[:2]) > side_px:
        image = cv2.resize(image, (side_px, side_px), interpolation=cv2.INTER_AREA)
    return np.asarray(image, np.uint8)
