"""
Frozen records that cross rooms.

Array names carry their axes: ``N`` batch, ``H`` height, ``W`` width, ``C`` channel, ``K``
diagnoses, ``D`` embedding.  Wall-clock times are UTC, durations are monotonic nanoseconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Pixels: TypeAlias = NDArray[np.uint8]
"""sRGB picture, uint8 ``[H, W, 3]``, channels in the order red, green, blue."""


def as_pixels(array_HWC: NDArray[Any]) -> Pixels:
    """Return what OpenCV made of a picture: uint8 stays uint8, which its types do not tell."""
    return array_HWC


def check_pixels(pixels_HWC: Pixels) -> Pixels:
    """
    Return *pixels_HWC* unchanged if it is an sRGB picture in our form.

    Raises:
        ValueError: The dtype is not uint8, the shape not ``[H, W, 3]``, or a side is zero.
    """
    if pixels_HWC.dtype != np.uint8 or pixels_HWC.ndim != 3 or pixels_HWC.shape[2] != 3:  # noqa: PLR2004 - three axes, three channels
        raise ValueError(
            f"picture: expected uint8 [H, W, 3], found {pixels_HWC.dtype} {pixels_HWC.shape}; "
            "convert it to 8-bit RGB first"
        )
    if 0 in pixels_HWC.shape:
        raise ValueError(f"picture: expected at least one pixel, found shape {pixels_HWC.shape}")
    return pixels_HWC


@dataclass(frozen=True, slots=True, kw_only=True)
class Capture:
    """
    What a camera or a client delivered: encoded bytes or pixels, exactly one of the two.

    Camera arrays are never re-encoded on the way to the model.
    """

    source: str
    """Where it came from: ``upload``, ``file`` or the camera's kind, such as ``replay``."""
    captured_at: datetime
    """UTC."""
    encoded: bytes | None = None
    """A whole JPEG or PNG file."""
    pixels_HWC: Pixels | None = None
    """uint8 sRGB ``[H, W, 3]``; the receiver must not write into it."""
    name: str | None = None
    """File name, if there is one."""
    exposure_us: int | None = None
    """Exposure time in microseconds as the sensor reports it; None if it does not."""
    analog_gain: float | None = None
    """Gain before the converter, dimensionless; None if the sensor does not report it."""
    color_gains: tuple[float, float] | None = None
    """Gains of red and blue over green, dimensionless; None if the sensor does not report them."""
    capture_ns: int | None = None
    """Nanoseconds from asking for the frame to having it; None for what was not asked for."""

    def __post_init__(self) -> None:
        if (self.encoded is None) == (self.pixels_HWC is None):
            raise ValueError("capture: expected exactly one of encoded and pixels_HWC")
        if self.pixels_HWC is not None:
            check_pixels(self.pixels_HWC)


class Result(str, Enum):
    """The four words of the product."""

    BENIGN = "benign"
    MALIGNANT = "malignant"
    UNCERTAIN = "uncertain"
    RETAKE = "retake"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why the answer is what it is, for a program (*code*) and for a person (*text*)."""

    code: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityReport:
    """What the gate measured on one picture; no reasons means that it may be scored."""

    brightness: float
    """Mean luma of the picture, 0 to 1."""
    saturated_share: float
    """Share of pixels whose luma is at the top of the range, 0 to 1."""
    contrast: float
    """Standard deviation of luma, 0 to 1."""
    sharpness: float
    """Variance of the Laplacian over variance of luma; see :mod:`device.quality.gate`."""
    softness: float
    """Share of the edges that is left after one more blur, 0 to 1."""
    line_share: float
    """Share of the picture on thin lines, and on the gaps between them, 0 to 2."""
    glare_share: float
    """Share of the picture under small reflections, 0 to 1."""
    middle_contrast: float
    """Spread of color in the middle of the picture, CIE Lab."""
    outline_outside: float
    """Share of the most distinct region's outline that lies on the border, 0 to 1."""
    reasons: tuple[Reason, ...] = ()
    """Why the picture should be taken again."""
    advice: tuple[Reason, ...] = ()
    """What would make the next picture better; this one is answered all the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """What the network said about one picture, before calibration."""

    malignancy_logit: float
    """Log-odds of a malignant diagnosis, both heads combined in the graph."""
    diagnosis_logits_K: NDArray[np.float32]
    """fp32 ``[K]`` in the contract's order of diagnoses."""
    activation_map_HW: NDArray[np.float32]
    """fp32 ``[h, w]``: evidence for malignancy at each place."""
    embedding_D: NDArray[np.float32]
    """fp32 ``[d]``: pooled features."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """A prediction and a quality report, weighed by the contract's thresholds."""

    result: Result
    probability_malignant: float
    """Calibrated, 0 to 1; a number even for ``retake``, where screens do not show it."""
    diagnoses: Mapping[str, float]
    """Probability of each diagnosis code; they sum to one."""
    reasons: tuple[Reason, ...]
    novelty: float
    """How unlike the training pictures this one is; above 1 it is ``retake``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelIdentity:
    """Which model answered."""

    name: str
    version: str
    sha256: str
    """Of the whole model file, lower-case hexadecimal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The end of one examination: what was decided, from what, by which model, how fast."""

    decision: Decision
    quality: QualityReport
    model: ModelIdentity
    source: str
    captured_at: datetime
    activation_map_HW: NDArray[np.float32] = field(repr=False)
    """fp32 ``[h, w]``, for the overlay."""
    stage_ns: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    """Nanoseconds spent in each stage, in the order in which they ran, ``total`` last."""
    result_id: str | None = None
    """Under which the history keeps the answer; None as long as it does not."""
