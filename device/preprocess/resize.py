"""Stage 2: area resize; training and board use this one kernel."""

from __future__ import annotations

import cv2

from device.core.values import Pixels


def resize_area(image_HWC: Pixels, side_px: int) -> Pixels:
    """
    Resize to a square of *side_px*, each new pixel the mean of the area it covers.

    Area averaging does not alias however large the frame is; where the picture is smaller
    than the target, OpenCV's bilinear kernel takes its place.

    Args:
        image_HWC: sRGB, uint8 ``[H, W, 3]``.
        side_px: Target side in pixels.

    Returns:
        uint8 ``[side_px, side_px, 3]``; the input itself if it already has that size.

    Threads: pure.
    """
    height, width = image_HWC.shape[:2]
    if height == width == side_px:
        return image_HWC
    shrinks = min(height, width) >= side_px
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return cv2.resize(image_HWC, (side_px, side_px), interpolation=interpolation)  # type: ignore[return-value]
