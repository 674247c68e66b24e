"""
Put on a picture what lies between lens and skin: hair, ruler, ink, dark edge.

Each function takes a finished picture and a random generator and hands back a
new picture of the same shape.  They dress the drawn samples of this room, and
training adds them to real pictures, so the sizes follow the picture: a hair on
a 200 x 150 frame of HAM10000 is about one pixel wide, and as wide in proportion
on a 12-megapixel still.

Legend: H height, W width, C colour channel (red, green, blue), N line, P point
of a line, D coordinate (x, y), L level 0 to 255.  Lines are drawn by OpenCV, anti-aliased, into a
coverage mask with 4 bits of fraction in each coordinate.

Threads: pure; may be called from any thread, each with its own generator.

Sources: the list of artefacts from Bissoto et al., "(De)Constructing Bias on
Skin Lesion Datasets" (CVPR workshops, 2019); the ranges were set by eye on
drawn pictures.
"""

from __future__ import annotations

import enum
import math
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

SMALLEST_SIDE_PX: Final = 32
"""Below this a one-pixel hair would no longer be thin, so we refuse."""

_SHIFT_BITS: Final = 4
_REFERENCE_DIAGONAL_PX: Final = 250.0  # of a 200 x 150 frame, on which widths were chosen
# The parts of a hair of 14 points: first point, last point, share of its width.  On a fine
# one there are no pixels to show more than two.
_FINE_HAIR: Final = ((0, 10, 1.0), (10, 13, 0.55))
_WIDE_HAIR: Final = (
    (0, 6, 1.0),
    (6, 8, 0.9),
    (8, 10, 0.75),
    (10, 11, 0.6),
    (11, 12, 0.5),
    (12, 13, 0.4),
)
_WIDE_HAIR_PX: Final = 3.0  # in the mask; above it a hair is drawn as a wide one
_SUPERSAMPLED_BELOW_PX: Final = 500.0  # diagonal; larger pictures have pixels enough for a line

_LEVEL_L: Final = np.arange(256, dtype=np.float64)

# Shares of pictures, or of hairs, that have a property.
_STUBBLE_SHARE: Final = 1.0 / 6.0
_LIGHT_HAIR_SHARE: Final = 0.2
_ACROSS_SHARE: Final = 0.15
_BASE_LINE_SHARE: Final = 0.4
_NUMBERS_SHARE: Final = 0.5
_BLACK_RULER_SHARE: Final = 0.75
_INK_DOTS_SHARE: Final = 0.3

_DARK_HAIR_C: Final = (
    (16.0, 12.0, 12.0),
    (38.0, 26.0, 22.0),
    (66.0, 44.0, 32.0),
    (92.0, 62.0, 44.0),
)
_LIGHT_HAIR_C: Final = ((222.0, 204.0, 176.0), (236.0, 228.0, 216.0), (198.0, 160.0, 116.0))
_INK_C: Final = ((0.32, 0.20, 0.62), (0.22, 0.28, 0.66), (0.16, 0.42, 0.44), (0.16, 0.15, 0.24))

# Strokes of a seven-segment digit on a cell 1 wide and 2 high, y downward.
_SEGMENTS: Final = {
    "a": ((0.0, 0.0), (1.0, 0.0)),
    "b": ((1.0, 0.0), (1.0, 1.0)),
    "c": ((1.0, 1.0), (1.0, 2.0)),
    "d": ((0.0, 2.0), (1.0, 2.0)),
    "e": ((0.0, 1.0), (0.0, 2.0)),
    "f": ((0.0, 0.0), (0.0, 1.0)),
    "g": ((0.0, 1.0), (1.0, 1.0)),
}
_DIGITS: Final = (
    "abcdef",
    "bc",
    "abged",
    "abgcd",
    "fgbc",
    "afgcd",
    "afgedc",
    "abc",
    "abcdefg",
    "abcfgd",
)


class _Edge(enum.IntEnum):
    """The edge of the picture at which a ruler lies."""

    TOP = 0
    RIGHT = 1
    BOTTOM = 2
    LEFT = 3


def add_hair(
    pixels_HWC: NDArray[np.uint8],
    rng: np.random.Generator,
    *,
    count: int | None = None,
) -> NDArray[np.uint8]:
    """
    Lay hairs over the picture, as on skin that was not shaved.

    The hairs of one picture share a colour and mostly a direction; each is a
    bent line that thins out toward its tip.  About one picture in six gets
    stubble instead: many short, straight hairs.

    Args:
        pixels_HWC: sRGB, uint8 ``[H, W, 3]``, each side at least 32 px.
        rng: Where the chance comes from; equal state gives an equal picture.
        count:
            Number of hairs, 0 or more.  ``None`` draws one between 3 and 70,
            few more often than many.

    Returns:
        A new picture, uint8 ``[H, W, 3]``.

    Raises:
        ValueError: The picture has another shape, dtype or is too small, or
            *count* is negative.
    """
    height_px, width_px = _checked_size(pixels_HWC, "add_hair")
    if count is not None and count < 0:
        raise ValueError(f"add_hair: expected a count of 0 or more, found {count}")
    diagonal_px = math.hypot(height_px, width_px)
    is_stubble = bool(rng.random() < _STUBBLE_SHARE)
    if count is None:
        count = round(math.exp(rng.uniform(math.log(3.0), math.log(70.0))))
        count = 2 * count if is_stubble else count

    is_light = bool(rng.random() < _LIGHT_HAIR_SHARE)
    palette = _LIGHT_HAIR_C if is_light else _DARK_HAIR_C
    color_C = np.clip(
        np.array(palette[rng.integers(len(palette))]) + rng.normal(0.0, 6.0, 3), 0.0, 255.0
    )

    oversampling = _oversampling(diagonal_px)
    mask_HW = np.zeros((height_px * oversampling, width_px * oversampling), np.uint8)
    # Width is meant in pixels of the picture; a line below one pixel is drawn
    # one pixel of the finer mask wide and made fainter.
    mean_width_px = rng.uniform(0.7, 1.5) * diagonal_px / _REFERENCE_DIAGONAL_PX
    main_direction = rng.uniform(0.0, 2.0 * math.pi)
    spread = rng.uniform(0.15, 0.7)
    # A few hairs of any picture lie across the others.
    is_across_N = rng.random(count) < _ACROSS_SHARE
    direction_N = np.where(
        is_across_N,
        rng.uniform(0.0, 2.0 * math.pi, count),
        rng.normal(main_direction, spread, count),
    )
    if is_stubble:
        t_P = np.linspace(-1.0, 1.0, 6)
        length_px_N = diagonal_px * rng.uniform(0.03, 0.09, count)
        bend_N, twist_N = rng.normal(0.0, 0.05, count), np.zeros(count)
    else:
        t_P = np.linspace(-1.0, 1.0, 14)
        length_px_N = diagonal_px * rng.uniform(0.18, 0.95, count)
        bend_N, twist_N = rng.normal(0.0, 0.35, count), rng.normal(0.0, 0.5, count)
    # The direction changes along the hair by an even and by a cubic part.
    angle_NP = direction_N[:, None] + bend_N[:, None] * t_P + twist_N[:, None] * t_P**3
    step_px_N = length_px_N / (t_P.size - 1)
    path_NPD = (
        np.stack([np.cos(angle_NP), np.sin(angle_NP)], axis=2).cumsum(axis=1)
        * step_px_N[:, None, None]
    )
    middle_N1D = rng.uniform(-0.1, 1.1, (count, 1, 2)) * np.array([width_px, height_px])
    path_NPD += middle_N1D - path_NPD[:, t_P.size // 2, None]
    fixed_NPD = _fixed_point(path_NPD * oversampling)
    line_px_N = mean_width_px * rng.uniform(0.75, 1.25, count) * oversampling
    opacity_N = rng.uniform(0.5, 0.95, count)
    parts = _WIDE_HAIR if mean_width_px * oversampling > _WIDE_HAIR_PX else _FINE_HAIR
    for fixed_PD, line_px, opacity in zip(
        fixed_NPD, line_px_N.tolist(), opacity_N.tolist(), strict=True
    ):
        if is_stubble:
            _draw_lines(mask_HW, [fixed_PD], line_px, opacity)
            continue
        for first, last, share in parts:
            _draw_lines(mask_HW, [fixed_PD[first : last + 1]], share * line_px, opacity)
    return _painted(pixels_HWC, _to_size(mask_HW, height_px, width_px), color_C)


def add_ruler(pixels_HWC: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """
    Lay the scale of a contact plate along one edge of the picture.

    Short ticks at even steps, a longer one at each fifth and tenth, sometimes
    with a base line and with numbers, in black or in white.

    Args:
        pixels_HWC: sRGB, uint8 ``[H, W, 3]``, each side at least 32 px.
        rng: Where the chance comes from; equal state gives an equal picture.

    Returns:
        A new picture, uint8 ``[H, W, 3]``.

    Raises:
        ValueError: The picture has another shape, dtype or is too small.
    """
    height_px, width_px = _checked_size(pixels_HWC, "add_ruler")
    diagonal_px = math.hypot(height_px, width_px)
    scale = diagonal_px / _REFERENCE_DIAGONAL_PX
    oversampling = _oversampling(diagonal_px)
    mask_HW = np.zeros((height_px * oversampling, width_px * oversampling), np.uint8)

    # The scale is laid out on an axis and then placed on an edge; ticks point toward the
    # middle of the picture.
    edge = _Edge(int(rng.integers(4)))
    is_level = edge in (_Edge.TOP, _Edge.BOTTOM)
    is_mirrored = edge in (_Edge.RIGHT, _Edge.BOTTOM)
    along_px, across_px = (width_px, height_px) if is_level else (height_px, width_px)
    angle = rng.normal(0.0, math.radians(2.5))
    step_px = rng.uniform(4.5, 10.0) * scale
    inset_px = rng.uniform(0.02, 0.14) * across_px
    tick_px = rng.uniform(3.0, 5.0) * scale
    line_px = rng.uniform(0.6, 1.1) * scale * oversampling
    opacity = rng.uniform(0.6, 0.95)
    starts_at_px = rng.uniform(-0.4, 0.3) * along_px
    tick_count = int(rng.uniform(0.6, 1.4) * along_px / step_px) + 2
    has_base_line = bool(rng.random() < _BASE_LINE_SHARE)
    has_numbers = bool(rng.random() < _NUMBERS_SHARE)
    gray = (
        rng.uniform(0.0, 45.0) if rng.random() < _BLACK_RULER_SHARE else rng.uniform(215.0, 250.0)
    )

    def place(points_PD: NDArray[np.float64]) -> NDArray[np.int32]:
        u, v = points_PD[..., 0] - 0.5 * along_px, points_PD[..., 1] - inset_px
        u, v = (
            math.cos(angle) * u - math.sin(angle) * v + 0.5 * along_px,
            math.sin(angle) * u + math.cos(angle) * v + inset_px,
        )
        if is_mirrored:
            v = across_px - v
        return _fixed_point(np.stack((u, v) if is_level else (v, u), axis=-1) * oversampling)

    index_N = np.arange(tick_count)
    length_px_N = tick_px * np.where(index_N % 10 == 0, 2.0, np.where(index_N % 5 == 0, 1.5, 1.0))
    tick_NPD = np.empty((tick_count, 2, 2))
    tick_NPD[:, :, 0] = (starts_at_px + index_N * step_px)[:, None]
    tick_NPD[:, :, 1] = inset_px
    tick_NPD[:, 1, 1] += length_px_N
    lines = [*place(tick_NPD)]
    if has_base_line:
        lines.append(place(tick_NPD[[0, -1], 0]))
    if has_numbers:
        cell_px = 0.55 * tick_px
        for number, tick_PD in enumerate(tick_NPD[::10]):
            foot_D = tick_PD[1] + ((-0.5 if is_level else -1.0) * cell_px, 0.6 * cell_px)
            for name in _DIGITS[number % 10]:
                stroke_PD = np.array(_SEGMENTS[name])
                if not is_level:  # beside an upright scale the numbers stay upright
                    stroke_PD = stroke_PD[:, ::-1]
                if is_mirrored:
                    stroke_PD = (0.0, 2.0 if is_level else 1.0) - stroke_PD * (-1.0, 1.0)
                lines.append(place(foot_D + cell_px * stroke_PD))
    _draw_lines(mask_HW, lines, line_px, opacity)
    return _painted(pixels_HWC, _to_size(mask_HW, height_px, width_px), np.full(3, gray))


def add_ink(pixels_HWC: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """
    Mark the skin with a surgeon's pen: strokes or dots beside the lesion.

    Ink takes light away from the skin below it, so it is multiplied in; its
    edge is soft and its coverage uneven.

    Args:
        pixels_HWC: sRGB, uint8 ``[H, W, 3]``, each side at least 32 px.
        rng: Where the chance comes from; equal state gives an equal picture.

    Returns:
        A new picture, uint8 ``[H, W, 3]``.

    Raises:
        ValueError: The picture has another shape, dtype or is too small.
    """
    height_px, width_px = _checked_size(pixels_HWC, "add_ink")
    diagonal_px = math.hypot(height_px, width_px)
    mask_HW = np.zeros((height_px, width_px), np.uint8)
    ink_C = np.clip(
        np.array(_INK_C[rng.integers(len(_INK_C))]) + rng.normal(0.0, 0.04, 3), 0.02, 0.9
    )
    stroke_px = rng.uniform(0.014, 0.04) * diagonal_px
    size_D = np.array([width_px, height_px], np.float64)
    if rng.random() < _INK_DOTS_SHARE:
        # Dots around the lesion, as set for an excision.
        dot_count = int(rng.integers(2, 6))
        radius_D = rng.uniform(0.38, 0.5, 2) * size_D
        for angle in rng.uniform(0.0, 2.0 * math.pi) + np.arange(dot_count) * (
            2.0 * math.pi / dot_count
        ):
            center_D = 0.5 * size_D + radius_D * (math.cos(angle), math.sin(angle))
            wiggle_PD = center_D + rng.normal(0.0, 0.4 * stroke_px, (3, 2))
            _draw_lines(mask_HW, [_fixed_point(wiggle_PD)], stroke_px, rng.uniform(0.6, 0.9))
    else:
        t_P = np.linspace(-1.0, 1.0, 18)
        for _ in range(int(rng.integers(1, 4))):
            # A stroke runs past the middle at a distance, so most of the lesion stays free.
            direction = rng.uniform(0.0, 2.0 * math.pi)
            along_D = np.array([math.cos(direction), math.sin(direction)])
            across_D = np.array([-along_D[1], along_D[0]])
            half_length_px = rng.uniform(0.08, 0.4) * diagonal_px
            middle_D = (0.5 + across_D * rng.uniform(0.34, 0.52)) * size_D
            middle_D += along_D * rng.normal(0.0, 0.1) * diagonal_px
            bow_px = rng.normal(0.0, 0.25) * half_length_px
            path_PD = (
                middle_D
                + np.outer(t_P * half_length_px, along_D)
                + np.outer((t_P**2 - 0.5) * bow_px, across_D)
            )
            path_PD += rng.normal(0.0, 0.06 * stroke_px, path_PD.shape)
            _draw_lines(mask_HW, [_fixed_point(path_PD)], stroke_px, rng.uniform(0.6, 0.9))
    # Ink gathers in the furrows of the skin: a coarse grid of densities.
    patch_px = max(2.0, 2.5 * diagonal_px / _REFERENCE_DIAGONAL_PX)
    coarse_HW = rng.integers(
        153, 256, (int(height_px / patch_px) + 2, int(width_px / patch_px) + 2), np.uint8
    )
    density_HW = cv2.resize(coarse_HW, (width_px, height_px), interpolation=cv2.INTER_LINEAR)
    soft_HW = cv2.GaussianBlur(mask_HW, (0, 0), max(0.5, 0.12 * stroke_px))
    cover_HW = np.asarray(cv2.multiply(soft_HW, density_HW, scale=1.0 / 255.0), np.uint8)
    kept_HWC = _colored(255.0 - _LEVEL_L[:, None] * (1.0 - ink_C), cover_HW)
    return np.asarray(cv2.multiply(pixels_HWC, kept_HWC, scale=1.0 / 255.0), np.uint8)


def add_vignette(
    pixels_HWC: NDArray[np.uint8],
    rng: np.random.Generator,
    *,
    radius_share: float | None = None,
) -> NDArray[np.uint8]:
    """
    Look through the round opening of a dermatoscope: black outside a disc.

    The disc lies near the middle.  Its edge is soft, and inside it the light
    falls off a little toward the rim.

    Args:
        pixels_HWC: sRGB, uint8 ``[H, W, 3]``, each side at least 32 px.
        rng: Where the chance comes from; equal state gives an equal picture.
        radius_share:
            Radius of the disc as a share of half the diagonal, above 0: at
            0.6 the disc of a 4:3 picture just fits between top and bottom, at
            0.8 between left and right, at 1 it reaches the corners.  ``None``
            draws one between 0.62 and 0.95.

    Returns:
        A new picture, uint8 ``[H, W, 3]``.

    Raises:
        ValueError: The picture has another shape, dtype or is too small, or
            *radius_share* is not above 0.
    """
    height_px, width_px = _checked_size(pixels_HWC, "add_vignette")
    drawn_share = rng.uniform(0.62, 0.95)
    share = drawn_share if radius_share is None else radius_share
    if not share > 0.0:
        raise ValueError(f"add_vignette: expected a radius_share above 0, found {share}")
    half_diagonal_px = 0.5 * math.hypot(height_px, width_px)
    radius_px = share * half_diagonal_px
    center_x_px = (0.5 + rng.normal(0.0, 0.012)) * width_px
    center_y_px = (0.5 + rng.normal(0.0, 0.012)) * height_px
    edge_px = max(1.0, rng.uniform(0.01, 0.07) * half_diagonal_px)
    falloff = rng.uniform(0.0, 0.25)
    rest = rng.uniform(0.0, 0.02)

    y_H = np.arange(height_px, dtype=np.float32) + np.float32(0.5 - center_y_px)
    x_W = np.arange(width_px, dtype=np.float32) + np.float32(0.5 - center_x_px)
    distance_HW = np.sqrt((y_H**2)[:, None] + (x_W**2)[None, :])
    # Smooth step from 1 inside to 0 outside, centred on the rim.
    ramp_HW = np.clip(
        (np.float32(radius_px + 0.5 * edge_px) - distance_HW) * np.float32(1.0 / edge_px), 0.0, 1.0
    )
    light_HW = ramp_HW * ramp_HW * (np.float32(3.0) - np.float32(2.0) * ramp_HW)
    inside_HW = np.minimum(distance_HW * np.float32(1.0 / radius_px), np.float32(1.0))
    light_HW *= np.float32(1.0) - np.float32(falloff) * inside_HW**2
    light_HW = np.float32(rest) + np.float32(1.0 - rest) * light_HW
    seen_HWC: NDArray[np.float32] = pixels_HWC * light_HW[:, :, None]
    return np.rint(seen_HWC).astype(np.uint8)


def _checked_size(pixels_HWC: NDArray[np.uint8], function_name: str) -> tuple[int, int]:
    """Height and width in px of a picture that is what it says it is; else ``ValueError``."""
    shape = pixels_HWC.shape
    is_picture = pixels_HWC.dtype == np.uint8 and shape[2:] == (3,)
    if not is_picture or min(shape[:2]) < SMALLEST_SIDE_PX:
        raise ValueError(
            f"{function_name}: expected uint8 [H, W, 3] with sides of {SMALLEST_SIDE_PX} px "
            f"or more, found {pixels_HWC.dtype} {list(shape)}; decode and resize the picture first"
        )
    return shape[0], shape[1]


def _oversampling(diagonal_px: float) -> int:
    """Mask pixels per picture pixel; OpenCV's lines are whole pixels wide, hairs are not."""
    return 2 if diagonal_px < _SUPERSAMPLED_BELOW_PX else 1


def _fixed_point(path_PD: NDArray[np.float64]) -> NDArray[np.int32]:
    """Points (x, y in mask px, pixel centres at one half) as OpenCV takes them, ``[..., 2]``."""
    return np.rint((path_PD - 0.5) * (1 << _SHIFT_BITS)).astype(np.int32)


def _draw_lines(
    mask_HW: NDArray[np.uint8], lines: list[NDArray[np.int32]], width_px: float, opacity: float
) -> None:
    """Draw open *lines*, each ``[P, 2]`` in fixed point, into *mask_HW*, in place."""
    thickness_px = max(1, round(width_px))
    # What rounding adds to or takes from the width goes into the opacity, within 0 to 1.
    level = min(1.0, opacity * min(1.15, width_px / thickness_px))
    cv2.polylines(
        mask_HW,
        lines,
        isClosed=False,
        color=round(255.0 * level),
        thickness=thickness_px,
        lineType=cv2.LINE_AA,
        shift=_SHIFT_BITS,
    )


def _to_size(mask_HW: NDArray[np.uint8], height_px: int, width_px: int) -> NDArray[np.uint8]:
    """The coverage mask at the size of the picture, by mean over its finer pixels."""
    if mask_HW.shape == (height_px, width_px):
        return mask_HW
    return np.asarray(
        cv2.resize(mask_HW, (width_px, height_px), interpolation=cv2.INTER_AREA), np.uint8
    )


def _painted(
    pixels_HWC: NDArray[np.uint8], mask_HW: NDArray[np.uint8], color_C: NDArray[np.float64]
) -> NDArray[np.uint8]:
    """*pixels_HWC* with *color_C* (0 to 255) laid over it as strong as *mask_HW* (255 covers)."""
    # In 8 bits throughout: five times faster than in float32, and at most one level off.
    skin_HWC = cv2.multiply(
        pixels_HWC, cv2.merge([cv2.bitwise_not(mask_HW)] * 3), scale=1.0 / 255.0
    )
    return np.asarray(
        cv2.add(skin_HWC, _colored(_LEVEL_L[:, None] * color_C / 255.0, mask_HW)), np.uint8
    )


def _colored(color_LC: NDArray[np.float64], mask_HW: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The colour, 0 to 255, that *color_LC* lists for the level of each pixel of *mask_HW*."""
    table_LC = np.rint(color_LC).astype(np.uint8)
    return np.asarray(
        cv2.merge([cv2.LUT(mask_HW, np.ascontiguousarray(table_L)) for table_L in table_LC.T]),
        np.uint8,
    )
