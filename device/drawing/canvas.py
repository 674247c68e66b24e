"""
The canvas of a picture: its size, its coordinates, and the chance by which it is drawn.

A canvas measures in *units*: half the shorter side of the picture is 1, the middle is (0, 0),
u runs to the right and v downward.  Everything is drawn in units, so one seed gives one
picture at any size; only detail finer than a pixel fades out.

Legend: H height, W width, T node of the noise tile.

The same picture is wanted on every platform to within one level, although ``exp``, ``cos`` and
BLAS differ in the last bit between machines.  So all arithmetic is float64, no result hangs on
a comparison that the last bit could turn over (steps are smooth, a stroke ends in zero before
its window does), and chance comes from :meth:`numpy.random.Generator.random` alone, the part
of NumPy's generator that is least likely to change.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

Plane: TypeAlias = NDArray[np.float64]
"""One value for each pixel, float64 ``[H, W]``, dimensionless unless said otherwise."""

TILE_NODES: Final = 256
"""Side of the square tile of random nodes that all noise is read from."""

_SMALLEST_SIDE_PX: Final = 16


class Chance:
    """Random numbers that repeat from a seed, 0 or more; for one thread."""

    def __init__(self, seed: int) -> None:
        self._generator = np.random.Generator(np.random.PCG64(seed))

    def between(self, low: float, high: float) -> float:
        """One number, evenly spread from *low* up to but without *high*."""
        return low + (high - low) * self._generator.random()

    def happens(self, share: float) -> bool:
        """True in *share* (0 to 1) of all calls."""
        return self._generator.random() < share

    def whole(self, low: int, high: int) -> int:
        """One whole number from *low* to *high*, both included."""
        return low + int(self._generator.random() * (high - low + 1))

    def many(self, low: float, high: float, *shape: int) -> NDArray[np.float64]:
        """An array of *shape*, evenly spread from *low* up to but without *high*."""
        return low + (high - low) * self._generator.random(shape)

    def near(self, middle: float, spread: float) -> float:
        """One number around *middle*, bell-shaped; never beyond 3.5 standard deviations."""
        # The sum of four even draws has the standard deviation 1 / sqrt(3).
        return middle + spread * math.sqrt(3.0) * (float(self._generator.random(4).sum()) - 2.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Canvas:
    """Where a picture, or a window of it, is drawn."""

    chance: Chance
    """Moves on as it is asked."""
    unit_px: float
    """Pixels per unit; half the shorter side of the whole picture."""
    u_1W: NDArray[np.float64]
    """Horizontal coordinate of each column's middle, in units."""
    v_H1: NDArray[np.float64]
    """Vertical coordinate of each row's middle, in units."""
    tile_TT: NDArray[np.float64]
    """Random nodes, -1 to 1."""

    @property
    def shape_px(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.v_H1.size, self.u_1W.size

    def part(self, rows: slice, columns: slice) -> Canvas:
        """The canvas of a window: what is drawn there has the values of the whole canvas."""
        return replace(self, u_1W=self.u_1W[:, columns], v_H1=self.v_H1[rows])


def stretch(seed: int, *, height_px: int, width_px: int) -> Canvas:
    """An empty canvas for a whole picture; a side too short is a ``ValueError``."""
    if min(height_px, width_px) < _SMALLEST_SIDE_PX:
        raise ValueError(
            f"drawing: expected sides of {_SMALLEST_SIDE_PX} px or more, "
            f"found {height_px} x {width_px}; ask for a larger picture"
        )
    chance = Chance(seed)
    unit_px = 0.5 * min(height_px, width_px)
    column_W, row_H = np.arange(width_px, dtype=np.float64), np.arange(height_px, dtype=np.float64)
    return Canvas(
        chance=chance,
        unit_px=unit_px,
        u_1W=(column_W[None, :] + (0.5 - 0.5 * width_px)) / unit_px,
        v_H1=(row_H[:, None] + (0.5 - 0.5 * height_px)) / unit_px,
        tile_TT=chance.many(-1.0, 1.0, TILE_NODES, TILE_NODES),
    )
