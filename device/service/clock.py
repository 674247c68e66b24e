"""
Whether the time of day can be believed.

A Pi has no clock that runs while it is off: until the network or a clock chip has set it, it goes
on from some earlier time.
"""

from __future__ import annotations

import ctypes
from datetime import datetime, timezone
from pathlib import Path

_EARLIEST = datetime(2026, 1, 1, tzinfo=timezone.utc)
"""No box ran this software before; a chip with an empty battery says so all the same."""
_SYNCHRONIZED_ONCE = "run/systemd/timesync/synchronized"
_SET_FROM_CHIP = "sys/class/rtc/rtc*/hctosys"
_TIMEX_BYTES = 256
"""More than ``struct timex`` has on any machine."""
_TIME_ERROR = 5


def is_clock_trusted(*, root: Path = Path("/"), now: datetime | None = None) -> bool:
    """
    Say whether the network has set the clock since the box started, or a chip when it started.

    Args:
        root: Where ``run`` and ``sys`` are.
        now: UTC; the clock's own if None.

    Threads: any.
    """
    if (now or datetime.now(timezone.utc)) < _EARLIEST:
        return False
    if (root / _SYNCHRONIZED_ONCE).exists():
        return True
    if any(_reads_one(path) for path in root.glob(_SET_FROM_CHIP)):
        return True
    return kernel_is_synchronized()


def kernel_is_synchronized() -> bool:
    """Ask the kernel, which every time service tells; a sandbox may forbid it, which means no."""
    libc = ctypes.CDLL(None, use_errno=True)
    # A zeroed struct asks and sets nothing; adjtimex(2).
    answer = int(libc.adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES)))
    return 0 <= answer < _TIME_ERROR


def _reads_one(path: Path) -> bool:
    try:
        return path.read_text().strip() == "1"
    except OSError:
        return False
