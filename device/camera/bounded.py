"""
Cameras whose vendor's calls may block for long: every wait of the caller has a limit here.

Two threads meet in this file.  The *owner* opens, captures and closes; it waits, and never
longer than it said.  The *vendor's thread*, one for each opening, makes all calls into the
vendor's library, and alone touches what the library hands out.  If a call never returns, the
owner goes on with a CameraError; the thread is left behind, releases the camera should the call
return one day, and does not keep the process from ending.  Until then the camera does not open
again: another thread would get stuck behind the first.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError  # its own class before 3.11
from queue import SimpleQueue
from typing import Any, Protocol, TypeVar

from typing_extensions import Self

from device.camera.settling import sharpest
from device.core.errors import CameraError
from device.core.values import Capture

OPEN_TIMEOUT_S = 10.0
"""A USB camera may need seconds to its first frame."""
CLOSE_TIMEOUT_S = 2.0
"""After it, closing goes on in the vendor's thread without its owner."""
GRACE_S = 0.25
"""A stream ends a capture itself at the deadline; only if it does not, the owner leaves it."""

_LOG = logging.getLogger(__name__)
_T = TypeVar("_T")


class Stream(Protocol):
    """
    The vendor's side of a camera, from one opening to its close.

    Threads: the vendor's thread alone, after construction.
    """

    def open(self) -> None:
        """Open the device and start it; raises CameraError."""
        ...

    def settle(self, called_s: float, deadline_s: float) -> None:
        """
        Wait until exposure and white balance have come to rest, then lock them.

        Args:
            called_s: Frames whose exposure began before it, ``time.monotonic()``, do not count.
            deadline_s: ``time.monotonic()``.

        Raises:
            CameraError: The device is gone, or they have not come to rest by *deadline_s*.
        """
        ...

    def take(self, called_s: float, deadline_s: float) -> Capture:
        """
        Return a frame whose exposure began after *called_s*; both times are ``time.monotonic()``.

        While exposure and white balance are locked, a frame that was not taken with the locked
        values is passed over.

        Raises:
            CameraError: The device is gone, or *deadline_s* has passed.
        """
        ...

    def unlock(self) -> None:
        """Leave exposure and white balance to the camera again; nothing if they are."""
        ...

    def close(self) -> None:
        """Stop and release whatever is open, also after an ``open`` that failed half-way."""
        ...


class BoundedCamera:
    """
    A camera whose stream lives in a thread of its own, so that no wait is without end.

    After a CameraError the owner closes the camera and opens it again, which is what brings a
    replugged one back; nothing restarts by itself.

    Args:
        name: Kind and device for people.
        remedy: What to do about a camera that does not answer.
        make_stream: Called once for each opening.
        burst: Frames of which a capture is the sharpest.

    Threads: one thread owns a camera.
    """

    def __init__(
        self, *, name: str, remedy: str, make_stream: Callable[[], Stream], burst: int = 1
    ) -> None:
        self.name = name
        self._burst = burst
        self._remedy = remedy
        self._make_stream = make_stream
        self._stream: Stream | None = None
        self._thread: _VendorThread | None = None
        self._abandoned: _VendorThread | None = None

    def __enter__(self) -> Self:
        """
        Open the device and start its stream.

        Raises:
            CameraError: The device is missing, closed to us, no camera, or does not answer.
        """
        self.__exit__()
        if self._abandoned is not None and self._abandoned.is_alive():
            raise CameraError(
                f"{self.name}: still stuck in the driver; unplug it, or restart the box"
            )
        self._abandoned = None
        self._stream = self._make_stream()
        self._thread = _VendorThread(self.name)
        try:
            self._thread.call(self._stream.open, OPEN_TIMEOUT_S)
        except FutureTimeoutError as error:
            self.__exit__()
            raise CameraError(
                f"{self.name}: did not open within {OPEN_TIMEOUT_S:g} s; {self._remedy}"
            ) from error
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Stop and release the device; may be called twice, and never raises."""
        stream, thread = self._stream, self._thread
        self._stream = self._thread = None
        if stream is not None and thread is not None and not thread.end(stream.close):
            self._abandoned = thread
            _LOG.warning(
                "event=camera.close_late camera=%r waited_s=%g", self.name, CLOSE_TIMEOUT_S
            )

    @property
    def is_stuck(self) -> bool:
        """Whether a call into the driver never returned: only a new process may free the camera."""
        return self._abandoned is not None and self._abandoned.is_alive()

    def capture(self, timeout_s: float) -> Capture:
        """
        Return the sharpest of some frames whose exposure began after this call.

        Exposure and white balance come to rest first, and are locked for all of the frames.

        Raises:
            CameraError: The camera is not open or gone, exposure did not come to rest, or no frame
                came within *timeout_s*.
        """
        frames = self._burst
        return self._ask(lambda stream, *times: _burst_of(stream, frames, *times), timeout_s)

    def glance(self, timeout_s: float) -> Capture:
        """
        Return one frame as it comes, to be looked at and not to be scored.

        Raises:
            CameraError: The camera is not open or gone, or no frame came within *timeout_s*.
        """
        return self._ask(lambda stream, *times: stream.take(*times), timeout_s)

    def _ask(self, work: Callable[[Stream, float, float], Capture], timeout_s: float) -> Capture:
        stream = self._stream
        if stream is None or self._thread is None:
            raise CameraError(f"{self.name}: not open; open the camera before the first capture")
        called_s = time.monotonic()
        try:
            return self._thread.call(
                lambda: work(stream, called_s, called_s + timeout_s), timeout_s + GRACE_S
            )
        except FutureTimeoutError as error:
            raise CameraError(
                f"{self.name}: no frame within {timeout_s:g} s; {self._remedy}"
            ) from error


def _burst_of(stream: Stream, frames: int, called_s: float, deadline_s: float) -> Capture:
    """Take *frames* under one exposure and return the sharpest."""
    try:
        stream.settle(called_s, deadline_s)
        best = stream.take(called_s, deadline_s)
        for number in range(1, frames):
            if best.pixels_HWC is None:
                break  # Encoded: whoever decodes it could choose, we do not.
            try:
                following = stream.take(called_s, deadline_s)
            except CameraError as error:
                # There is a frame to answer for; the next capture finds out what is wrong.
                _LOG.warning("event=camera.burst_short frames=%d error=%s", number, error)
                break
            if following.pixels_HWC is not None and sharpest(
                (best.pixels_HWC, following.pixels_HWC)
            ):
                best = following
    finally:
        stream.unlock()
    return best


class _VendorThread:
    """
    One daemon thread that makes calls in the order in which they were asked for.

    Threads: all but :meth:`_run` belongs to the owner.
    """

    def __init__(self, name: str) -> None:
        self._calls: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def call(self, work: Callable[[], _T], timeout_s: float) -> _T:
        """
        Return what *work* returns, or raise what it raises.

        Raises:
            concurrent.futures.TimeoutError: Not within *timeout_s*.  If the thread has not come
                to *work* by then, it never will; otherwise what comes of it is dropped.
        """
        future: Future[_T] = Future()
        self._calls.put((future, work))
        try:
            return future.result(timeout_s)
        except FutureTimeoutError:
            future.cancel()
            raise

    def end(self, last: Callable[[], None]) -> bool:
        """Make one last call and let the thread end; whether it did within the limit."""
        self._calls.put((Future(), last))
        self._calls.put(None)
        self._thread.join(CLOSE_TIMEOUT_S)
        return not self.is_alive()

    def is_alive(self) -> bool:
        """Whether a call is still under way, or could be made."""
        return self._thread.is_alive()

    def _run(self) -> None:
        while (item := self._calls.get()) is not None:
            future, work = item
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(work())
            except BaseException as error:  # noqa: BLE001 - the owner's thread raises it
                future.set_exception(error)
            del future, work, item  # A picture must not live until the next call.
