"""Drawn pictures on disk, the same every time, for measurements that need files."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from device.core.manifest import DIAGNOSES
from device.core.values import Pixels
from device.drawing import draw_lesion

_NOISE_LEVELS = 4.0


def write_pictures(
    folder: Path, count: int, *, height_px: int = 450, width_px: int = 600
) -> list[Path]:
    """Write *count* JPEG files of drawn lesions with a sensor's noise into *folder*."""
    paths = [folder / f"{number:04d}.jpg" for number in range(count)]
    for number, path in enumerate(paths):
        picture_HWC = draw_lesion(
            number,
            diagnosis=DIAGNOSES[number % len(DIAGNOSES)],
            height_px=height_px,
            width_px=width_px,
        )
        path.write_bytes(jpeg(with_noise(picture_HWC, seed=number)))
    return paths


def large_picture(*, height_px: int = 3000, width_px: int = 4000) -> Pixels:
    """A drawn lesion at a phone's resolution, with noise: what a decoder has to work for."""
    small_HWC = draw_lesion(3, diagnosis="MEL", height_px=height_px // 2, width_px=width_px // 2)
    large_HWC = cv2.resize(small_HWC, (width_px, height_px), interpolation=cv2.INTER_CUBIC)
    return with_noise(large_HWC.astype(np.uint8), seed=3)


def with_noise(image_HWC: Pixels, *, seed: int) -> Pixels:
    """Add normal noise of a few levels."""
    rng = np.random.default_rng(seed)
    noise_HWC = rng.normal(0, _NOISE_LEVELS, image_HWC.shape)
    return np.clip(image_HWC + noise_HWC, 0, 255).astype(np.uint8)


def jpeg(image_HWC: Pixels, *, quality: int = 92) -> bytes:
    """Encode as a camera would."""
    bgr_HWC = cv2.cvtColor(image_HWC, cv2.COLOR_RGB2BGR)
    return cv2.imencode(".jpg", bgr_HWC, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()
