"""
Scenes without a lesion, drawn by seed: what a camera sees that lies on a desk.

Simple shapes with the light, the noise and the blur of a camera.  ``plain skin`` is different
from the rest: skin through a dermatoscope, only without a lesion.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import cv2
import numpy as np

from device.core.values import Pixels
from device.drawing import draw_skin

_HEIGHT_PX, _WIDTH_PX = 480, 640
_SKIN = ((236, 188, 160), (198, 134, 100), (141, 85, 54), (92, 56, 36))

Scene = Callable[[np.random.Generator], Pixels]


def draw_scene(name: str, seed: int) -> Pixels:
    """
    Draw one scene.

    Args:
        name: Of :data:`SCENES`.
        seed: 0 or more; the same one gives the same picture.

    Returns:
        uint8 sRGB ``[480, 640, 3]``.
    """
    rng = np.random.default_rng([seed, *name.encode()])
    return _through_a_camera(SCENES[name](rng), rng)


def _through_a_camera(image_HWC: Pixels, rng: np.random.Generator) -> Pixels:
    """Add uneven light, a little blur and noise."""
    y_H1, x_1W = np.mgrid[0:_HEIGHT_PX, 0:_WIDTH_PX]
    slope = rng.uniform(-0.3, 0.3, 2)
    light_HW1 = 1 + slope[0] * (x_1W / _WIDTH_PX - 0.5) + slope[1] * (y_H1 / _HEIGHT_PX - 0.5)
    lit_HWC = image_HWC * light_HW1[:, :, None] + rng.normal(0.0, 3.0, image_HWC.shape)
    level_HWC = np.clip(np.rint(lit_HWC), 0, 255).astype(np.uint8)
    return cv2.GaussianBlur(level_HWC, (0, 0), rng.uniform(0.5, 1.5))


def _plane(color: tuple[int, ...]) -> Pixels:
    return np.full((_HEIGHT_PX, _WIDTH_PX, 3), color, dtype=np.uint8)


def _color(rng: np.random.Generator, low: int = 30, high: int = 226) -> tuple[int, ...]:
    return tuple(int(level) for level in rng.integers(low, high, 3))


def _keyboard(rng: np.random.Generator) -> Pixels:
    dark = bool(rng.random() < 0.5)  # noqa: PLR2004 - one in two
    image_HWC = _plane((25, 25, 28) if dark else (205, 205, 200))
    key_px, gap_px = int(rng.integers(50, 100)), int(rng.integers(6, 14))
    key, ink = ((50, 50, 54), (230, 230, 230)) if dark else ((240, 240, 238), (40, 40, 40))
    for row, top in enumerate(range(0, _HEIGHT_PX, key_px + gap_px)):
        for left in range(-(row * key_px // 3), _WIDTH_PX, key_px + gap_px):
            corner = (left + key_px, top + key_px)
            cv2.rectangle(image_HWC, (left, top), corner, key, -1)
            letter = chr(65 + int(rng.integers(26)))
            place = (left + key_px // 4, top + key_px // 2)
            cv2.putText(image_HWC, letter, place, cv2.FONT_HERSHEY_SIMPLEX, key_px / 80, ink, 2)
    return image_HWC


def _page(rng: np.random.Generator) -> Pixels:
    image_HWC = _plane((238, 236, 230))
    size = float(rng.uniform(0.5, 1.5))
    for baseline in range(20, _HEIGHT_PX, int(36 * size)):
        letters = rng.integers(97, 123, int(40 / size))
        text = "".join(" " if code % 5 == 0 else chr(code) for code in letters)
        place = (10, baseline)
        cv2.putText(image_HWC, text, place, cv2.FONT_HERSHEY_COMPLEX, size, (30, 30, 30), 1)
    return image_HWC


def _wall(rng: np.random.Generator) -> Pixels:
    image_HWC = _plane(_color(rng, 120, 240)).astype(np.float64)
    grain_HW = cv2.GaussianBlur(rng.normal(0, 1, image_HWC.shape[:2]), (0, 0), rng.uniform(1, 4))
    return np.clip(image_HWC + 60 * grain_HW[:, :, None], 0, 255).astype(np.uint8)


def _stripes(rng: np.random.Generator) -> Pixels:
    x_HW = np.mgrid[0:_HEIGHT_PX, 0:_WIDTH_PX] / rng.uniform(8, 60)
    angle = rng.uniform(0, np.pi)
    odd_HW = np.sin(x_HW[0] * np.cos(angle) + x_HW[1] * np.sin(angle)) > 0
    return np.where(odd_HW[:, :, None], _plane(_color(rng)), _plane(_color(rng)))


def _chessboard(rng: np.random.Generator) -> Pixels:
    cell = int(rng.integers(20, 120))
    y_HW, x_HW = np.mgrid[0:_HEIGHT_PX, 0:_WIDTH_PX] // cell
    odd_HW = (y_HW + x_HW) % 2 == 0
    return np.where(odd_HW[:, :, None], _plane((235, 235, 235)), _plane((25, 25, 25)))


def _bricks(rng: np.random.Generator) -> Pixels:
    image_HWC = _plane((190, 185, 175))
    high, wide = int(rng.integers(25, 60)), int(rng.integers(70, 150))
    for row, top in enumerate(range(0, _HEIGHT_PX, high + 6)):
        for left in range(-(row % 2) * wide // 2, _WIDTH_PX, wide + 6):
            shade = rng.uniform(0.8, 1.2)
            color = tuple(int(min(255, level * shade)) for level in (165, 80, 60))
            cv2.rectangle(image_HWC, (left, top), (left + wide, top + high), color, -1)
    return image_HWC


def _window(rng: np.random.Generator) -> Pixels:
    image_HWC = _plane((150, 195, 240))
    ground = int(rng.integers(200, 350))
    cv2.rectangle(image_HWC, (0, ground), (_WIDTH_PX, _HEIGHT_PX), (80, 130, 60), -1)
    for place in (0, int(rng.integers(200, 440)), _WIDTH_PX):
        cv2.rectangle(image_HWC, (place - 20, 0), (place + 20, _HEIGHT_PX), (245, 245, 245), -1)
    cv2.rectangle(image_HWC, (0, 0), (_WIDTH_PX, 25), (245, 245, 245), -1)
    return image_HWC


def _face(rng: np.random.Generator) -> Pixels:
    image_HWC, skin = _plane(_color(rng)), _SKIN[int(rng.integers(len(_SKIN)))]
    x, y = int(rng.integers(270, 370)), int(rng.integers(210, 270))
    cv2.ellipse(image_HWC, (x, y - 40), (150, 190), 0, 0, 360, _color(rng, 20, 90), -1)
    cv2.ellipse(image_HWC, (x, y), (120, 160), 0, 0, 360, skin, -1)
    for side in (-1, 1):
        eye = (x + side * 45, y - 30)
        cv2.ellipse(image_HWC, eye, (20, 11), 0, 0, 360, (240, 240, 240), -1)
        cv2.circle(image_HWC, eye, 9, (60, 40, 30), -1)
        brow = (eye[0], eye[1] - 22)
        cv2.ellipse(image_HWC, brow, (28, 8), 0, 180, 360, (50, 35, 25), 6)
    cv2.ellipse(image_HWC, (x, y + 80), (45, 16), 0, 0, 180, (170, 60, 60), -1)
    cv2.line(image_HWC, (x, y - 10), (x - 10, y + 40), (120, 80, 60), 4)
    return image_HWC


def _hand(rng: np.random.Generator) -> Pixels:
    image_HWC, skin = _plane(_color(rng)), _SKIN[int(rng.integers(len(_SKIN)))]
    cv2.ellipse(image_HWC, (320, 340), (120, 130), 0, 0, 360, skin, -1)
    for angle, length in zip((-60, -22, -6, 10, 26), (130, 190, 210, 195, 150), strict=True):
        turned = np.deg2rad(angle + rng.uniform(-5, 5))
        tip = (int(320 + 1.3 * length * np.sin(turned)), int(310 - 1.2 * length * np.cos(turned)))
        cv2.line(image_HWC, (320, 320), tip, skin, 44)
    return image_HWC


def _cloth(rng: np.random.Generator) -> Pixels:
    y_HW, x_HW = np.mgrid[0:_HEIGHT_PX, 0:_WIDTH_PX]
    period = rng.uniform(30, 90)
    both_HW = (np.sin(x_HW / period * 6.28) > 0).astype(float) + (np.sin(y_HW / period * 6.28) > 0)
    first, second = (np.array(_color(rng), dtype=np.float64) for _ in range(2))
    image_HWC = first + (second - first) * (both_HW / 2)[:, :, None]
    weave_HW = 12 * ((x_HW + y_HW) % 4 < 2)  # noqa: PLR2004 - two threads over, two under
    return np.clip(image_HWC + weave_HW[:, :, None], 0, 255).astype(np.uint8)


def _coins(rng: np.random.Generator) -> Pixels:
    image_HWC = _plane(_color(rng, 60, 200))
    for _ in range(int(rng.integers(3, 9))):
        place = (int(rng.integers(60, 580)), int(rng.integers(60, 420)))
        radius, metal = int(rng.integers(35, 80)), ((180, 140, 60), (170, 170, 175), (150, 95, 60))
        color = metal[int(rng.integers(3))]
        cv2.circle(image_HWC, place, radius, color, -1)
        cv2.circle(image_HWC, place, radius - 6, tuple(level - 40 for level in color), 2)
        mark = str(int(rng.integers(1, 51)))
        left = (place[0] - radius // 2, place[1] + radius // 3)
        cv2.putText(image_HWC, mark, left, cv2.FONT_HERSHEY_TRIPLEX, radius / 40, (60, 50, 40), 2)
    return image_HWC


def _ruler(rng: np.random.Generator) -> Pixels:
    image_HWC, step = _plane((235, 225, 190)), int(rng.integers(8, 20))
    for number, place in enumerate(range(0, _WIDTH_PX, step)):
        long = 160 if number % 10 == 0 else 120 if number % 5 == 0 else 80
        cv2.line(image_HWC, (place, 0), (place, long), (30, 30, 30), 2)
        if number % 10 == 0:
            text = str(number // 10)
            cv2.putText(image_HWC, text, (place, 220), cv2.FONT_HERSHEY_SIMPLEX, 1.2, (30,) * 3, 2)
    return image_HWC


def _plain_skin(rng: np.random.Generator) -> Pixels:
    return draw_skin(int(rng.integers(1 << 31)), height_px=_HEIGHT_PX, width_px=_WIDTH_PX)


PLAIN_SKIN = "plain skin"
SCENES: Mapping[str, Scene] = {
    "keyboard": _keyboard,
    "page of text": _page,
    "wall": _wall,
    "stripes": _stripes,
    "chessboard": _chessboard,
    "bricks": _bricks,
    "window": _window,
    "face": _face,
    "hand": _hand,
    "cloth": _cloth,
    "coins": _coins,
    "ruler": _ruler,
    PLAIN_SKIN: _plain_skin,
}
