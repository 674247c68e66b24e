"""Is this picture worth an answer?"""

from device.quality.gate import assess

__all__ = ["assess"]
