"""
What another camera, another lens or another hand would have done to the same lesion.

These effects come before the six stages, because the stages are meant to undo them.  Resampling,
blur and compression also see to it that sharpness carries no label: in the collections some
classes have sharper copies than others.
"""

from __future__ import annotations

import cv2
import numpy as np

from device.core.values import Pixels, as_pixels
from device.drawing import add_hair, add_ink, add_ruler, add_vignette

_SHARES = {"hair": 0.3, "ruler": 0.1, "ink": 0.1, "vignette": 0.15}
_RESAMPLE_SHARE, _BLUR_SHARE, _LIGHT_SHARE, _JPEG_SHARE = 0.4, 0.25, 0.6, 0.5


def vary_acquisition(image_HWC: Pixels, rng: np.random.Generator) -> Pixels:
    """
    Return a variant of a picture as other equipment might have taken it.

    Args:
        image_HWC: sRGB, uint8 ``[H, W, 3]``.
        rng: Decides what happens and how strongly.

    Returns:
        A new uint8 picture of the same shape.
    """
    result_HWC = image_HWC.copy()
    for name, add in (
        ("hair", add_hair),
        ("ruler", add_ruler),
        ("ink", add_ink),
        ("vignette", add_vignette),
    ):
        if rng.random() < _SHARES[name]:
            result_HWC = add(result_HWC, rng)
    if rng.random() < _LIGHT_SHARE:
        result_HWC = change_light(
            result_HWC, exposure=rng.uniform(0.8, 1.2), gain_C=rng.uniform(0.9, 1.1, size=3)
        )
    if rng.random() < _RESAMPLE_SHARE:
        result_HWC = resample(result_HWC, share=rng.uniform(0.5, 1.0))
    if rng.random() < _BLUR_SHARE:
        result_HWC = as_pixels(cv2.GaussianBlur(result_HWC, (0, 0), rng.uniform(0.3, 1.0)))
    if rng.random() < _JPEG_SHARE:
        result_HWC = compress(result_HWC, quality=int(rng.integers(40, 96)))
    return result_HWC


def change_light(image_HWC: Pixels, *, exposure: float, gain_C: np.ndarray) -> Pixels:
    """Scale all channels by *exposure* and each by its own gain."""
    table_1LC = np.clip(np.rint(np.arange(256)[:, None] * exposure * gain_C), 0, 255)
    return as_pixels(cv2.LUT(image_HWC, table_1LC.astype(np.uint8)[None]))


def resample(image_HWC: Pixels, *, share: float) -> Pixels:
    """Shrink to *share* of the size and stretch back, losing what a coarser sensor loses."""
    height, width = image_HWC.shape[:2]
    small = (max(1, round(width * share)), max(1, round(height * share)))
    small_HWC = cv2.resize(image_HWC, small, interpolation=cv2.INTER_AREA)
    return as_pixels(cv2.resize(small_HWC, (width, height), interpolation=cv2.INTER_LINEAR))


def compress(image_HWC: Pixels, *, quality: int) -> Pixels:
    """Store as JPEG of *quality* (1 to 100) and read back."""
    _, encoded = cv2.imencode(
        ".jpg", cv2.cvtColor(image_HWC, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality]
    )
    decoded_HWC = cv2.imdecode(encoded, cv2.IMREAD_COLOR)
    # Just encoded, so never None.
    return as_pixels(cv2.cvtColor(decoded_HWC, cv2.COLOR_BGR2RGB))  # type: ignore[arg-type]
