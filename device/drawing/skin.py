"""
Skin, and the light on it: the picture as light that passes through layers.

Skin has a color; melanin and blood take light away in proportion to themselves (the law of
Beer and Lambert, on sRGB values).

Legend: H height, W width, C color channel (red, green, blue), N pore, D coordinate (u, v).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from device.core.values import Pixels
from device.drawing.canvas import Canvas, Plane, stretch
from device.drawing.strokes import strokes
from device.drawing.texture import clouds, mesh, noise

_BARE_C: Final = (246.0, 222.0, 208.0)  # sRGB of skin without melanin or blood, in full light
MELANIN_C: Final = (0.56, 0.84, 1.00)
"""What one unit of melanin takes away, natural logarithm."""
BLOOD_C: Final = (0.16, 0.80, 0.62)
"""The same for blood."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Skin:
    """The skin; what lies on it is drawn into its color."""

    color_CHW: NDArray[np.float64]
    """Levels 0 to 255, without the light."""
    light_HW: Plane
    """The light on it, about 1, with the noise of the sensor."""
    grain_HW: Plane
    """Fine texture, -1 to 1, which runs on through a lesion."""

    def seen(self) -> Pixels:
        """The picture: the color in the light, rounded to levels."""
        pixels_HWC = np.empty((*self.light_HW.shape, 3), np.uint8)
        for channel, color_HW in enumerate(self.color_CHW):
            pixels_HWC[:, :, channel] = np.rint(np.clip(color_HW * self.light_HW, 0.0, 255.0))
        return pixels_HWC


def draw_skin(seed: int, *, height_px: int = 450, width_px: int = 600) -> Pixels:
    """
    Draw skin without a lesion: the skin that :func:`draw_lesion` draws for the same seed.

    The arguments, the result and the errors are those of :func:`draw_lesion`.
    """
    return skin_on(stretch(seed, height_px=height_px, width_px=width_px)).seen()


def skin_on(canvas: Canvas) -> Skin:
    """Skin of some tone, in the light of some lamp."""
    chance = canvas.chance
    melanin = 0.02 + 0.5 * chance.between(0.0, 1.0) ** 2.5
    blood = chance.between(0.08, 0.36)
    patches_HW = clouds(canvas, 0.9, octaves=2)
    grain_HW = clouds(canvas, 0.05, octaves=3)
    furrows_HW = mesh(canvas, chance.between(0.10, 0.16), disorder=0.3) - 0.4
    pores_HW = _pores(canvas)
    melanin_HW = melanin * (1.0 + 0.25 * patches_HW + 0.2 * grain_HW) + 0.10 * pores_HW
    blood_HW = blood * (1.0 + 0.3 * clouds(canvas, 0.6, octaves=2)) + 0.05 * grain_HW
    blood_HW += chance.between(0.0, 0.035) * furrows_HW - 0.06 * pores_HW

    color_CHW = np.empty((3, *canvas.shape_px))
    for channel, bare in enumerate(_BARE_C):
        color_HW = np.exp(-MELANIN_C[channel] * melanin_HW - BLOOD_C[channel] * blood_HW)
        color_CHW[channel] = color_HW * (bare * chance.near(1.0, 0.03))
    return Skin(color_CHW=color_CHW, light_HW=_light(canvas, grain_HW), grain_HW=grain_HW)


def _light(canvas: Canvas, grain_HW: Plane) -> Plane:
    """The light of a lamp ring, with the relief of the skin and the noise of the sensor in it."""
    chance = canvas.chance
    # The ring lights the middle most; the contact plate is never quite level.  Both by the
    # distance from the middle to a corner, so that a long strip is lit to its ends.
    reach = math.hypot(canvas.u_1W.size, canvas.v_H1.size) / (2.0 * canvas.unit_px)
    u_1W, v_H1 = canvas.u_1W / reach, canvas.v_H1 / reach
    tilt, tilt_to = chance.between(0.0, 0.1), chance.between(0.0, 2.0 * math.pi)
    light_HW = chance.between(0.86, 1.03) + (tilt * math.cos(tilt_to)) * u_1W
    light_HW = light_HW + (tilt * math.sin(tilt_to)) * v_H1
    light_HW -= chance.between(0.05, 0.36) * (u_1W**2 + v_H1**2)
    light_HW += 0.03 * grain_HW
    # The relief is fine enough to need a sharp picture.
    light_HW += chance.between(0.02, 0.045) * clouds(canvas, 0.011, octaves=2)
    # Sensor noise is the one thing that has the size of a pixel, whatever the picture's size.
    light_HW += chance.between(0.006, 0.018) * noise(canvas, 1.6 / canvas.unit_px)
    return light_HW


def _pores(canvas: Canvas) -> Plane:
    """Openings of follicles, 0 to 1, spread over the whole picture."""
    chance = canvas.chance
    count = chance.whole(10, 90)
    reach_D = np.array([canvas.u_1W.size, canvas.v_H1.size]) / canvas.unit_px / 2.0
    place_ND = chance.many(-1.0, 1.0, count, 2) * reach_D
    radius_N, strength_N = chance.many(0.006, 0.016, count), chance.many(0.2, 1.0, count)
    return strokes(canvas, place_ND, place_ND, radius_N, strength_N=strength_N, softness=1.0)
