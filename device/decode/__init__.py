"""From bytes to upright sRGB pixels, or a refusal that the sender can act on."""

from device.decode.still import check_size, decode

__all__ = ["check_size", "decode"]
