"""
Dots, strokes and vessels on a canvas.

Legend: H height, W width, N one stroke, D coordinate (u, v), K pixel within a stroke's window.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from device.drawing.border import Body
from device.drawing.canvas import Canvas, Plane


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
    Straight strokes with round ends, all in units; a stroke of length 0 is a dot.

    A stroke has its strength (0 to 1) on the middle line, and at its edge a ramp as wide as
    *softness*, a share of the radius.  Below a radius of 0.7 px it is drawn with that, and
    fainter.  Where strokes cross, the stronger one shows.
    """
    height_px, width_px = canvas.shape_px
    plane_HW = np.zeros(canvas.shape_px)
    if radius_N.size == 0:
        return plane_HW
    origin_D = -canvas.unit_px * np.array([canvas.u_1W[0, 0], canvas.v_H1[0, 0]])
    start_px_ND = start_ND * canvas.unit_px + origin_D
    end_px_ND = end_ND * canvas.unit_px + origin_D
    wanted_px_N = radius_N * canvas.unit_px
    radius_px_N = np.maximum(wanted_px_N, 0.7)
    peak_N = strength_N * np.minimum(1.0, wanted_px_N / 0.7)
    # All strokes share one size of window, so that one pass of NumPy draws them all.
    half_px_N = 0.5 * np.abs(end_px_ND - start_px_ND).max(axis=1) + radius_px_N * (1.0 + softness)
    half_px = int(half_px_N.max()) + 2
    offset_K = np.arange(-half_px, half_px + 1)
    corner_ND = np.floor(0.5 * (start_px_ND + end_px_ND)).astype(np.int64)
    x_NK, y_NK = corner_ND[:, :1] + offset_K, corner_ND[:, 1:] + offset_K

    # How far along its stroke, 0 to 1, each pixel lies, and how far away from it.
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
    value_NKK = ramp_NKK * ramp_NKK * (3.0 - 2.0 * ramp_NKK) * peak_N[:, None, None]

    is_row_NK, is_column_NK = (y_NK >= 0) & (y_NK < height_px), (x_NK >= 0) & (x_NK < width_px)
    is_on_NKK = is_row_NK[:, :, None] & is_column_NK[:, None, :]
    flat_NKK = y_NK[:, :, None] * width_px + x_NK[:, None, :]
    np.maximum.at(plane_HW.reshape(-1), flat_NKK[is_on_NKK], value_NKK[is_on_NKK])
    return plane_HW


def dots(
    canvas: Canvas,
    place_ND: NDArray[np.float64],
    size: tuple[float, float],
    *,
    longer: float = 0.0,
    softness: float = 0.5,
) -> Plane:
    """Dots at *place_ND*, 0 to 1; *size* is the range of radii, *longer* how many they stretch."""
    chance, count = canvas.chance, place_ND.shape[0]
    radius_N = chance.many(*size, count)
    angle_N = chance.many(0.0, 2.0 * math.pi, count)
    reach_N = radius_N * chance.many(0.0, 1.0, count) * longer
    half_ND = np.stack([reach_N * np.cos(angle_N), reach_N * np.sin(angle_N)], axis=1)
    strength_N = chance.many(0.6, 1.0, count)
    start_ND, end_ND = place_ND - half_ND, place_ND + half_ND
    return strokes(canvas, start_ND, end_ND, radius_N, strength_N=strength_N, softness=softness)


def vessels(body: Body, trunks: int, width: tuple[float, float]) -> Plane:
    """Branching vessels that enter from the border and thin out toward the middle; 0 to 1."""
    chance = body.canvas.chance
    drawn: list[tuple[float, ...]] = []  # start (u, v), end (u, v), radius
    # Each entry: place, heading in radians, radius and steps left.
    growing: list[tuple[float, float, float, float, int]] = []
    for _ in range(trunks):
        angle = chance.between(0.0, 2.0 * math.pi)
        away = body.radius * chance.between(0.7, 1.0)
        heading = angle + math.pi + chance.near(0.0, 0.45)
        u, v = body.middle_D[0] + away * math.cos(angle), body.middle_D[1] + away * math.sin(angle)
        growing.append((u, v, heading, 0.5 * chance.between(*width), chance.whole(11, 20)))
    step = 0.085 * body.radius
    while growing:
        u, v, heading, radius, steps_left = growing.pop()
        bend = chance.near(0.0, 0.12)
        for left in range(steps_left, 0, -1):
            bend = 0.5 * bend + chance.near(0.0, 0.17)
            heading += bend
            start = (u, v)
            u, v = u + step * math.cos(heading), v + step * math.sin(heading)
            drawn.append((*start, u, v, radius))
            radius *= 0.955
            is_long = left > 3  # noqa: PLR2004 - the last three steps are too short to branch
            if is_long and chance.happens(0.2):
                side = 1.0 if chance.happens(0.5) else -1.0
                turn = side * chance.between(0.5, 1.0)
                growing.append((u, v, heading + turn, 0.62 * radius, left * 2 // 3))
                heading -= 0.3 * turn
    drawn_N5 = np.reshape(drawn, (-1, 5))
    return strokes(body.canvas, drawn_N5[:, :2], drawn_N5[:, 2:4], drawn_N5[:, 4], softness=0.6)
