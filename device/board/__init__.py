"""Which board this is, and what it brings: a catalogue and a look at the device tree."""

from device.board.catalogue import AUTO, BOARDS, GENERIC
from device.board.detect import find_board

__all__ = ["AUTO", "BOARDS", "GENERIC", "find_board"]
