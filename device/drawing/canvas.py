"""
The pencils of this room: chance, cloudy noise, meshes, round borders, strokes.

A canvas measures in *units*: half the shorter side of the picture is 1, the
middle is (0, 0), u runs to the right and v downward.  Everything is drawn in
units, so one seed gives one picture at any size; only detail finer than a
pixel fades out.

Legend: H height, W width, N one stroke or one table entry, D coordinate
(u, v), T node of the noise tile, K pixel within a stroke's window.

The same picture is wanted on every platform to within one level, although
``exp``, ``cos`` and BLAS differ in the last bit between machines.  So all
arithmetic is float64, no result hangs on a comparison that the last bit could
turn over (steps are smooth, a stroke ends in zero before its window does), and
chance comes from :meth:`numpy.random.Generator.random` alone, the part of
NumPy's generator that is least likely to change.

Threads: pure, save that a :class:`Chance` moves on as it is asked.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.float64]
"""One value for each pixel, float64 ``[H, W]``, dimensionless unless said otherwise."""

TILE_NODES: Final = 256
"""Side of the square tile of random nodes that all noise is read from."""


class Chance:
    """
    Random numbers that repeat from a seed.

    Threads: one owner; two threads would share one sequence.
    """

    def __init__(self, seed: int) -> None:
        """Start the sequence that *seed*, 0 or more, stands for."""
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
        """An array of *shape*, float64, evenly spread from *low* up to but without *high*."""
        return low + (high - low) * self._generator.random(shape)

    def near(self, middle: float, spread: float) -> float:
        """
        One number around *middle*, bell-shaped, with standard deviation *spread*.

        Never farther from the middle than 3.5 of these.
        """
        # The sum of four even draws has the standard deviation 1 / sqrt(3).
        return middle + spread * math.sqrt(3.0) * (float(self._generator.random(4).sum()) - 2.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Canvas:
    """
    Where a picture, or a window of it, is drawn: its size, coordinates and noise.

    Attributes:
        height_px: Height in pixels.
        width_px: Width in pixels.
        top_px: Rows of the picture above this window; 0 for the whole picture.
        left_px: Columns of the picture left of this window; 0 for the whole picture.
        unit_px: Pixels per unit; half the shorter side.
        u_1W: Horizontal coordinate of each column's middle, float64 ``[1, W]``, in units.
        v_H1: Vertical coordinate of each row's middle, float64 ``[H, 1]``, in units.
        tile_TT: Random nodes, float64 ``[256, 256]``, -1 to 1.
    """

    height_px: int
    width_px: int
    top_px: int
    left_px: int
    unit_px: float
    u_1W: NDArray[np.float64]
    v_H1: NDArray[np.float64]
    tile_TT: NDArray[np.float64]


def stretch(chance: Chance, *, height_px: int, width_px: int) -> Canvas:
    """A canvas of *height_px* by *width_px*, its noise drawn from *chance*."""
    unit_px = 0.5 * min(height_px, width_px)
    return Canvas(
        height_px=height_px,
        width_px=width_px,
        top_px=0,
        left_px=0,
        unit_px=unit_px,
        u_1W=_middles(width_px, unit_px)[None, :],
        v_H1=_middles(height_px, unit_px)[:, None],
        tile_TT=chance.many(-1.0, 1.0, TILE_NODES, TILE_NODES),
    )


def _middles(count: int, unit_px: float) -> NDArray[np.float64]:
    """The middles of *count* pixels in a row, in units, the row's own middle at 0."""
    middle_px_N: NDArray[np.float64] = np.arange(count, dtype=np.float64)
    middle_px_N += 0.5 - 0.5 * count
    middle_px_N /= unit_px
    return middle_px_N


def window_where(canvas: Canvas, is_wanted_HW: NDArray[np.bool_]) -> Canvas:
    """
    The smallest window of *canvas* that holds all wanted pixels, ``[H, W]``.

    What is drawn on the window has the same values as on the whole canvas.
    """
    rows, columns = (
        np.flatnonzero(is_wanted_HW.any(axis=1)),
        np.flatnonzero(is_wanted_HW.any(axis=0)),
    )
    if rows.size == 0:
        raise ValueError("window_where: expected at least one wanted pixel, found none")
    top, bottom, left, right = (
        int(rows[0]),
        int(rows[-1]) + 1,
        int(columns[0]),
        int(columns[-1]) + 1,
    )
    return Canvas(
        height_px=bottom - top,
        width_px=right - left,
        top_px=canvas.top_px + top,
        left_px=canvas.left_px + left,
        unit_px=canvas.unit_px,
        u_1W=canvas.u_1W[:, left:right],
        v_H1=canvas.v_H1[top:bottom],
        tile_TT=canvas.tile_TT,
    )


def smooth_step(low: float, high: float, value: Plane) -> Plane:
    """
    0 up to *low*, 1 from *high* on, between them a smooth ramp.

    With *low* above *high* the ramp falls instead: 1 up to *high*, 0 from *low* on.
    """
    t = np.subtract(value, low)
    t *= 1.0 / (high - low)
    np.minimum(t, 1.0, out=t)
    np.maximum(t, 0.0, out=t)
    return _bent(t)


def _bent(t: Plane) -> Plane:
    """The smooth ramp t * t * (3 - 2 t) over *t*, 0 to 1; *t* is used up."""
    ramp = -2.0 * t
    ramp += 3.0
    ramp *= t
    ramp *= t
    return ramp


def noise(canvas: Canvas, chance: Chance, period: float) -> Plane:
    """
    Soft random hills, one per *period* units, from a random place of the tile.

    Returns:
        float64 ``[H, W]``, -1 to 1, standard deviation about 0.4.  Periods
        below 1.5 px fade toward 0 instead of turning into flicker.
    """
    start_u, start_v = chance.between(0.0, TILE_NODES), chance.between(0.0, TILE_NODES)
    column_W, right_W = _cells(canvas.u_1W[0] / period + start_u)
    row_H, below_H = _cells(canvas.v_H1[:, 0] / period + start_v)
    # Along the rows first, while there are only as many rows as the noise has nodes; what
    # remains at full size is copying whole rows, which is the cheapest thing to do.
    first = int(row_H[0])
    node_T = np.arange(first, int(row_H[-1]) + 2) % TILE_NODES
    nodes_TT = canvas.tile_TT[node_T]
    left_TW = np.take(nodes_TT, column_W % TILE_NODES, axis=1)
    right_TW = np.take(nodes_TT, (column_W + 1) % TILE_NODES, axis=1)
    right_TW -= left_TW
    right_TW *= right_W
    right_TW += left_TW
    right_TW *= min(1.0, period * canvas.unit_px / 1.5)
    hills_HW: Plane = np.diff(right_TW, axis=0)[row_H - first]
    hills_HW *= below_H[:, None]
    hills_HW += right_TW[row_H - first]
    return hills_HW


def _cells(place_N: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The node before each place, and how far (0 to 1, smoothed) the place lies toward the next."""
    node_N = np.floor(place_N)
    t_N = place_N - node_N
    return node_N.astype(np.int64), t_N * t_N * (3.0 - 2.0 * t_N)


def clouds(canvas: Canvas, chance: Chance, period: float, *, octaves: int = 3) -> Plane:
    """
    Noise in *octaves* layers, each half as wide and half as strong as the one before.

    *period* is that of the widest layer, in units; the result is float64
    ``[H, W]``, -1 to 1.
    """
    total_HW = noise(canvas, chance, period)
    for octave in range(1, octaves):
        finer_HW = noise(canvas, chance, period * 0.5**octave)
        finer_HW *= 0.5**octave
        total_HW += finer_HW
    total_HW *= 0.5 / (1.0 - 0.5**octaves)
    return total_HW


def mesh(canvas: Canvas, chance: Chance, period: float, *, disorder: float) -> Plane:
    """
    A net of round holes, as pigment makes it where it follows the ridges of the skin.

    Three waves at 120 degrees make a honeycomb; noise bends it.

    Args:
        canvas: Where to draw.
        chance: Direction and bends.
        period: From hole to hole, in units.
        disorder: How far the net is bent, in periods; 0 is a honeycomb, 0.5 hardly a net.

    Returns:
        float64 ``[H, W]``: 1 on the lines, 0 in the holes, about 0.4 on the
        mean.  Nets finer than 3 px fade to that mean.
    """
    bend_u_HW, bend_v_HW = noise(canvas, chance, 2.5 * period), noise(canvas, chance, 2.5 * period)
    bend_u_HW *= 1.5 * disorder * period
    bend_v_HW *= 1.5 * disorder * period
    bend_u_HW += canvas.u_1W
    bend_v_HW += canvas.v_H1
    direction = chance.between(0.0, math.pi)
    waves_HW = np.zeros((canvas.height_px, canvas.width_px))
    cycles = 2.0 / (math.sqrt(3.0) * period)
    for turn in range(3):
        angle = direction + turn * (2.0 * math.pi / 3.0)
        phase_HW = (cycles * math.cos(angle)) * bend_u_HW
        phase_HW += (cycles * math.sin(angle)) * bend_v_HW
        # A wave out of two smooth ramps: within 2 % of a cosine, a third of its time.
        phase_HW -= np.rint(phase_HW)
        np.abs(phase_HW, out=phase_HW)
        phase_HW *= 2.0
        waves_HW += _bent(phase_HW)
    # Uneven holes: the net is thicker here and thinner there.
    thicker_HW = noise(canvas, chance, 1.7 * period)
    thicker_HW *= disorder
    waves_HW += thicker_HW
    lines_HW = smooth_step(0.9, 2.15, waves_HW)
    sharpness = min(1.0, max(0.0, period * canvas.unit_px / 3.0 - 1.0))
    lines_HW *= sharpness
    lines_HW += 0.4 * (1.0 - sharpness)
    return lines_HW


def depth_of_blob(
    canvas: Canvas,
    chance: Chance,
    *,
    middle_D: tuple[float, float],
    radius: float,
    aspect: float,
    waviness: float,
    raggedness: float,
) -> Plane:
    """
    How deep each pixel lies inside a round, more or less irregular blob.

    The border is an ellipse whose radius swings with harmonics 2 to 9 of the
    angle, and is then frayed by noise.

    Args:
        canvas: Where to draw.
        chance: Direction of the ellipse, harmonics, fraying.
        middle_D: Middle (u, v) in units.
        radius: Mean radius in units.
        aspect: Shorter by longer axis, above 0, at most 1.
        waviness: Size of the harmonics as a share of the radius.
        raggedness: Size of the fraying as a share of the radius.

    Returns:
        float64 ``[H, W]`` in units: 0 on the border, positive inside, about
        *radius* in the middle, negative outside.
    """
    direction = chance.between(0.0, math.pi)
    cos, sin = math.cos(direction), math.sin(direction)
    u_1W, v_H1 = canvas.u_1W - middle_D[0], canvas.v_H1 - middle_D[1]
    long_HW = (math.sqrt(aspect) * cos) * u_1W + (math.sqrt(aspect) * sin) * v_H1
    short_HW = (-sin / math.sqrt(aspect)) * u_1W + (cos / math.sqrt(aspect)) * v_H1

    angle_N = np.linspace(-math.pi, math.pi, 1025)
    swing_N = np.zeros_like(angle_N)
    for harmonic in range(2, 10):
        size, shift = chance.between(-1.0, 1.0) / harmonic, chance.between(0.0, 2.0 * math.pi)
        swing_N += size * np.cos(harmonic * angle_N + shift)
    border_N = radius * (1.0 + 2.0 * waviness * swing_N)
    # A straight line between two entries, as np.interp would draw, but for an even table.
    place_HW = np.arctan2(short_HW, long_HW)
    place_HW += math.pi
    place_HW *= (angle_N.size - 1) / (2.0 * math.pi)
    entry_HW = np.minimum(place_HW.astype(np.intp), angle_N.size - 2)
    place_HW -= entry_HW
    place_HW *= np.take(np.diff(border_N), entry_HW)
    place_HW += np.take(border_N, entry_HW)
    long_HW *= long_HW
    short_HW *= short_HW
    long_HW += short_HW
    place_HW -= np.sqrt(long_HW, out=long_HW)
    fraying_HW = clouds(canvas, chance, 0.3 * radius)
    fraying_HW *= 2.0 * raggedness * radius
    place_HW += fraying_HW
    return place_HW


def strokes(
    canvas: Canvas,
    start_ND: NDArray[np.float64],
    end_ND: NDArray[np.float64],
    radius_N: NDArray[np.float64],
    *,
    strength_N: NDArray[np.float64] | float = 1.0,
    softness: float = 0.5,
) -> Plane:
    """
    Straight strokes with round ends; a stroke of length 0 is a dot.

    Args:
        canvas: Where to draw.
        start_ND: One end of each stroke, float64 ``[N, 2]`` (u, v), in units.
        end_ND: The other end, likewise.
        radius_N: Half the width of each stroke, float64 ``[N]``, in units.
            Below 0.7 px the stroke is drawn at 0.7 px and fainter.
        strength_N: Value on the middle line, float64 ``[N]`` or one for all, 0 to 1.
        softness: Width of the ramp at the edge as a share of the radius, above 0, at most 1.

    Returns:
        float64 ``[H, W]``: 0 where no stroke is; where strokes cross, the stronger.
    """
    plane_HW = np.zeros((canvas.height_px, canvas.width_px))
    if radius_N.size == 0:
        return plane_HW
    origin_D = -canvas.unit_px * np.array([canvas.u_1W[0, 0], canvas.v_H1[0, 0]])
    start_px_ND, end_px_ND = (
        start_ND * canvas.unit_px + origin_D,
        end_ND * canvas.unit_px + origin_D,
    )
    wanted_px_N = radius_N * canvas.unit_px
    radius_px_N = np.maximum(wanted_px_N, 0.7)
    peak_N = strength_N * np.minimum(1.0, wanted_px_N / 0.7)
    # All strokes share one size of window, so that one pass of NumPy draws them all.
    half_px_N = 0.5 * np.abs(end_px_ND - start_px_ND).max(axis=1) + radius_px_N * (1.0 + softness)
    half_px = int(half_px_N.max()) + 2
    offset_K = np.arange(-half_px, half_px + 1)
    corner_ND = np.floor(0.5 * (start_px_ND + end_px_ND)).astype(np.int64)
    x_NK, y_NK = corner_ND[:, :1] + offset_K, corner_ND[:, 1:] + offset_K

    along_ND = end_px_ND - start_px_ND
    squared_length_N = np.maximum((along_ND**2).sum(axis=1), 1e-12)
    to_u_NK, to_v_NK = x_NK - start_px_ND[:, :1], y_NK - start_px_ND[:, 1:]
    t_NKK = (along_ND[:, 1] / squared_length_N)[:, None, None] * to_v_NK[:, :, None]
    t_NKK = t_NKK + (along_ND[:, 0] / squared_length_N)[:, None, None] * to_u_NK[:, None, :]
    np.clip(t_NKK, 0.0, 1.0, out=t_NKK)
    away_u_NKK = to_u_NK[:, None, :] - along_ND[:, 0, None, None] * t_NKK
    away_v_NKK = to_v_NK[:, :, None] - along_ND[:, 1, None, None] * t_NKK
    distance_NKK = np.sqrt(away_u_NKK**2 + away_v_NKK**2)
    ramp_NKK = (radius_px_N * (1.0 + softness))[:, None, None] - distance_NKK
    ramp_NKK *= (1.0 / (2.0 * softness * radius_px_N))[:, None, None]
    np.clip(ramp_NKK, 0.0, 1.0, out=ramp_NKK)
    value_NKK = (
        ramp_NKK
        * ramp_NKK
        * (3.0 - 2.0 * ramp_NKK)
        * np.broadcast_to(peak_N, radius_px_N.shape)[:, None, None]
    )

    is_on_NKK = ((y_NK >= 0) & (y_NK < canvas.height_px))[:, :, None] & (
        (x_NK >= 0) & (x_NK < canvas.width_px)
    )[:, None, :]
    flat_NKK = y_NK[:, :, None] * canvas.width_px + x_NK[:, None, :]
    np.maximum.at(plane_HW.reshape(-1), flat_NKK[is_on_NKK], value_NKK[is_on_NKK])
    return plane_HW
