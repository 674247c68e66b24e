"""
The pictures that ship: what a box without a camera shows, and demos are made of.

A sample is a seed, a diagnosis and a list of artefacts, so it is drawn afresh at any size.
``python -m device.drawing FOLDER`` writes them as they lie in ``device/samples``.

Together they show all four answers.  Drawings say nothing about skin, so their seeds are chosen
for the shipped model: ``python -m training samples`` looks for the lowest ones and writes them
here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from device.core.values import Pixels, Result
from device.drawing.hair import add_hair
from device.drawing.lesion import draw_lesion
from device.drawing.ruler import add_ruler
from device.drawing.vignette import add_vignette


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A picture with a name."""

    name: str
    """What the picture shows, lower case with hyphens; part of its file name."""
    seed: int
    """Of the drawing and of each of its artefacts, 0 or more."""
    diagnosis: str
    answer: Result
    """What the shipped model says to it; the seed is chosen for that."""
    artifacts: tuple[str, ...] = ()
    """What is added, in this order."""


def draw_sample(name: str, *, height_px: int = 1200, width_px: int = 1600) -> Pixels:
    """Draw the sample of this name, at least 32 px high and wide; else a ``ValueError``."""
    sample = next((sample for sample in SAMPLES if sample.name == name), None)
    if sample is None:
        names = ", ".join(sample.name for sample in SAMPLES)
        raise ValueError(f"draw_sample: expected one of {names}, found {name!r}")
    return draw(sample, height_px=height_px, width_px=width_px)


def draw(sample: Sample, *, height_px: int, width_px: int) -> Pixels:
    """Draw any sample, at least 32 px high and wide; else a ``ValueError``."""
    pixels_HWC = draw_lesion(
        sample.seed, diagnosis=sample.diagnosis, height_px=height_px, width_px=width_px
    )
    for artifact in sample.artifacts:
        # Each artefact has the same chance whatever stands before it in the list.
        rng = np.random.Generator(np.random.PCG64(sample.seed))
        pixels_HWC = _ARTIFACTS[artifact](pixels_HWC, rng)
    return pixels_HWC


def _darken(pixels_HWC: Pixels, rng: np.random.Generator) -> Pixels:
    """The picture at about a tenth of its light, as with the lamp off, with the sensor's noise."""
    noise_HWC = rng.normal(0.0, 1.0, pixels_HWC.shape)
    return np.rint(np.clip(0.1 * pixels_HWC + noise_HWC, 0.0, 255.0)).astype(np.uint8)


def _cover_lens(pixels_HWC: Pixels, rng: np.random.Generator) -> Pixels:
    """What the camera sees with the cap on its lens: nothing but noise, levels 0 to 5."""
    noise_HWC = rng.normal(1.0, 1.0, pixels_HWC.shape)
    return np.rint(np.clip(noise_HWC, 0.0, 5.0)).astype(np.uint8)


_ARTIFACTS: Final[Mapping[str, Callable[[Pixels, np.random.Generator], Pixels]]] = {
    "hair": add_hair,
    "ruler": add_ruler,
    "vignette": add_vignette,
    "dark": _darken,
    "lens-cap": _cover_lens,
}

SAMPLES: Final = (
    Sample(name="nevus", seed=1, diagnosis="NV", answer=Result.BENIGN),
    Sample(name="melanoma", seed=1, diagnosis="MEL", answer=Result.MALIGNANT),
    Sample(name="nevus-hair", seed=2, diagnosis="NV", answer=Result.BENIGN, artifacts=("hair",)),
    Sample(
        name="keratosis-ruler",
        seed=18,
        diagnosis="BKL",
        answer=Result.UNCERTAIN,
        artifacts=("ruler", "vignette"),
    ),
    Sample(name="too-dark", seed=1, diagnosis="NV", answer=Result.RETAKE, artifacts=("dark",)),
    Sample(name="lens-cap", seed=1, diagnosis="NV", answer=Result.RETAKE, artifacts=("lens-cap",)),
)
"""The samples, in the order in which they are shown."""
