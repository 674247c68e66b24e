"""
Lines laid over a picture: the mask on which hair, ruler and ink are drawn.

Sizes follow the picture: a hair on a 200 x 150 frame of HAM10000 is about one pixel wide, and
as wide in proportion on a 12-megapixel still.

Legend: H height, W width, C color channel (red, green, blue), P point of a line,
D coordinate (x, y), L level 0 to 255.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from device.core.values import Pixels

REFERENCE_DIAGONAL_PX: Final = 250.0
"""Of a 200 x 150 frame, on which widths were chosen."""

_SMALLEST_SIDE_PX: Final = 32  # below this a one-pixel hair would no longer be thin
_SHIFT_BITS: Final = 4  # of fraction, in the coordinates that OpenCV takes
_SUPERSAMPLED_BELOW_PX: Final = 500.0  # diagonal; larger pictures have pixels enough for a line

LEVEL_L: Final = np.arange(256, dtype=np.float64)
"""All levels of a mask, for the tables of :func:`colored`."""


def checked_size(pixels_HWC: Pixels, function_name: str) -> tuple[int, int]:
    """Height and width in px of a picture that is what it says it is; else ``ValueError``."""
    shape = pixels_HWC.shape
    is_picture = pixels_HWC.dtype == np.uint8 and shape[2:] == (3,)
    if not is_picture or min(shape[:2]) < _SMALLEST_SIDE_PX:
        raise ValueError(
            f"{function_name}: expected uint8 [H, W, 3] with sides of {_SMALLEST_SIDE_PX} px "
            f"or more, found {pixels_HWC.dtype} {list(shape)}; decode and resize the picture first"
        )
    return shape[0], shape[1]


class LineMask:
    """
    Which share of each pixel lies under lines.

    OpenCV's lines are whole pixels wide, hairs are not: a small picture gets a mask twice as
    fine, unless *is_fine* is false.

    Attributes:
        size_px: Width and height of the picture.
        diagonal_px: Diagonal of the picture.
        finer: Pixels of the mask per pixel of the picture, along one side.
    """

    def __init__(self, height_px: int, width_px: int, *, is_fine: bool = True) -> None:
        self.size_px = (width_px, height_px)
        self.diagonal_px = math.hypot(height_px, width_px)
        self.finer = 2 if is_fine and self.diagonal_px < _SUPERSAMPLED_BELOW_PX else 1
        self._mask_HW = np.zeros((height_px * self.finer, width_px * self.finer), np.uint8)

    def draw(
        self, lines: Iterable[NDArray[np.float64]], *, width_px: float, opacity: float
    ) -> None:
        """Draw open *lines*, each ``[P, 2]``, in px of the picture, pixel centers at one half."""
        thickness_px = max(1, round(width_px * self.finer))
        # What rounding adds to or takes from the width goes into the opacity, within 0 to 1.
        level = round(255.0 * min(1.0, opacity * min(1.15, width_px * self.finer / thickness_px)))
        fixed = [
            np.rint((line_PD * self.finer - 0.5) * (1 << _SHIFT_BITS)).astype(np.int32)
            for line_PD in lines
        ]
        cv2.polylines(
            self._mask_HW,
            fixed,
            isClosed=False,
            color=level,
            thickness=thickness_px,
            lineType=cv2.LINE_AA,
            shift=_SHIFT_BITS,
        )

    def cover(self) -> NDArray[np.uint8]:
        """The mask at the size of the picture, uint8 ``[H, W]``; 255 is covered."""
        cover_HW = cv2.resize(self._mask_HW, self.size_px, interpolation=cv2.INTER_AREA)
        return np.asarray(cover_HW, np.uint8)

    def painted(self, pixels_HWC: Pixels, color_C: NDArray[np.float64]) -> Pixels:
        """*pixels_HWC* with *color_C*, levels 0 to 255, laid over it where the mask covers it."""
        cover_HW = self.cover()
        # In 8 bits throughout: five times faster than in float32, and at most one level off.
        bare_HWC = cv2.merge([cv2.bitwise_not(cover_HW)] * 3)
        skin_HWC = cv2.multiply(pixels_HWC, bare_HWC, scale=1.0 / 255.0)
        laid_on_HWC = colored(LEVEL_L[:, None] * color_C / 255.0, cover_HW)
        return np.asarray(cv2.add(skin_HWC, laid_on_HWC), np.uint8)


def colored(color_LC: NDArray[np.float64], cover_HW: NDArray[np.uint8]) -> Pixels:
    """The color, 0 to 255, that *color_LC* lists for the level of each pixel of *cover_HW*."""
    tables_CL = np.ascontiguousarray(np.rint(color_LC.T).astype(np.uint8))
    return np.asarray(cv2.merge([cv2.LUT(cover_HW, table_L) for table_L in tables_CL]), np.uint8)
