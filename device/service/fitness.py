"""How the board fares and how much room it has, in one document."""

from __future__ import annotations

import shutil
from pathlib import Path

from device.core.board import BoardDocument, BoardHealth


def take_board(health: BoardHealth, *, folder: Path, limit_celsius: float | None) -> BoardDocument:
    """
    Join what the board shows with the room that is left.

    Args:
        health: Read just now.
        folder: On the disk whose room counts: the history's.
        limit_celsius: From here on the board slows itself down; None if unknown.

    Threads: any; asks the file system once.
    """
    try:
        usage = shutil.disk_usage(folder)
    except OSError:
        free_bytes = size_bytes = None
    else:
        free_bytes, size_bytes = usage.free, usage.total
    return BoardDocument(
        temperatures_celsius=dict(health.temperatures_celsius),
        limit_celsius=limit_celsius,
        limited=dict(health.flags),
        limited_since_start=dict(health.flags_since_start),
        storage_free_bytes=free_bytes,
        storage_size_bytes=size_bytes,
    )
