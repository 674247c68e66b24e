"""What the camera sees, small enough to be sent several times a second."""

from __future__ import annotations

import cv2

from device.core.errors import CameraError, DecodeError
from device.core.values import Capture, Pixels, as_pixels
from device.decode import decode

LONGEST_PX = 640
"""Longer side; enough to put a lesion in the middle, and small on every network."""
_JPEG_QUALITY = 70


def preview_jpeg(capture: Capture, *, max_pixels: int) -> bytes:
    """
    Shrink a frame and encode it.

    Args:
        capture: Pixels, or an encoded picture.
        max_pixels: Largest encoded picture that is unpacked.

    Returns:
        A JPEG file without metadata, at most :data:`LONGEST_PX` a side.

    Raises:
        CameraError: The camera delivered what is no picture.

    Threads: pure.
    """
    pixels_HWC = _pixels(capture, max_pixels)
    longest_px = max(pixels_HWC.shape[:2])
    if longest_px > LONGEST_PX:
        scale = LONGEST_PX / longest_px
        height_px, width_px = (max(1, round(scale * side)) for side in pixels_HWC.shape[:2])
        # Every n-th pixel first: averaging all of a large frame would cost most of a preview.
        step = max(1, longest_px // (2 * LONGEST_PX))
        pixels_HWC = as_pixels(
            cv2.resize(
                pixels_HWC[::step, ::step], (width_px, height_px), interpolation=cv2.INTER_AREA
            )
        )
    bgr_HWC = cv2.cvtColor(pixels_HWC, cv2.COLOR_RGB2BGR)
    return cv2.imencode(".jpg", bgr_HWC, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])[1].tobytes()


def _pixels(capture: Capture, max_pixels: int) -> Pixels:
    if capture.pixels_HWC is not None:
        return capture.pixels_HWC
    try:
        return decode(capture.encoded or b"", max_pixels=max_pixels, enough_px=LONGEST_PX)
    except DecodeError as error:
        raise CameraError(
            f"the camera ({capture.source}) delivered what cannot be shown: {error}"
        ) from error
