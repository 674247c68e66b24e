"""
From a picture to a decision, in our way and in two others.

*The plain way*: the whole frame is shrunk by Pillow to 224 px as torchvision's transforms do it,
and MobileNetV2 looks at it.  No stages, no quality gate, nothing is written down.

*The usual way*: the same, behind the six stages on the frame as it comes, before it is shrunk:
field of view, hair, noise, colour of the lamp, local contrast.  The stages are the device's own
functions, all switched on, so they are not made slow; they only work on as many pixels as the
camera gives.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bench.shapes import SIDE_PX
from device.core.manifest import PreprocessSpec, Resize
from device.core.values import Pixels, as_pixels
from device.preprocess.color_constancy import shades_of_gray
from device.preprocess.denoise import denoise
from device.preprocess.field_of_view import field_of_view
from device.preprocess.hair_removal import remove_hair
from device.preprocess.local_contrast import enhance_local_contrast

_MEAN_C = np.array([0.485, 0.456, 0.406], dtype=np.float32)
_DEVIATION_C = np.array([0.229, 0.224, 0.225], dtype=np.float32)
_STAGES: dict[str, Callable[..., Pixels]] = {
    "field_of_view": field_of_view,
    "hair_removal": remove_hair,
    "denoise": denoise,
    "color_constancy": shades_of_gray,
    "local_contrast": enhance_local_contrast,
}
_BATCH = (1, 3, SIDE_PX, SIDE_PX)


class PlainWay:
    """
    Pillow's resize, torchvision's normalisation, a network at 224 px.

    Args:
        make: Loads the network for an input array that is written into before each run.
    """

    def __init__(
        self,
        make: Callable[[NDArray[np.float32]], Callable[[], Sequence[NDArray[np.float32]]]],
    ) -> None:
        self._input_1CHW = np.zeros(_BATCH, dtype=np.float32)
        self._run = make(self._input_1CHW)

    def decide(self, image_HWC: Pixels) -> int:
        """Return the number of the likeliest class."""
        small = Image.fromarray(image_HWC).resize((SIDE_PX, SIDE_PX), Image.Resampling.BILINEAR)
        values_HWC = np.asarray(small, dtype=np.float32) / 255.0
        self._input_1CHW[0] = ((values_HWC - _MEAN_C) / _DEVIATION_C).transpose(2, 0, 1)
        return int(np.argmax(self._run()[0]))


def at_full_size(image_HWC: Pixels, spec: PreprocessSpec) -> Pixels:
    """Run all stages of *spec* but the resize, switched on, on the picture as it is."""
    for stage in spec.with_every_stage().stages:
        if not isinstance(stage, Resize):
            image_HWC = _STAGES[stage.stage](image_HWC, stage)
    return np.ascontiguousarray(image_HWC)


def area_resize(image_HWC: Pixels, side_px: int) -> Pixels:
    """Shrink a whole frame in one area resize, straight to the network's side."""
    return as_pixels(cv2.resize(image_HWC, (side_px, side_px), interpolation=cv2.INTER_AREA))


def full_decode(encoded: bytes) -> Pixels:
    """Unpack a picture file as it is, and no more."""
    image_HWC = cv2.imdecode(np.frombuffer(encoded, dtype=np.uint8), cv2.IMREAD_COLOR)
    if image_HWC is None:
        raise RuntimeError("expected a picture of our own to decode")
    return as_pixels(image_HWC)
