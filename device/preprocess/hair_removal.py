"""Stage 3: dark hair is found by its shape and painted over from its surroundings."""

from __future__ import annotations

import cv2

from device.core.manifest import HairRemoval
from device.core.values import Pixels


def remove_hair(image_HWC: Pixels, spec: HairRemoval) -> Pixels:
    """
    Paint over thin dark lines.

    The idea is DullRazor's: a closing removes dark structures thinner than its kernel, so
    what the closing changed (the black-hat) is hair.  We fill by inpainting in place of
    DullRazor's interpolation along the line, and leave a picture alone in which so much is
    marked that it must be the lesion's own texture.

    Args:
        image_HWC: sRGB, uint8 ``[H, W, 3]``, already resized: the cost grows with the area.
        spec: Kernel, threshold and limit.

    Returns:
        uint8 of the same shape; the input itself where there is no hair.

    Threads: pure.

    Sources: Lee, Ng, Gallagher, Coldman & McLean, "DullRazor" (Computers in Biology and
    Medicine, 1997); Telea, "An image inpainting technique based on the fast marching method"
    (Journal of Graphics Tools, 2004).
    """
    gray_HW = cv2.cvtColor(image_HWC, cv2.COLOR_RGB2GRAY)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (spec.kernel_px, spec.kernel_px))
    thin_dark_HW = cv2.morphologyEx(gray_HW, cv2.MORPH_BLACKHAT, kernel)
    _, mask_HW = cv2.threshold(thin_dark_HW, spec.threshold_levels - 1, 255, cv2.THRESH_BINARY)
    marked = cv2.countNonZero(mask_HW)
    if marked == 0 or marked > spec.largest_share * mask_HW.size:
        return image_HWC
    # The soft edge of a hair is below the threshold but would tint what is painted.
    mask_HW = cv2.dilate(mask_HW, cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3)))
    return cv2.inpaint(image_HWC, mask_HW, spec.inpaint_radius_px, cv2.INPAINT_TELEA)  # type: ignore[return-value]
