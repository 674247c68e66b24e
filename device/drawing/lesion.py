"""
Draw a picture as a dermatoscope sees it: skin, and on it one lesion.

The picture is thought of as light that passes through layers.  Skin has a
colour; melanin and blood take light away in proportion to themselves (the law
of Beer and Lambert, on sRGB values); pigment deep in the skin looks blue-grey,
scale and scar look white.  A lesion is a plane for each of these four, drawn
by the recipe of its diagnosis from borders, clouds, nets, dots and vessels.

The recipes share most of their ranges, so that the seven diagnoses overlap as
they do in life: they can be learned from the pictures, not read off one colour.
They are drawings.  They show what a program needs to be run and tested on, and
say nothing about skin.

Legend: H height, W width, C colour channel (red, green, blue), N one stroke,
D coordinate (u, v).

Threads: pure; may be called from any thread.

Sources: which structure belongs to which diagnosis follows Kittler et al.,
"Standardization of terminology in dermoscopy" (JAAD, 2016); the sizes and
strengths were set by eye.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from device.drawing.canvas import (
    Canvas,
    Chance,
    Plane,
    clouds,
    depth_of_blob,
    mesh,
    noise,
    smooth_step,
    stretch,
    strokes,
    window_where,
)

_BARE_SKIN_C: Final = (246.0, 222.0, 208.0)  # sRGB of skin without melanin or blood, in full light
_MELANIN_C: Final = (0.56, 0.84, 1.00)  # what one unit of melanin takes away, natural logarithm
_BLOOD_C: Final = (0.16, 0.80, 0.62)  # the same for blood
_BLUE_C: Final = (108.0, 113.0, 132.0)  # pigment seen through the skin above it
_WHITE_C: Final = (240.0, 222.0, 214.0)  # scale, scar, milia


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layers:
    """
    What lies on the skin, one plane each, float64 ``[H, W]``.

    Attributes:
        canvas: The window that the planes cover; beside it lies bare skin.
        melanin_HW: 0 is none, 1 a brown lesion, 2 nearly black.
        blood_HW: 0 is none, 1 a red lesion, 2 dark red; may be negative where skin is paler.
        blue_HW: Share, 0 to 1, of blue-grey.
        white_HW: Share, 0 to 1, of white.
    """

    canvas: Canvas
    melanin_HW: Plane
    blood_HW: Plane
    blue_HW: Plane
    white_HW: Plane


@dataclass(frozen=True, slots=True, kw_only=True)
class _Skin:
    """
    The skin before anything lies on it.

    Attributes:
        color_CHW: Its color, float64 ``[3, H, W]``, levels 0 to 255.
        light_HW: The light on it, about 1, with the noise of the sensor.
        grain_HW: Fine texture, -1 to 1, which runs on through the lesion.
    """

    color_CHW: NDArray[np.float64]
    light_HW: Plane
    grain_HW: Plane


def draw_lesion(
    seed: int,
    *,
    diagnosis: str = "NV",
    height_px: int = 450,
    width_px: int = 600,
) -> NDArray[np.uint8]:
    """
    Draw one lesion on skin, as through a dermatoscope.

    One seed gives one picture at any size, and the same skin for each diagnosis.

    Args:
        seed: Whole number, 0 or more.
        diagnosis: One of ``MEL NV BCC AKIEC BKL DF VASC``.
        height_px: Height in pixels, at least 16.
        width_px: Width in pixels, at least 16.

    Returns:
        sRGB, uint8 ``[height_px, width_px, 3]``; on another machine at most
        one level away.

    Raises:
        ValueError: The diagnosis is none of the seven, or a side is too short.

    Threads: pure; may be called from any thread.
    """
    if diagnosis not in RECIPES:
        raise ValueError(
            f"draw_lesion: expected a diagnosis of {' '.join(RECIPES)}, found {diagnosis!r}; "
            "use the codes of HAM10000 in upper case"
        )
    chance, canvas = _begun(seed, height_px, width_px)
    skin = _skin(canvas, chance)
    return _developed(canvas, skin, RECIPES[diagnosis](canvas, chance))


def draw_skin(seed: int, *, height_px: int = 450, width_px: int = 600) -> NDArray[np.uint8]:
    """
    Draw skin without a lesion: the skin that :func:`draw_lesion` draws for the same seed.

    Args:
        seed: Whole number, 0 or more.
        height_px: Height in pixels, at least 16.
        width_px: Width in pixels, at least 16.

    Returns:
        sRGB, uint8 ``[height_px, width_px, 3]``; on another machine at most
        one level away.

    Raises:
        ValueError: A side is too short.

    Threads: pure; may be called from any thread.
    """
    chance, canvas = _begun(seed, height_px, width_px)
    return _developed(canvas, _skin(canvas, chance), None)


# ------------------------------------------------------------------ skin and light


def _begun(seed: int, height_px: int, width_px: int) -> tuple[Chance, Canvas]:
    """Chance and canvas for a picture."""
    smallest_px = 16
    if min(height_px, width_px) < smallest_px:
        raise ValueError(
            f"drawing: expected sides of {smallest_px} px or more, found {height_px} x {width_px}; "
            "ask for a larger picture"
        )
    chance = Chance(seed)
    return chance, stretch(chance, height_px=height_px, width_px=width_px)


def _skin(canvas: Canvas, chance: Chance) -> _Skin:
    """Skin of some tone, in the light of some lamp."""
    melanin = 0.02 + 0.5 * chance.between(0.0, 1.0) ** 2.5
    blood = chance.between(0.08, 0.36)
    patches_HW = clouds(canvas, chance, 0.9, octaves=2)
    grain_HW = clouds(canvas, chance, 0.05, octaves=3)
    furrows_HW = mesh(canvas, chance, chance.between(0.10, 0.16), disorder=0.3) - 0.4
    pores_HW = _pores(canvas, chance)
    melanin_HW = melanin * (1.0 + 0.25 * patches_HW + 0.2 * grain_HW) + 0.10 * pores_HW
    blood_HW = blood * (1.0 + 0.3 * clouds(canvas, chance, 0.6, octaves=2)) + 0.05 * grain_HW
    blood_HW += chance.between(0.0, 0.035) * furrows_HW - 0.06 * pores_HW

    skin_CHW = np.empty((3, canvas.height_px, canvas.width_px))
    for channel, bare in enumerate(_BARE_SKIN_C):
        plane_HW = skin_CHW[channel]
        np.multiply(melanin_HW, -_MELANIN_C[channel], out=plane_HW)
        plane_HW -= _BLOOD_C[channel] * blood_HW
        np.exp(plane_HW, out=plane_HW)
        plane_HW *= bare * chance.near(1.0, 0.03)
    # The lamp ring lights the middle most; the contact plate is never quite level.
    # Both by the distance from the middle to a corner, so that a long strip is lit to its ends.
    reach = math.hypot(canvas.width_px, canvas.height_px) / (2.0 * canvas.unit_px)
    u_1W, v_H1 = canvas.u_1W / reach, canvas.v_H1 / reach
    tilt, tilt_to = chance.between(0.0, 0.1), chance.between(0.0, 2.0 * math.pi)
    light_HW = chance.between(0.86, 1.03) + (tilt * math.cos(tilt_to)) * u_1W
    light_HW = light_HW + (tilt * math.sin(tilt_to)) * v_H1
    light_HW -= chance.between(0.05, 0.36) * (u_1W**2 + v_H1**2)
    light_HW += 0.03 * grain_HW
    # The relief of the skin, fine enough to need a sharp picture.
    light_HW += chance.between(0.02, 0.045) * clouds(canvas, chance, 0.011, octaves=2)
    # Sensor noise is the one thing that has the size of a pixel, whatever the picture's size.
    light_HW += chance.between(0.006, 0.018) * noise(canvas, chance, 1.6 / canvas.unit_px)
    return _Skin(color_CHW=skin_CHW, light_HW=light_HW, grain_HW=grain_HW)


def _pores(canvas: Canvas, chance: Chance) -> Plane:
    """Openings of follicles, 0 to 1, spread over the whole picture."""
    count = chance.whole(10, 90)
    reach_D = (canvas.width_px / canvas.unit_px / 2.0, canvas.height_px / canvas.unit_px / 2.0)
    place_ND = chance.many(-1.0, 1.0, count, 2) * reach_D
    return strokes(
        canvas,
        place_ND,
        place_ND,
        chance.many(0.006, 0.016, count),
        strength_N=chance.many(0.2, 1.0, count),
        softness=1.0,
    )


def _developed(canvas: Canvas, skin: _Skin, layers: _Layers | None) -> NDArray[np.uint8]:
    """The picture, uint8 ``[H, W, 3]``: light through the layers, rounded to levels."""
    pixels_HWC = np.empty((canvas.height_px, canvas.width_px, 3), np.uint8)
    for channel in range(3):
        plane_HW = skin.color_CHW[channel].copy()
        if layers is not None:
            _lay_on(plane_HW, skin.grain_HW, layers, channel)
        plane_HW *= skin.light_HW
        np.clip(plane_HW, 0.0, 255.0, out=plane_HW)
        pixels_HWC[:, :, channel] = np.rint(plane_HW, out=plane_HW)
    return pixels_HWC


def _lay_on(plane_HW: Plane, grain_HW: Plane, layers: _Layers, channel: int) -> None:
    """Lay *layers* on one *channel* of the skin, levels 0 to 255, in place."""
    top_px, left_px = layers.canvas.top_px, layers.canvas.left_px
    rows = slice(top_px, top_px + layers.canvas.height_px)
    columns = slice(left_px, left_px + layers.canvas.width_px)
    seen_HW = plane_HW[rows, columns]
    taken_HW = (-_MELANIN_C[channel]) * layers.melanin_HW
    taken_HW -= _BLOOD_C[channel] * layers.blood_HW
    taken_HW *= 1.0 + 0.25 * grain_HW[rows, columns]
    seen_HW *= np.exp(taken_HW, out=taken_HW)
    for share_HW, level in (
        (layers.blue_HW, _BLUE_C[channel]),
        (layers.white_HW, _WHITE_C[channel]),
    ):
        np.subtract(level, seen_HW, out=taken_HW)
        taken_HW *= share_HW
        seen_HW += taken_HW


# ---------------------------------------------------------------- parts of lesions

_MARGIN: Final = 0.5  # how far round the border we draw, as a share of the radius


@dataclass(frozen=True, slots=True, kw_only=True)
class _Body:
    """
    Where a lesion lies.

    Attributes:
        canvas: The window round the lesion, half a radius wider than its border.
        middle_D: Middle (u, v) in units.
        radius: Mean radius in units.
        depth_HW: Depth below the border in units; negative outside.
        cover_HW: 1 inside, 0 outside, a ramp at the border.
    """

    canvas: Canvas
    middle_D: tuple[float, float]
    radius: float
    depth_HW: Plane
    cover_HW: Plane

    def inner(self, start: float, end: float) -> Plane:
        """A ramp from 0 at depth *start* to 1 at depth *end*, both as shares of the radius."""
        return smooth_step(start * self.radius, end * self.radius, self.depth_HW)

    def near(self) -> Plane:
        """1 on the lesion, 0 well before the window ends; for what may reach over the border."""
        return self.inner(-0.8 * _MARGIN, 0.0)


def _body(
    canvas: Canvas,
    chance: Chance,
    *,
    radius: tuple[float, float],
    aspect: tuple[float, float],
    waviness: tuple[float, float],
    raggedness: tuple[float, float],
    softness: tuple[float, float],
) -> _Body:
    """
    A body near the middle of the picture, each property drawn from its range.

    *softness* is the width of the ramp at the border as a share of the radius;
    the others are those of :func:`depth_of_blob`.
    """
    middle_D = (chance.near(0.0, 0.08), chance.near(0.0, 0.08))
    drawn_radius = chance.between(*radius)
    depth_HW = depth_of_blob(
        canvas,
        chance,
        middle_D=middle_D,
        radius=drawn_radius,
        aspect=chance.between(*aspect),
        waviness=chance.between(*waviness),
        raggedness=chance.between(*raggedness),
    )
    ramp = 0.5 * chance.between(*softness) * drawn_radius
    window = window_where(canvas, depth_HW > -_MARGIN * drawn_radius)
    below, beside = window.top_px + window.height_px, window.left_px + window.width_px
    depth_HW = depth_HW[window.top_px : below, window.left_px : beside]
    return _Body(
        canvas=window,
        middle_D=middle_D,
        radius=drawn_radius,
        depth_HW=depth_HW,
        cover_HW=smooth_step(-ramp, ramp, depth_HW),
    )


def _places(
    chance: Chance, body: _Body, count: int, nearest: float, farthest: float
) -> NDArray[np.float64]:
    """
    Places at random on the lesion, float64 ``[N, 2]`` in units, *count* of them.

    They lie between two distances from the middle, as shares of the radius.
    """
    distance_N = body.radius * np.sqrt(chance.many(nearest**2, farthest**2, count))
    angle_N = chance.many(0.0, 2.0 * math.pi, count)
    return np.array(body.middle_D) + np.stack(
        [distance_N * np.cos(angle_N), distance_N * np.sin(angle_N)], axis=1
    )


def _dots(
    canvas: Canvas,
    chance: Chance,
    place_ND: NDArray[np.float64],
    size: tuple[float, float],
    *,
    longer: float = 0.0,
    softness: float = 0.5,
) -> Plane:
    """Dots at *place_ND*, 0 to 1; *size* is the range of radii, *longer* how many they stretch."""
    count = place_ND.shape[0]
    radius_N = chance.many(*size, count)
    angle_N = chance.many(0.0, 2.0 * math.pi, count)
    reach_N = radius_N * chance.many(0.0, 1.0, count) * longer
    half_ND = np.stack([reach_N * np.cos(angle_N), reach_N * np.sin(angle_N)], axis=1)
    return strokes(
        canvas,
        place_ND - half_ND,
        place_ND + half_ND,
        radius_N,
        strength_N=chance.many(0.6, 1.0, count),
        softness=softness,
    )


def _vessels(
    canvas: Canvas, chance: Chance, body: _Body, *, trunks: int, width: tuple[float, float]
) -> Plane:
    """Branching vessels that enter from the border and thin out toward the middle; 0 to 1."""
    starts: list[tuple[float, float]] = []
    ends: list[tuple[float, float]] = []
    radii: list[float] = []
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
        for step_index in range(steps_left):
            bend = 0.5 * bend + chance.near(0.0, 0.17)
            heading += bend
            to_u, to_v = u + step * math.cos(heading), v + step * math.sin(heading)
            starts.append((u, v))
            ends.append((to_u, to_v))
            radii.append(radius)
            u, v = to_u, to_v
            radius *= 0.955
            if steps_left - step_index > 3 and chance.happens(0.2):  # noqa: PLR2004
                side = 1.0 if chance.happens(0.5) else -1.0
                turn = side * chance.between(0.5, 1.0)
                growing.append(
                    (u, v, heading + turn, 0.62 * radius, (steps_left - step_index) * 2 // 3)
                )
                heading -= 0.3 * turn
    if not radii:
        return np.zeros((canvas.height_px, canvas.width_px))
    return strokes(canvas, np.array(starts), np.array(ends), np.array(radii), softness=0.6)


# ------------------------------------------------------------------------ recipes


def _draw_nevus(canvas: Canvas, chance: Chance) -> _Layers:
    """Round and even brown; a regular net that fades to the border, or globules."""
    body = _body(
        canvas,
        chance,
        radius=(0.38, 0.74),
        aspect=(0.72, 1.0),
        waviness=(0.02, 0.2),
        raggedness=(0.01, 0.07),
        softness=(0.18, 0.5),
    )
    canvas = body.canvas
    level = chance.between(0.35, 1.15)
    hill = chance.between(-0.25, 0.55)
    shade_HW = (
        1.0 + chance.between(0.15, 0.7) * clouds(canvas, chance, 0.5) + hill * body.inner(0.1, 0.9)
    )
    melanin_HW = level * body.cover_HW * shade_HW
    if chance.happens(0.7):
        lines_HW = mesh(
            canvas, chance, chance.between(0.055, 0.085), disorder=chance.between(0.25, 0.4)
        )
        melanin_HW += (
            (level * chance.between(0.25, 0.75))
            * (lines_HW - 0.3)
            * body.cover_HW
            * body.inner(0.8, 0.2)
        )
    if chance.happens(0.4):
        place_ND = _places(chance, body, chance.whole(20, 90), 0.0, 0.95)
        melanin_HW += (
            chance.between(0.2, 0.6)
            * body.cover_HW
            * _dots(canvas, chance, place_ND, (0.012, 0.028))
        )
    blood_HW = chance.between(0.02, 0.3) * body.cover_HW
    blue_HW = chance.between(0.0, 0.25) * body.inner(0.2, 0.9)
    return _Layers(
        canvas=canvas,
        melanin_HW=melanin_HW,
        blood_HW=blood_HW,
        blue_HW=blue_HW,
        white_HW=np.zeros_like(blue_HW),
    )


def _draw_melanoma(canvas: Canvas, chance: Chance) -> _Layers:
    """Uneven in shape and colour; broken net, black dots at one side, blue-white and scar."""
    body = _body(
        canvas,
        chance,
        radius=(0.45, 0.88),
        aspect=(0.55, 0.95),
        waviness=(0.06, 0.28),
        raggedness=(0.04, 0.14),
        softness=(0.06, 0.3),
    )
    canvas = body.canvas
    level = chance.between(0.55, 1.35)
    # One side is darker than the other.
    toward = chance.between(0.0, 2.0 * math.pi)
    side_HW = (math.cos(toward) / body.radius) * (canvas.u_1W - body.middle_D[0])
    side_HW = side_HW + (math.sin(toward) / body.radius) * (canvas.v_H1 - body.middle_D[1])
    zones_HW = clouds(canvas, chance, chance.between(0.35, 0.6))
    uneven = chance.between(0.15, 1.0)
    shade_HW = 1.0 + uneven * (0.45 * side_HW + 1.1 * zones_HW)
    melanin_HW = level * body.cover_HW * smooth_step(-0.3, 2.2, shade_HW) * 2.2
    lines_HW = mesh(
        canvas, chance, chance.between(0.055, 0.105), disorder=chance.between(0.35, 0.5)
    )
    patchy_HW = smooth_step(-0.15, 0.3, clouds(canvas, chance, 0.4, octaves=2))
    melanin_HW += chance.between(0.2, 0.9) * (lines_HW - 0.35) * patchy_HW * body.cover_HW
    # Dots and streaks of black, more of them on the dark side.
    count = chance.whole(6, 60)
    place_ND = _places(chance, body, count, 0.3, 1.0)
    place_ND += 0.25 * body.radius * np.array([math.cos(toward), math.sin(toward)])
    dots_HW = _dots(canvas, chance, place_ND, (0.01, 0.034), longer=1.5)
    melanin_HW += chance.between(0.3, 1.1) * dots_HW * body.inner(-0.2, 0.1)
    blood_HW = body.cover_HW * (
        chance.between(0.05, 0.35)
        + chance.between(0.0, 0.7) * smooth_step(0.1, 0.5, noise(canvas, chance, 0.5))
    )
    veil_HW = smooth_step(
        0.0, 0.35, clouds(canvas, chance, 0.55, octaves=2) + chance.between(-0.25, 0.2)
    )
    blue_HW = chance.between(0.0, 0.6) * veil_HW * body.inner(0.1, 0.4)
    scar_HW = smooth_step(0.12, 0.42, clouds(canvas, chance, 0.4, octaves=2))
    white_HW = chance.between(0.0, 0.45) * scar_HW * body.inner(0.05, 0.3)
    return _Layers(
        canvas=canvas, melanin_HW=melanin_HW, blood_HW=blood_HW, blue_HW=blue_HW, white_HW=white_HW
    )


def _draw_basal_cell_carcinoma(canvas: Canvas, chance: Chance) -> _Layers:
    """Pink and vague; vessels branching like trees, blue-grey ovoid nests, at times a red sore."""
    body = _body(
        canvas,
        chance,
        radius=(0.36, 0.75),
        aspect=(0.6, 1.0),
        waviness=(0.05, 0.25),
        raggedness=(0.03, 0.12),
        softness=(0.25, 0.7),
    )
    canvas = body.canvas
    melanin_HW = (
        chance.between(0.0, 0.3) * body.cover_HW * (1.0 + 1.0 * clouds(canvas, chance, 0.4))
    )
    blood_HW = (
        chance.between(0.12, 0.5) * body.cover_HW * (1.0 + 0.7 * clouds(canvas, chance, 0.35))
    )
    vessels_HW = _vessels(canvas, chance, body, trunks=chance.whole(0, 5), width=(0.016, 0.036))
    vessels_HW *= body.near()
    blood_HW += chance.between(0.35, 0.9) * vessels_HW
    melanin_HW += 0.12 * vessels_HW
    nests_ND = _places(chance, body, chance.whole(0, 9), 0.0, 0.9)
    nests_HW = _dots(canvas, chance, nests_ND, (0.03, 0.10), longer=1.0, softness=0.7) * body.near()
    nests_HW *= 0.8 + 0.4 * clouds(canvas, chance, 0.1, octaves=2)
    blue_HW = chance.between(0.55, 0.95) * nests_HW
    melanin_HW += chance.between(0.4, 0.9) * nests_HW
    if chance.happens(0.35):
        sore_ND = _places(chance, body, 1, 0.0, 0.5)
        sore_HW = (
            _dots(canvas, chance, sore_ND, (0.08, 0.2), longer=0.7, softness=0.6) * body.near()
        )
        sore_HW *= 1.0 + 0.6 * clouds(canvas, chance, 0.12)
        blood_HW += chance.between(0.4, 1.0) * sore_HW
        melanin_HW += 0.35 * sore_HW
    shine_HW = smooth_step(0.15, 0.5, clouds(canvas, chance, 0.3))
    white_HW = chance.between(0.05, 0.4) * shine_HW * body.inner(0.0, 0.4)
    return _Layers(
        canvas=canvas,
        melanin_HW=melanin_HW,
        blood_HW=blood_HW,
        blue_HW=np.clip(blue_HW, 0.0, 1.0),
        white_HW=white_HW,
    )


def _draw_actinic_keratosis(canvas: Canvas, chance: Chance) -> _Layers:
    """Pink-red and rough; a red net around pale follicles, and yellowish white scale."""
    body = _body(
        canvas,
        chance,
        radius=(0.4, 0.8),
        aspect=(0.6, 1.0),
        waviness=(0.05, 0.28),
        raggedness=(0.05, 0.16),
        softness=(0.2, 0.7),
    )
    canvas = body.canvas
    rough_HW = clouds(canvas, chance, 0.12, octaves=4)
    blood_HW = (
        chance.between(0.25, 0.7)
        * body.cover_HW
        * (1.0 + 0.9 * rough_HW + 0.6 * clouds(canvas, chance, 0.5))
    )
    lines_HW = mesh(canvas, chance, chance.between(0.10, 0.17), disorder=chance.between(0.35, 0.55))
    blood_HW += chance.between(0.1, 0.5) * (lines_HW - 0.4) * body.cover_HW
    count = chance.whole(0, 70)
    place_ND = _places(chance, body, count, 0.0, 0.95)
    blood_HW += (
        chance.between(0.2, 0.6) * _dots(canvas, chance, place_ND, (0.008, 0.02)) * body.near()
    )
    melanin_HW = (
        chance.between(0.0, 0.45) * body.cover_HW * (1.0 + 1.0 * clouds(canvas, chance, 0.3))
    )
    scale_HW = smooth_step(-0.05, 0.75, clouds(canvas, chance, 0.22, octaves=4) + 0.6 * rough_HW)
    white_HW = chance.between(0.2, 0.7) * scale_HW * body.inner(0.0, 0.25)
    melanin_HW += 0.15 * white_HW
    return _Layers(
        canvas=canvas,
        melanin_HW=melanin_HW,
        blood_HW=blood_HW,
        blue_HW=np.zeros_like(white_HW),
        white_HW=white_HW,
    )


def _draw_benign_keratosis(canvas: Canvas, chance: Chance) -> _Layers:
    """Tan to brown, waxy, with a sharp edge; pale milia, dark plugs, and furrows."""
    body = _body(
        canvas,
        chance,
        radius=(0.38, 0.78),
        aspect=(0.6, 1.0),
        waviness=(0.04, 0.2),
        raggedness=(0.02, 0.1),
        softness=(0.03, 0.14),
    )
    canvas = body.canvas
    level = chance.between(0.3, 1.0)
    melanin_HW = level * body.cover_HW * (1.0 + 0.6 * clouds(canvas, chance, 0.4))
    # Ridges and furrows: the zero line of a cloud, drawn dark.
    ridge_HW = clouds(canvas, chance, chance.between(0.16, 0.26), octaves=2)
    furrow_HW = smooth_step(0.13, 0.02, np.abs(ridge_HW))
    melanin_HW += chance.between(0.0, 0.6) * level * furrow_HW * body.cover_HW
    milia_ND = _places(chance, body, chance.whole(0, 36), 0.0, 0.9)
    white_HW = (
        chance.between(0.25, 0.65) * _dots(canvas, chance, milia_ND, (0.012, 0.034)) * body.cover_HW
    )
    white_HW += (
        chance.between(0.0, 0.25)
        * smooth_step(0.1, 0.6, clouds(canvas, chance, 0.25))
        * body.inner(0.05, 0.3)
    )
    plugs_ND = _places(chance, body, chance.whole(0, 22), 0.0, 0.9)
    melanin_HW += (
        chance.between(0.4, 1.0)
        * _dots(canvas, chance, plugs_ND, (0.014, 0.036), longer=0.7)
        * body.cover_HW
    )
    blood_HW = chance.between(0.0, 0.28) * body.cover_HW
    blue_HW = (
        chance.between(0.0, 0.3)
        * body.cover_HW
        * smooth_step(0.1, 0.5, clouds(canvas, chance, 0.5))
    )
    return _Layers(
        canvas=canvas,
        melanin_HW=melanin_HW,
        blood_HW=blood_HW,
        blue_HW=blue_HW,
        white_HW=np.clip(white_HW, 0.0, 1.0),
    )


def _draw_dermatofibroma(canvas: Canvas, chance: Chance) -> _Layers:
    """A pale scar in the middle, round it a delicate brown net that fades out."""
    body = _body(
        canvas,
        chance,
        radius=(0.38, 0.68),
        aspect=(0.75, 1.0),
        waviness=(0.02, 0.15),
        raggedness=(0.02, 0.08),
        softness=(0.4, 0.9),
    )
    canvas = body.canvas
    level = chance.between(0.2, 0.75)
    patch = chance.between(0.3, 0.55)
    frayed_HW = body.depth_HW + (0.35 * body.radius) * clouds(canvas, chance, 0.2)
    scar_HW = smooth_step(
        (1.0 - patch - 0.15) * body.radius, (1.0 - patch + 0.2) * body.radius, frayed_HW
    )
    ring_HW = body.cover_HW * (1.0 - scar_HW)
    lines_HW = mesh(canvas, chance, chance.between(0.06, 0.10), disorder=chance.between(0.25, 0.4))
    melanin_HW = level * ring_HW * (1.0 + 0.4 * clouds(canvas, chance, 0.4))
    melanin_HW += (level * chance.between(0.4, 1.1)) * (lines_HW - 0.35) * ring_HW
    blood_HW = chance.between(0.05, 0.4) * body.cover_HW * (1.0 + 0.5 * clouds(canvas, chance, 0.3))
    white_HW = chance.between(0.1, 0.65) * scar_HW * (0.85 + 0.5 * clouds(canvas, chance, 0.15))
    return _Layers(
        canvas=canvas,
        melanin_HW=melanin_HW,
        blood_HW=blood_HW,
        blue_HW=np.zeros_like(white_HW),
        white_HW=np.clip(white_HW, 0.0, 1.0),
    )


def _draw_vascular_lesion(canvas: Canvas, chance: Chance) -> _Layers:
    """Red to purple lagoons close together, pale walls between them."""
    body = _body(
        canvas,
        chance,
        radius=(0.3, 0.62),
        aspect=(0.65, 1.0),
        waviness=(0.03, 0.2),
        raggedness=(0.02, 0.08),
        softness=(0.06, 0.35),
    )
    canvas = body.canvas
    lagoons_ND = _places(chance, body, chance.whole(9, 34), 0.0, 0.92)
    lagoons_HW = _dots(canvas, chance, lagoons_ND, (0.045, 0.13), longer=0.8, softness=0.35)
    lagoons_HW *= body.inner(-0.1, 0.1)
    depth = chance.between(0.0, 1.0)
    blood_HW = chance.between(0.3, 1.0) * body.cover_HW * (1.0 + 0.4 * clouds(canvas, chance, 0.3))
    blood_HW += chance.between(0.6, 1.3) * lagoons_HW
    melanin_HW = (0.15 + 0.9 * depth) * lagoons_HW * (1.0 + 0.3 * noise(canvas, chance, 0.2))
    blue_HW = (0.05 + 0.3 * depth) * lagoons_HW
    walls_HW = body.inner(0.05, 0.3) * (1.0 - lagoons_HW) * (0.6 + clouds(canvas, chance, 0.3))
    white_HW = chance.between(0.0, 0.45) * np.clip(walls_HW, 0.0, 1.0)
    return _Layers(
        canvas=canvas, melanin_HW=melanin_HW, blood_HW=blood_HW, blue_HW=blue_HW, white_HW=white_HW
    )


RECIPES: Final[Mapping[str, Callable[[Canvas, Chance], _Layers]]] = MappingProxyType(
    {
        "MEL": _draw_melanoma,
        "NV": _draw_nevus,
        "BCC": _draw_basal_cell_carcinoma,
        "AKIEC": _draw_actinic_keratosis,
        "BKL": _draw_benign_keratosis,
        "DF": _draw_dermatofibroma,
        "VASC": _draw_vascular_lesion,
    }
)
"""The seven diagnoses of HAM10000, each with the function that draws it."""

DIAGNOSES: Final = tuple(RECIPES)
"""Their codes, in that order."""
