"""The wires of button and light: what goes over them, and the role of whatever drives them."""

from __future__ import annotations

import math
import select
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Flag
from typing import Protocol

from typing_extensions import Self

_BROKEN = select.POLLERR | select.POLLHUP | select.POLLNVAL


class Color(Flag):
    """Which of the three LEDs are lit; a single one of three colors looks like the mixture."""

    OFF = 0
    RED = 1
    GREEN = 2
    BLUE = 4
    YELLOW = RED | GREEN
    MAGENTA = RED | BLUE
    CYAN = GREEN | BLUE
    WHITE = RED | GREEN | BLUE


@dataclass(frozen=True, slots=True)
class Edge:
    """The button went down or up, and then stayed quiet for the debounce period."""

    is_pressed: bool
    at_ns: int
    """Kernel's time on the monotonic clock, nanoseconds."""


class Lines(Protocol):
    """
    One button and three LEDs.

    Hardware is opened in ``__enter__`` and closed in ``__exit__``, which leaves the light dark and
    may be called twice.  One thread owns the lines.
    """

    name: str
    """Kind and place for people, such as ``gpiod pinctrl-rp1``."""

    def __enter__(self) -> Self:
        """Open the lines, the light dark; raises PanelError, naming lines and remedy."""
        ...

    def __exit__(self, *exc_info: object) -> None:
        """Leave the light dark and release the lines; never raises."""
        ...

    def wait(self, timeout_s: float, wake_fd: int | None = None) -> Sequence[Edge]:
        """
        Return the edges that have come; waits at most *timeout_s* seconds for the first.

        Returns early, perhaps without an edge, when *wake_fd* becomes readable.

        Raises:
            PanelError: The lines are gone.
        """
        ...

    def light(self, color: Color) -> int:
        """
        Write the LEDs; returns the monotonic nanoseconds when that was done.

        Raises:
            PanelError: The lines are gone.
        """
        ...


def wait_readable(fds: Sequence[int | None], timeout_s: float) -> bool:
    """
    Wait until one of the file descriptors can be read, at most *timeout_s* seconds.

    Returns:
        Whether all of them are alive.
    """
    poll = select.poll()
    for fd in fds:
        if fd is not None:
            poll.register(fd, select.POLLIN)
    ready = poll.poll(math.ceil(1000 * max(0.0, timeout_s)))
    return not any(events & _BROKEN for _, events in ready)
