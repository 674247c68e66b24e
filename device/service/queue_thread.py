"""One thread, one bounded queue in front of it, a future for each thing asked."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Generic, TypeVar

from typing_extensions import Self

from device.core.errors import BusyError, EdgeDermError, NotReadyError

T = TypeVar("T")
_log = logging.getLogger(__name__)
_TURN_S = 1.0
"""A thread that has nothing to do takes a turn this often."""


@dataclass(frozen=True, slots=True)
class _Job(Generic[T]):
    work: Callable[[], T]
    future: Future[T]

    def run(self) -> None:
        """Do the work and tell the future, unless it was cancelled while it waited."""
        if not self.future.set_running_or_notify_cancel():
            return
        try:
            self.future.set_result(self.work())
        except EdgeDermError as error:
            self.future.set_exception(error)
        except BaseException as error:  # noqa: BLE001 - the thread must outlive a bug in one job
            _log.exception("event=service.job_failed thread=%s", threading.current_thread().name)
            self.future.set_exception(error)


class QueueThread:
    """
    Runs jobs one at a time, in order, on a thread of its own.

    Args:
        name: Of the thread, for logs and debuggers.
        waiting: Jobs that may wait while one runs.
        finish: Run by the thread as its last act, to close what it opened.

    Threads: ``submit`` from any; enter and exit from the one that composes.
    """

    def __init__(
        self, name: str, *, waiting: int, finish: Callable[[], None] = lambda: None
    ) -> None:
        self._name = name
        self._finish = finish
        self._queue: queue.Queue[_Job[Any] | None] = queue.Queue(maxsize=waiting)
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._lock = threading.Lock()
        self._is_stopping = False
        self._is_running = False
        self._turned_s = time.monotonic()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop(timeout_s=5.0)

    def submit(self, work: Callable[[], T]) -> Future[T]:
        """
        Queue *work*.

        Raises:
            BusyError: The queue is full; nothing was queued.
            NotReadyError: The thread is stopping.
        """
        job = _Job(work, Future())
        with self._lock:
            if self._is_stopping:
                raise NotReadyError(f"{self._name}: stopping; ask again when the box is back")
            try:
                self._queue.put_nowait(job)
            except queue.Full:
                raise BusyError(
                    f"{self._name}: expected room for one more, found {self._queue.maxsize} "
                    "waiting; try again in a second"
                ) from None
        return job.future

    @property
    def pending(self) -> int:
        """How many jobs run or wait; never waits itself."""
        return self._queue.qsize() + self._is_running

    def silent_s(self) -> float:
        """
        Say for how many seconds the thread has not come round: at one job, stuck, or dead.

        Any thread; never waits.
        """
        return time.monotonic() - self._turned_s

    def stop(self, *, timeout_s: float) -> None:
        """Finish the job at hand, fail those that wait, and end the thread; may be called twice."""
        with self._lock:
            self._is_stopping = True
        while True:
            try:
                job = self._queue.get_nowait()
            except queue.Empty:
                break
            if job is not None and job.future.set_running_or_notify_cancel():
                job.future.set_exception(NotReadyError(f"{self._name}: the box is stopping"))
        self._queue.put(None)
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
            if self._thread.is_alive():
                _log.error("event=service.stop_late thread=%s waited_s=%g", self._name, timeout_s)

    def _run(self) -> None:
        while True:
            self._turned_s = time.monotonic()
            try:
                job = self._queue.get(timeout=_TURN_S)
            except queue.Empty:
                continue
            if job is None:
                break
            self._is_running = True
            try:
                job.run()
            finally:
                self._is_running = False
            # The last answer must not live on while the thread waits for the next job.
            del job
        self._finish()
