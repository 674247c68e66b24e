"""The round opening of a dermatoscope.  Legend: H height, W width, C color channel."""

from __future__ import annotations

import math

import numpy as np

from device.core.values import Pixels
from device.drawing.overlay import checked_size


def add_vignette(
    pixels_HWC: Pixels, rng: np.random.Generator, *, radius_share: float | None = None
) -> Pixels:
    """
    Look through a round opening: black outside a disc near the middle.

    The edge of the disc is soft, and inside it the light falls off a little toward the rim.
    Arguments and errors as in :func:`device.drawing.add_hair`, and *radius_share*: the radius
    of the disc as a share of half the diagonal, above 0.  At 0.6 the disc of a 4:3 picture just
    fits between top and bottom, at 1 it reaches the corners; ``None`` draws it.
    """
    height_px, width_px = checked_size(pixels_HWC, "add_vignette")
    drawn_share = rng.uniform(0.62, 0.95)
    share = drawn_share if radius_share is None else float(radius_share)
    if not share > 0.0:
        raise ValueError(f"add_vignette: expected a radius_share above 0, found {share}")
    half_diagonal_px = 0.5 * math.hypot(height_px, width_px)
    radius_px = share * half_diagonal_px
    center_x_px = (0.5 + rng.normal(0.0, 0.012)) * width_px
    center_y_px = (0.5 + rng.normal(0.0, 0.012)) * height_px
    edge_px = max(1.0, rng.uniform(0.01, 0.07) * half_diagonal_px)
    falloff, rest = rng.uniform(0.0, 0.25), rng.uniform(0.0, 0.02)

    y_H = np.arange(height_px, dtype=np.float32) + (0.5 - center_y_px)
    x_W = np.arange(width_px, dtype=np.float32) + (0.5 - center_x_px)
    distance_HW = np.sqrt((y_H**2)[:, None] + (x_W**2)[None, :])
    # Smooth step from 1 inside to 0 outside, centered on the rim.
    ramp_HW = np.clip((radius_px + 0.5 * edge_px - distance_HW) * (1.0 / edge_px), 0.0, 1.0)
    light_HW = ramp_HW * ramp_HW * (3.0 - 2.0 * ramp_HW)
    light_HW *= 1.0 - falloff * np.minimum(distance_HW * (1.0 / radius_px), 1.0) ** 2
    light_HW = rest + (1.0 - rest) * light_HW
    return np.asarray(np.rint(pixels_HWC * light_HW[:, :, None]).astype(np.uint8))
