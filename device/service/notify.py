"""
What systemd is told: that the box is ready, how it is, and that it still turns.

The protocol is one datagram of ``NAME=value`` lines to the socket in ``NOTIFY_SOCKET``; see
sd_notify(3).  It is small enough to need no library.
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable, Mapping

_log = logging.getLogger(__name__)
_BEATS = 4
"""In each period of the watchdog, so that one that comes late kills nobody."""
_LONGEST_STATUS = 200
"""Characters; ``systemctl status`` shows one line."""


class Notifier:
    """
    Speaks to whoever started the box, if that is systemd; otherwise does nothing.

    Args:
        environment: Where ``NOTIFY_SOCKET``, ``WATCHDOG_USEC`` and ``WATCHDOG_PID`` are.

    Threads: any; a datagram to a local socket, which never waits.
    """

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        address = environment.get("NOTIFY_SOCKET", "")
        # A leading @ stands for the zero byte of a name that is not in the file system.
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self._problems: dict[str, str] = {}
        self.beat_every_s = _beat_every_s(environment) if address else None
        """Seconds between two beats; None where nobody listens for them."""

    @property
    def is_heard(self) -> bool:
        """Whether somebody looks after this process, and starts it again when it ends."""
        return bool(self._address)

    def ready(self) -> None:
        """Say that the box answers."""
        self._send("READY=1", self._status())

    def stopping(self) -> None:
        """Say that the box ends, and on purpose."""
        self._send("STOPPING=1", "STATUS=stopping")

    def beat(self) -> None:
        """Say that everything that must turn does."""
        self._send("WATCHDOG=1")

    def report(self, part: str, problem: str | None) -> None:
        """Tell how a part is, as one line for ``systemctl status`` with the parts that fail."""
        if problem is None:
            self._problems.pop(part, None)
        else:
            self._problems[part] = problem
        self._send(self._status())

    def _status(self) -> str:
        # Each has its share of the line: a long one must not hide which others fail too.
        room = _LONGEST_STATUS // max(1, len(self._problems)) - len("; ")
        parts = [
            " ".join(f"{part}: {problem}".split())[:room]
            for part, problem in sorted(self._problems.items())
        ]
        return "STATUS=" + ("; ".join(parts) or "ready")

    def _send(self, *lines: str) -> None:
        if not self._address:
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as to_systemd:
            try:
                to_systemd.sendto("\n".join(lines).encode(), self._address)
            except OSError as error:
                # A box that works must not end because nobody hears so.
                _log.warning("event=notify.unheard lines=%r error=%r", lines, error.strerror)


class Pulse:
    """
    Beats only while every thread takes its turns.

    Called by the event loop, so a loop that does not turn is silent as well.  Then systemd's
    watchdog ends the box and starts it again.

    Args:
        silent_s: By name of a thread: for how many seconds it has not taken a turn.
        longest_s: By the same names: the longest that a turn may take, in seconds.
        beat: Told that all is well.
    """

    def __init__(
        self,
        silent_s: Mapping[str, Callable[[], float]],
        *,
        longest_s: Mapping[str, float],
        beat: Callable[[], None],
    ) -> None:
        self._silent_s = silent_s
        self._longest_s = longest_s
        self._beat = beat
        self._is_silent = False

    def __call__(self) -> None:
        """Look at every thread, and beat or say once why not."""
        late = {
            name: silent_s
            for name, ask in self._silent_s.items()
            if (silent_s := ask()) > self._longest_s[name]
        }
        if not late:
            self._is_silent = False
            self._beat()
        elif not self._is_silent:
            self._is_silent = True
            _log.critical(
                "event=watchdog.not_fed threads=%s",
                ",".join(f"{name}:{silent_s:.0f}s" for name, silent_s in late.items()),
            )


def _beat_every_s(environment: Mapping[str, str]) -> float | None:
    """Read how often the watchdog wants to hear from this process."""
    period = environment.get("WATCHDOG_USEC", "")
    meant = environment.get("WATCHDOG_PID", "")
    if not period.isdecimal() or meant not in {"", str(os.getpid())}:
        return None
    return int(period) / 1e6 / _BEATS
