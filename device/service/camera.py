"""The thread that owns the camera: opens it, takes pictures, opens it again when it broke."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from dataclasses import replace
from types import TracebackType

from typing_extensions import Self

from device.core.errors import BusyError, CameraError, EdgeDermError
from device.core.ports import Camera
from device.core.values import Capture
from device.service.preview import preview_jpeg
from device.service.queue_thread import QueueThread

_log = logging.getLogger(__name__)
_WAITING = 2
"""Requests that may wait: more than that would be answered with pictures of the past."""
_OPENING_S = 13.0
"""A camera may take this long to open, 10 s, and to close, 2 s, around a capture."""
_STOPPING_S = 3.0
"""The end of the box waits this long for a capture and for closing."""
_LOOK_EVERY_S = 1.0
"""Whoever waits for a frame looks so often whether the camera is stuck."""
FRESH_S = 10.0
"""A frame taken this recently proves that the camera delivers."""
PREVIEW_EVERY_S = 0.2
"""Whoever asks for a preview sooner gets the last one."""
_MOST_VIEWERS = 16
_FIRST_BACK_OFF_S = 0.5
_DOUBLINGS = 10
LONGEST_BACK_OFF_S = 30.0


class CameraThread:
    """
    Fills the role ``Frames``.

    The camera is opened by the first request and again after every failure, so that one which
    was plugged in late or came loose is found without a restart: at once after the first failure,
    then no sooner than after 0.5 s, 1 s and so on up to :data:`LONGEST_BACK_OFF_S`.

    Args:
        camera: Not yet open; from here on only this thread touches it.
        timeout_s: A capture that takes longer has failed.
        max_pixels: Largest encoded frame that is unpacked for a preview.
        clock_s: Monotonic seconds.
    """

    def __init__(
        self,
        camera: Camera,
        *,
        timeout_s: float,
        max_pixels: int = 25_000_000,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._camera = camera
        self._max_pixels = max_pixels
        self._timeout_s = timeout_s
        self._clock_s = clock_s
        self._jobs = QueueThread("camera", waiting=_WAITING, finish=self._close)
        self._is_open = False
        self._delivered_s: float | None = None
        self._openings = 0
        self._last_problem: str | None = f"{camera.name}: no frame yet; ask again in a moment"
        self._failures = 0
        self._not_before_s = 0.0
        self._working_since_s: float | None = None
        self._stuck_since_s: float | None = None
        self._lock = threading.Lock()
        self._viewers: list[Future[bytes]] = []
        self._shown: tuple[float, bytes] | None = None

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

    def preview(self) -> Future[bytes]:
        """Ask for what the camera sees; see ``device.core.ports.Frames``."""
        viewer: Future[bytes] = Future()
        with self._lock:
            if self._shown is not None and self._clock_s() - self._shown[0] < PREVIEW_EVERY_S:
                viewer.set_result(self._shown[1])
                return viewer
            if len(self._viewers) >= _MOST_VIEWERS:
                raise BusyError(f"preview: expected at most {_MOST_VIEWERS} viewers; try again")
            self._viewers.append(viewer)
            if len(self._viewers) > 1:
                return viewer
        try:
            self._jobs.submit(self._preview).add_done_callback(self._show)
        except EdgeDermError as error:
            failed: Future[bytes] = Future()
            failed.set_exception(error)
            self._show(failed)
        return viewer

    def stuck_s(self) -> float:
        """
        Say for how long the camera has been stuck in its driver, 0 if it is not.

        It is stuck when a call never returned, or when this very thread has been at one request
        for longer than any may take.  Any thread; never waits.
        """
        now_s, began_s = self._clock_s(), self._working_since_s
        if self._camera.is_stuck:
            if self._stuck_since_s is None:
                self._stuck_since_s = now_s
            return now_s - self._stuck_since_s
        self._stuck_since_s = None
        longest_s = _OPENING_S + self._timeout_s
        return 0.0 if began_s is None else max(0.0, now_s - began_s - longest_s)

    def silent_s(self) -> float:
        """Say for how many seconds the thread has not come round.  Any thread; never waits."""
        return self._jobs.silent_s()

    @property
    def longest_turn_s(self) -> float:
        """A camera may take so long to be opened and deliver; more, and this thread is stuck."""
        return _OPENING_S + self._timeout_s

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
            asked = self._jobs.submit(self._glance)
        except BusyError:
            return self._last_problem
        except EdgeDermError as error:
            return str(error)
        # The camera keeps its own time: this is the longest that it may take for what is under
        # way, for what waits, and for this.
        if not self._comes(asked, longest_s=(_WAITING + 1) * (_OPENING_S + self._timeout_s)):
            asked.cancel()
            self._last_problem = (
                f"{self._camera.name}: stuck; unplug it and plug it in, or restart the box"
            )
            return self._last_problem
        try:
            asked.result()
        except Exception as error:  # noqa: BLE001 - readiness tells it, the log has the traceback
            return self._sentence(error)
        return None

    def _comes(self, asked: Future[Capture], *, longest_s: float) -> bool:
        """
        Wait for a frame; False where none is to be expected.

        A camera that is known to be stuck is not waited for: the watch must come round in time to
        end the box, or the watchdog does it without saying why.
        """
        looks = max(1, round(longest_s / _LOOK_EVERY_S))
        for _ in range(looks):
            if wait([asked], timeout=longest_s / looks).done:
                return True
            if self.stuck_s() > 0:
                return False
        return False

    def _capture(self, asked_ns: int) -> Capture:
        capture = self._take(lambda: self._camera.capture(self._timeout_s))
        return replace(capture, capture_ns=time.perf_counter_ns() - asked_ns)

    def _glance(self) -> Capture:
        return self._take(lambda: self._camera.glance(self._timeout_s))

    def _preview(self) -> bytes:
        return preview_jpeg(self._glance(), max_pixels=self._max_pixels)

    def _show(self, job: Future[bytes]) -> None:
        """Give all who wait the same picture, or the same error."""
        error = job.exception()
        with self._lock:
            viewers, self._viewers = self._viewers, []
            self._shown = None if error is not None else (self._clock_s(), job.result())
        for viewer in viewers:
            if not viewer.set_running_or_notify_cancel():
                continue
            if error is not None:
                viewer.set_exception(error)
            else:
                viewer.set_result(job.result())

    def _take(self, take: Callable[[], Capture]) -> Capture:
        self._working_since_s = self._clock_s()
        try:
            if not self._is_open:
                self._open()
            capture = take()
        except Exception as error:
            self._delivered_s = None
            self._last_problem = self._sentence(error)
            self._close()
            raise
        finally:
            self._working_since_s = None
        self._delivered_s = self._clock_s()
        self._last_problem = None
        self._failures = 0
        return capture

    def _open(self) -> None:
        wait_s = self._not_before_s - self._clock_s()
        if self._failures > 1 and wait_s > 0:
            # The sentence of the failure itself, so that it does not grow with each request.
            raise CameraError(self._last_problem or f"{self._camera.name}: failed; look after it")
        self._openings += 1
        self._failures += 1
        back_off_s = _FIRST_BACK_OFF_S * 2.0 ** min(max(0, self._failures - 2), _DOUBLINGS)
        self._not_before_s = self._clock_s() + min(back_off_s, LONGEST_BACK_OFF_S)
        self._camera.__enter__()
        self._is_open = True

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
