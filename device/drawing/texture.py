"""
Textures that fill a canvas: soft noise, clouds, and the net of pigment.

Legend: H height, W width, N one place of a row, T node of the noise tile.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from device.drawing.canvas import TILE_NODES, Canvas, Plane


def smooth_step(low: float, high: float, value: Plane) -> Plane:
    """
    0 up to *low*, 1 from *high* on, between them a smooth ramp.

    With *low* above *high* the ramp falls instead: 1 up to *high*, 0 from *low* on.
    """
    return _bent(np.clip((value - low) * (1.0 / (high - low)), 0.0, 1.0))


def _bent(t: Plane) -> Plane:
    """The smooth ramp t * t * (3 - 2 t) over *t*, 0 to 1."""
    return (3.0 - 2.0 * t) * t * t


def noise(canvas: Canvas, period: float) -> Plane:
    """
    Soft random hills, one per *period* units, from a random place of the tile.

    Values lie in -1 to 1 with a standard deviation of about 0.4.  Periods below 1.5 px fade
    toward 0 instead of turning into flicker.
    """
    start_u = canvas.chance.between(0.0, TILE_NODES)
    start_v = canvas.chance.between(0.0, TILE_NODES)
    column_W, right_W = _cells(canvas.u_1W[0] / period + start_u)
    row_H, below_H = _cells(canvas.v_H1[:, 0] / period + start_v)
    # Along the rows first, while there are only as many rows as the noise has nodes; what
    # remains at full size is copying whole rows, which is the cheapest thing to do.
    first = int(row_H[0])
    node_T = np.arange(first, int(row_H[-1]) + 2) % TILE_NODES
    nodes_TT = canvas.tile_TT[node_T]
    left_TW = np.take(nodes_TT, column_W % TILE_NODES, axis=1)
    right_TW = np.take(nodes_TT, (column_W + 1) % TILE_NODES, axis=1)
    hills_TW = (right_TW - left_TW) * right_W + left_TW
    hills_TW *= min(1.0, period * canvas.unit_px / 1.5)
    hills_HW: Plane = np.diff(hills_TW, axis=0)[row_H - first]
    hills_HW *= below_H[:, None]
    hills_HW += hills_TW[row_H - first]
    return hills_HW


def _cells(place_N: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The node before each place, and how far (0 to 1, smoothed) the place lies toward the next."""
    node_N = np.floor(place_N)
    t_N = place_N - node_N
    return node_N.astype(np.int64), t_N * t_N * (3.0 - 2.0 * t_N)


def clouds(canvas: Canvas, period: float, *, octaves: int = 3) -> Plane:
    """
    Noise in *octaves* layers, each half as wide and half as strong as the one before; -1 to 1.

    *period* is that of the widest layer, in units.
    """
    total_HW = noise(canvas, period)
    for octave in range(1, octaves):
        total_HW += 0.5**octave * noise(canvas, period * 0.5**octave)
    return total_HW * (0.5 / (1.0 - 0.5**octaves))


def mesh(canvas: Canvas, period: float, *, disorder: float) -> Plane:
    """
    A net of round holes, as pigment makes it where it follows the ridges of the skin.

    Three waves at 120 degrees, *period* units from hole to hole, make a honeycomb; noise bends
    it by *disorder* periods: 0 is a honeycomb, 0.5 hardly a net.

    Returns:
        1 on the lines, 0 in the holes, about 0.4 on the mean.  Nets finer than 3 px fade to
        that mean.
    """
    bend = 1.5 * disorder * period
    u_HW = bend * noise(canvas, 2.5 * period) + canvas.u_1W
    v_HW = bend * noise(canvas, 2.5 * period) + canvas.v_H1
    direction = canvas.chance.between(0.0, math.pi)
    waves_HW = np.zeros(canvas.shape_px)
    cycles = 2.0 / (math.sqrt(3.0) * period)
    for turn in range(3):
        angle = direction + turn * (2.0 * math.pi / 3.0)
        phase_HW = (cycles * math.cos(angle)) * u_HW + (cycles * math.sin(angle)) * v_HW
        # A wave out of two smooth ramps: within 2 % of a cosine, a third of its time.
        waves_HW += _bent(2.0 * np.abs(phase_HW - np.rint(phase_HW)))
    # Uneven holes: the net is thicker here and thinner there.
    waves_HW += disorder * noise(canvas, 1.7 * period)
    sharpness = min(1.0, max(0.0, period * canvas.unit_px / 3.0 - 1.0))
    return smooth_step(0.9, 2.15, waves_HW) * sharpness + 0.4 * (1.0 - sharpness)
