"""The thread that owns the camera: opens it, takes pictures, opens it again when it broke."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import replace
from types import TracebackType

from typing_extensions import Self

from device.core.errors import BusyError, EdgeDermError
from device.core.ports import Camera
from device.core.values import Capture
from device.service.queue_thread import QueueThread

_log = logging.getLogger(__name__)
_WAITING = 2
"""Requests that may wait: more than that would be answered with pictures of the past."""
_OPENING_S = 13.0
"""A camera may take this long to open, 10 s, and to close, 2 s, around a capture."""
_STOPPING_S = 3.0
"""The end of the box waits this long for a capture and for closing."""
FRESH_S = 10.0
"""A frame taken this recently proves that the camera delivers."""


class CameraThread:
    """
    Fills the role ``Frames``.

    The camera is opened by the first request and again after every failure, so that one which
    was plugged in late or came loose is found without a restart.

    Args:
        camera: Not yet open; from here on only this thread touches it.
        timeout_s: A capture that takes longer has failed.
        clock_s: Monotonic seconds.
    """

    def __init__(
        self, camera: Camera, *, timeout_s: float, clock_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._camera = camera
        self._timeout_s = timeout_s
        self._clock_s = clock_s
        self._jobs = QueueThread("camera", waiting=_WAITING, finish=self._close)
        self._is_open = False
        self._delivered_s: float | None = None
        self._openings = 0
        self._last_problem: str | None = f"{camera.name}: no frame yet; ask again in a moment"

    def __enter__(self) -> Self:
        self._jobs.__enter__()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # Enough to close a camera that answers.  One that does not is left behind, and the end of
        # the process closes it.
        self._jobs.stop(timeout_s=_STOPPING_S)

    def request(self) -> Future[Capture]:
        """Ask for a frame; see ``device.core.ports.Frames``."""
        asked_ns = time.perf_counter_ns()
        return self._jobs.submit(lambda: self._capture(asked_ns))

    @property
    def last_problem(self) -> str | None:
        """What went wrong with the last frame, or None; None as well before the first was asked."""
        return self._last_problem if self._openings else None

    @property
    def restarts(self) -> int:
        """How often the camera was opened again after it had failed."""
        return max(0, self._openings - 1)

    def problem(self) -> str | None:
        """
        Say what is wrong with the camera, or None if it delivers.

        Takes a frame if the last one is older than :data:`FRESH_S`.  While the queue is full
        the last verdict stands: a camera that is asked a lot is not a broken one.
        """
        delivered_s = self._delivered_s
        if delivered_s is not None and self._clock_s() - delivered_s < FRESH_S:
            return None
        try:
            asked = self.request()
        except BusyError:
            return self._last_problem
        except EdgeDermError as error:
            return str(error)
        try:
            # The camera keeps its own time: this is the longest that it may take for what is
            # under way, for what waits, and for this.
            asked.result(timeout=(_WAITING + 1) * (_OPENING_S + self._timeout_s))
        except FutureTimeoutError:  # another class than TimeoutError before Python 3.11
            asked.cancel()
            self._last_problem = (
                f"{self._camera.name}: stuck; unplug it and plug it in, or restart the box"
            )
            return self._last_problem
        except Exception as error:  # noqa: BLE001 - readiness tells it, the log has the traceback
            return self._sentence(error)
        return None

    def _capture(self, asked_ns: int) -> Capture:
        try:
            if not self._is_open:
                self._openings += 1
                self._camera.__enter__()
                self._is_open = True
            capture = self._camera.capture(self._timeout_s)
        except Exception as error:
            self._delivered_s = None
            self._last_problem = self._sentence(error)
            self._close()
            raise
        self._delivered_s = self._clock_s()
        self._last_problem = None
        return replace(capture, capture_ns=time.perf_counter_ns() - asked_ns)

    def _sentence(self, error: Exception) -> str:
        if isinstance(error, EdgeDermError):
            return str(error)
        return (
            f"{self._camera.name}: failed in a way that nobody foresaw ({type(error).__name__}); "
            "the log has the details"
        )

    def _close(self) -> None:
        if self._is_open:
            self._is_open = False
            self._camera.__exit__(None, None, None)
            _log.info("event=camera.closed camera=%r", self._camera.name)
