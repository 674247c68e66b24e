"""
What a press does, and what the light says of it: all the rules, without a wire or a thread.

A short press begins an examination.  One more is kept while an examination is under way, and
begins when the answer before it has been lit for :data:`SEEN_NS`, so that nobody misses that one;
any further press is refused with a blink.  A long press shows the last result again.  While the
box starts, is updated or has a part that does not work, presses are refused.  No press is without
an outcome: see ``device.core.panel.PressOutcome``.
"""

from __future__ import annotations

import logging
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from types import MappingProxyType

from device.core.errors import BusyError
from device.core.panel import LightChange, PanelStatus, PressOutcome, PressRecord
from device.core.values import Result
from device.panel.button import Button, Press
from device.panel.light import Light
from device.panel.lines import Color, Edge

SEEN_NS = 2_000_000_000
"""An answer stays lit at least for so long before a press that waited begins the next one."""
LONGEST_NS = 60_000_000_000
"""An examination that has not answered by then has failed, and what it says later is not lit."""
_MODEL = "model"
"""The part whose fault takes answers back."""
_KEPT_PRESSES = 256
_KEPT_CHANGES = 64

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Examination:
    number: int
    press: Press
    began_ns: int


class Control:
    """
    Takes what happens, each with the time now, and says what is to be lit.

    Args:
        begin: Starts an examination and returns at once; :meth:`answered` or :meth:`failed` is
            called with the same number when it is over, but not from within *begin*.
        shown_ns: How long an answer is lit.

    Threads: one; keeps no clock of its own.  All times are monotonic nanoseconds.
    """

    def __init__(self, *, begin: Callable[[int], None], shown_ns: int) -> None:
        self._begin = begin
        self._light = Light(shown_ns=shown_ns)
        self._button = Button()
        self._numbers = 0
        self._current: _Examination | None = None
        self._waiting: Press | None = None
        self._waits_until_ns = 0
        self._last: Result | None = None
        self._counts: Counter[PressOutcome] = Counter()
        self._news: list[PressRecord] = []
        self._presses: deque[PressRecord] = deque(maxlen=_KEPT_PRESSES)
        self._changes: deque[LightChange] = deque(maxlen=_KEPT_CHANGES)

    def serve(self, last: Result | None) -> None:
        """Take presses from now on; *last* is what a long one shows before the first answer."""
        self._light.is_started = True
        self._last = last

    def report(self, part: str, problem: str | None) -> None:
        """Take note that *part* does not work, or that it works again."""
        if problem is None:
            self._light.faults.discard(part)
            return
        self._light.faults.add(part)
        if part == _MODEL:
            self._light.forget()
            self._last = None

    def set_updating(self, *, is_updating: bool) -> None:
        """Take note of the beginning or the end of an update."""
        self._light.is_updating = is_updating

    def edge(self, edge: Edge, now_ns: int) -> None:
        """Take an edge of the button."""
        self._press(self._button.edge(edge), now_ns)

    def tick(self, now_ns: int) -> None:
        """Do what is due by now."""
        self._press(self._button.tick(now_ns), now_ns)
        current = self._current
        if current is not None and now_ns - current.began_ns >= LONGEST_NS:
            self._no_answer(current, now_ns, f"no answer within {LONGEST_NS // 10**9} s")
        if self._waiting is not None and self._current is None and now_ns >= self._waits_until_ns:
            press, self._waiting = self._waiting, None
            self._short_press(press, now_ns)

    def answered(self, number: int, result: Result, now_ns: int) -> None:
        """Light the answer of the examination *number*."""
        current = self._current
        if current is None or current.number != number:
            _log.warning("event=panel.answer_late examination=%d", number)
            return
        if _MODEL in self._light.faults:
            self._no_answer(current, now_ns, "the model stopped working meanwhile")
            return
        self._over(now_ns)
        self._last = result
        self._light.show(result, now_ns)
        self._note(current.press, PressOutcome.ANSWERED, result)

    def failed(self, number: int, error: BaseException, now_ns: int) -> None:
        """Light that the examination *number* gave no answer; a full queue is no fault."""
        current = self._current
        if current is None or current.number != number:
            return
        if isinstance(error, BusyError):
            self._over(now_ns)
            self._forget()
            self._refuse(current.press, PressOutcome.REFUSED_BUSY, now_ns)
        else:
            self._no_answer(current, now_ns, str(error) or type(error).__name__)

    def interrupted(self, now_ns: int) -> None:
        """Take note that edges may be missing: a press that has begun is lost."""
        pressed_ns = self._button.reset()
        if pressed_ns is not None:
            self._note(Press(pressed_ns=pressed_ns, released_ns=now_ns), PressOutcome.LOST)

    def stop(self, now_ns: int) -> None:
        """Give every press that is not over its outcome."""
        self.interrupted(now_ns)
        if self._current is not None:
            self._note(self._current.press, PressOutcome.STOPPED)
        if self._waiting is not None:
            self._note(self._waiting, PressOutcome.STOPPED)
        self._current = self._waiting = None
        self._light.is_busy = False
        self.end_round(None)

    def color(self, now_ns: int) -> Color:
        """Return what the LEDs are to show."""
        return self._light.color(now_ns)

    def deadline_ns(self, now_ns: int) -> int | None:
        """Return when the next call of :meth:`tick` or :meth:`color` is due; None if never."""
        deadlines = [self._light.deadline_ns(now_ns), self._button.deadline_ns]
        if self._current is not None:
            deadlines.append(self._current.began_ns + LONGEST_NS)
        elif self._waiting is not None:
            deadlines.append(self._waits_until_ns)
        return min((each for each in deadlines if each is not None), default=None)

    def end_round(self, lit_ns: int | None) -> None:
        """
        Close the books on what was noted since the last call.

        Args:
            lit_ns: When the LEDs were written with it; None if they could not be.
        """
        if self._light.is_updating:
            lit_ns = None
        for record in self._news:
            self._presses.append(replace(record, lit_ns=lit_ns))
            self._counts[record.outcome] += 1
            _log.info(
                "event=panel.press outcome=%s latency_ms=%s",
                record.outcome.value,
                "none" if lit_ns is None else f"{(lit_ns - record.released_ns) / 1e6:.1f}",
            )
        self._news.clear()

    def status(self, now_ns: int, *, problem: str | None, reopened: int) -> PanelStatus:
        """Return a snapshot; takes note of the state that is shown now."""
        state = self._light.state(now_ns)
        if not self._changes or self._changes[-1].state is not state:
            self._changes.append(LightChange(at_ns=now_ns, state=state))
        return PanelStatus(
            state=state,
            problem=problem,
            counts=MappingProxyType(dict(self._counts)),
            reopened=reopened,
            presses=tuple(self._presses),
            changes=tuple(self._changes),
        )

    def _press(self, press: Press | None, now_ns: int) -> None:
        if press is None:
            return
        if press.is_long:
            self._long_press(press, now_ns)
        elif self._current is None and self._waiting is None:
            self._short_press(press, now_ns)
        elif self._waiting is None and self._refusal() is None:
            self._waiting = press
        else:
            self._refuse(press, self._refusal() or PressOutcome.REFUSED_BUSY, now_ns)

    def _short_press(self, press: Press, now_ns: int) -> None:
        refusal = self._refusal()
        if refusal is not None:
            self._refuse(press, refusal, now_ns)
            return
        self._numbers += 1
        self._current = _Examination(self._numbers, press, now_ns)
        self._light.is_busy = True
        self._begin(self._numbers)

    def _long_press(self, press: Press, now_ns: int) -> None:
        if self._light.is_updating:
            self._refuse(press, PressOutcome.REFUSED_UPDATING, now_ns)
        elif self._current is not None or self._waiting is not None:
            self._refuse(press, PressOutcome.REFUSED_BUSY, now_ns)
        elif not self._light.is_started:
            self._refuse(press, PressOutcome.REFUSED_STARTING, now_ns)
        elif self._last is None:
            self._refuse(press, PressOutcome.NOTHING_TO_SHOW, now_ns)
        else:
            self._light.show(self._last, now_ns)
            self._note(press, PressOutcome.SHOWN_AGAIN, self._last)

    def _refusal(self) -> PressOutcome | None:
        """In the order in which the light shows why."""
        if self._light.is_updating:
            return PressOutcome.REFUSED_UPDATING
        if self._light.faults:
            return PressOutcome.REFUSED_FAULT
        return None if self._light.is_started else PressOutcome.REFUSED_STARTING

    def _refuse(self, press: Press, outcome: PressOutcome, now_ns: int) -> None:
        self._light.refuse(now_ns)
        self._note(press, outcome)

    def _no_answer(self, examination: _Examination, now_ns: int, why: str) -> None:
        _log.error("event=panel.no_answer detail=%r", why)
        self._over(now_ns)
        self._forget()
        self._light.show(None, now_ns)
        self._note(examination.press, PressOutcome.FAILED)

    def _forget(self) -> None:
        """Let go of the answer before: it may be another person's."""
        self._last = None
        self._light.forget()

    def _over(self, now_ns: int) -> None:
        self._current = None
        self._light.is_busy = False
        self._waits_until_ns = now_ns + SEEN_NS

    def _note(self, press: Press, outcome: PressOutcome, result: Result | None = None) -> None:
        self._news.append(
            PressRecord(
                pressed_ns=press.pressed_ns,
                released_ns=press.released_ns,
                lit_ns=None,
                outcome=outcome,
                result=result,
            )
        )
