"""When automatic exposure and white balance have come to rest, and which frame is the sharpest."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence

import numpy as np

from device.core.errors import CameraError
from device.core.values import Pixels

FRAMES = 3
"""So many frames in a row must agree."""
TOLERANCE = 0.04
"""By how much of the larger one two values may differ and still agree; less cannot be seen."""
_SAMPLED_PX = 320


class Settling:
    """
    Watches numbers that belong to frames, and says when they have come to rest.

    Args:
        frames: How many frames in a row must agree.
        tolerance: By how much of the larger one two values may differ, 0 to 1.

    Threads: one.
    """

    def __init__(self, *, frames: int = FRAMES, tolerance: float = TOLERANCE) -> None:
        self._tolerance = tolerance
        self._seen: deque[tuple[float, ...]] = deque(maxlen=frames)

    def add(self, *values: float) -> bool:
        """Take the next frame's values, each 0 or more; whether all of the last frames agree."""
        self._seen.append(values)
        return len(self._seen) == self._seen.maxlen and all(
            agree(first, last, tolerance=self._tolerance)
            for column in zip(*self._seen, strict=True)
            for first, last in ((min(column), max(column)),)
        )


def rest(name: str, next_frame: Callable[[], Pixels], called_s: float, deadline_s: float) -> float:
    """
    Wait until frame after frame is as bright as the one before.

    Args:
        name: Of the camera, for the error.
        next_frame: Returns the next frame, or raises CameraError.
        called_s: When the wait began, ``time.monotonic()``.
        deadline_s: When it ends.

    Returns:
        The brightness, 0 to 255.

    Raises:
        CameraError: The frames are still changing at *deadline_s*.
    """
    settling = Settling()
    while True:
        level = brightness(next_frame())
        if settling.add(level):
            return level
        if time.monotonic() >= deadline_s:
            raise at_no_rest(name, deadline_s - called_s)


def at_no_rest(name: str, waited_s: float) -> CameraError:
    """Say that exposure and white balance kept on changing."""
    return CameraError(
        f"{name}: exposure and white balance did not come to rest within {waited_s:g} s; hold "
        "still, with the lamp on"
    )


def agree(first: float, second: float, *, tolerance: float = TOLERANCE) -> bool:
    """Whether two values, each 0 or more, are the same but for *tolerance* of the larger one."""
    return abs(first - second) <= tolerance * max(first, second)


def brightness(pixels_HWC: Pixels) -> float:
    """Mean level of a sample of the pixels, 0 to 255: the same everywhere, cheap, never copied."""
    return float(_sampled(pixels_HWC).mean())


def sharpest(frames: Sequence[Pixels]) -> int:
    """
    Return the position of the sharpest of *frames*, each uint8 ``[H, W, 3]`` of one scene.

    The energy of the differences between neighbouring rows and columns in the middle of the
    picture, at full resolution: frames of one scene under one exposure differ in nothing else.
    """
    return max(range(len(frames)), key=lambda number: _edges(frames[number]))


def _edges(pixels_HWC: Pixels) -> float:
    height, width = pixels_HWC.shape[:2]
    top, left = height // 4, width // 4
    # Green has most of the light and, on a Bayer sensor, half of the pixels.
    middle_HW = pixels_HWC[top : height - top, left : width - left, 1].astype(np.int16)
    return float(
        sum(np.square(np.diff(middle_HW, axis=axis), dtype=np.float32).mean() for axis in (0, 1))
        if min(middle_HW.shape) > 1
        else 0.0
    )


def _sampled(pixels_HWC: Pixels) -> Pixels:
    step = max(1, max(pixels_HWC.shape[:2]) // _SAMPLED_PX)
    return pixels_HWC[::step, ::step]
