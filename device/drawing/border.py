"""
Where a lesion lies: a round, more or less irregular blob near the middle of the picture.

Legend: H height, W width, N table entry or place, D coordinate (u, v).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from device.drawing.canvas import Canvas, Plane
from device.drawing.texture import clouds, smooth_step

_MARGIN: Final = 0.5  # how far round the border we draw, as a share of the radius


class Shape(NamedTuple):
    """Ranges, from low to high, from which the border of a lesion is drawn."""

    radius: tuple[float, float]  # mean, in units
    aspect: tuple[float, float]  # shorter by longer axis, above 0, at most 1
    waviness: tuple[float, float]  # size of the bays, as a share of the radius
    raggedness: tuple[float, float]  # size of the fraying, likewise
    softness: tuple[float, float]  # width of the ramp at the border, likewise


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """The place of one lesion, on a canvas half a radius wider than its border."""

    window: tuple[slice, slice]
    """Rows and columns of the picture that the canvas covers."""
    canvas: Canvas
    middle_D: tuple[float, float]
    """In units."""
    radius: float
    """Mean radius in units."""
    depth_HW: Plane
    """Depth below the border in units; negative outside."""
    cover_HW: Plane
    """1 inside, 0 outside, a ramp at the border."""

    def inner(self, start: float, end: float) -> Plane:
        """A ramp from 0 at depth *start* to 1 at depth *end*, both as shares of the radius."""
        return smooth_step(start * self.radius, end * self.radius, self.depth_HW)

    def near(self) -> Plane:
        """1 on the lesion, 0 well before the window ends; for what may reach over the border."""
        return self.inner(-0.8 * _MARGIN, 0.0)

    def places(self, count: int, nearest: float, farthest: float) -> NDArray[np.float64]:
        """Places at random, ``[N, 2]`` in units, in a ring given as shares of the radius."""
        chance = self.canvas.chance
        away_N = self.radius * np.sqrt(chance.many(nearest**2, farthest**2, count))
        angle_N = chance.many(0.0, 2.0 * math.pi, count)
        return self.middle_D + np.stack(
            [away_N * np.cos(angle_N), away_N * np.sin(angle_N)], axis=1
        )


def draw_body(canvas: Canvas, shape: Shape) -> Body:
    """A body near the middle of the picture, each property drawn from its range in *shape*."""
    chance = canvas.chance
    middle_D = (chance.near(0.0, 0.08), chance.near(0.0, 0.08))
    radius, aspect, waviness, raggedness = (chance.between(*drawn) for drawn in shape[:-1])
    edge_HW = _distance_to_border(canvas, middle_D, radius, aspect, waviness)
    fraying_HW = clouds(canvas, 0.3 * radius)
    depth_HW = edge_HW + (2.0 * raggedness * radius) * fraying_HW
    ramp = 0.5 * chance.between(*shape.softness) * radius
    is_near_HW = depth_HW > -_MARGIN * radius
    rows, columns = (np.flatnonzero(is_near_HW.any(axis=axis)) for axis in (1, 0))
    window = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    return Body(
        window=window,
        canvas=canvas.part(*window),
        middle_D=middle_D,
        radius=radius,
        depth_HW=depth_HW[window],
        cover_HW=smooth_step(-ramp, ramp, depth_HW[window]),
    )


def _distance_to_border(
    canvas: Canvas, middle_D: tuple[float, float], radius: float, aspect: float, waviness: float
) -> Plane:
    """
    How far, in units, each pixel lies inside the unfrayed border; negative outside.

    The border is an ellipse whose radius swings with harmonics 2 to 9 of the angle.
    """
    direction = canvas.chance.between(0.0, math.pi)
    cos, sin = math.cos(direction), math.sin(direction)
    u_1W, v_H1 = canvas.u_1W - middle_D[0], canvas.v_H1 - middle_D[1]
    long_HW = (math.sqrt(aspect) * cos) * u_1W + (math.sqrt(aspect) * sin) * v_H1
    short_HW = (-sin / math.sqrt(aspect)) * u_1W + (cos / math.sqrt(aspect)) * v_H1

    angle_N = np.linspace(-math.pi, math.pi, 1025)
    swing_N = np.zeros_like(angle_N)
    for harmonic in range(2, 10):
        size = canvas.chance.between(-1.0, 1.0) / harmonic
        shift = canvas.chance.between(0.0, 2.0 * math.pi)
        swing_N += size * np.cos(harmonic * angle_N + shift)
    border_N = radius * (1.0 + 2.0 * waviness * swing_N)
    # A straight line between two entries, as np.interp would draw, but for an even table.
    place_HW = (np.arctan2(short_HW, long_HW) + math.pi) * ((angle_N.size - 1) / (2.0 * math.pi))
    entry_HW = np.minimum(place_HW.astype(np.intp), angle_N.size - 2)
    border_HW = (place_HW - entry_HW) * np.diff(border_N)[entry_HW] + border_N[entry_HW]
    return np.asarray(border_HW - np.sqrt(long_HW**2 + short_HW**2))
