"""USB cameras and dermatoscopes, through Video4Linux and OpenCV."""

from __future__ import annotations

import logging
import os
import stat
import time
from datetime import datetime, timezone
from pathlib import Path

import cv2
import numpy as np

from device.camera.bounded import BoundedCamera
from device.camera.settling import agree, brightness, rest
from device.core.errors import CameraError
from device.core.values import Capture, Pixels

_REMEDY = "plug it in, check `v4l2-ctl --list-devices` and the settings key camera.device"
_BUSY = "close the program that uses it (`fuser -v` names it)"
_PERMISSION = "add the service's user to the group video (`sudo usermod -aG video USER`)"

_MJPG = int.from_bytes(b"MJPG", "little")
_END_OF_IMAGE = b"\xff\xd9"
# The fewest with which a driver can fill one while we read the other.
_BUFFERS = 2
# The stamp of a frame may be the arrival of its first packet, after its exposure; the frame
# behind it is the first whose exposure surely began later.
_STAMPED_AFTER_CALL = 2

# What V4L2 calls "manual mode" and "aperture priority mode"; in the latter a fixed lens has its
# automatic exposure.
_EXPOSURE_MANUAL, _EXPOSURE_AUTO = 1, 3
_HELD = (cv2.CAP_PROP_EXPOSURE, cv2.CAP_PROP_GAIN, cv2.CAP_PROP_WB_TEMPERATURE)
# A hand moves the lens a little within a burst; a step of the automatic exposure is larger.
_SAME_BRIGHTNESS = 0.08

_LOG = logging.getLogger(__name__)


class V4L2Camera(BoundedCamera):
    """
    A USB camera, streaming from open to close.

    The driver is asked for motion JPEG, which alone brings large pictures through USB 2 at a
    useful rate, and for a size; what it gives in their place is taken and logged.

    Args:
        device: Device file, such as ``/dev/video0`` or ``/dev/v4l/by-id/...``.
        width_px: Wanted width of a frame.
        height_px: Wanted height of a frame.
        burst: Frames of which a capture is the sharpest.

    Such a camera does not say what a frame was taken with.  So the frames' brightness comes to
    rest first; then its controls are locked, read back, and every frame must be as bright as
    those before.  A camera that cannot hold its exposure, or loses it when it is told to, is left
    automatic, and its frames are still held against each other.

    Threads: one thread owns a camera; OpenCV is called in the vendor's thread alone, where a read
    blocks for up to ``OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT`` seconds when the driver stalls.
    """

    def __init__(self, device: str, *, width_px: int, height_px: int, burst: int = 1) -> None:
        super().__init__(
            name=f"v4l2 {device}",
            remedy=_REMEDY,
            make_stream=lambda: _V4L2Stream(device, width_px, height_px),
            burst=burst,
        )


class _V4L2Stream:
    """One opening of the device file."""

    def __init__(self, device: str, width_px: int, height_px: int) -> None:
        self._name = f"v4l2 {device}"
        self._device = device
        self._width_px = width_px
        self._height_px = height_px
        self._video: cv2.VideoCapture | None = None
        self._buffers = _BUFFERS
        self._is_jpeg = False
        self._fresh_for_s: float | None = None
        self._settled: float | None = None
        self._held: dict[int, float] = {}
        self._can_hold = True
        self._is_held = False

    def open(self) -> None:
        self._check_device_file()
        video = self._video = cv2.VideoCapture(self._device, cv2.CAP_V4L2)
        if not video.isOpened():
            raise CameraError(
                f"{self._name}: does not open as a camera; {_BUSY}, or name another device file: "
                f"many cameras have a second one that carries no pictures; {_REMEDY}"
            )
        # Each of these restarts the stream; a size is chosen among those of the pixel format.
        video.set(cv2.CAP_PROP_FOURCC, _MJPG)
        video.set(cv2.CAP_PROP_FRAME_WIDTH, self._width_px)
        video.set(cv2.CAP_PROP_FRAME_HEIGHT, self._height_px)
        video.set(cv2.CAP_PROP_BUFFERSIZE, _BUFFERS)
        given = int(video.get(cv2.CAP_PROP_FOURCC))
        self._buffers = int(video.get(cv2.CAP_PROP_BUFFERSIZE)) or _BUFFERS
        # OpenCV's own conversion does not ask whether a JPEG was whole: below a break in it stand
        # the rows of the frame before, perhaps another patient's (seen with 4.11 and 4.14).  So
        # we take the bytes and look for ourselves.
        self._is_jpeg = given == _MJPG and video.set(cv2.CAP_PROP_CONVERT_RGB, 0)
        _LOG.info(
            "event=camera.opened camera=%r fourcc=%s width_px=%d height_px=%d wanted_width_px=%d "
            "wanted_height_px=%d buffers=%d",
            self._name,
            given.to_bytes(4, "little").decode("ascii", "replace"),
            video.get(cv2.CAP_PROP_FRAME_WIDTH),
            video.get(cv2.CAP_PROP_FRAME_HEIGHT),
            self._width_px,
            self._height_px,
            self._buffers,
        )
        # A camera remembers its controls when nobody has it open: another program, or a process
        # that was killed in the middle of a burst, may have left them held.
        video.set(cv2.CAP_PROP_AUTO_EXPOSURE, _EXPOSURE_AUTO)
        video.set(cv2.CAP_PROP_AUTO_WB, 1)
        # The first grab starts the stream; automatic exposure settles from here on.
        if not video.grab():
            raise self._no_frame()

    def settle(self, called_s: float, deadline_s: float) -> None:
        self._rest(called_s, deadline_s)
        if not self._hold():
            return
        complaint = self._complaint(self._frame(called_s, deadline_s))
        if complaint is not None:
            # It went by values of its own: what it read back was not what it had used.
            _LOG.warning(
                "event=camera.cannot_hold_exposure camera=%r detail=%r", self._name, complaint
            )
            self._can_hold = False
            self.unlock()
            self._rest(called_s, deadline_s)

    def take(self, called_s: float, deadline_s: float) -> Capture:
        while True:
            pixels_HWC = self._frame(called_s, deadline_s)
            complaint = self._complaint(pixels_HWC)
            if complaint is None:
                return Capture(
                    source="v4l2", captured_at=datetime.now(timezone.utc), pixels_HWC=pixels_HWC
                )
            if time.monotonic() >= deadline_s:
                raise CameraError(f"{self._name}: {complaint}; hold still, with the lamp on")

    def unlock(self) -> None:
        self._settled = None
        video = self._video
        self._held = {}
        if video is not None and self._is_held:
            self._is_held = False
            video.set(cv2.CAP_PROP_AUTO_EXPOSURE, _EXPOSURE_AUTO)
            video.set(cv2.CAP_PROP_AUTO_WB, 1)

    def _rest(self, called_s: float, deadline_s: float) -> None:
        self._settled = rest(
            self._name, lambda: self._frame(called_s, deadline_s), called_s, deadline_s
        )

    def _hold(self) -> bool:
        """Tell the camera to stay with what it uses now; whether it says that it will."""
        video = self._video
        if video is None or not self._can_hold:
            return False
        now = {prop: video.get(prop) for prop in _HELD}
        video.set(cv2.CAP_PROP_AUTO_EXPOSURE, _EXPOSURE_MANUAL)
        if video.get(cv2.CAP_PROP_AUTO_EXPOSURE) != _EXPOSURE_MANUAL:
            self._can_hold = False
            return False
        self._is_held = True
        video.set(cv2.CAP_PROP_AUTO_WB, 0)
        self._held = {prop: value for prop, value in now.items() if video.set(prop, value)}
        return True

    def _complaint(self, pixels_HWC: Pixels) -> str | None:
        """Say why this frame was not taken like those before it, or None if it was."""
        video = self._video
        if self._settled is None or video is None:
            return None
        level = brightness(pixels_HWC)
        if not agree(level, self._settled, tolerance=_SAME_BRIGHTNESS):
            return f"expected a frame of brightness {self._settled:.0f}, found {level:.0f}"
        for prop, value in self._held.items():
            if video.get(prop) != value:
                return f"expected control {prop} at {value:g}, found {video.get(prop):g}"
        return None

    def _frame(self, called_s: float, deadline_s: float) -> Pixels:
        """Wait for the next whole frame that was exposed after *called_s*."""
        video = self._video
        if video is None:
            raise self._no_frame()
        broken = grabbed = stamped_after_call = 0
        while True:
            if time.monotonic() >= deadline_s:
                raise CameraError(
                    f"{self._name}: no whole frame in time, {broken} broken ones; use a shorter "
                    f"cable or another port, or raise camera.timeout_s; {_REMEDY}"
                )
            if not video.grab():
                raise self._no_frame()
            grabbed += 1
            # The kernel's monotonic clock, which is also ours; a driver that stamps with
            # another clock is out of this range, and the count below decides alone.
            stamp_s = video.get(cv2.CAP_PROP_POS_MSEC) / 1000
            stamped_after_call += called_s <= stamp_s <= time.monotonic()
            # At the call the driver held at most all its buffers, and was receiving one frame.
            if (
                self._fresh_for_s != called_s
                and stamped_after_call < _STAMPED_AFTER_CALL
                and grabbed <= self._buffers + 1
            ):
                continue
            # What follows within the same capture is newer still.
            self._fresh_for_s = called_s
            pixels_HWC = self._pixels(video)
            if pixels_HWC is not None:
                return pixels_HWC
            broken += 1

    def close(self) -> None:
        video, self._video = self._video, None
        if video is not None:
            video.release()

    def _check_device_file(self) -> None:
        """OpenCV says only that it failed; the system says why."""
        try:
            handle = os.open(self._device, os.O_RDWR | os.O_NONBLOCK)
        except PermissionError as error:
            raise CameraError(f"{self._name}: {error.strerror}; {_PERMISSION}") from error
        except OSError as error:
            raise CameraError(f"{self._name}: {error.strerror}; {_REMEDY}") from error
        try:
            is_device = stat.S_ISCHR(os.fstat(handle).st_mode)
        finally:
            os.close(handle)
        if not is_device:
            raise CameraError(f"{self._name}: expected a camera, found a file; {_REMEDY}")

    def _no_frame(self) -> CameraError:
        if Path(self._device).exists():
            return CameraError(f"{self._name}: stopped delivering frames; {_REMEDY}")
        return CameraError(f"{self._name}: was unplugged; {_REMEDY}")

    def _pixels(self, video: cv2.VideoCapture) -> Pixels | None:
        """Return the frame grabbed last as RGB, or None if it arrived broken."""
        try:
            is_there, frame = video.retrieve()
            if not is_there:
                return None
            bgr_HWC = _decoded(frame) if self._is_jpeg else frame
            if bgr_HWC is None:
                return None
            return np.asarray(cv2.cvtColor(bgr_HWC, cv2.COLOR_BGR2RGB), dtype=np.uint8)
        except cv2.error:
            return None


def _decoded(jpeg: np.ndarray) -> np.ndarray | None:
    """Return the picture in B, G, R, or None if the end is missing."""
    # OpenCV 4.8 fills what is missing with gray; newer ones refuse by themselves.
    if _END_OF_IMAGE not in jpeg.tobytes():
        return None
    return cv2.imdecode(jpeg.reshape(-1), cv2.IMREAD_COLOR)
