"""
What lies between skin and sensor, drawn over a picture at five levels.

Every disturbance is drawn over the decoded picture, before the device's stages, and repeats from
the picture's name alone, so that the levels of one picture differ in strength and in nothing
else.  Levels were set by eye on drawn lesions: 1 is seldom noticed, 3 is plain, 5 is
more than anybody would send.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping

import cv2
import numpy as np

from device.core.values import Pixels, as_pixels
from device.drawing import add_hair, add_ink, add_ruler, add_vignette
from training.data.acquisition import change_light, compress

LEVELS = (1, 2, 3, 4, 5)

Disturbance = Callable[[Pixels, np.random.Generator, int], Pixels]
"""From a picture, uint8 ``[H, W, 3]``, chance and level (1 to 5) to a new picture of its size."""

_HAIRS = (5, 10, 20, 40, 80)
_VIGNETTE_RADII = (0.95, 0.85, 0.75, 0.65, 0.55)
"""Shares of half the diagonal; at 0.6 the disc of a 4:3 picture just fits."""
_PATCH_RADII = (0.10, 0.15, 0.20, 0.25, 0.30)
"""Shares of the shorter side."""
_PATCH_COLORS = ((40, 90, 190), (30, 150, 80), (235, 200, 40), (230, 120, 40), (150, 60, 150))
_BLUR_SIGMAS = (0.003, 0.006, 0.009, 0.013, 0.018)
"""Shares of the shorter side: 0.5 to 2.7 pixels at 150."""
_NOISE_SIGMAS = (4.0, 8.0, 14.0, 22.0, 32.0)
"""Levels."""
_JPEG_QUALITIES = (60, 40, 25, 15, 8)
_COLOR_SHIFTS = (0.05, 0.10, 0.15, 0.22, 0.30)
"""Red is multiplied by one plus this and blue divided, or the reverse."""


def disturb(image_HWC: Pixels, name: str, level: int, *, key: str) -> Pixels:
    """
    Draw one disturbance over a picture.

    Args:
        image_HWC: sRGB, uint8 ``[H, W, 3]``, each side at least 32 px; not written to.
        name: Of :data:`DISTURBANCES`.
        level: 1 to 5.
        key: Name of the picture; with that of the disturbance it decides on every chance.
    """
    digest = hashlib.sha256(f"{key} {name}".encode()).digest()
    rng = np.random.default_rng(int.from_bytes(digest[:8], "big"))
    return DISTURBANCES[name](image_HWC, rng, level)


def _hair(image_HWC: Pixels, rng: np.random.Generator, level: int) -> Pixels:
    return add_hair(image_HWC, rng, count=_HAIRS[level - 1])


def _ruler(image_HWC: Pixels, rng: np.random.Generator, level: int) -> Pixels:
    for _ in range(level):
        image_HWC = add_ruler(image_HWC, rng)
    return image_HWC


def _ink(image_HWC: Pixels, rng: np.random.Generator, level: int) -> Pixels:
    for _ in range(level):
        image_HWC = add_ink(image_HWC, rng)
    return image_HWC


def _vignette(image_HWC: Pixels, rng: np.random.Generator, level: int) -> Pixels:
    return add_vignette(image_HWC, rng, radius_share=_VIGNETTE_RADII[level - 1])


def _patch(image_HWC: Pixels, rng: np.random.Generator, level: int) -> Pixels:
    """A round coloured sticker near a corner, as clinics put beside children's lesions."""
    height, width = image_HWC.shape[:2]
    color = _PATCH_COLORS[rng.integers(len(_PATCH_COLORS))]
    corner_D = rng.integers(0, 2, size=2)
    # In the square that the device looks at, its middle a little inside the corner.
    middle_D = np.array([width, height]) / 2 + (2 * corner_D - 1) * 0.4 * min(height, width)
    radius_px = max(1, round(_PATCH_RADII[level - 1] * min(height, width)))
    result_HWC = image_HWC.copy()
    center = (round(float(middle_D[0])), round(float(middle_D[1])))
    cv2.circle(result_HWC, center, radius_px, color, cv2.FILLED, cv2.LINE_AA)
    return result_HWC


def _blur(image_HWC: Pixels, _rng: np.random.Generator, level: int) -> Pixels:
    sigma_px = _BLUR_SIGMAS[level - 1] * min(image_HWC.shape[:2])
    return as_pixels(cv2.GaussianBlur(image_HWC, (0, 0), sigma_px))


def _noise(image_HWC: Pixels, rng: np.random.Generator, level: int) -> Pixels:
    noise_HWC = _NOISE_SIGMAS[level - 1] * rng.standard_normal(image_HWC.shape)
    return np.clip(np.rint(image_HWC + noise_HWC), 0, 255).astype(np.uint8)


def _jpeg(image_HWC: Pixels, _rng: np.random.Generator, level: int) -> Pixels:
    return compress(image_HWC, quality=_JPEG_QUALITIES[level - 1])


def _white_balance(image_HWC: Pixels, rng: np.random.Generator, level: int) -> Pixels:
    factor = 1 + _COLOR_SHIFTS[level - 1]
    gain = factor if rng.random() < 0.5 else 1 / factor  # noqa: PLR2004 - warmer or colder
    return change_light(image_HWC, exposure=1.0, gain_C=np.array([gain, 1.0, 1 / gain]))


DISTURBANCES: Mapping[str, Disturbance] = {
    "hair": _hair,
    "ruler": _ruler,
    "ink": _ink,
    "vignette": _vignette,
    "coloured patch": _patch,
    "blur": _blur,
    "noise": _noise,
    "JPEG": _jpeg,
    "white balance": _white_balance,
}
NEVER_TRAINED_ON = ("coloured patch", "noise")
"""What ``training.data.acquisition`` does not do to training pictures."""
