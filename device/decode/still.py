"""Decode one still picture."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from device.core.errors import DecodeError, DecodeFault
from device.core.values import Pixels, as_pixels
from device.decode.header import Header, read_header

SMALLEST_SIDE_PX = 64
"""A picture with a shorter side shows too little of a lesion to be scored."""
_ENOUGH_FACTOR = 2
"""A JPEG is unpacked at a reduced scale that keeps this many times the pixels asked for."""
_REDUCED = (
    (8, cv2.IMREAD_REDUCED_COLOR_8),
    (4, cv2.IMREAD_REDUCED_COLOR_4),
    (2, cv2.IMREAD_REDUCED_COLOR_2),
)
_OPAQUE = 255
_MISSING_LEVEL = 128
"""What libjpeg leaves where the data ended early, in every channel."""
# EXIF orientation as a transposition, then a flip: 0 upside down, 1 left to right, -1 both.
_TRANSPOSED = frozenset({5, 6, 7, 8})
_FLIP = {2: 1, 3: -1, 4: 0, 6: 1, 7: -1, 8: 0}


def check_size(width_px: int, height_px: int) -> None:
    """Refuse a picture that is too small: raises DecodeError."""
    if min(width_px, height_px) < SMALLEST_SIDE_PX:
        raise DecodeError(
            DecodeFault.TOO_SMALL,
            f"picture refused: expected at least {SMALLEST_SIDE_PX} pixels each way, found "
            f"{width_px} x {height_px}; send the camera's own file",
        )


def decode(encoded: bytes, *, max_pixels: int, enough_px: int) -> Pixels:
    """
    Turn a JPEG or PNG file into upright sRGB pixels.

    Gray pictures become three equal channels.  An alpha channel is dropped if it is opaque
    everywhere; transparency is refused, because what it would show is anybody's guess.  Where
    a JPEG is much larger than needed, the decoder unpacks it at a half, a quarter or an eighth,
    each pixel an average.

    OpenCV passes over what libjpeg warns of, so a JPEG that lost a part of its data is known by
    the gray rows at its end.  Not noticed are a loss of less than a row of blocks (8 or 16
    pixels), bytes that changed but are all there, and a progressive JPEG that lost fine detail.

    Args:
        encoded: The whole file.
        max_pixels: Most pixels of the file as it stands.
        enough_px: The caller will shrink the shorter side to this; more detail is not needed.

    Returns:
        uint8 ``[H, W, 3]``, EXIF orientation applied.

    Raises:
        DecodeError: With a fault for each cause, see :class:`device.core.errors.DecodeFault`.

    Threads: pure.
    """
    header = read_header(encoded, max_pixels=max_pixels)
    shorter = min(header.width_px, header.height_px)
    check_size(header.width_px, header.height_px)
    try:
        image_HWC: NDArray[Any] | None = cv2.imdecode(
            np.frombuffer(encoded, dtype=np.uint8), _flags(header, shorter, enough_px)
        )
    except cv2.error as error:
        raise _truncated() from error
    if image_HWC is None:
        raise _truncated()
    if header.is_jpeg and _ends_in_gray(image_HWC):
        raise _truncated()
    if header.has_alpha:
        image_HWC = _without_alpha(image_HWC)
    cv2.cvtColor(image_HWC, cv2.COLOR_BGR2RGB, dst=image_HWC)
    return _upright(image_HWC, header.orientation)


def _flags(header: Header, shorter_px: int, enough_px: int) -> int:
    if header.has_alpha:
        return cv2.IMREAD_UNCHANGED
    if header.is_jpeg:
        for factor, flag in _REDUCED:
            if shorter_px // factor >= _ENOUGH_FACTOR * enough_px:
                return flag | cv2.IMREAD_IGNORE_ORIENTATION
    return cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION


def _ends_in_gray(image_HWC: Pixels) -> bool:
    """Whether data ran out; a gray frame or one with gray bars is gray in its first row, too."""
    return bool(
        (image_HWC[-1] == _MISSING_LEVEL).all() and not (image_HWC[0] == _MISSING_LEVEL).all()
    )


def _without_alpha(image_HWC: Pixels) -> Pixels:
    """Drop the last channel; blue, green, red stay, gray is repeated."""
    if image_HWC.ndim != 3 or image_HWC.shape[2] != 4:  # noqa: PLR2004 - OpenCV gives BGRA
        raise _truncated()
    if int(image_HWC[:, :, 3].min()) < _OPAQUE:
        raise DecodeError(
            DecodeFault.UNSUPPORTED,
            "picture refused: expected an opaque picture, found transparent pixels; save it "
            "without transparency",
        )
    return as_pixels(cv2.cvtColor(image_HWC, cv2.COLOR_BGRA2BGR))


def _upright(image_HWC: Pixels, orientation: int) -> Pixels:
    """Apply one of the eight EXIF orientations (EXIF 2.32, tag 274)."""
    if orientation in _TRANSPOSED:
        image_HWC = as_pixels(cv2.transpose(image_HWC))
    flip = _FLIP.get(orientation)
    return image_HWC if flip is None else as_pixels(cv2.flip(image_HWC, flip))


def _truncated() -> DecodeError:
    return DecodeError(
        DecodeFault.TRUNCATED,
        "picture refused: expected a whole file, found one that ends early or is damaged; send "
        "it again",
    )
