"""
Frames that a camera, a cable or a driver broke, made from good pictures.

Legend: ``H`` height, ``W`` width, ``C`` color channel.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import cv2
import numpy as np

from device.core.values import Pixels, as_pixels

_BLOCK_PX = 16

Break = Callable[[Pixels, np.random.Generator], Pixels]
"""From a picture, uint8 ``[H, W, 3]``, and chance to a new one of the same size."""


def break_frame(image_HWC: Pixels, name: str, seed: int) -> Pixels:
    """Return *image_HWC* broken in one of the ways of :data:`BREAKS`; *seed* decides the rest."""
    return BREAKS[name](image_HWC, np.random.default_rng(seed))


def _black(image_HWC: Pixels, rng: np.random.Generator) -> Pixels:
    return rng.integers(0, 4, image_HWC.shape, dtype=np.uint8)


def _white(image_HWC: Pixels, rng: np.random.Generator) -> Pixels:
    return rng.integers(252, 256, image_HWC.shape, dtype=np.uint8)


def _noise(image_HWC: Pixels, rng: np.random.Generator) -> Pixels:
    return rng.integers(0, 256, image_HWC.shape, dtype=np.uint8)


def _torn(image_HWC: Pixels, rng: np.random.Generator) -> Pixels:
    """Each strip of lines begins at another place."""
    torn_HWC = image_HWC.copy()
    height, width = image_HWC.shape[:2]
    cuts = np.sort(rng.choice(np.arange(1, height), 6, replace=False))
    for lines in np.split(np.arange(height), cuts):
        torn_HWC[lines] = np.roll(image_HWC[lines], int(rng.integers(width)), axis=1)
    return torn_HWC


def _half(image_HWC: Pixels, rng: np.random.Generator) -> Pixels:
    """The transfer stopped: below a line everything is the green of empty YUV."""
    half_HWC = image_HWC.copy()
    half_HWC[int(rng.uniform(0.3, 0.6) * len(half_HWC)) :] = (0, 135, 0)
    return half_HWC


def _swapped(image_HWC: Pixels) -> Pixels:
    """Blue where red belongs."""
    return np.ascontiguousarray(image_HWC[:, :, ::-1])


def _inverted(image_HWC: Pixels) -> Pixels:
    return np.asarray(255 - image_HWC, dtype=np.uint8)


def _shuffled(image_HWC: Pixels, rng: np.random.Generator) -> Pixels:
    """Blocks of a compressed frame at the wrong places."""
    shuffled_HWC = image_HWC.copy()
    height, width = (side // _BLOCK_PX * _BLOCK_PX for side in image_HWC.shape[:2])
    grid = image_HWC[:height, :width].reshape(height // _BLOCK_PX, _BLOCK_PX, -1, _BLOCK_PX, 3)
    blocks = grid.swapaxes(1, 2).reshape(-1, _BLOCK_PX, _BLOCK_PX, 3)
    mixed = rng.permutation(blocks).reshape(height // _BLOCK_PX, -1, _BLOCK_PX, _BLOCK_PX, 3)
    shuffled_HWC[:height, :width] = mixed.swapaxes(1, 2).reshape(height, width, 3)
    return shuffled_HWC


def _one_channel(image_HWC: Pixels, rng: np.random.Generator) -> Pixels:
    """Only one color arrived."""
    single_HWC = np.zeros_like(image_HWC)
    channel = int(rng.integers(3))
    single_HWC[:, :, channel] = image_HWC[:, :, channel]
    return single_HWC


def _smeared(image_HWC: Pixels) -> Pixels:
    """The dermatoscope slipped during the exposure."""
    length = max(3, int(0.3 * min(image_HWC.shape[:2])))
    kernel = np.full((1, length), 1 / length)
    return as_pixels(cv2.filter2D(image_HWC, -1, kernel))


BREAKS: Mapping[str, Break] = {
    "black": _black,
    "white": _white,
    "noise": _noise,
    "torn": _torn,
    "half a frame": _half,
    "red and blue swapped": lambda image_HWC, _: _swapped(image_HWC),
    "inverted": lambda image_HWC, _: _inverted(image_HWC),
    "shuffled blocks": _shuffled,
    "one channel": _one_channel,
    "smeared": lambda image_HWC, _: _smeared(image_HWC),
}
