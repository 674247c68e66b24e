"""
The picture as it is kept: pixels encoded anew, so nothing that a file said beside them remains.

A phone writes place, time and owner into its files; no byte of such a file is ever stored.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from device.core.manifest import FieldOfView, PreprocessSpec
from device.core.values import Capture, Pixels, as_pixels
from device.decode import decode
from device.preprocess.field_of_view import field_of_view

THUMBNAIL_PX = 192
"""Longer side."""
_QUALITY, _THUMBNAIL_QUALITY = 90, 80
_WHOLE = FieldOfView(enabled=False, dark_share=0.0, smallest_side_share=1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptPicture:
    """Two JPEG files without metadata, and which square of the larger one the model saw."""

    jpeg: bytes
    thumbnail: bytes
    crop_top_px: int
    crop_left_px: int
    crop_side_px: int


def keep(
    capture: Capture, spec: PreprocessSpec, *, longest_px: int, max_pixels: int
) -> KeptPicture:
    """
    Encode the picture of *capture* for keeping.

    Args:
        capture: That was answered, so it decodes.
        spec: The model's, for the square that it was shown.
        longest_px: A larger picture is shrunk to this longer side.
        max_pixels: As for the answer.

    Threads: pure.
    """
    if capture.encoded is not None:
        image_HWC = decode(capture.encoded, max_pixels=max_pixels, enough_px=longest_px)
    elif capture.pixels_HWC is not None:
        image_HWC = capture.pixels_HWC
    else:
        raise ValueError("capture: expected bytes or pixels")
    image_HWC = _shrunk(image_HWC, longest_px)
    top_px, left_px, side_px = _crop(image_HWC, spec)
    return KeptPicture(
        jpeg=_jpeg(image_HWC, _QUALITY),
        thumbnail=_jpeg(_shrunk(image_HWC, THUMBNAIL_PX), _THUMBNAIL_QUALITY),
        crop_top_px=top_px,
        crop_left_px=left_px,
        crop_side_px=side_px,
    )


def unpack(jpeg: bytes) -> Pixels:
    """Decode what :func:`keep` encoded, uint8 ``[H, W, 3]`` RGB."""
    image_HWC = cv2.imdecode(np.frombuffer(jpeg, dtype=np.uint8), cv2.IMREAD_COLOR)
    if image_HWC is None:
        raise ValueError("kept picture: expected a JPEG file of our own")
    return as_pixels(cv2.cvtColor(image_HWC, cv2.COLOR_BGR2RGB))


def _shrunk(image_HWC: Pixels, longest_px: int) -> Pixels:
    """
    Shrink to a longer side of *longest_px*.

    First by a whole number, as averages, then the rest, which is less than a half, by linear
    steps: OpenCV takes thirty times as long for averages over parts of pixels, and somebody waits
    for the answer.
    """
    height, width = image_HWC.shape[:2]
    factor = max(height, width) // longest_px
    if factor > 1:
        size = (max(1, width // factor), max(1, height // factor))
        whole_HWC = image_HWC[: size[1] * factor, : size[0] * factor]
        image_HWC = as_pixels(cv2.resize(whole_HWC, size, interpolation=cv2.INTER_AREA))
        height, width = image_HWC.shape[:2]
    scale = longest_px / max(height, width)
    if scale >= 1.0:
        return image_HWC
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return as_pixels(cv2.resize(image_HWC, size, interpolation=cv2.INTER_LINEAR))


def _crop(image_HWC: Pixels, spec: PreprocessSpec) -> tuple[int, int, int]:
    """Top, left and side of the square that the first stage cuts out."""
    first = spec.stages[0]
    image_HWC = np.ascontiguousarray(image_HWC)
    square_HWC = field_of_view(image_HWC, first if isinstance(first, FieldOfView) else _WHOLE)
    # The stage returns a view, so where it begins in memory is where it begins in the picture.
    offset = square_HWC.ctypes.data - image_HWC.ctypes.data
    top_px, rest = divmod(offset, image_HWC.strides[0])
    return top_px, rest // image_HWC.strides[1], square_HWC.shape[0]


def _jpeg(image_HWC: Pixels, quality: int) -> bytes:
    bgr_HWC = cv2.cvtColor(image_HWC, cv2.COLOR_RGB2BGR)
    encoded = cv2.imencode(".jpg", bgr_HWC, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return encoded.tobytes()
