"""
Pictures that nobody should score, drawn by seed: each kind is wrong in one way.

Sizes are shares of the picture's shorter side.  Where a lesion lies is known, not estimated: it
is where a drawing differs from the same skin without a lesion.

Legend: ``H`` height, ``W`` width, ``C`` color channel.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

from device.core.manifest import DIAGNOSES
from device.core.values import Pixels, as_pixels
from device.drawing import add_hair, draw_lesion, draw_skin
from device.quality.lesion import share_outside

_HEIGHT_PX, _WIDTH_PX = 450, 600
_KEPT_OUTSIDE = 0.95
"""Where more of the light is left, it is skin."""
_CLOSE, _OUTSIDE, _TURNS = 3.2, 0.6, 12
"""How much too close the lens is; share of the outline that is outside; directions tried."""
_HAIR_LEVELS, _FUR = 30, 0.45

Bad = Callable[[int, np.random.Generator], Pixels]
"""From a seed and chance to a picture, uint8 sRGB ``[H, W, 3]``."""


def draw_bad(code: str, seed: int) -> Pixels:
    """
    Draw one bad picture.

    Args:
        code: Of the reason that the gate should give, of :data:`BAD`.
        seed: 0 or more; the same one gives the same picture.
    """
    return BAD[code](seed, np.random.default_rng([seed, *code.encode()]))


def draw_good(seed: int) -> Pixels:
    """Draw the picture that :func:`draw_bad` spoils, uint8 sRGB ``[H, W, 3]``."""
    return draw_lesion(
        seed,
        diagnosis=DIAGNOSES[seed % len(DIAGNOSES)],
        height_px=_HEIGHT_PX,
        width_px=_WIDTH_PX,
    )


def _too_dark(seed: int, rng: np.random.Generator) -> Pixels:
    """The lamp is off, or the cap is on."""
    return _levels(
        rng.uniform(0.0, 0.12) * draw_good(seed) + rng.normal(0.0, 1.5, (_HEIGHT_PX, _WIDTH_PX, 3))
    )


def _too_bright(seed: int, rng: np.random.Generator) -> Pixels:
    """The skin is at the top of the range: exposed so that its median is well above it."""
    good_HWC = draw_good(seed)
    skin = float(np.median(good_HWC.max(axis=2)))
    return _levels(rng.uniform(1.3, 3.0) * 255.0 / skin * good_HWC.astype(np.float64))


def _blurred(seed: int, rng: np.random.Generator) -> Pixels:
    """Out of focus, or moved during the exposure."""
    good_HWC = draw_good(seed)
    if rng.random() < 0.5:  # noqa: PLR2004 - one in two
        sigma_px = _HEIGHT_PX * rng.uniform(0.025, 0.05)
        return as_pixels(cv2.GaussianBlur(good_HWC, (0, 0), sigma_px))
    reach_px = round(_HEIGHT_PX * rng.uniform(0.12, 0.25))
    angle = rng.uniform(0.0, math.pi)
    kernel = np.zeros((reach_px, reach_px), np.float32)
    middle = (reach_px - 1) / 2
    end_D = middle * np.array([math.cos(angle), math.sin(angle)])
    first, last = (tuple(np.rint(middle + sign * end_D).astype(int).tolist()) for sign in (-1, 1))
    cv2.line(kernel, first, last, 1.0)
    moved_HWC = cv2.filter2D(good_HWC, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REFLECT)
    # A hand does not move along a line alone, nor does the lens stay in focus.
    return as_pixels(cv2.GaussianBlur(moved_HWC, (0, 0), _HEIGHT_PX * 0.015))


def _no_lesion(seed: int, rng: np.random.Generator) -> Pixels:  # noqa: ARG001 - as all kinds
    """Skin, and nothing on it."""
    return draw_skin(seed, height_px=_HEIGHT_PX, width_px=_WIDTH_PX)


def _off_center(seed: int, rng: np.random.Generator) -> Pixels:
    """The lesion lies at the rim: the middle half of the picture shows skin alone."""
    scale = rng.uniform(0.5, 0.9)
    angle = rng.uniform(0.0, 2 * math.pi)
    placed = _Placed(seed)
    quarter = placed.side_px // 4
    shift = _shift(0.0, angle)
    for away in np.arange(0.3, 1.0, 0.02):
        shift = _shift(away, angle)
        lesion_HW = placed.lesion(scale, shift)
        if lesion_HW[quarter:-quarter, quarter:-quarter].mean() < 0.01:  # noqa: PLR2004 - nearly none
            break
    return placed.picture(scale, shift)


def _cut_off(seed: int, rng: np.random.Generator) -> Pixels:
    """
    More than half of the outline is outside: the lesion fills the picture but for a side or corner.

    Nevi alone: parts of the others are as pale as skin or as dark as a second lesion, so that
    nobody could say from such a picture where they end.
    """
    # Drawn twice as large: enlarged it would be as soft as out of focus.
    placed = _Placed(seed, diagnosis="NV", drawn_px=2 * _HEIGHT_PX)
    angle, wanted = rng.uniform(0.0, 2 * math.pi), rng.uniform(0.6, 0.8)
    for turn in range(_TURNS):
        shift = _shift(0.0, angle)
        for away in np.arange(0.0, 3.0, 0.03):
            shift = _shift(away, angle + turn)
            lesion_HW = placed.lesion(_CLOSE, shift)
            if lesion_HW.mean() < wanted:
                break
        if share_outside(lesion_HW.astype(np.uint8)) > _OUTSIDE:
            break
    return placed.picture(_CLOSE, shift)


def _hairy(seed: int, rng: np.random.Generator) -> Pixels:
    """Fur: nearly half of the picture lies below dark hair; light hair hides little."""
    good_HWC = draw_good(seed)
    hairy_HWC = good_HWC
    for state in rng.integers(1 << 31, size=_TURNS).tolist():
        for count in (200, 280, 400, 560, 800, 1100, 1500, 2000):
            hairy_HWC = add_hair(good_HWC, np.random.default_rng(state), count=count)
            darker_HW = cv2.subtract(good_HWC, hairy_HWC).max(axis=2) > _HAIR_LEVELS
            if darker_HW.mean() > _FUR:
                return hairy_HWC
            if darker_HW.mean() < _FUR / 10:
                break  # Light hair: more of it does not help.
    return hairy_HWC


def _glare(seed: int, rng: np.random.Generator) -> Pixels:
    """Reflections of the lamp over an eighth to a quarter of the middle square."""
    good_HWC = draw_good(seed).astype(np.float64)
    cover_HW = np.zeros((_HEIGHT_PX, _WIDTH_PX), np.float32)
    margin = (_WIDTH_PX - _HEIGHT_PX) // 2
    wanted = rng.uniform(0.125, 0.25)
    while (cover_HW[:, margin:-margin] > 0).mean() < wanted:
        place = (int(rng.integers(margin, _WIDTH_PX - margin)), int(rng.integers(_HEIGHT_PX)))
        axes = (int(rng.integers(8, 60)), int(rng.integers(8, 60)))
        cv2.ellipse(cover_HW, place, axes, float(rng.uniform(0, 180)), 0, 360, 1.0, cv2.FILLED)
    soft_HW1 = cv2.GaussianBlur(cover_HW, (0, 0), 3.0)[:, :, None]
    return _levels(good_HWC * (1 - soft_HW1) + 252.0 * soft_HW1)


BAD: Mapping[str, Bad] = {
    "too_dark": _too_dark,
    "too_bright": _too_bright,
    "blurred": _blurred,
    "no_lesion": _no_lesion,
    "off_center": _off_center,
    "cut_off": _cut_off,
    "too_much_hair": _hairy,
    "glare": _glare,
}
"""By the code of the reason that each should get."""


class _Placed:
    """
    A drawn lesion that can be put anywhere on its skin, at any size.

    A lesion takes light away in proportion, so what it takes is what its drawing has over that of
    the same skin without it.

    Args:
        seed: Of the drawing.
        diagnosis: One of all by the seed, if None.
        drawn_px: Side of the drawing; :attr:`side_px` is that of the picture.
    """

    side_px = _HEIGHT_PX

    def __init__(
        self, seed: int, *, diagnosis: str | None = None, drawn_px: int = _HEIGHT_PX
    ) -> None:
        lesion_HWC = draw_lesion(
            seed,
            diagnosis=diagnosis or DIAGNOSES[seed % len(DIAGNOSES)],
            height_px=drawn_px,
            width_px=drawn_px,
        )
        skin_HWC = draw_skin(seed, height_px=drawn_px, width_px=drawn_px).astype(np.float32)
        self._kept_HWC = lesion_HWC.astype(np.float32) / np.maximum(skin_HWC, 1.0)
        size = (self.side_px, self.side_px)
        self._skin_HWC = cv2.resize(skin_HWC, size, interpolation=cv2.INTER_AREA)

    def lesion(self, scale: float, shift: tuple[float, float]) -> NDArray[np.bool_]:
        """Mark where the lesion is then; *shift*, right and down, in shares of the side."""
        kept_HW = cv2.GaussianBlur(self._moved(scale, shift), (0, 0), 4.0).min(axis=2)
        marked_HW: NDArray[np.bool_] = kept_HW < _KEPT_OUTSIDE
        return marked_HW

    def picture(self, scale: float, shift: tuple[float, float]) -> Pixels:
        """Draw it there."""
        return _levels(self._skin_HWC * self._moved(scale, shift))

    def _moved(self, scale: float, shift: tuple[float, float]) -> NDArray[np.float32]:
        middle = self.side_px / 2
        offsets = (middle * (1 - scale) + share * self.side_px for share in shift)
        step = scale * self.side_px / len(self._kept_HWC)
        matrix_23 = np.array(
            [[step, 0.0, next(offsets)], [0.0, step, next(offsets)]], dtype=np.float64
        )
        moved_HWC = cv2.warpAffine(
            self._kept_HWC,
            matrix_23,
            (self.side_px, self.side_px),
            flags=cv2.INTER_LINEAR,
            borderValue=(1.0, 1.0, 1.0),
        )
        return np.asarray(moved_HWC, dtype=np.float32)


def _shift(away: float, angle: float) -> tuple[float, float]:
    return away * math.cos(angle), away * math.sin(angle)


def _levels(image_HWC: NDArray[np.floating]) -> Pixels:
    return np.clip(np.rint(image_HWC), 0, 255).astype(np.uint8)
