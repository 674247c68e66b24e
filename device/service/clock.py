"""
The time of day: whether it can be believed, and how an admin sets it.

A Pi has no clock that runs while it is off: until the network, a clock chip or a person has set
it, it goes on from some earlier time.
"""

from __future__ import annotations

import ctypes
import fcntl
import logging
import os
import struct
import time
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path

from device.core.clock import EARLIEST, ClockChange, ClockDocument, ClockSetter
from device.core.errors import ClockError, ClockKeptError

FILE_NAME = "clock-set"
"""Holds the id of the start of the board during which a person set the clock."""
_BOOT_ID = "proc/sys/kernel/random/boot_id"
_SYNCHRONIZED_ONCE = "run/systemd/timesync/synchronized"
_CHIPS = "sys/class/rtc/rtc*"
_SET_FROM_CHIP = "hctosys"
_TIMEX_BYTES = 256
"""More than ``struct timex`` has on any machine."""
_TIME_ERROR = 5
_RTC_SET_TIME = 0x4024700A
"""``_IOW('p', 0x0a, struct rtc_time)`` of linux/rtc.h: nine integers."""
_NS_PER_US = 1_000
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_log = logging.getLogger(__name__)


def now_utc() -> datetime:
    """What the clock says."""
    return datetime.now(timezone.utc)


def set_kernel_time(moment: datetime) -> None:
    """Set the machine's clock; raises OSError where we may not."""
    since = moment - _EPOCH
    whole_us = (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
    time.clock_settime_ns(time.CLOCK_REALTIME, whole_us * _NS_PER_US)


def set_chip_time(chip: Path, moment: datetime) -> None:
    """Set a clock chip, in UTC; raises OSError where we may not."""
    parts = moment.timetuple()
    # The chip works out the days of week and year by itself.
    fields = struct.pack(
        "9i", parts.tm_sec, parts.tm_min, parts.tm_hour, parts.tm_mday, parts.tm_mon - 1,
        parts.tm_year - 1900, 0, 0, 0,
    )  # fmt: skip
    handle = os.open(chip, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.ioctl(handle, _RTC_SET_TIME, fields)
    finally:
        os.close(handle)


class SystemClock:
    """
    Fills the role ``Clock``.

    Args:
        folder: Where it is remembered that a person set the clock; the state directory.
        is_settable: Whether people may.
        root: Where ``dev``, ``proc``, ``run`` and ``sys`` are.
        now: UTC.
        set_time: Sets the machine's clock.
        set_chip: Sets a clock chip, given its device file.

    Threads: any.
    """

    def __init__(
        self,
        folder: Path,
        *,
        is_settable: bool = False,
        root: Path = Path("/"),
        now: Callable[[], datetime] = now_utc,
        set_time: Callable[[datetime], None] = set_kernel_time,
        set_chip: Callable[[Path, datetime], None] = set_chip_time,
    ) -> None:
        self._path = folder / FILE_NAME
        self._is_settable = is_settable
        self._root = root
        self._now = now
        self._set_time = set_time
        self._set_chip = set_chip

    def is_trusted(self) -> bool:
        """See ``device.core.ports.Clock``, for this and what follows."""
        return self._now() >= EARLIEST and self._setter() is not None

    def read(self) -> ClockDocument:
        """What it says, and why it is to be believed or not."""
        setter, now = self._setter(), self._now()
        return ClockDocument(
            now=now,
            clock_trusted=now >= EARLIEST and setter is not None,
            set_by=setter,
            settable=self._is_settable and setter is not ClockSetter.NETWORK,
        )

    def set(self, moment: datetime) -> ClockChange:
        """Set it, and the chip."""
        if not self._is_settable:
            raise ClockKeptError("the clock is not to be set over REST: clock.settable is false")
        if self._setter() is ClockSetter.NETWORK:
            raise ClockKeptError("a time service keeps the clock, and would set it back")
        start = self._start()
        before = self._now()
        try:
            self._set_time(moment)
        except OSError as error:
            raise ClockError(
                f"clock: expected the right to set it (CAP_SYS_TIME), found {error.strerror}; give "
                "it to the service, or set the clock on the box: sudo date --set"
            ) from error
        is_chip_set = self._try_chip(moment)
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._path.write_text(start)
        except OSError as error:
            raise ClockError(
                f"clock: it was set, but is not trusted: expected to write {self._path}, found "
                f"{error.strerror}; make room, then set it again"
            ) from error
        return ClockChange(**self.read().model_dump(), before=before, chip_set=is_chip_set)

    def _setter(self) -> ClockSetter | None:
        if (self._root / _SYNCHRONIZED_ONCE).exists() or kernel_is_synchronized():
            return ClockSetter.NETWORK
        # Later than the chip, so what a person said counts.
        if self._was_set_by_a_person():
            return ClockSetter.PERSON
        if any(_reads_one(chip / _SET_FROM_CHIP) for chip in self._root.glob(_CHIPS)):
            return ClockSetter.CHIP
        return None

    def _was_set_by_a_person(self) -> bool:
        try:
            # No board starts twice under one id: after a power cut nobody has set the clock.
            return self._path.read_text() == self._start()
        except (OSError, ClockError, UnicodeDecodeError):
            return False

    def _start(self) -> str:
        try:
            return (self._root / _BOOT_ID).read_text()
        except OSError as error:
            raise ClockError(
                f"clock: expected the board's start to have an id in /{_BOOT_ID}, found "
                f"{error.strerror}; let the service see it (ProcSubset=all)"
            ) from error

    def _try_chip(self, moment: datetime) -> bool | None:
        """Set the chip that the board starts with, else the first; None where there is none."""
        chips = sorted(self._root.glob(_CHIPS), key=lambda chip: chip.name)
        chips.sort(key=lambda chip: not _reads_one(chip / _SET_FROM_CHIP))
        if not chips:
            return None
        chip = self._root / "dev" / chips[0].name
        try:
            self._set_chip(chip, moment)
        except OSError as error:
            _log.warning("event=clock.chip_not_set chip=%s detail=%r", chip, error.strerror)
            return False
        return True


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
