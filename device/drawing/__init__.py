"""
Drawn pictures: dermoscopy-like lesions and what lies between lens and skin.

Everything here is pure and repeats from a seed or a generator.  No real
picture is stored, read or needed.
"""

from device.drawing.hair import add_hair
from device.drawing.ink import add_ink
from device.drawing.lesion import draw_lesion
from device.drawing.ruler import add_ruler
from device.drawing.samples import SAMPLES, Sample, draw_sample
from device.drawing.skin import draw_skin
from device.drawing.vignette import add_vignette

__all__ = [
    "SAMPLES",
    "Sample",
    "add_hair",
    "add_ink",
    "add_ruler",
    "add_vignette",
    "draw_lesion",
    "draw_sample",
    "draw_skin",
]
