"""
Lesion and surrounding skin told apart, to hide either and to measure the skin's tone.

A plain threshold, no network: what is hidden must not depend on what is judged.

Legend: ``H`` height, ``W`` width, ``C`` color channel.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from device.core.values import Pixels

TONES = (
    (55.0, "very light"),
    (41.0, "light"),
    (28.0, "intermediate"),
    (10.0, "tan"),
    (-30.0, "brown"),
    (-90.0, "dark"),
)
"""Individual typology angle in degrees, above which skin is called so."""
NO_TONE = "bluish light"
"""Stands for a tone where the light, not the skin, decides on the colour."""
CENTRAL_SIDE_SHARE = 0.7
"""Diameter of the disc that hides the middle of any picture, of its side."""
_MARGIN_SHARE = 0.06
"""The lesion's rim, of the side: what fades out is hidden with it."""
_SMALLEST_SHARE, _LARGEST_SHARE = 0.01, 0.85
_BLUR_SHARE = 0.02
_DARKEST_SKIN = 40
"""Levels; below it no skin was lit: a vignette, or the frame."""
_FEWEST_PIXELS = 50


def lesion_mask(image_HWC: Pixels) -> NDArray[np.bool_]:
    """
    Mark the lesion and its rim, ``[H, W]``.

    What is darker than Otsu's threshold in the blurred blue channel, in which melanin and blood
    are both dark; of the connected pieces, the one that has most weight near the middle, its
    holes filled, widened by its rim.  If that is nearly nothing or nearly all, the central disc:
    lesions are centered.

    Source: Otsu, "A threshold selection method from gray-level histograms" (1979).
    """
    side_px = min(image_HWC.shape[:2])
    blue_HW = cv2.GaussianBlur(
        np.ascontiguousarray(image_HWC[:, :, 2]), (0, 0), max(1.0, _BLUR_SHARE * side_px)
    )
    _, dark_HW = cv2.threshold(blue_HW, 0, 1, cv2.THRESH_BINARY_INV | cv2.THRESH_OTSU)
    count, piece_HW = cv2.connectedComponents(dark_HW)
    if count == 1:
        return central_disc(image_HWC)
    weight_P = np.bincount(piece_HW.ravel(), weights=_nearness(image_HWC).ravel())
    weight_P[0] = -1.0
    chosen_HW = (piece_HW == weight_P.argmax()).astype(np.uint8)
    outlines, _ = cv2.findContours(chosen_HW, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(chosen_HW, outlines, -1, color=1, thickness=cv2.FILLED)
    if not _SMALLEST_SHARE <= chosen_HW.mean() <= _LARGEST_SHARE:
        return central_disc(image_HWC)
    reach_px = 2 * round(_MARGIN_SHARE * side_px) + 1
    brush_HW = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach_px, reach_px))
    mask_HW: NDArray[np.bool_] = cv2.dilate(chosen_HW, brush_HW) > 0
    return mask_HW


def central_disc(image_HWC: Pixels) -> NDArray[np.bool_]:
    """Mark a disc in the middle, the same in every picture of a size, ``[H, W]``."""
    height, width = image_HWC.shape[:2]
    y_H1 = np.arange(height)[:, None] - (height - 1) / 2
    x_1W = np.arange(width)[None, :] - (width - 1) / 2
    disc_HW: NDArray[np.bool_] = np.hypot(y_H1, x_1W) <= CENTRAL_SIDE_SHARE * min(height, width) / 2
    return disc_HW


def skin_color(image_HWC: Pixels, mask_HW: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """
    Return the median colour outside the mask, sRGB uint8 ``[C]``.

    Pixels too dark to be lit skin are left out; if few are left, all of the picture counts.
    """
    skin_HW = ~mask_HW & (image_HWC.max(axis=2) >= _DARKEST_SKIN)
    if np.count_nonzero(skin_HW) < _FEWEST_PIXELS:
        skin_HW = np.ones_like(mask_HW)
    return np.median(image_HWC[skin_HW], axis=0).astype(np.uint8)


def hidden(image_HWC: Pixels, mask_HW: NDArray[np.bool_], color_C: NDArray[np.uint8]) -> Pixels:
    """Return the picture with *color_C* laid over the mask."""
    result_HWC = image_HWC.copy()
    result_HWC[mask_HW] = color_C
    return result_HWC


def typology_angle(image_HWC: Pixels) -> float:
    """
    Individual typology angle of the skin around the lesion, in degrees: the larger, the lighter.

    ``atan((L - 50) / b)`` of the median colour outside the lesion, in CIE Lab (D65).  It is a
    property of the picture: lamp, camera and the curators' corrections are in it.  Skin is
    yellowish under white light; where the median is not, the angle says nothing: NaN.

    Source: Chardon, Cretois & Hourseau, "Skin colour typology and suntanning pathways" (1991).
    """
    color_C = skin_color(image_HWC, lesion_mask(image_HWC))
    lightness, _, b = map(
        float, cv2.cvtColor((color_C[None, None] / 255).astype(np.float32), cv2.COLOR_RGB2LAB)[0, 0]
    )
    return math.degrees(math.atan2(lightness - 50, b)) if b > 0 else math.nan


def tone(angle_degrees: float) -> str:
    """Return the name of the skin tone of an angle in degrees, or :data:`NO_TONE` of NaN."""
    if math.isnan(angle_degrees):
        return NO_TONE
    return next((name for above, name in TONES if angle_degrees > above), TONES[-1][1])


def _nearness(image_HWC: Pixels) -> NDArray[np.float64]:
    """One in the middle of the picture, falling towards its corners, ``[H, W]``."""
    height, width = image_HWC.shape[:2]
    y_H1 = (np.arange(height)[:, None] - (height - 1) / 2) / height
    x_1W = (np.arange(width)[None, :] - (width - 1) / 2) / width
    nearness_HW: NDArray[np.float64] = np.exp(-8 * (y_H1**2 + x_1W**2))
    return nearness_HW
