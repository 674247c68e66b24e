"""Stage 6: local contrast, so that structure shows under flat light."""

from __future__ import annotations

import cv2

from device.core.manifest import LocalContrast
from device.core.values import Pixels, as_pixels


def enhance_local_contrast(image_HWC: Pixels, spec: LocalContrast) -> Pixels:
    """
    Equalise lightness tile by tile with a limit on the gain (CLAHE); colours stay.

    Args:
        image_HWC: sRGB, uint8 ``[H, W, 3]``, already resized.
        spec: Clip limit (larger: stronger) and tiles along each side.

    Returns:
        A new uint8 picture of the same shape.

    Threads: pure.

    Source: Zuiderveld, "Contrast limited adaptive histogram equalization" (Graphics Gems IV,
    1994).
    """
    lab_HWC = cv2.cvtColor(image_HWC, cv2.COLOR_RGB2LAB)
    equalizer = cv2.createCLAHE(clipLimit=spec.clip_limit, tileGridSize=(spec.tiles, spec.tiles))
    lab_HWC[:, :, 0] = equalizer.apply(lab_HWC[:, :, 0])
    return as_pixels(cv2.cvtColor(lab_HWC, cv2.COLOR_LAB2RGB))
