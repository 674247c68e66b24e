"""
A surgeon's pen on the skin: strokes or dots beside the lesion.

Legend: H height, W width, C color channel (red, green, blue), P point of a stroke,
D coordinate (x, y).
"""

from __future__ import annotations

import math
from typing import Final

import cv2
import numpy as np

from device.core.values import Pixels
from device.drawing.overlay import LEVEL_L, REFERENCE_DIAGONAL_PX, LineMask, checked_size, colored

_DOTS_SHARE: Final = 0.3  # of pictures
# What is left of the light below full ink.
_INK_C: Final = ((0.32, 0.20, 0.62), (0.22, 0.28, 0.66), (0.16, 0.42, 0.44), (0.16, 0.15, 0.24))


def add_ink(pixels_HWC: Pixels, rng: np.random.Generator) -> Pixels:
    """
    Mark the skin with a surgeon's pen.

    Ink takes light away from the skin below it, so it is multiplied in; its edge is soft and
    its coverage uneven.

    Arguments and errors as in :func:`device.drawing.add_hair`.
    """
    height_px, width_px = checked_size(pixels_HWC, "add_ink")
    mask = LineMask(height_px, width_px, is_fine=False)
    ink_C = np.array(_INK_C[rng.integers(len(_INK_C))]) + rng.normal(0.0, 0.04, 3)
    ink_C = np.clip(ink_C, 0.02, 0.9)
    stroke_px = rng.uniform(0.014, 0.04) * mask.diagonal_px
    if rng.random() < _DOTS_SHARE:
        _draw_dots(mask, rng, stroke_px)
    else:
        for _ in range(int(rng.integers(1, 4))):
            _draw_stroke(mask, rng, stroke_px)
    # Ink gathers in the furrows of the skin: a coarse grid of densities.
    patch_px = max(2.0, 2.5 * mask.diagonal_px / REFERENCE_DIAGONAL_PX)
    patches = (int(height_px / patch_px) + 2, int(width_px / patch_px) + 2)
    coarse_HW = rng.integers(153, 256, patches, np.uint8)
    density_HW = cv2.resize(coarse_HW, (width_px, height_px), interpolation=cv2.INTER_LINEAR)
    soft_HW = cv2.GaussianBlur(mask.cover(), (0, 0), max(0.5, 0.12 * stroke_px))
    cover_HW = np.asarray(cv2.multiply(soft_HW, density_HW, scale=1.0 / 255.0), np.uint8)
    kept_HWC = colored(255.0 - LEVEL_L[:, None] * (1.0 - ink_C), cover_HW)
    return np.asarray(cv2.multiply(pixels_HWC, kept_HWC, scale=1.0 / 255.0), np.uint8)


def _draw_dots(mask: LineMask, rng: np.random.Generator, stroke_px: float) -> None:
    """Dots around the lesion, as set for an excision."""
    count = int(rng.integers(2, 6))
    radius_D = rng.uniform(0.38, 0.5, 2) * mask.size_px
    first = rng.uniform(0.0, 2.0 * math.pi)
    for angle in first + np.arange(count) * (2.0 * math.pi / count):
        center_D = 0.5 * np.array(mask.size_px) + radius_D * (math.cos(angle), math.sin(angle))
        wiggle_PD = center_D + rng.normal(0.0, 0.4 * stroke_px, (3, 2))
        mask.draw([wiggle_PD], width_px=stroke_px, opacity=rng.uniform(0.6, 0.9))


def _draw_stroke(mask: LineMask, rng: np.random.Generator, stroke_px: float) -> None:
    """A stroke that runs past the middle at a distance, so that most of the lesion stays free."""
    t_P = np.linspace(-1.0, 1.0, 18)
    direction = rng.uniform(0.0, 2.0 * math.pi)
    along_D = np.array([math.cos(direction), math.sin(direction)])
    across_D = np.array([-along_D[1], along_D[0]])
    half_length_px = rng.uniform(0.08, 0.4) * mask.diagonal_px
    middle_D = (0.5 + across_D * rng.uniform(0.34, 0.52)) * mask.size_px
    middle_D += along_D * rng.normal(0.0, 0.1) * mask.diagonal_px
    bow_px = rng.normal(0.0, 0.25) * half_length_px
    path_PD = middle_D + np.outer(t_P * half_length_px, along_D)
    path_PD += np.outer((t_P**2 - 0.5) * bow_px, across_D)
    path_PD += rng.normal(0.0, 0.06 * stroke_px, path_PD.shape)
    mask.draw([path_PD], width_px=stroke_px, opacity=rng.uniform(0.6, 0.9))
