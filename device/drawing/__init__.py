"""
Drawn pictures: dermoscopy-like lesions and what lies between lens and skin.

Everything here is pure and repeats from a seed or a generator.  No real
picture is stored, read or needed.
"""

from device.drawing.artifacts import add_hair, add_ink, add_ruler, add_vignette

__all__ = ["add_hair", "add_ink", "add_ruler", "add_vignette"]
