"""
What each diagnosis looks like: the range of its borders, and the function that draws its layers.

The seven share most of their ranges, so that they overlap as they do in life: they can be
learned from the pictures, not read off one color.  They are drawings.  They show what a program
needs to be run and tested on, and say nothing about skin.

Legend: H height, W width, N dot, D coordinate (u, v).

Sources: which structure belongs to which diagnosis follows Kittler et al., "Standardization of
terminology in dermoscopy" (JAAD, 2016); the sizes and strengths were set by eye.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from device.drawing.border import Body, Shape
from device.drawing.canvas import Chance, Plane
from device.drawing.strokes import dots, vessels
from device.drawing.texture import clouds, mesh, noise, smooth_step


@dataclass(frozen=True, slots=True, kw_only=True)
class Layers:
    """What lies on the skin, each for the canvas of the body."""

    melanin_HW: Plane
    """0 is none, 1 a brown lesion, 2 nearly black."""
    blood_HW: Plane
    """0 is none, 1 a red lesion, 2 dark red; may be negative where skin is paler."""
    blue_HW: Plane | float = 0.0
    """Share of blue-grey, pigment deep in the skin; beyond 0 to 1 it is cut off."""
    white_HW: Plane | float = 0.0
    """Share of white, scale and scar; likewise."""


def _melanoma(body: Body, chance: Chance) -> Layers:
    """Uneven in shape and color; broken net, black dots at one side, blue-white and scar."""
    canvas, cover_HW = body.canvas, body.cover_HW
    level = chance.between(0.55, 1.35)
    # One side is darker than the other.
    toward = chance.between(0.0, 2.0 * math.pi)
    side_HW = (math.cos(toward) / body.radius) * (canvas.u_1W - body.middle_D[0])
    side_HW = side_HW + (math.sin(toward) / body.radius) * (canvas.v_H1 - body.middle_D[1])
    zones_HW = clouds(canvas, chance.between(0.35, 0.6))
    shade_HW = 1.0 + chance.between(0.15, 1.0) * (0.45 * side_HW + 1.1 * zones_HW)
    melanin_HW = level * cover_HW * smooth_step(-0.3, 2.2, shade_HW) * 2.2
    net_HW = mesh(canvas, chance.between(0.055, 0.105), disorder=chance.between(0.35, 0.5))
    patchy_HW = smooth_step(-0.15, 0.3, clouds(canvas, 0.4, octaves=2))
    melanin_HW += chance.between(0.2, 0.9) * (net_HW - 0.35) * patchy_HW * cover_HW
    # Dots and streaks of black, more of them on the dark side.
    place_ND = body.places(chance.whole(6, 60), 0.3, 1.0)
    place_ND += 0.25 * body.radius * np.array([math.cos(toward), math.sin(toward)])
    dots_HW = dots(canvas, place_ND, (0.01, 0.034), longer=1.5)
    melanin_HW += chance.between(0.3, 1.1) * dots_HW * body.inner(-0.2, 0.1)
    blood = chance.between(0.05, 0.35)
    red = chance.between(0.0, 0.7)
    blood_HW = cover_HW * (blood + red * smooth_step(0.1, 0.5, noise(canvas, 0.5)))
    veil_HW = clouds(canvas, 0.55, octaves=2) + chance.between(-0.25, 0.2)
    veil_HW = smooth_step(0.0, 0.35, veil_HW)
    blue_HW = chance.between(0.0, 0.6) * veil_HW * body.inner(0.1, 0.4)
    scar_HW = smooth_step(0.12, 0.42, clouds(canvas, 0.4, octaves=2))
    white_HW = chance.between(0.0, 0.45) * scar_HW * body.inner(0.05, 0.3)
    return Layers(melanin_HW=melanin_HW, blood_HW=blood_HW, blue_HW=blue_HW, white_HW=white_HW)


def _nevus(body: Body, chance: Chance) -> Layers:
    """Round and even brown; a regular net that fades to the border, or globules."""
    canvas, cover_HW = body.canvas, body.cover_HW
    level, hill = chance.between(0.35, 1.15), chance.between(-0.25, 0.55)
    shade_HW = 1.0 + chance.between(0.15, 0.7) * clouds(canvas, 0.5) + hill * body.inner(0.1, 0.9)
    melanin_HW = level * cover_HW * shade_HW
    if chance.happens(0.7):
        net_HW = mesh(canvas, chance.between(0.055, 0.085), disorder=chance.between(0.25, 0.4))
        strength = level * chance.between(0.25, 0.75)
        melanin_HW += strength * (net_HW - 0.3) * cover_HW * body.inner(0.8, 0.2)
    if chance.happens(0.4):
        place_ND = body.places(chance.whole(20, 90), 0.0, 0.95)
        melanin_HW += chance.between(0.2, 0.6) * cover_HW * dots(canvas, place_ND, (0.012, 0.028))
    blood_HW = chance.between(0.02, 0.3) * cover_HW
    blue_HW = chance.between(0.0, 0.25) * body.inner(0.2, 0.9)
    return Layers(melanin_HW=melanin_HW, blood_HW=blood_HW, blue_HW=blue_HW)


def _basal_cell_carcinoma(body: Body, chance: Chance) -> Layers:
    """Pink and vague; vessels branching like trees, blue-grey ovoid nests, at times a red sore."""
    canvas, cover_HW = body.canvas, body.cover_HW
    melanin_HW = chance.between(0.0, 0.3) * cover_HW * (1.0 + clouds(canvas, 0.4))
    blood_HW = chance.between(0.12, 0.5) * cover_HW * (1.0 + 0.7 * clouds(canvas, 0.35))
    vessels_HW = vessels(body, chance.whole(0, 5), (0.016, 0.036)) * body.near()
    blood_HW += chance.between(0.35, 0.9) * vessels_HW
    melanin_HW += 0.12 * vessels_HW
    place_ND = body.places(chance.whole(0, 9), 0.0, 0.9)
    nests_HW = dots(canvas, place_ND, (0.03, 0.10), longer=1.0, softness=0.7) * body.near()
    nests_HW *= 0.8 + 0.4 * clouds(canvas, 0.1, octaves=2)
    blue_HW = chance.between(0.55, 0.95) * nests_HW
    melanin_HW += chance.between(0.4, 0.9) * nests_HW
    if chance.happens(0.35):
        place_ND = body.places(1, 0.0, 0.5)
        sore_HW = dots(canvas, place_ND, (0.08, 0.2), longer=0.7, softness=0.6) * body.near()
        sore_HW *= 1.0 + 0.6 * clouds(canvas, 0.12)
        blood_HW += chance.between(0.4, 1.0) * sore_HW
        melanin_HW += 0.35 * sore_HW
    shine_HW = smooth_step(0.15, 0.5, clouds(canvas, 0.3))
    white_HW = chance.between(0.05, 0.4) * shine_HW * body.inner(0.0, 0.4)
    return Layers(melanin_HW=melanin_HW, blood_HW=blood_HW, blue_HW=blue_HW, white_HW=white_HW)


def _actinic_keratosis(body: Body, chance: Chance) -> Layers:
    """Pink-red and rough; a red net around pale follicles, and yellowish white scale."""
    canvas, cover_HW = body.canvas, body.cover_HW
    rough_HW = clouds(canvas, 0.12, octaves=4)
    red = chance.between(0.25, 0.7)
    blood_HW = red * cover_HW * (1.0 + 0.9 * rough_HW + 0.6 * clouds(canvas, 0.5))
    net_HW = mesh(canvas, chance.between(0.10, 0.17), disorder=chance.between(0.35, 0.55))
    blood_HW += chance.between(0.1, 0.5) * (net_HW - 0.4) * cover_HW
    place_ND = body.places(chance.whole(0, 70), 0.0, 0.95)
    blood_HW += chance.between(0.2, 0.6) * dots(canvas, place_ND, (0.008, 0.02)) * body.near()
    melanin_HW = chance.between(0.0, 0.45) * cover_HW * (1.0 + clouds(canvas, 0.3))
    scale_HW = smooth_step(-0.05, 0.75, clouds(canvas, 0.22, octaves=4) + 0.6 * rough_HW)
    white_HW = chance.between(0.2, 0.7) * scale_HW * body.inner(0.0, 0.25)
    melanin_HW += 0.15 * white_HW
    return Layers(melanin_HW=melanin_HW, blood_HW=blood_HW, white_HW=white_HW)


def _benign_keratosis(body: Body, chance: Chance) -> Layers:
    """Tan to brown, waxy, with a sharp edge; pale milia, dark plugs, and furrows."""
    canvas, cover_HW = body.canvas, body.cover_HW
    level = chance.between(0.3, 1.0)
    melanin_HW = level * cover_HW * (1.0 + 0.6 * clouds(canvas, 0.4))
    # Ridges and furrows: the zero line of a cloud, drawn dark.
    ridge_HW = clouds(canvas, chance.between(0.16, 0.26), octaves=2)
    furrow_HW = smooth_step(0.13, 0.02, np.abs(ridge_HW))
    melanin_HW += chance.between(0.0, 0.6) * level * furrow_HW * cover_HW
    place_ND = body.places(chance.whole(0, 36), 0.0, 0.9)
    white_HW = chance.between(0.25, 0.65) * dots(canvas, place_ND, (0.012, 0.034)) * cover_HW
    haze = chance.between(0.0, 0.25)
    white_HW += haze * smooth_step(0.1, 0.6, clouds(canvas, 0.25)) * body.inner(0.05, 0.3)
    place_ND = body.places(chance.whole(0, 22), 0.0, 0.9)
    dark = chance.between(0.4, 1.0)
    melanin_HW += dark * dots(canvas, place_ND, (0.014, 0.036), longer=0.7) * cover_HW
    blood_HW = chance.between(0.0, 0.28) * cover_HW
    blue = chance.between(0.0, 0.3)
    blue_HW = blue * cover_HW * smooth_step(0.1, 0.5, clouds(canvas, 0.5))
    return Layers(melanin_HW=melanin_HW, blood_HW=blood_HW, blue_HW=blue_HW, white_HW=white_HW)


def _dermatofibroma(body: Body, chance: Chance) -> Layers:
    """A pale scar in the middle, round it a delicate brown net that fades out."""
    canvas, cover_HW = body.canvas, body.cover_HW
    level, patch = chance.between(0.2, 0.75), chance.between(0.3, 0.55)
    frayed_HW = body.depth_HW + (0.35 * body.radius) * clouds(canvas, 0.2)
    scar_HW = smooth_step(
        (1.0 - patch - 0.15) * body.radius, (1.0 - patch + 0.2) * body.radius, frayed_HW
    )
    ring_HW = cover_HW * (1.0 - scar_HW)
    net_HW = mesh(canvas, chance.between(0.06, 0.10), disorder=chance.between(0.25, 0.4))
    melanin_HW = level * ring_HW * (1.0 + 0.4 * clouds(canvas, 0.4))
    melanin_HW += (level * chance.between(0.4, 1.1)) * (net_HW - 0.35) * ring_HW
    blood_HW = chance.between(0.05, 0.4) * cover_HW * (1.0 + 0.5 * clouds(canvas, 0.3))
    white_HW = chance.between(0.1, 0.65) * scar_HW * (0.85 + 0.5 * clouds(canvas, 0.15))
    return Layers(melanin_HW=melanin_HW, blood_HW=blood_HW, white_HW=white_HW)


def _vascular_lesion(body: Body, chance: Chance) -> Layers:
    """Red to purple lagoons close together, pale walls between them."""
    canvas, cover_HW = body.canvas, body.cover_HW
    place_ND = body.places(chance.whole(9, 34), 0.0, 0.92)
    lagoons_HW = dots(canvas, place_ND, (0.045, 0.13), longer=0.8, softness=0.35)
    lagoons_HW *= body.inner(-0.1, 0.1)
    depth = chance.between(0.0, 1.0)
    blood_HW = chance.between(0.3, 1.0) * cover_HW * (1.0 + 0.4 * clouds(canvas, 0.3))
    blood_HW += chance.between(0.6, 1.3) * lagoons_HW
    melanin_HW = (0.15 + 0.9 * depth) * lagoons_HW * (1.0 + 0.3 * noise(canvas, 0.2))
    blue_HW = (0.05 + 0.3 * depth) * lagoons_HW
    walls_HW = body.inner(0.05, 0.3) * (1.0 - lagoons_HW) * (0.6 + clouds(canvas, 0.3))
    white_HW = chance.between(0.0, 0.45) * np.clip(walls_HW, 0.0, 1.0)
    return Layers(melanin_HW=melanin_HW, blood_HW=blood_HW, blue_HW=blue_HW, white_HW=white_HW)


TRAITS: Final[Mapping[str, Callable[[Body, Chance], Layers]]] = {
    "MEL": _melanoma,
    "NV": _nevus,
    "BCC": _basal_cell_carcinoma,
    "AKIEC": _actinic_keratosis,
    "BKL": _benign_keratosis,
    "DF": _dermatofibroma,
    "VASC": _vascular_lesion,
}
"""What each diagnosis lays on the skin inside its border."""

SHAPES: Final[Mapping[str, Shape]] = {
    #              radius        aspect        waviness      raggedness    softness
    "MEL": Shape((0.45, 0.88), (0.55, 0.95), (0.06, 0.28), (0.04, 0.14), (0.06, 0.30)),
    "NV": Shape((0.38, 0.74), (0.72, 1.00), (0.02, 0.20), (0.01, 0.07), (0.18, 0.50)),
    "BCC": Shape((0.36, 0.75), (0.60, 1.00), (0.05, 0.25), (0.03, 0.12), (0.25, 0.70)),
    "AKIEC": Shape((0.40, 0.80), (0.60, 1.00), (0.05, 0.28), (0.05, 0.16), (0.20, 0.70)),
    "BKL": Shape((0.38, 0.78), (0.60, 1.00), (0.04, 0.20), (0.02, 0.10), (0.03, 0.14)),
    "DF": Shape((0.38, 0.68), (0.75, 1.00), (0.02, 0.15), (0.02, 0.08), (0.40, 0.90)),
    "VASC": Shape((0.30, 0.62), (0.65, 1.00), (0.03, 0.20), (0.02, 0.08), (0.06, 0.35)),
}
"""The ranges of each diagnosis' border."""
