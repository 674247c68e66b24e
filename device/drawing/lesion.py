"""
A picture as a dermatoscope sees it: skin, and on it one lesion.

Legend: H height, W width, C color channel (red, green, blue).
"""

from __future__ import annotations

from typing import Final

import numpy as np

from device.core.manifest import DIAGNOSES
from device.core.values import Pixels
from device.drawing.border import Body, draw_body
from device.drawing.canvas import stretch
from device.drawing.diagnoses import SHAPES, TRAITS, Layers
from device.drawing.skin import BLOOD_C, MELANIN_C, Skin, skin_on

_BLUE_C: Final = (108.0, 113.0, 132.0)  # pigment seen through the skin above it
_WHITE_C: Final = (240.0, 222.0, 214.0)  # scale, scar, milia


def draw_lesion(
    seed: int, *, diagnosis: str = "NV", height_px: int = 450, width_px: int = 600
) -> Pixels:
    """
    Draw one lesion on skin, as through a dermatoscope.

    One seed gives one picture at any size, and the same skin for each diagnosis.

    Args:
        seed: Whole number, 0 or more.
        diagnosis: One of :data:`device.core.manifest.DIAGNOSES`.
        height_px: Height in pixels, at least 16.
        width_px: Width in pixels, at least 16.

    Returns:
        sRGB, uint8 ``[height_px, width_px, 3]``; on another machine at most one level away.

    Raises:
        ValueError: The diagnosis is none of the seven, or a side is too short.

    Threads: pure; may be called from any thread.
    """
    if diagnosis not in DIAGNOSES:
        raise ValueError(
            f"draw_lesion: expected a diagnosis of {' '.join(DIAGNOSES)}, found {diagnosis!r}; "
            "use the codes of HAM10000 in upper case"
        )
    canvas = stretch(seed, height_px=height_px, width_px=width_px)
    skin = skin_on(canvas)
    body = draw_body(canvas, SHAPES[diagnosis])
    _lay_on(skin, body, TRAITS[diagnosis](body, canvas.chance))
    return skin.seen()


def _lay_on(skin: Skin, body: Body, layers: Layers) -> None:
    """Lay *layers* on the *skin* where the *body* lies, in place."""
    grain_HW = 1.0 + 0.25 * skin.grain_HW[body.window]
    blue_HW, white_HW = np.clip(layers.blue_HW, 0.0, 1.0), np.clip(layers.white_HW, 0.0, 1.0)
    for channel in range(3):
        seen_HW = skin.color_CHW[channel][body.window]
        taken_HW = -MELANIN_C[channel] * layers.melanin_HW - BLOOD_C[channel] * layers.blood_HW
        seen_HW *= np.exp(taken_HW * grain_HW)
        seen_HW += (_BLUE_C[channel] - seen_HW) * blue_HW
        seen_HW += (_WHITE_C[channel] - seen_HW) * white_HW
