"""Stage 3: dark hair is found by its shape and painted over from its surroundings."""

from __future__ import annotations

import cv2
import numpy as np

from device.core.manifest import HairRemoval
from device.core.values import Pixels, as_pixels


def remove_hair(image_HWC: Pixels, spec: HairRemoval) -> Pixels:
    """
    Paint over thin, long, dark lines.

    The idea is DullRazor's: a closing removes dark structures thinner than its kernel, so what
    the closing changed (the black-hat) may be hair; hair it is if it is long and thin as well.
    Without that check dots, globules and the pigment network, which are what a lesion is told
    by, would be painted over first.  We fill by inpainting in place of DullRazor's
    interpolation along the line.

    Args:
        image_HWC: sRGB, uint8 ``[H, W, 3]``, already resized: the cost grows with the area.
        spec: Kernel, threshold and shape.

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
    _, marks_HW = cv2.threshold(thin_dark_HW, spec.threshold_levels - 1, 255, cv2.THRESH_BINARY)
    hair_HW = _long_and_thin(marks_HW, spec)
    if hair_HW is None:
        return image_HWC
    # The soft edge of a hair is below the threshold but would tint what is painted.
    hair_HW = cv2.dilate(hair_HW, cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3)))
    return as_pixels(cv2.inpaint(image_HWC, hair_HW, spec.inpaint_radius_px, cv2.INPAINT_TELEA))


def _long_and_thin(marks_HW: np.ndarray, spec: HairRemoval) -> np.ndarray | None:
    """Keep the connected marks that have the shape of hair, uint8 0 or 255; None without any."""
    _, labels_HW, stats, _ = cv2.connectedComponentsWithStats(marks_HW, connectivity=8)
    width, height = stats[:, cv2.CC_STAT_WIDTH], stats[:, cv2.CC_STAT_HEIGHT]
    area = stats[:, cv2.CC_STAT_AREA]
    span = np.hypot(width, height)
    is_line = area <= spec.thickest_px * span
    # Hairs that cross are one mark: its box is large and mostly empty, that of a dark network
    # is not.
    is_lattice = area <= spec.densest_share * width * height
    is_hair = (span >= spec.shortest_px) & (is_line | is_lattice)
    is_hair[0] = False  # the background
    if not is_hair.any():
        return None
    return np.where(is_hair[labels_HW], np.uint8(255), np.uint8(0))
