"""The thread that owns the classifier: one inference at a time, in the order of arrival."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from concurrent.futures import TimeoutError as FutureTimeoutError
from types import TracebackType

from typing_extensions import Self

from device.core.errors import BusyError, ModelError, NotReadyError
from device.core.ports import SelfTestingClassifier
from device.core.stopwatch import Recorder
from device.core.values import Answer, Capture
from device.examine import examine
from device.service.queue_thread import QueueThread

_SELF_TEST_TIMEOUT_S = 30.0
"""From its beginning, and as long again for the jobs before it."""
LONGEST_TURN_S = 30.0
"""No job takes longer: the largest picture, and 15 s in which a worn card must have it written."""


class Worker:
    """
    Fills the role ``Examiner``.

    Args:
        classifier: From here on only this thread touches it.
        record: Returns an answer only after it was committed to the history, with its id; it
            raises HistoryError otherwise.  The next picture waits meanwhile.
        max_pixels: Largest picture that is unpacked.
        waiting: Pictures that may wait while one is examined.
    """

    def __init__(
        self,
        classifier: SelfTestingClassifier,
        *,
        record: Callable[[Capture, Answer], Answer],
        max_pixels: int,
        waiting: int,
    ) -> None:
        self._classifier = classifier
        self._record = record
        self._max_pixels = max_pixels
        self._jobs = QueueThread("worker", waiting=waiting)
        # A classifier is handed out only after it has passed its self-test.
        self._last_problem: str | None = None

    def __enter__(self) -> Self:
        self._jobs.__enter__()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._jobs.__exit__(exc_type, exc, traceback)

    def submit(self, capture: Capture) -> Future[Answer]:
        """Queue *capture*; see ``device.core.ports.Examiner``."""
        return self._jobs.submit(self._examining(capture))

    @property
    def pending(self) -> int:
        """Pictures that are examined or wait for it."""
        return self._jobs.pending

    def silent_s(self) -> float:
        """Say for how many seconds the thread has not come round.  Any thread; never waits."""
        return self._jobs.silent_s()

    @property
    def last_problem(self) -> str | None:
        """What :meth:`problem` said last."""
        return self._last_problem

    def problem(self) -> str | None:
        """
        Run the contract's golden case and say what is wrong with the model, or None.

        While the queue is full, or the jobs before leave no time for the test, the last verdict
        stands: a busy box is not a broken one, nor is a slow card the model's fault.
        """
        began_s: list[float] = []

        def test() -> None:
            began_s.append(time.monotonic())
            self._classifier.self_test()

        try:
            done = self._jobs.submit(test)
            wait([done], timeout=_SELF_TEST_TIMEOUT_S)
            if done.cancel():  # It has not begun.
                if self.silent_s() < LONGEST_TURN_S:
                    return self._last_problem
                # The job at hand never ends, and that is the model: the card has its own limit.
                raise FutureTimeoutError
            spent_s = time.monotonic() - began_s[0] if began_s else 0.0
            done.result(timeout=max(0.0, _SELF_TEST_TIMEOUT_S - spent_s))
        except BusyError:
            return self._last_problem
        except (ModelError, NotReadyError) as error:
            self._last_problem = str(error)
        except FutureTimeoutError:  # another class than TimeoutError before Python 3.11
            self._last_problem = "the model does not answer; restart the box"
        else:
            self._last_problem = None
        return self._last_problem

    def _examining(self, capture: Capture) -> Callable[[], Answer]:
        def work() -> Answer:
            earlier_ns = {} if capture.capture_ns is None else {"capture": capture.capture_ns}
            answer = examine(
                capture,
                self._classifier,
                Recorder(time.perf_counter_ns, earlier_ns=earlier_ns),
                max_pixels=self._max_pixels,
            )
            # Recorded first, shown then: nobody sees an answer that a power cut would undo.
            return self._record(capture, answer)

        return work
