"""Stage 4: sensor noise is smoothed, the border of the lesion is not."""

from __future__ import annotations

import cv2

from device.core.manifest import Denoise
from device.core.values import Pixels, as_pixels


def denoise(image_HWC: Pixels, spec: Denoise) -> Pixels:
    """
    Average each pixel with those near it in place and in colour (bilateral filter).

    Args:
        image_HWC: sRGB, uint8 ``[H, W, 3]``, already resized.
        spec: Window, and how far apart in levels two pixels may be to be averaged.

    Returns:
        A new uint8 picture of the same shape.

    Threads: pure.

    Source: Tomasi & Manduchi, "Bilateral filtering for gray and color images" (ICCV 1998).
    """
    return as_pixels(
        cv2.bilateralFilter(
            image_HWC, spec.diameter_px, spec.sigma_color_levels, spec.sigma_space_px
        )
    )
