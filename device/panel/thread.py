"""The thread that owns button and light: edges in, colors out, broken lines opened again."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from types import TracebackType

from typing_extensions import Self

from device.core.errors import EdgeDermError, PanelError
from device.core.panel import PanelStatus
from device.core.values import Answer, Result
from device.panel.control import Control
from device.panel.lines import Color, Edge, Lines, wait_readable

SHORTEST_BACK_OFF_S = 0.5
LONGEST_BACK_OFF_S = 30.0
"""Between two attempts to open lines that failed; doubled from the shortest to the longest."""
_LONGEST_WAIT_S = 5.0
_STOPPING_S = 3.0
"""The end of the box waits this long for the light to go dark."""
_NS = 1_000_000_000

_log = logging.getLogger(__name__)


class PanelThread:
    """
    Fills the role ``Panel``.

    The light says ``starting`` from the moment when the thread is entered, and is dark when it has
    been left.  Lines that are missing or fail do not stop the box: they are opened again, with
    longer and longer pauses.

    Args:
        lines: Not yet open; from here on only this thread touches them.
        shown_s: How long an answer is lit.
        clock_ns: Monotonic nanoseconds, the kernel's clock for edges.

    Threads: enter and leave from the one that composes; all other methods from any.
    """

    def __init__(
        self, lines: Lines, *, shown_s: float, clock_ns: Callable[[], int] = time.monotonic_ns
    ) -> None:
        self._lines = lines
        self._clock_ns = clock_ns
        self._control = Control(begin=self._begin, shown_ns=round(shown_s * _NS))
        self._examine: Callable[[], Future[Answer]] | None = None
        # What other threads want done, in the order in which they said so.
        self._inbox: deque[Callable[[int], None]] = deque()
        self._thread = threading.Thread(target=self._run, name="panel", daemon=True)
        self._is_stopping = False
        self._wake_lock = threading.Lock()
        self._wake_fd: int | None = None
        self._is_open = False
        self._lit: Color | None = None
        self._problem: str | None = f"{lines.name}: not open yet; ask again in a moment"
        self._reopened = 0
        self._back_off_s = SHORTEST_BACK_OFF_S
        self._open_at_ns = 0
        self._status = self._control.status(clock_ns(), problem=self._problem, reopened=0)

    def __enter__(self) -> Self:
        self._wake_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._thread.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """End the thread, the light dark; what is not over gets no answer.  May be called twice."""
        self._is_stopping = True
        self._wake()
        if self._thread.ident is None:
            return
        self._thread.join(_STOPPING_S)
        if self._thread.is_alive():
            _log.error("event=panel.stop_late panel=%r waited_s=%g", self._lines.name, _STOPPING_S)
            return
        with self._wake_lock:
            if self._wake_fd is not None:
                os.close(self._wake_fd)
                self._wake_fd = None

    def serve(self, examine: Callable[[], Future[Answer]], *, last: Result | None = None) -> None:
        """Answer presses from now on; see ``device.core.panel.Panel``."""
        self._examine = examine
        self._tell(lambda _: self._control.serve(last))

    def report(self, part: str, problem: str | None) -> None:
        """Show that *part* does not work, or works again; see ``device.core.panel.Panel``."""
        self._tell(lambda _: self._control.report(part, problem))

    def set_updating(self, *, is_updating: bool) -> None:
        """Show that an update is being installed, or is over."""
        self._tell(lambda _: self._control.set_updating(is_updating=is_updating))

    def status(self) -> PanelStatus:
        """Say what the light shows and what has been pressed."""
        return self._status

    def _tell(self, message: Callable[[int], None]) -> None:
        self._inbox.append(message)
        self._wake()

    def _wake(self) -> None:
        with self._wake_lock:
            if self._wake_fd is not None:
                os.eventfd_write(self._wake_fd, 1)

    # From here on everything runs on the panel's thread, but for _over.

    def _run(self) -> None:
        while not self._is_stopping:
            self._live()
        self._close()
        self._control.stop(self._clock_ns())
        self._note_status(self._clock_ns())

    def _live(self) -> None:
        try:
            self._open_if_due()
            self._round(self._wait())
        except PanelError as error:
            self._broke(str(error))
        except Exception as error:  # noqa: BLE001 - a button that is dead until a restart is worse
            _log.exception("event=panel.bug panel=%r", self._lines.name)
            self._broke(
                f"{self._lines.name}: failed in a way that nobody foresaw "
                f"({type(error).__name__}); the log has the details"
            )

    def _open_if_due(self) -> None:
        if self._is_open or self._clock_ns() < self._open_at_ns:
            return
        self._lines.__enter__()
        self._is_open = True
        self._lit = Color.OFF
        if self._open_at_ns:
            self._reopened += 1
        self._problem = None
        _log.info("event=panel.opened panel=%r", self._lines.name)
        self._round(())  # Dark lines must not wait for the next event.

    def _wait(self) -> Sequence[Edge]:
        now_ns = self._clock_ns()
        deadline_ns = self._control.deadline_ns(now_ns)
        timeout_s = _LONGEST_WAIT_S
        if deadline_ns is not None:
            timeout_s = min(timeout_s, (deadline_ns - now_ns) / _NS)
        if self._is_open:
            edges = self._lines.wait(timeout_s, self._wake_fd)
            # Only lines that could be waited for are worth a quick attempt again.
            self._back_off_s = SHORTEST_BACK_OFF_S
        else:
            wait_readable([self._wake_fd], min(timeout_s, (self._open_at_ns - now_ns) / _NS))
            edges = ()
        self._forget_wake()
        return edges

    def _round(self, edges: Sequence[Edge]) -> None:
        """Take what has come, then write the light: an answer is lit in the round it came in."""
        now_ns = self._clock_ns()
        for edge in edges:
            self._control.edge(edge, now_ns)
        while self._inbox:
            self._inbox.popleft()(now_ns)
        self._control.tick(now_ns)
        color = self._control.color(now_ns)
        lit_ns = None
        if self._is_open:
            lit_ns = now_ns if color == self._lit else self._lines.light(color)
            self._lit = color
        self._control.end_round(lit_ns)
        self._note_status(lit_ns or now_ns)

    def _begin(self, number: int) -> None:
        if self._examine is None:
            raise RuntimeError("a press was taken before there was something to examine with")
        try:
            future = self._examine()
        except EdgeDermError as error:
            self._tell_failure(number, error)
        except Exception as error:  # noqa: BLE001 - the press must get its outcome
            _log.exception("event=panel.bug panel=%r", self._lines.name)
            self._tell_failure(number, error)
        else:
            future.add_done_callback(lambda done: self._over(number, done))

    def _over(self, number: int, done: Future[Answer]) -> None:
        """Runs on the thread that has the answer; keeps of it only what the light needs."""
        try:
            result = done.result().decision.result
        except BaseException as error:  # noqa: BLE001 - a cancelled future raises no Exception
            self._tell_failure(number, error)
        else:
            self._tell(lambda now_ns: self._control.answered(number, result, now_ns))

    def _tell_failure(self, number: int, error: BaseException) -> None:
        self._tell(lambda now_ns: self._control.failed(number, error, now_ns))

    def _broke(self, problem: str) -> None:
        now_ns = self._clock_ns()
        if problem != self._problem:
            _log.error(
                "event=panel.failed panel=%r detail=%r retry_s=%g",
                self._lines.name,
                problem,
                self._back_off_s,
            )
        self._problem = problem
        self._close()
        self._control.interrupted(now_ns)
        self._control.end_round(None)
        self._open_at_ns = now_ns + round(self._back_off_s * _NS)
        self._back_off_s = min(2 * self._back_off_s, LONGEST_BACK_OFF_S)
        self._note_status(now_ns)

    def _close(self) -> None:
        # An opening that failed half-way may have left something behind.
        self._lines.__exit__(None, None, None)
        if self._is_open:
            self._is_open = False
            _log.info("event=panel.closed panel=%r", self._lines.name)

    def _forget_wake(self) -> None:
        try:
            os.eventfd_read(self._wake_fd)  # type: ignore[arg-type] # open while this thread runs
        except BlockingIOError:
            return

    def _note_status(self, now_ns: int) -> None:
        self._status = self._control.status(now_ns, problem=self._problem, reopened=self._reopened)
