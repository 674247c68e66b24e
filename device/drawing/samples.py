"""
The pictures that ship: what a box without a camera shows, and demos are made of.

A sample is a seed, a diagnosis and a list of artefacts, so it is drawn afresh
at any size.  ``python -m device.drawing FOLDER`` writes them as JPEG files, as
they lie in ``device/samples``.

Legend: H height, W width, C color channel (red, green, blue).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from device.drawing.hair import add_hair
from device.drawing.ink import add_ink
from device.drawing.lesion import draw_lesion
from device.drawing.ruler import add_ruler
from device.drawing.vignette import add_vignette


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """
    A picture with a name.

    Attributes:
        name: What the picture shows, lower case with hyphens; part of its file name.
        seed: Seed of the drawing and of its artefacts, 0 or more.
        diagnosis: Which lesion is drawn, a code of HAM10000.
        artifacts: What is added, in this order; names of :data:`ARTIFACTS`.
    """

    name: str
    seed: int
    diagnosis: str
    artifacts: tuple[str, ...]


def draw_sample(name: str, *, height_px: int = 1200, width_px: int = 1600) -> NDArray[np.uint8]:
    """
    Draw the sample of this name.

    Args:
        name: One of the names in :data:`SAMPLES`.
        height_px: Height in pixels, at least 32.
        width_px: Width in pixels, at least 32.

    Returns:
        sRGB, uint8 ``[height_px, width_px, 3]``.

    Raises:
        ValueError: No sample has this name, or a side is too short.

    Threads: pure; may be called from any thread.
    """
    for sample in SAMPLES:
        if sample.name == name:
            break
    else:
        raise ValueError(
            f"draw_sample: expected one of {', '.join(sample.name for sample in SAMPLES)}, "
            f"found {name!r}"
        )
    pixels_HWC = draw_lesion(
        sample.seed, diagnosis=sample.diagnosis, height_px=height_px, width_px=width_px
    )
    for artifact in sample.artifacts:
        # Each artefact has the same chance whatever stands before it in the list.
        rng = np.random.Generator(np.random.PCG64(sample.seed))
        pixels_HWC = ARTIFACTS[artifact](pixels_HWC, rng)
    return pixels_HWC


def _darken(pixels_HWC: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """The picture at about a tenth of its light, as with the lamp off, with the sensor's noise."""
    noise_HWC = rng.normal(0.0, 1.0, pixels_HWC.shape)
    return np.rint(np.clip(0.1 * pixels_HWC + noise_HWC, 0.0, 255.0)).astype(np.uint8)


def _cover_lens(pixels_HWC: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """What the camera sees with the cap on its lens: nothing but noise, levels 0 to 5."""
    noise_HWC = rng.normal(1.0, 1.0, pixels_HWC.shape)
    return np.rint(np.clip(noise_HWC, 0.0, 5.0)).astype(np.uint8)


ARTIFACTS: Final[
    Mapping[str, Callable[[NDArray[np.uint8], np.random.Generator], NDArray[np.uint8]]]
] = MappingProxyType(
    {
        "hair": add_hair,
        "ruler": add_ruler,
        "ink": add_ink,
        "vignette": add_vignette,
        "dark": _darken,
        "lens-cap": _cover_lens,
    }
)
"""What a sample may have added to it."""

SAMPLES: Final[tuple[Sample, ...]] = (
    Sample(name="nevus", seed=1, diagnosis="NV", artifacts=()),
    Sample(name="melanoma", seed=7, diagnosis="MEL", artifacts=()),
    Sample(name="nevus-hair", seed=9, diagnosis="NV", artifacts=("hair",)),
    Sample(name="keratosis-ruler", seed=6, diagnosis="BKL", artifacts=("ruler", "vignette")),
    Sample(name="too-dark", seed=13, diagnosis="NV", artifacts=("dark",)),
    Sample(name="lens-cap", seed=1, diagnosis="NV", artifacts=("lens-cap",)),
)
"""The samples, in the order in which they are shown."""
