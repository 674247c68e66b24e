"""Stage 5: the colour of the lamp is divided out, so that every dermatoscope looks alike."""

from __future__ import annotations

import cv2
import numpy as np

from device.core.manifest import ColorConstancy
from device.core.values import Pixels, as_pixels

_LEVELS = np.arange(256, dtype=np.float64)


def shades_of_gray(image_HWC: Pixels, spec: ColorConstancy) -> Pixels:
    """
    Scale the channels so that the estimated lamp becomes neutral.

    The lamp is one Minkowski mean per channel.  Order 1 is gray-world, a very large order
    tends to the brightest pixel.  A neutral lamp leaves the picture as it is, and so does a
    channel without any light, from which no lamp can be estimated (the quality gate speaks
    about such a picture).

    Args:
        image_HWC: sRGB, uint8 ``[H, W, 3]``, already resized.
        spec: Minkowski order, part of the model contract.

    Returns:
        uint8 of the same shape; clipped, never wrapped.

    Threads: pure.

    Sources: Finlayson & Trezzi, "Shades of Gray and Colour Constancy" (CIC 2004); for
    dermoscopy Barata, Celebi & Marques (IEEE JBHI 2015).
    """
    # 256 levels per channel hold all that the mean needs: a histogram costs far less than a
    # power for each pixel, and is exact.
    power_L = _LEVELS**spec.norm_order
    count = image_HWC.shape[0] * image_HWC.shape[1]
    histograms_CL = [
        np.bincount(image_HWC[:, :, channel].ravel(), minlength=256) for channel in range(3)
    ]
    lamp_C = np.array([(h_L @ power_L) / count for h_L in histograms_CL]) ** (1 / spec.norm_order)
    if not lamp_C.all():
        return image_HWC
    gain_C = np.linalg.norm(lamp_C) / (np.sqrt(3.0) * lamp_C)
    table_1LC = np.clip(np.rint(_LEVELS[:, None] * gain_C), 0, 255).astype(np.uint8)[None]
    return as_pixels(cv2.LUT(image_HWC, table_1LC))
