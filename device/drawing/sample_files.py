"""The samples as files, as they lie in ``device/samples``."""

from __future__ import annotations

from typing import Final

import cv2

from device.drawing.samples import SAMPLES, Sample, draw

HEIGHT_PX: Final = 768
WIDTH_PX: Final = 1024
JPEG_QUALITY: Final = 88
"""Of OpenCV's 0 to 100; keeps each sample below 150 kB."""


def file_name(sample: Sample) -> str:
    """Its name with its place in front: a replay goes through its files by name."""
    number = [each.name for each in SAMPLES].index(sample.name) + 1
    return f"{number}-{sample.name}.jpg"


def sample_jpeg(sample: Sample) -> bytes:
    """Draw *sample* at 1024 x 768 and encode it."""
    pixels_HWC = draw(sample, height_px=HEIGHT_PX, width_px=WIDTH_PX)
    bgr_HWC = cv2.cvtColor(pixels_HWC, cv2.COLOR_RGB2BGR)
    is_encoded, encoded = cv2.imencode(".jpg", bgr_HWC, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    if not is_encoded:
        raise RuntimeError(f"OpenCV could not encode {sample.name} as JPEG")
    return encoded.tobytes()
