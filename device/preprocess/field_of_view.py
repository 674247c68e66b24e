"""Stage 1: the square that shows skin, without the dark ring of a dermatoscope."""

from __future__ import annotations

import math

import cv2
import numpy as np

from device.core.manifest import FieldOfView
from device.core.values import Pixels

# The ring is large, so looking at about this many pixels along the longer side finds it; the
# full frame is never read.
_PROBE_PX = 160
# Share of dark pixels tolerated in each corner of the square: noise, a hair, a soft edge.
_TOLERATED_DARK_SHARE = 0.2
# A row or column is lit if less than this share of it is dark.
_HALF = 0.5


def field_of_view(image_HWC: Pixels, spec: FieldOfView) -> Pixels:
    """
    Crop the largest central square, smaller if a dark round vignette reaches into its corners.

    Dark pixels that hang together with a corner of the frame are the ring; a dark lesion in
    the middle is not.  The square is centred on what is lit and shrinks until its four
    corners are lit.

    Args:
        image_HWC: sRGB, uint8 ``[H, W, 3]``, any size.
        spec: Switched off, the result is the plain central square.

    Returns:
        A view (no copy) of *image_HWC*, uint8 ``[S, S, 3]``.

    Threads: pure.
    """
    height, width = image_HWC.shape[:2]
    side = min(height, width)
    if not spec.enabled:
        return _square(image_HWC, center_y=height / 2, center_x=width / 2, side=side)
    step = max(1, max(height, width) // _PROBE_PX)
    # The brightest channel: red skin is light in it, and the ring is dark in all three.
    red_HW, green_HW, blue_HW = np.moveaxis(image_HWC[step // 2 :: step, step // 2 :: step], 2, 0)
    probe_HW = np.maximum(np.maximum(red_HW, green_HW), blue_HW)
    if probe_HW.size == 0:
        return _square(image_HWC, center_y=height / 2, center_x=width / 2, side=side)
    ring_HW = _ring(probe_HW, spec.dark_share)
    if not ring_HW.any() or ring_HW.all():
        return _square(image_HWC, center_y=height / 2, center_x=width / 2, side=side)
    center_y, center_x = _middle_of_light(ring_HW)
    smallest = spec.smallest_side_share * side / step
    largest = 2 * min(center_y, ring_HW.shape[0] - center_y, center_x, ring_HW.shape[1] - center_x)
    lit_side = max(smallest, largest)
    while lit_side > smallest and _corners_dark(ring_HW, center_y, center_x, lit_side):
        lit_side -= 1
    return _square(
        image_HWC,
        center_y=center_y * step,
        center_x=center_x * step,
        side=min(side, round(max(lit_side, smallest) * step)),
    )


def _ring(probe_HW: np.ndarray, dark_share: float) -> np.ndarray:
    """Dark pixels connected with one of the four corners, bool ``[h, w]``."""
    dark_HW = (probe_HW < dark_share * _median(probe_HW)).astype(np.uint8)
    if not dark_HW[:: dark_HW.shape[0] - 1 or 1, :: dark_HW.shape[1] - 1 or 1].any():
        return np.zeros(dark_HW.shape, dtype=bool)
    _, labels_HW = cv2.connectedComponents(dark_HW, connectivity=4)
    corners = labels_HW[:: labels_HW.shape[0] - 1 or 1, :: labels_HW.shape[1] - 1 or 1]
    return np.isin(labels_HW, corners[corners > 0])


def _median(levels_HW: Pixels) -> float:
    """Median of uint8 levels, by counting them; NumPy's own sorts."""
    reached_L = np.cumsum(np.bincount(levels_HW.ravel(), minlength=256))
    middle = (levels_HW.size + 1) / 2  # Between two of an even number.
    lower, upper = np.searchsorted(reached_L, (math.floor(middle), math.ceil(middle)))
    return float(lower + upper) / 2


def _middle_of_light(ring_HW: np.ndarray) -> tuple[float, float]:
    """Centre of the rows and columns that are lit in the main, ``(y, x)`` in probe pixels."""
    rows = np.flatnonzero(ring_HW.mean(axis=1) < _HALF)
    columns = np.flatnonzero(ring_HW.mean(axis=0) < _HALF)
    height, width = ring_HW.shape
    center_y = (rows[0] + rows[-1] + 1) / 2 if rows.size else height / 2
    center_x = (columns[0] + columns[-1] + 1) / 2 if columns.size else width / 2
    return float(center_y), float(center_x)


def _corners_dark(ring_HW: np.ndarray, center_y: float, center_x: float, side: float) -> bool:
    """Whether any corner patch of the square, a twelfth of its side, is dark."""
    top, left = max(0, round(center_y - side / 2)), max(0, round(center_x - side / 2))
    bottom, right = round(center_y + side / 2), round(center_x + side / 2)
    patch = max(1, round(side / 12))
    return any(
        corner_HW.size > 0 and corner_HW.mean() > _TOLERATED_DARK_SHARE
        for corner_HW in (
            ring_HW[top : top + patch, left : left + patch],
            ring_HW[top : top + patch, right - patch : right],
            ring_HW[bottom - patch : bottom, left : left + patch],
            ring_HW[bottom - patch : bottom, right - patch : right],
        )
    )


def _square(image_HWC: Pixels, *, center_y: float, center_x: float, side: int) -> Pixels:
    """View of the square of *side* pixels around the centre, moved inside the frame."""
    height, width = image_HWC.shape[:2]
    side = max(1, min(side, height, width))
    top = min(max(0, round(center_y - side / 2)), height - side)
    left = min(max(0, round(center_x - side / 2)), width - side)
    return image_HWC[top : top + side, left : left + side]
