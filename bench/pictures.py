"""Drawn pictures, the same every time: frames as a camera gives them, and files."""

from __future__ import annotations

import cv2
import numpy as np

from device.core.manifest import DIAGNOSES, HairRemoval, PreprocessSpec
from device.core.values import Pixels
from device.drawing import add_hair, draw_lesion
from device.preprocess import model_input, working_copy
from device.preprocess.hair_removal import remove_hair

_NOISE_LEVELS = 4.0
_ROWS = 256
_LEAST_PAINTED = 0.05
"""Share of the network's input."""
_MOST_DRAWS = 64


def files(count: int, *, height_px: int = 450, width_px: int = 600) -> list[bytes]:
    """Draw *count* JPEG files of lesions with a sensor's noise."""
    return [
        jpeg(
            with_noise(
                draw_lesion(
                    number,
                    diagnosis=DIAGNOSES[number % len(DIAGNOSES)],
                    height_px=height_px,
                    width_px=width_px,
                ),
                seed=number,
            )
        )
        for number in range(count)
    ]


def large_picture(*, height_px: int = 3000, width_px: int = 4000, seed: int = 3) -> Pixels:
    """A drawn lesion at a camera's resolution, with noise: what a decoder has to work for."""
    small_HWC = draw_lesion(
        seed,
        diagnosis=DIAGNOSES[seed % len(DIAGNOSES)],
        height_px=height_px // 2,
        width_px=width_px // 2,
    )
    large_HWC = cv2.resize(small_HWC, (width_px, height_px), interpolation=cv2.INTER_CUBIC)
    return with_noise(large_HWC.astype(np.uint8), seed=seed)


def under_hair(image_HWC: Pixels, spec: PreprocessSpec) -> Pixels:
    """
    Lay hairs over a picture, so many and so dark that their removal has to paint.

    Not all hairs are seen as such any more at the network's side, and a stage that finds none is
    done at once.

    Raises:
        ValueError: *spec* removes no hair, or never finds enough of it.
    """
    removal = next(
        (stage for stage in spec.with_every_stage().stages if isinstance(stage, HairRemoval)), None
    )
    if removal is None:
        raise ValueError("expected a preprocessing with hair removal, found one without")
    for seed in range(_MOST_DRAWS):
        hairy_HWC = add_hair(image_HWC, np.random.default_rng(seed))
        input_HWC = model_input(working_copy(hairy_HWC, spec), spec)
        painted_HW = (remove_hair(input_HWC, removal) != input_HWC).any(axis=-1)
        if painted_HW.mean() >= _LEAST_PAINTED:
            return hairy_HWC
    raise ValueError(f"expected hair that is removed, found none in {_MOST_DRAWS} drawn pictures")


def with_noise(image_HWC: Pixels, *, seed: int) -> Pixels:
    """Add normal noise of a few levels; a board of 512 MB has room for it."""
    rng = np.random.default_rng(seed)
    noisy_HWC = np.empty_like(image_HWC)
    for top in range(0, len(image_HWC), _ROWS):
        rows_HWC = image_HWC[top : top + _ROWS]
        noise_HWC = _NOISE_LEVELS * rng.standard_normal(rows_HWC.shape, dtype=np.float32)
        noisy_HWC[top : top + _ROWS] = np.clip(np.rint(rows_HWC + noise_HWC), 0, 255)
    return noisy_HWC


def jpeg(image_HWC: Pixels, *, quality: int = 92) -> bytes:
    """Encode as a camera would."""
    bgr_HWC = cv2.cvtColor(image_HWC, cv2.COLOR_RGB2BGR)
    return cv2.imencode(".jpg", bgr_HWC, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()
