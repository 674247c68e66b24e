"""From bytes to upright sRGB pixels, or a refusal that the sender can act on."""

from device.decode.still import decode

__all__ = ["decode"]
