"""Which state the light is in, and which color that is at this moment."""

from __future__ import annotations

from device.core.panel import LightState
from device.core.values import Result
from device.panel.lines import Color
from device.panel.patterns import PATTERNS, REFUSAL, Pattern

_STATE_OF: dict[Result, LightState] = {
    Result.BENIGN: LightState.BENIGN,
    Result.MALIGNANT: LightState.MALIGNANT,
    Result.UNCERTAIN: LightState.UNCERTAIN,
    Result.RETAKE: LightState.RETAKE,
}
_REFUSAL_NS = REFUSAL.period_ms * 1_000_000


class Light:
    """
    The states of the light and what leads from one to another.

    What is so is kept apart from what is shown.  Of the things that are so, the first of this list
    is shown: an update, an examination under way, what came of the last one (for a while), a part
    that does not work, a box that has not started, and else that it is ready.  So a fault wins
    over ``ready``, and an answer that somebody waits for is not covered by a fault that came after
    it; only a fault of the model takes answers back.

    Args:
        shown_ns: How long an answer, or that there is none, is shown.

    Threads: one; keeps no clock of its own.  All times are monotonic nanoseconds.
    """

    def __init__(self, *, shown_ns: int) -> None:
        self.is_started = False
        self.is_updating = False
        self.is_busy = False
        self.faults: set[str] = set()
        self._shown_for_ns = shown_ns
        self._shown: LightState | None = None
        self._shown_until_ns = 0
        self._state: LightState | None = None
        self._since_ns = 0
        self._refusal_ns: int | None = None

    def show(self, result: Result | None, now_ns: int) -> None:
        """Show an answer from its beginning, or with None that there is none; ends a blink."""
        self._refusal_ns = None
        self._shown = LightState.FAULT if result is None else _STATE_OF[result]
        self._shown_until_ns = now_ns + self._shown_for_ns
        if self._state is self._shown:
            self._since_ns = now_ns

    def forget(self) -> None:
        """Show no answer any more."""
        self._shown = None

    def refuse(self, now_ns: int) -> None:
        """Blink once for a press that is not taken; more of them at a time are one blink."""
        if self._refusal_ns is None:
            self._refusal_ns = now_ns

    def state(self, now_ns: int) -> LightState:
        """Return the state; an answer or a blink whose time is over is forgotten."""
        if self._shown is not None and now_ns >= self._shown_until_ns:
            self.forget()
        if self._refusal_ns is not None and now_ns >= self._refusal_ns + _REFUSAL_NS:
            self._refusal_ns = None
        state = self._first_that_is_so()
        if state is not self._state:
            self._state, self._since_ns = state, now_ns
        return state

    def color(self, now_ns: int) -> Color:
        """Return what the LEDs are to show."""
        pattern, elapsed_ns = self._playing(now_ns)
        return pattern.color_at(elapsed_ns)

    def deadline_ns(self, now_ns: int) -> int | None:
        """Return when :meth:`color` or :meth:`state` changes by itself; None if never."""
        pattern, elapsed_ns = self._playing(now_ns)
        left_ns = pattern.until_change_ns(elapsed_ns)
        deadlines = [] if left_ns is None else [now_ns + left_ns]
        if self._shown is not None:
            deadlines.append(self._shown_until_ns)
        return min(deadlines, default=None)

    def _first_that_is_so(self) -> LightState:
        if self.is_updating:
            return LightState.UPDATING
        if self.is_busy:
            return LightState.BUSY
        if self._shown is not None:
            return self._shown
        if self.faults:
            return LightState.FAULT
        return LightState.READY if self.is_started else LightState.STARTING

    def _playing(self, now_ns: int) -> tuple[Pattern, int]:
        state = self.state(now_ns)
        if self._refusal_ns is not None:
            return REFUSAL, now_ns - self._refusal_ns
        return PATTERNS[state], now_ns - self._since_ns
