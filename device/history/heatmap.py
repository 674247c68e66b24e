"""
Where the model saw evidence for malignancy, as a color over the picture that it was shown.

The picture lies below in gray, so that all color is evidence.  The scale is the same for every
picture: a place's evidence goes through the logistic function, so that a benign lesion stays dark
all over and does not show its own largest value as an alarm.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from device.core.values import Pixels

ALONE_PX = 256
"""Side of a heatmap without a picture."""
_MOST_LEVEL = 255
_PICTURE_SHARE = 0.55


def heatmap(map_HW: NDArray[np.float32], square_HWC: Pixels | None = None) -> bytes:
    """
    Color an activation map.

    Args:
        map_HW: fp32 ``[h, w]``: evidence for malignancy at each place, in log-odds.
        square_HWC: What the model saw, uint8 RGB ``[S, S, 3]``; None colors the map alone.

    Returns:
        A PNG file, ``S`` or :data:`ALONE_PX` pixels a side.  Dark violet is no evidence, yellow
        is strong evidence.

    Threads: pure.

    Source: the color map is viridis (van der Walt & Smith, 2015): its lightness rises evenly, and
    it keeps its order for the color-blind and in print.
    """
    side_px = ALONE_PX if square_HWC is None else square_HWC.shape[0]
    share_HW = 1.0 / (1.0 + np.exp(-np.clip(map_HW.astype(np.float64), -50.0, 50.0)))
    smooth_HW = cv2.resize(share_HW, (side_px, side_px), interpolation=cv2.INTER_CUBIC)
    level_HW = np.rint(np.clip(smooth_HW, 0.0, 1.0) * _MOST_LEVEL).astype(np.uint8)
    color_HWC = cv2.applyColorMap(level_HW, cv2.COLORMAP_VIRIDIS)
    if square_HWC is not None:
        gray_HW = cv2.cvtColor(square_HWC, cv2.COLOR_RGB2GRAY)
        gray_HWC = cv2.cvtColor(gray_HW, cv2.COLOR_GRAY2BGR)
        color_HWC = cv2.addWeighted(gray_HWC, _PICTURE_SHARE, color_HWC, 1.0 - _PICTURE_SHARE, 0.0)
    return cv2.imencode(".png", color_HWC)[1].tobytes()
