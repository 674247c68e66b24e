"""Stage 2: area resize; training and board use this one kernel.  And what comes before it."""

from __future__ import annotations

import cv2

from device.core.values import Pixels, as_pixels


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
    return as_pixels(cv2.resize(image_HWC, (side_px, side_px), interpolation=interpolation))


def halve_to(image_HWC: Pixels, limit_px: int) -> Pixels:
    """
    Halve a square until no side is longer than *limit_px*, each new pixel the mean of four.

    The area resize by two alone is vectorised in OpenCV: a frame of 1520 pixels takes a tenth of
    the time of an area resize to the same size.  An odd side loses its last row and column first.

    Args:
        image_HWC: sRGB, uint8 ``[S, S, 3]``.
        limit_px: At least 1.

    Returns:
        uint8 ``[s, s, 3]``, more than half of *limit_px* if the input was; the input itself if it
        is small enough.

    Threads: pure.
    """
    up = True
    while (side := image_HWC.shape[0]) > limit_px:
        half = side // 2
        image_HWC = image_HWC[: 2 * half, : 2 * half]
        # A mean that ends in one half is rounded up.  Every second time it is that of the
        # negative, or a frame halved three times would come out half a level too light.
        image_HWC = _halve(image_HWC, half) if up else ~_halve(~image_HWC, half)
        up = not up
    return image_HWC


def _halve(image_HWC: Pixels, half_px: int) -> Pixels:
    return as_pixels(cv2.resize(image_HWC, (half_px, half_px), interpolation=cv2.INTER_AREA))
