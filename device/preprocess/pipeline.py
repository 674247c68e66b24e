"""
The six stages composed, the same for the board and for training.

``prepare`` is the whole; the board calls its two halves, because the quality gate looks at
the working copy between them.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

from typing_extensions import assert_never

from device.core.manifest import (
    ColorConstancy,
    Denoise,
    FieldOfView,
    HairRemoval,
    LocalContrast,
    PreprocessSpec,
    Resize,
    StageSpec,
)
from device.core.ports import Stopwatch
from device.core.values import Pixels, check_pixels
from device.preprocess.color_constancy import shades_of_gray
from device.preprocess.denoise import denoise
from device.preprocess.field_of_view import field_of_view
from device.preprocess.hair_removal import remove_hair
from device.preprocess.local_contrast import enhance_local_contrast
from device.preprocess.resize import halve_to, resize_area

WORKING_FACTOR = 4
"""The working copy has at most this many times the model's side."""

_PLAIN_SQUARE = FieldOfView(enabled=False, dark_share=0.0, smallest_side_share=1.0)


def working_copy(
    image_HWC: Pixels, spec: PreprocessSpec, stopwatch: Stopwatch | None = None
) -> Pixels:
    """
    Crop to the field of view and shrink to a size after which nothing is expensive.

    What reads the whole frame happens here.  Version 2 halves it.  Version 1 resizes it by area to
    a whole multiple of the model's side, so that this resize and the one to the model's side
    together equal a single one, but for rounding to a level; it takes longer.

    Args:
        image_HWC: sRGB, uint8 ``[H, W, 3]``, any size.
        spec: From the model contract.
        stopwatch: Told the time of ``field_of_view`` and ``working_copy``.

    Returns:
        uint8 ``[S, S, 3]``, S at most ``WORKING_FACTOR`` times the model's side, and more than
        half of that if the frame was.
    """
    check_pixels(image_HWC)
    first = spec.stages[0]
    with _timed(stopwatch, "field_of_view"):
        square_HWC = field_of_view(
            image_HWC, first if isinstance(first, FieldOfView) else _PLAIN_SQUARE
        )
    with _timed(stopwatch, "working_copy"):
        limit_px = WORKING_FACTOR * spec.side_px
        if square_HWC.shape[0] <= limit_px:
            return square_HWC
        shrink = resize_area if spec.version == 1 else halve_to
        return shrink(square_HWC, limit_px)


def model_input(
    working_HWC: Pixels, spec: PreprocessSpec, stopwatch: Stopwatch | None = None
) -> Pixels:
    """
    Run the stages that follow the crop, in the order of the contract.

    Args:
        working_HWC: From :func:`working_copy`, uint8 ``[S, S, 3]``.
        spec: From the model contract.
        stopwatch: Told the time of each stage under its name.

    Returns:
        uint8 ``[side, side, 3]``, ready for the graph.
    """
    image_HWC = working_HWC
    for stage in spec.stages:
        if isinstance(stage, FieldOfView) or not (isinstance(stage, Resize) or stage.enabled):
            continue
        with _timed(stopwatch, stage.stage):
            image_HWC = _run(stage, image_HWC)
    return image_HWC


def prepare(image_HWC: Pixels, spec: PreprocessSpec) -> Pixels:
    """Turn a decoded picture of any size into the model's input, uint8 ``[side, side, 3]``."""
    return model_input(working_copy(image_HWC, spec), spec)


def _run(stage: StageSpec, image_HWC: Pixels) -> Pixels:
    match stage:
        case FieldOfView():
            return field_of_view(image_HWC, stage)
        case Resize():
            return resize_area(image_HWC, stage.side_px)
        case HairRemoval():
            return remove_hair(image_HWC, stage)
        case Denoise():
            return denoise(image_HWC, stage)
        case ColorConstancy():
            return shades_of_gray(image_HWC, stage)
        case LocalContrast():
            return enhance_local_contrast(image_HWC, stage)
    assert_never(stage)


def _timed(stopwatch: Stopwatch | None, name: str) -> AbstractContextManager[None]:
    return nullcontext() if stopwatch is None else stopwatch.stage(name)
