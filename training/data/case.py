"""One picture with all that is known about it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from device.core.manifest import DIAGNOSES, MALIGNANT_DIAGNOSES
from device.core.values import Pixels, as_pixels

UNKNOWN = -1
"""Stands for a diagnosis that a data set does not give; the seven-class loss skips it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """
    A labelled picture.  No field is guessed: what a data set does not say is None.

    Field names follow the ISIC archive.
    """

    image_id: str
    """Unique over all sets, ``<dataset>/<name>``."""
    dataset: str
    path: Path
    malignant: bool
    diagnosis: str | None
    """One of :data:`device.core.manifest.DIAGNOSES`."""
    lesion_id: str | None = None
    diagnosis_confirm_type: str | None = None
    age_approx: float | None = None
    sex: str | None = None
    anatom_site: str | None = None
    aspect_ratio: float | None = None
    """Width over height of the original, where the file was squeezed out of it."""

    def __post_init__(self) -> None:
        if self.diagnosis is not None and self.diagnosis not in DIAGNOSES:
            raise ValueError(f"{self.image_id}: unknown diagnosis {self.diagnosis!r}")
        if self.diagnosis is not None and self.malignant != (self.diagnosis in MALIGNANT_DIAGNOSES):
            raise ValueError(f"{self.image_id}: {self.diagnosis} contradicts {self.malignant=}")

    @property
    def diagnosis_index(self) -> int:
        """Position in the contract's order of diagnoses, or :data:`UNKNOWN`."""
        return UNKNOWN if self.diagnosis is None else DIAGNOSES.index(self.diagnosis)


def load_pixels(case: Case) -> Pixels:
    """
    Decode the picture of *case*, uint8 sRGB ``[H, W, 3]``, with its original aspect ratio.

    Raises:
        ValueError: OpenCV cannot decode the file.
    """
    image_HWC = cv2.imdecode(np.fromfile(case.path, dtype=np.uint8), cv2.IMREAD_COLOR)
    if image_HWC is None:
        raise ValueError(f"{case.path}: not a picture that OpenCV can decode")
    image_HWC = cv2.cvtColor(image_HWC, cv2.COLOR_BGR2RGB)
    if case.aspect_ratio is not None:
        height = image_HWC.shape[0]
        size = (round(height * case.aspect_ratio), height)
        image_HWC = cv2.resize(image_HWC, size, interpolation=cv2.INTER_LINEAR)
    return as_pixels(image_HWC)
