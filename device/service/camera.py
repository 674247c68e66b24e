"""The thread that owns the camera: opens it, takes pictures, opens it again when it broke."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from types import TracebackType

from typing_extensions import Self

from device.core.errors import BusyError, CameraError, NotReadyError
from device.core.ports import Camera
from device.core.values import Capture
from device.service.queue_thread import QueueThread

_log = logging.getLogger(__name__)
_WAITING = 2
"""Requests that may wait: more than that would be answered with pictures of the past."""
_OPENING_S = 12.0
"""A camera may take this long to open or to close before its first frame."""
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
        return self._jobs.submit(self._capture)

    def problem(self) -> str | None:
        """
        Say what is wrong with the camera, or None if it delivers.

        Takes a frame if the last one is older than :data:`FRESH_S`; a queue full of requests
        that are being answered is no problem.
        """
        delivered_s = self._delivered_s
        if delivered_s is not None and self._clock_s() - delivered_s < FRESH_S:
            return None
        try:
            # The camera keeps its own time; the margin is for a capture already under way.
            self.request().result(timeout=(_WAITING + 1) * self._timeout_s + _OPENING_S)
        except FutureTimeoutError:  # another class than TimeoutError before Python 3.11
            return f"{self._camera.name}: stuck; unplug it and plug it in, or restart the box"
        except BusyError:
            return None
        except (CameraError, NotReadyError) as error:
            return str(error)
        return None

    def _capture(self) -> Capture:
        try:
            if not self._is_open:
                self._camera.__enter__()
                self._is_open = True
                _log.info("camera %s opened", self._camera.name)
            capture = self._camera.capture(self._timeout_s)
        except CameraError:
            self._delivered_s = None
            self._close()
            raise
        self._delivered_s = self._clock_s()
        return capture

    def _close(self) -> None:
        if self._is_open:
            self._is_open = False
            self._camera.__exit__(None, None, None)
            _log.info("event=camera.closed camera=%r", self._camera.name)
