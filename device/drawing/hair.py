"""
Hairs over the picture, as on skin that was not shaved.

Legend: H height, W width, C color channel (red, green, blue), N hair, P point of a hair,
D coordinate (x, y).

The ranges here, and in ruler, ink and vignette, were set by eye on drawn pictures; the list of
artefacts is that of Bissoto et al., "(De)Constructing Bias on Skin Lesion Datasets" (CVPR
workshops, 2019).
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from device.core.values import Pixels
from device.drawing.overlay import REFERENCE_DIAGONAL_PX, LineMask, checked_size

_STUBBLE_SHARE: Final = 1.0 / 6.0  # of pictures
_LIGHT_SHARE: Final = 0.2  # of pictures
_ACROSS_SHARE: Final = 0.15  # of the hairs of a picture
_DARK_C: Final = ((16, 12, 12), (38, 26, 22), (66, 44, 32), (92, 62, 44))
_LIGHT_C: Final = ((222, 204, 176), (236, 228, 216), (198, 160, 116))

# The parts of a hair: first point, last point, share of its width.  On a fine one there are no
# pixels to show more than two.
_STUBBLE = ((0, 5, 1.0),)
_FINE = ((0, 10, 1.0), (10, 13, 0.55))
_WIDE = ((0, 6, 1.0), (6, 8, 0.9), (8, 10, 0.75), (10, 11, 0.6), (11, 12, 0.5), (12, 13, 0.4))
_WIDE_PX: Final = 3.0  # in the mask; above it a hair is drawn as a wide one


def add_hair(pixels_HWC: Pixels, rng: np.random.Generator, *, count: int | None = None) -> Pixels:
    """
    Lay hairs over the picture.

    The hairs of one picture share a color and mostly a direction; each is a bent line, thinner
    toward its tip.  About one picture in six gets stubble instead: many short, straight hairs.

    Args:
        pixels_HWC: sRGB, uint8 ``[H, W, 3]``, each side at least 32 px; not written to.
        rng: Where the chance comes from; equal state gives an equal picture.
        count: Number of hairs, 0 or more.  ``None`` draws it, few more often than many.

    Raises:
        ValueError: This is no such picture, or *count* is negative.
    """
    height_px, width_px = checked_size(pixels_HWC, "add_hair")
    if count is not None and count < 0:
        raise ValueError(f"add_hair: expected a count of 0 or more, found {count}")
    is_stubble = bool(rng.random() < _STUBBLE_SHARE)
    if count is None:
        count = round(math.exp(rng.uniform(math.log(3.0), math.log(70.0))))
        count = 2 * count if is_stubble else count

    palette = _LIGHT_C if rng.random() < _LIGHT_SHARE else _DARK_C
    color_C = np.array(palette[rng.integers(len(palette))]) + rng.normal(0.0, 6.0, 3)

    mask = LineMask(height_px, width_px)
    mean_width_px = rng.uniform(0.7, 1.5) * mask.diagonal_px / REFERENCE_DIAGONAL_PX
    main_direction = rng.uniform(0.0, 2.0 * math.pi)
    spread = rng.uniform(0.15, 0.7)
    # A few hairs of any picture lie across the others.
    direction_N = np.where(
        rng.random(count) < _ACROSS_SHARE,
        rng.uniform(0.0, 2.0 * math.pi, count),
        rng.normal(main_direction, spread, count),
    )
    if is_stubble:
        t_P = np.linspace(-1.0, 1.0, 6)
        length_px_N = mask.diagonal_px * rng.uniform(0.03, 0.09, count)
        bend_N, twist_N = rng.normal(0.0, 0.05, count), np.zeros(count)
        parts: tuple[tuple[int, int, float], ...] = _STUBBLE
    else:
        t_P = np.linspace(-1.0, 1.0, 14)
        length_px_N = mask.diagonal_px * rng.uniform(0.18, 0.95, count)
        bend_N, twist_N = rng.normal(0.0, 0.35, count), rng.normal(0.0, 0.5, count)
        parts = _WIDE if mean_width_px * mask.finer > _WIDE_PX else _FINE
    # The direction changes along the hair by an even and by a cubic part.
    angle_NP = direction_N[:, None] + bend_N[:, None] * t_P + twist_N[:, None] * t_P**3
    path_NPD = np.stack([np.cos(angle_NP), np.sin(angle_NP)], axis=2).cumsum(axis=1)
    path_NPD *= (length_px_N / (t_P.size - 1))[:, None, None]
    middle_N1D = rng.uniform(-0.1, 1.1, (count, 1, 2)) * np.array([width_px, height_px])
    path_NPD += middle_N1D - path_NPD[:, t_P.size // 2, None]
    hair_px_N = mean_width_px * rng.uniform(0.75, 1.25, count)
    opacity_N = rng.uniform(0.5, 0.95, count)
    for path_PD, hair_px, opacity in zip(path_NPD, hair_px_N, opacity_N, strict=True):
        for first, last, share in parts:
            mask.draw([path_PD[first : last + 1]], width_px=share * hair_px, opacity=opacity)
    return mask.painted(pixels_HWC, np.clip(color_C, 0.0, 255.0))
