"""
Looks after the parts when nobody asks, so that the light and the page know of a fault.

It is no thread of work: it owns nothing and asks the parts' own threads, as ``/readyz`` does.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from types import TracebackType

from typing_extensions import Self

_STOPPING_S = 1.0

_log = logging.getLogger(__name__)


class Watch:
    """
    Asks every part how it is, tells the light, and gives up when the camera stays stuck.

    A call into a driver that never returns can be ended by the end of the process alone.  So when
    the camera has been stuck for *longest_stuck_s*, the box stops itself, and whoever runs it
    (systemd) starts it again.  If not even the process ends, because the driver sleeps in the
    kernel, that is for the hardware watchdog.

    Args:
        parts: Checks by name of the part; each blocks for as long as the part may take, and says
            what is wrong, or None.
        report: Told the name and what is wrong, or None, after each check.
        stuck_s: For how long the camera has been stuck, in seconds.
        longest_stuck_s: After so long the box gives up; 0 is never.
        give_up: Told why; stops the box.
        every_s: Between two looks.

    Threads: enter and exit from the one that composes; the rest on a thread of its own.
    """

    def __init__(
        self,
        parts: Mapping[str, Callable[[], str | None]],
        *,
        report: Callable[[str, str | None], None],
        stuck_s: Callable[[], float],
        longest_stuck_s: float,
        give_up: Callable[[str], None],
        every_s: float,
    ) -> None:
        self._parts = parts
        self._report = report
        self._stuck_s = stuck_s
        self._longest_stuck_s = longest_stuck_s
        self._give_up = give_up
        self._every_s = every_s
        self._told: dict[str, str | None] = {}
        self._over = threading.Event()
        # A daemon: the end of the process waits for no camera.
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._over.set()
        # It may wait for a part; what it says after the end is heard by nobody.
        self._thread.join(_STOPPING_S)

    def look(self) -> bool:
        """Ask every part once; whether to go on looking."""
        for name, check in self._parts.items():
            problem = check()
            if self._over.is_set():
                return False
            if problem != self._told.get(name):
                level = logging.INFO if problem is None else logging.ERROR
                _log.log(level, "event=watch.part part=%s problem=%r", name, problem)
            self._told[name] = problem
            self._report(name, problem)
        stuck_s = self._stuck_s()
        if not 0 < self._longest_stuck_s <= stuck_s:
            return True
        why = (
            f"the camera has been stuck in its driver for {stuck_s:.0f} s; the box stops, to be "
            "started anew"
        )
        _log.critical("event=watch.gave_up detail=%r", why)
        self._give_up(why)
        return False

    def _run(self) -> None:
        while True:
            try:
                if not self.look():
                    return
            except Exception:  # noqa: BLE001 - a bug in a check must not end all looking
                _log.exception("event=watch.look_failed")
            if self._over.wait(self._every_s):
                return
