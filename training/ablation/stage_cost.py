"""What each preprocessing stage costs, in milliseconds, on drawn pictures."""

from __future__ import annotations

import statistics
import time
from collections import defaultdict

import cv2
import numpy as np

from device.core.manifest import PreprocessSpec
from device.core.stopwatch import Recorder
from device.core.values import Pixels
from device.drawing import add_hair, draw_lesion
from device.preprocess import model_input, working_copy
from training.runs import Config

SIZES_PX = ((200, 150), (2028, 1520))
"""Width and height: a small picture as data sets have them, and a frame of a camera."""
REPEATS = 15
_SEEDS = (1, 2)
_WORKING_COPY = "working_copy"
"""The first half of the resize."""


class StageCost(Config):
    """Medians over pictures and repeats."""

    preprocess: PreprocessSpec
    """With every stage on."""
    width_px: int
    height_px: int
    ms: dict[str, float]
    """By stage, in their order."""


def measure_stages(
    spec: PreprocessSpec, *, sizes_px: tuple[tuple[int, int], ...] = SIZES_PX
) -> list[StageCost]:
    """
    Time every stage of *spec*, those that are off too, on one core.

    The pictures are lesions under hair, so that no stage has an easy day.  A stage is timed where
    it stands: behind the stages before it, all of them on.

    Args:
        spec: Of the baseline.
        sizes_px: Widths and heights of the pictures.
    """
    every = spec.with_every_stage()
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        return [
            StageCost(
                preprocess=every,
                width_px=width_px,
                height_px=height_px,
                ms=_measure(every, width_px, height_px),
            )
            for width_px, height_px in sizes_px
        ]
    finally:
        cv2.setNumThreads(threads)


def _measure(spec: PreprocessSpec, width_px: int, height_px: int) -> dict[str, float]:
    pictures = [_draw(seed, width_px, height_px) for seed in _SEEDS]
    found: dict[str, list[float]] = defaultdict(list)
    for repeat in range(REPEATS + 1):
        for image_HWC in pictures:
            recorder = Recorder(time.perf_counter_ns)
            model_input(working_copy(image_HWC, spec, recorder), spec, recorder)
            if repeat == 0:  # Warms up.
                continue
            spent_ns = dict(recorder.stages())
            spent_ns["resize"] += spent_ns.pop(_WORKING_COPY)
            for stage in spec.stages:
                found[stage.stage].append(spent_ns[stage.stage] / 1e6)
    return {name: round(statistics.median(times), 3) for name, times in found.items()}


def _draw(seed: int, width_px: int, height_px: int) -> Pixels:
    return add_hair(
        draw_lesion(seed, diagnosis="MEL", height_px=height_px, width_px=width_px),
        np.random.default_rng(seed),
    )
