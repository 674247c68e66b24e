"""What the box remembers: every answer, committed before anybody sees it."""

from device.history.archive import Archive

__all__ = ["Archive"]
