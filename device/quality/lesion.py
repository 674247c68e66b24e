"""
Whether something lies in the middle of a picture, and how much of its outline is outside.

A plain threshold, no network: the gate must not depend on what it guards.

Legend: ``H`` height, ``W`` width, ``C`` channel, ``P`` pixel, ``T`` term.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from device.core.values import Pixels

_SIDE_PX = 64
"""A lesion that cannot be seen at this size is too small to be scored."""
_MEDIAN_PX = 5
"""Takes away hair and reflections that are thin."""
_SIGMA_PX = 1.5
_MIDDLE_RADIUS = 0.5
_AROUND_RADIUS = 0.8
"""Shares of half the side."""
_DARKER_AND_REDDER = np.array([-1.0, 0.5, 0.0])
"""In CIE Lab: how a lesion mostly differs from skin."""
_STAIRCASE = np.pi / 4
"""Mean length of an outline over the number of pixel sides along it."""
_CENTRALITY = 2.0
_SMALLEST_REST_PX = 20
_TAIL_QUANTILE = 0.97
_XYZ_OF_RGB = np.array(
    [
        [0.412453 / 0.950456, 0.357580 / 0.950456, 0.180423 / 0.950456],
        [0.212671, 0.715160, 0.072169],
        [0.019334 / 1.088754, 0.119193 / 1.088754, 0.950227 / 1.088754],
    ]
)
"""From linear light, over the white of D65."""
_LINEAR_BELOW, _SLOPE, _OFFSET = 0.008856, 7.787, 16.0 / 116.0
"""CIE 15: the cube root's straight beginning."""
_LINEAR_LEVEL = 0.04045
"""IEC 61966-2-1: the power's straight beginning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """A region that differs from the rest of the picture, and how surely it is one."""

    area: float
    """Share of the picture, 0 to 1."""
    outside: float
    """Share of its outline that lies on the picture's border, 0 to 1."""
    difference: float
    """Between its mean and that of the rest, in CIE Lab along the main axis of the colors."""
    distinctness: float
    """The same over the spread within both, dimensionless; shading has little of it."""
    middle: float
    """Share of the middle that it covers, 0 to 1."""
    tail: float
    """How much darker its darkest part is, over the difference: a small lesion in a large shadow
    has much of it."""


def contrast_within(lab_HWC: NDArray[np.float32], radius: float) -> float:
    """
    Return the spread of color in a disc in the middle, in CIE Lab, without the light's own.

    What a slope and a round falloff of the light explain is left out.

    Args:
        lab_HWC: From :func:`coarse_lab`.
        radius: Of the disc, in shares of half the side.
    """
    inside_HW, slope_TP, fit_PT = _disc(radius)
    color_PC = lab_HWC[inside_HW]
    rest_PC = color_PC - fit_PT @ (slope_TP @ color_PC)
    return float(np.sqrt(rest_PC.var(axis=0).sum()))


def middle_contrast(lab_HWC: NDArray[np.float32]) -> float:
    """Contrast of the middle quarter of the side each way; see :func:`contrast_within`."""
    return contrast_within(lab_HWC, _MIDDLE_RADIUS)


def around_contrast(lab_HWC: NDArray[np.float32]) -> float:
    """Contrast of nearly all of the picture; see :func:`contrast_within`."""
    return contrast_within(lab_HWC, _AROUND_RADIUS)


def coarse_lab(square_HWC: Pixels) -> NDArray[np.float32]:
    """Shrink a picture to what a lesion shows of itself, CIE Lab fp32 ``[64, 64, 3]``."""
    small_HWC = cv2.resize(square_HWC, (_SIDE_PX, _SIDE_PX), interpolation=cv2.INTER_AREA)
    calm_HWC = cv2.medianBlur(small_HWC, _MEDIAN_PX)
    return np.asarray(cv2.GaussianBlur(_lab(calm_HWC), (0, 0), _SIGMA_PX), dtype=np.float32)


def _lab(pixels_HWC: NDArray[Any]) -> NDArray[np.float32]:
    """
    Convert sRGB levels to CIE Lab (D65).

    OpenCV's conversion holds tables of 4.6 MB for as long as the process lives.
    """
    light_HWC = _light_of_level()[pixels_HWC]
    xyz_HWC = light_HWC @ _XYZ_OF_RGB.T
    root_HWC = np.where(xyz_HWC > _LINEAR_BELOW, np.cbrt(xyz_HWC), _SLOPE * xyz_HWC + _OFFSET)
    x_HW, y_HW, z_HW = root_HWC[:, :, 0], root_HWC[:, :, 1], root_HWC[:, :, 2]
    lab_HWC = np.stack([116.0 * y_HW - 16.0, 500.0 * (x_HW - y_HW), 200.0 * (y_HW - z_HW)], axis=2)
    return lab_HWC.astype(np.float32)


@cache
def _light_of_level() -> NDArray[np.float64]:
    """Linear light, 0 to 1, of each sRGB level; IEC 61966-2-1."""
    level = np.arange(256) / 255.0
    light: NDArray[np.float64] = np.where(
        level <= _LINEAR_LEVEL, level / 12.92, ((level + 0.055) / 1.055) ** 2.4
    )
    return light


def outline(lab_HWC: NDArray[np.float32]) -> Outline | None:
    """
    Find the region that stands out most, near the middle rather than at the rim.

    The colors are laid along their main axis, darker and redder upwards, and parted by Otsu's
    threshold; of the connected pieces the one with most weight near the middle, its holes filled.

    Args:
        lab_HWC: From :func:`coarse_lab`.

    Returns:
        None where nothing stands out, or nothing is left around it.

    Source: Otsu, "A threshold selection method from gray-level histograms" (1979).
    """
    color_PC = lab_HWC.reshape(-1, 3) - lab_HWC.reshape(-1, 3).mean(axis=0)
    axis_C = np.linalg.eigh(color_PC.T @ color_PC)[1][:, -1]
    if axis_C @ _DARKER_AND_REDDER < 0:
        axis_C = -axis_C
    along_HW = (color_PC @ axis_C).reshape(lab_HWC.shape[:2])
    span = float(np.ptp(along_HW))
    if span == 0.0:
        return None
    level_HW = ((along_HW - along_HW.min()) * (255.0 / span)).astype(np.uint8)
    _, marked_HW = cv2.threshold(level_HW, 0, 1, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    marked_HW = cv2.morphologyEx(marked_HW, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    count, piece_HW = cv2.connectedComponents(marked_HW, connectivity=4)
    if count == 1:
        return None
    weight_P = np.bincount(piece_HW.ravel(), weights=_nearness().ravel(), minlength=count)
    weight_P[0] = -1.0
    chosen_HW = (piece_HW == weight_P.argmax()).astype(np.uint8)
    contours, _ = cv2.findContours(chosen_HW, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(chosen_HW, contours, -1, color=1, thickness=cv2.FILLED)
    inside_P, rest_P = along_HW[chosen_HW == 1], along_HW[chosen_HW == 0]
    if rest_P.size < _SMALLEST_REST_PX:
        return None
    difference = float(inside_P.mean() - rest_P.mean())
    spread = float(np.sqrt(inside_P.var() + rest_P.var()))
    darkest = _quantile(inside_P, _TAIL_QUANTILE) - _quantile(inside_P, 0.5)
    return Outline(
        area=float(chosen_HW.mean()),
        outside=share_outside(chosen_HW),
        difference=difference,
        distinctness=difference / spread if spread > 0 else 0.0,
        middle=float(chosen_HW[_disc(_MIDDLE_RADIUS)[0]].mean()),
        tail=darkest / difference if difference > 0 else 0.0,
    )


def _quantile(values_P: NDArray[np.float32], share: float) -> float:
    """
    Return the value below which *share* of the values lie, between two neighbors in a line.

    NumPy's own loads all of ``numpy.ma`` for it: 2 MB, and a fiftieth of a second of each start.
    """
    place = share * (values_P.size - 1)
    below = int(place)
    above = min(below + 1, values_P.size - 1)
    parted_P = np.partition(values_P, (below, above))
    low, high = float(parted_P[below]), float(parted_P[above])
    return low + (place - below) * (high - low)


def share_outside(region_HW: NDArray[np.uint8]) -> float:
    """Return which share of a region's outline lies on the border of the picture, 0 to 1."""
    on_border = sum(
        int(np.count_nonzero(line))
        for line in (region_HW[0], region_HW[-1], region_HW[:, 0], region_HW[:, -1])
    )
    steps = sum(int(np.count_nonzero(np.diff(region_HW, axis=axis))) for axis in (0, 1))
    length = on_border + _STAIRCASE * steps
    return on_border / length if length > 0 else 0.0


@cache
def _disc(
    radius: float,
) -> tuple[NDArray[np.bool_], NDArray[np.float32], NDArray[np.float32]]:
    """Which pixels lie in the disc, and how light is fitted to them: to terms, and back."""
    y_HW, x_HW = _coordinates()
    inside_HW = np.hypot(y_HW, x_HW) <= radius
    terms_PT = np.stack(
        [
            np.ones(np.count_nonzero(inside_HW)),
            x_HW[inside_HW],
            y_HW[inside_HW],
            (x_HW**2 + y_HW**2)[inside_HW],
        ],
        axis=1,
    )
    return (
        inside_HW,
        np.linalg.pinv(terms_PT).astype(np.float32),
        terms_PT.astype(np.float32),
    )


@cache
def _nearness() -> NDArray[np.float64]:
    """One in the middle, falling towards the corners."""
    y_HW, x_HW = _coordinates()
    nearness_HW: NDArray[np.float64] = np.exp(-_CENTRALITY * (y_HW**2 + x_HW**2))
    return nearness_HW


def _coordinates() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    along = np.linspace(-1.0, 1.0, _SIDE_PX)
    y_HW, x_HW = np.meshgrid(along, along, indexing="ij")
    return y_HW, x_HW
