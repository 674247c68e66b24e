"""What a press is: edges become short and long presses, by the kernel's times alone."""

from __future__ import annotations

from dataclasses import dataclass

from device.panel.lines import Edge

LONG_NS = 3_000_000_000
"""Held for so long it is a long press, at once; released before it is a short one, then."""
_LATE_NS = 50_000_000
"""An edge that is stamped before the limit has reached us by then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Press:
    """A whole press, by the kernel's monotonic nanoseconds."""

    pressed_ns: int
    released_ns: int
    """For a long press, which needs no release, when it became one."""

    @property
    def is_long(self) -> bool:
        """Whether it asks for the last result instead of a new one."""
        return self.released_ns - self.pressed_ns >= LONG_NS


class Button:
    """
    Turns edges into presses.

    Edges come debounced by the kernel, but one may be missing: of a button that was down when the
    lines were opened only the release is seen.  So a second edge in the same direction, and a
    release that nothing came before, are no presses.

    Threads: one; keeps no clock of its own.
    """

    def __init__(self) -> None:
        self._pressed_ns: int | None = None

    def edge(self, edge: Edge) -> Press | None:
        """Take note of an edge; returns the press that it ends, if it ends one."""
        if edge.is_pressed:
            if self._pressed_ns is None:
                self._pressed_ns = edge.at_ns
            return None
        return self._end(edge.at_ns)

    def tick(self, now_ns: int) -> Press | None:
        """Return the long press that the button, still down, has become by now."""
        deadline_ns = self.deadline_ns
        if deadline_ns is None or now_ns < deadline_ns:
            return None
        return self._end(now_ns)

    @property
    def deadline_ns(self) -> int | None:
        """When :meth:`tick` has something to say if no edge comes; None if never."""
        return None if self._pressed_ns is None else self._pressed_ns + LONG_NS + _LATE_NS

    def reset(self) -> int | None:
        """Forget a press that has begun; returns when it did, or None."""
        pressed_ns, self._pressed_ns = self._pressed_ns, None
        return pressed_ns

    def _end(self, at_ns: int) -> Press | None:
        pressed_ns = self.reset()
        if pressed_ns is None:
            return None
        return Press(pressed_ns=pressed_ns, released_ns=min(at_ns, pressed_ns + LONG_NS))
