"""
The scale of a contact plate along one edge of the picture.

Legend: H height, W width, N tick, P point of a line, D coordinate (x, y).
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from device.core.values import Pixels
from device.drawing.overlay import REFERENCE_DIAGONAL_PX, LineMask, checked_size

_BASE_LINE_SHARE: Final = 0.4  # of pictures, as those below
_NUMBERS_SHARE: Final = 0.5
_BLACK_SHARE: Final = 0.75

# Strokes of a seven-segment digit on a cell 1 wide and 2 high, y downward.
_SEGMENTS: Final = {
    "a": ((0.0, 0.0), (1.0, 0.0)),
    "b": ((1.0, 0.0), (1.0, 1.0)),
    "c": ((1.0, 1.0), (1.0, 2.0)),
    "d": ((0.0, 2.0), (1.0, 2.0)),
    "e": ((0.0, 1.0), (0.0, 2.0)),
    "f": ((0.0, 0.0), (0.0, 1.0)),
    "g": ((0.0, 1.0), (1.0, 1.0)),
}
_DIGITS = ("abcdef", "bc", "abged", "abgcd", "fgbc", "afgcd", "afgedc", "abc", "abcdefg", "abcfgd")


def add_ruler(pixels_HWC: Pixels, rng: np.random.Generator) -> Pixels:
    """
    Lay a scale along one edge of the picture.

    Short ticks, a longer one at each fifth and tenth, sometimes a base line and numbers, in
    black or in white.

    Arguments and errors as in :func:`device.drawing.add_hair`.
    """
    height_px, width_px = checked_size(pixels_HWC, "add_ruler")
    mask = LineMask(height_px, width_px)
    scale = mask.diagonal_px / REFERENCE_DIAGONAL_PX

    # The scale is laid out on an axis and then placed on an edge (top, right, bottom, left);
    # ticks point toward the middle of the picture.
    edge = int(rng.integers(4))
    is_level, is_mirrored = edge in (0, 2), edge in (1, 2)
    along_px, across_px = (width_px, height_px) if is_level else (height_px, width_px)
    angle = rng.normal(0.0, math.radians(2.5))
    step_px = rng.uniform(4.5, 10.0) * scale
    inset_px = rng.uniform(0.02, 0.14) * across_px
    tick_px = rng.uniform(3.0, 5.0) * scale
    line_px = rng.uniform(0.6, 1.1) * scale
    opacity = rng.uniform(0.6, 0.95)
    starts_at_px = rng.uniform(-0.4, 0.3) * along_px
    tick_count = int(rng.uniform(0.6, 1.4) * along_px / step_px) + 2
    has_base_line = rng.random() < _BASE_LINE_SHARE
    has_numbers = rng.random() < _NUMBERS_SHARE
    is_black = rng.random() < _BLACK_SHARE
    gray = rng.uniform(0.0, 45.0) if is_black else rng.uniform(215.0, 250.0)

    def place(points_PD: NDArray[np.float64]) -> NDArray[np.float64]:
        u, v = points_PD[..., 0] - 0.5 * along_px, points_PD[..., 1] - inset_px
        x = math.cos(angle) * u - math.sin(angle) * v + 0.5 * along_px
        y = math.sin(angle) * u + math.cos(angle) * v + inset_px
        y = across_px - y if is_mirrored else y
        return np.stack((x, y) if is_level else (y, x), axis=-1)

    index_N = np.arange(tick_count)
    tick_NPD = np.empty((tick_count, 2, 2))
    tick_NPD[:, :, 0] = (starts_at_px + index_N * step_px)[:, None]
    tick_NPD[:, :, 1] = inset_px
    tick_NPD[:, 1, 1] += tick_px * np.select([index_N % 10 == 0, index_N % 5 == 0], [2.0, 1.5], 1.0)
    lines = [*place(tick_NPD)]
    if has_base_line:
        lines.append(place(tick_NPD[[0, -1], 0]))
    if has_numbers:
        cell_px = 0.55 * tick_px
        for number, tick_PD in enumerate(tick_NPD[::10]):
            foot_D = tick_PD[1] + ((-0.5 if is_level else -1.0) * cell_px, 0.6 * cell_px)
            for name in _DIGITS[number % 10]:
                stroke_PD = np.array(_SEGMENTS[name])
                if not is_level:  # beside an upright scale the numbers stay upright
                    stroke_PD = stroke_PD[:, ::-1]
                if is_mirrored:
                    stroke_PD = (0.0, 2.0 if is_level else 1.0) - stroke_PD * (-1.0, 1.0)
                lines.append(place(foot_D + cell_px * stroke_PD))
    mask.draw(lines, width_px=line_px, opacity=opacity)
    return mask.painted(pixels_HWC, np.full(3, gray))
