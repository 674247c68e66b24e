"""A button and a light without wires: for a laptop, for tests and for the bench."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from typing_extensions import Self

from device.core.errors import PanelError
from device.panel.lines import Color, Edge, wait_readable

_KEPT = 4096
_NS = 1_000_000_000
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Lit:
    """From *at_ns* on, monotonic nanoseconds, the LEDs showed *color*."""

    at_ns: int
    color: Color


class SimulatedLines:
    """
    Fills the role of :class:`device.panel.lines.Lines` and remembers what went over the wires.

    The contact of the button may bounce: its edges pass the kernel's way of debouncing, which
    restarts a timer at every edge and, when it runs out, stamps what the line has become.

    Args:
        debounce_s: How long the line must be quiet.
        clock_ns: Monotonic nanoseconds.

    Threads: the role belongs to one thread; the hands (:meth:`move`, :meth:`tap`,
    :meth:`set_broken`) and the history to any.
    """

    def __init__(
        self, *, debounce_s: float = 0.0, clock_ns: Callable[[], int] = time.monotonic_ns
    ) -> None:
        self.name = "simulated"
        self.moves: deque[Edge] = deque(maxlen=_KEPT)
        """What was done to the contact, bounces included."""
        self.edges: deque[Edge] = deque(maxlen=_KEPT)
        """What the kernel made of it."""
        self.lights: deque[Lit] = deque(maxlen=_KEPT)
        """What was written to the LEDs."""
        self._debounce_ns = round(debounce_s * _NS)
        self._clock_ns = clock_ns
        self._lock = threading.Lock()
        self._coming: list[Edge] = []
        self._contact = self._stable = False
        self._quiet_at_ns: int | None = None
        self._hand_fd: int | None = None
        self._is_broken = False

    # The hands.

    def move(self, *, is_pressed: bool, at_ns: int | None = None) -> None:
        """Close or open the contact, now or at a time to come."""
        edge = Edge(is_pressed, self._clock_ns() if at_ns is None else at_ns)
        with self._lock:
            self.moves.append(edge)
            self._coming.append(edge)
            self._coming.sort(key=lambda each: each.at_ns)
            self._touch()

    def tap(self, *, hold_s: float = 0.0, after_s: float = 0.0) -> int:
        """Press and release; returns when the contact opens, monotonic nanoseconds."""
        pressed_ns = self._clock_ns() + round(after_s * _NS)
        # At least for as long as the line has to be quiet, or it was no press.
        released_ns = pressed_ns + max(round(hold_s * _NS), self._debounce_ns)
        self.move(is_pressed=True, at_ns=pressed_ns)
        self.move(is_pressed=False, at_ns=released_ns)
        return released_ns

    def set_broken(self, *, is_broken: bool) -> None:
        """Cut the wires, or mend them."""
        with self._lock:
            self._is_broken = is_broken
            self._touch()

    # The role.

    def __enter__(self) -> Self:
        """
        Connect, the light dark; what happened to the button before is not seen.

        Raises:
            PanelError: The wires are cut.
        """
        self.__exit__()
        with self._lock:
            self._check()
            self._hand_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
            self._due(self._clock_ns())
            self._stable, self._quiet_at_ns = self._contact, None
            self.lights.append(Lit(self._clock_ns(), Color.OFF))
        _LOG.info("event=panel.lines panel=%r", self.name)
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Leave the light dark; may be called twice."""
        with self._lock:
            if self._hand_fd is None:
                return
            os.close(self._hand_fd)
            self._hand_fd = None
            self.lights.append(Lit(self._clock_ns(), Color.OFF))

    def wait(self, timeout_s: float, wake_fd: int | None = None) -> Sequence[Edge]:
        """Return the edges that have come, debounced; waits at most *timeout_s* seconds."""
        with self._lock:
            self._check()
            hand_fd = self._hand_fd
            now_ns = self._clock_ns()
            edges = self._due(now_ns)
            if edges:
                return edges
            next_ns = [each.at_ns for each in self._coming[:1]]
            if self._quiet_at_ns is not None:
                next_ns.append(self._quiet_at_ns)
            if next_ns:
                timeout_s = min(timeout_s, (min(next_ns) - now_ns) / _NS)
        wait_readable([hand_fd, wake_fd], timeout_s)
        with self._lock:
            self._check()
            self._forget_touch()
            return self._due(self._clock_ns())

    def light(self, color: Color) -> int:
        """Show *color*; returns when."""
        with self._lock:
            self._check()
            at_ns = self._clock_ns()
            self.lights.append(Lit(at_ns, color))
            return at_ns

    def _check(self) -> None:
        if self._is_broken:
            raise PanelError(f"{self.name}: the wires are cut; mend them")

    def _touch(self) -> None:
        if self._hand_fd is not None:
            os.eventfd_write(self._hand_fd, 1)

    def _forget_touch(self) -> None:
        try:
            os.eventfd_read(self._hand_fd)  # type: ignore[arg-type] # open since __enter__
        except BlockingIOError:
            return

    def _due(self, now_ns: int) -> list[Edge]:
        """Let the contact's edges up to *now_ns* pass the timer, in the order of time."""
        found: list[Edge] = []
        while True:
            move = self._coming[0] if self._coming else None
            quiet_ns = self._quiet_at_ns
            if quiet_ns is not None and quiet_ns <= now_ns and (not move or quiet_ns <= move.at_ns):
                self._quiet_at_ns = None
                if self._contact is not self._stable:
                    self._stable = self._contact
                    found.append(Edge(self._stable, quiet_ns))
            elif move is not None and move.at_ns <= now_ns:
                self._coming.pop(0)
                self._contact = move.is_pressed
                self._quiet_at_ns = move.at_ns + self._debounce_ns
            else:
                self.edges.extend(found)
                return found
