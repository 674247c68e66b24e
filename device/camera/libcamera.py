"""Cameras on the ribbon cable of a Raspberry Pi, through libcamera and picamera2."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Mapping
from concurrent.futures import CancelledError
from concurrent.futures import TimeoutError as FutureTimeoutError  # its own class before 3.11
from dataclasses import astuple, dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from device.camera.bounded import BoundedCamera
from device.camera.settling import Settling, agree, at_no_rest
from device.core.errors import CameraError
from device.core.values import Capture, Pixels, check_pixels

if TYPE_CHECKING:
    from picamera2 import Picamera2

_REMEDY = (
    "switch the box off and seat the ribbon cable, check `rpicam-hello --list-cameras` and the "
    "settings key camera.index"
)
_INSTALL = (
    "install it with `sudo apt install --no-install-recommends python3-picamera2` and make the "
    "virtual environment with --system-site-packages by the system's own Python"
)
_NUMPY = (
    "the system's packages were built for another numpy; install the lock made for this system, "
    "on Debian 12 locks/device-bookworm.txt"
)

# picamera2 names a format by its bytes as one little-endian number: B, G, R in the name are
# R, G, B in the array.
_FORMAT = "BGR888"
# One may be held by us while the sensor fills the other.
_BUFFERS = 2
# A job that was not cancelled any more is about to finish.
_LATE_JOB_S = 0.1
# What picamera2 and libcamera raise: most of it RuntimeError, an IndexError for a camera that is
# not there, and now and then a type or value that slipped through.
_FAULTS = (RuntimeError, OSError, LookupError, TypeError, ValueError, AttributeError)

_LOG = logging.getLogger(__name__)


def _exposed_ns(metadata: Mapping[str, Any]) -> int:
    """Return when a frame's exposure began, on the monotonic clock; every pipeline stamps it."""
    return int(metadata["SensorTimestamp"]) - 1000 * int(metadata.get("ExposureTime", 0))


class LibcameraCamera(BoundedCamera):
    """
    A camera module, with one still configuration kept running from open to close.

    Between captures exposure and white balance are left to libcamera.  For a capture they come to
    rest, are locked, and every frame's own metadata must show the locked values; what they were
    stands in the capture.

    Args:
        index: Number of the camera as ``rpicam-hello --list-cameras`` counts.
        width_px: Width of a frame, even.
        height_px: Height of a frame, even.
        burst: Frames of which a capture is the sharpest.

    Threads: one thread owns a camera; picamera2 is imported and called in the vendor's thread
    alone, beside the event loop that picamera2 itself starts.
    """

    def __init__(self, index: int, *, width_px: int, height_px: int, burst: int = 1) -> None:
        super().__init__(
            name=f"libcamera {index}",
            remedy=_REMEDY,
            make_stream=lambda: _LibcameraStream(index, width_px, height_px),
            burst=burst,
        )


@dataclass(frozen=True, slots=True)
class _Exposure:
    """What one frame was taken with."""

    exposure_us: float
    analog_gain: float
    red_gain: float
    blue_gain: float

    @classmethod
    def of(cls, metadata: Mapping[str, Any]) -> _Exposure | None:
        """Read it from a frame's metadata; None where the camera does not tell all of it."""
        try:
            red_gain, blue_gain = metadata["ColourGains"]
            return cls(
                float(metadata["ExposureTime"]),
                float(metadata["AnalogueGain"]),
                float(red_gain),
                float(blue_gain),
            )
        except (KeyError, TypeError, ValueError):
            return None

    def controls(self) -> dict[str, Any]:
        """Return the controls that hold the camera to it."""
        return {
            "AeEnable": False,
            "AwbEnable": False,
            "ExposureTime": round(self.exposure_us),
            "AnalogueGain": self.analog_gain,
            "ColourGains": (self.red_gain, self.blue_gain),
        }

    def is_like(self, other: _Exposure) -> bool:
        """Whether the sensor, which knows whole lines and steps alone, did as it was told."""
        return all(map(agree, astuple(self), astuple(other)))


class _LibcameraStream:
    """One opening of the camera."""

    def __init__(self, index: int, width_px: int, height_px: int) -> None:
        self._name = f"libcamera {index}"
        self._index = index
        self._size_px = (width_px, height_px)
        self._camera: Picamera2 | None = None
        self._locked: _Exposure | None = None

    def open(self) -> None:
        try:
            from picamera2 import Picamera2
        except ImportError as error:
            raise CameraError(
                f"{self._name}: picamera2 cannot be imported ({error}); {_INSTALL}"
            ) from error
        except ValueError as error:  # "numpy.dtype size changed"
            raise CameraError(
                f"{self._name}: picamera2 cannot be imported ({error}); {_NUMPY}"
            ) from error
        try:
            camera = self._camera = Picamera2(self._index)
            camera.configure(
                camera.create_still_configuration(
                    main={"size": self._size_px, "format": _FORMAT}, buffer_count=_BUFFERS
                )
            )
            given = camera.camera_configuration()["main"]
            if given["format"] != _FORMAT:
                raise CameraError(
                    f"{self._name}: expected pixel format {_FORMAT}, found {given['format']}; "
                    f"this camera cannot be used; {_REMEDY}"
                )
            camera.start()
        except _FAULTS as error:
            raise CameraError(f"{self._name}: does not open ({error}); {_REMEDY}") from error
        width_px, height_px = given["size"]
        _LOG.info(
            "event=camera.opened camera=%r format=%s width_px=%d height_px=%d",
            self._name,
            given["format"],
            width_px,
            height_px,
        )

    def settle(self, called_s: float, deadline_s: float) -> None:
        settling = Settling()
        while True:
            _, metadata = self._frame(called_s, deadline_s, wants=lambda _: False)
            exposure = _Exposure.of(metadata)
            if exposure is None:
                # A camera of fixed exposure, or a driver that keeps it to itself: nothing to lock.
                return
            if settling.add(*astuple(exposure)):
                break
            if time.monotonic() >= deadline_s:
                raise at_no_rest(self._name, deadline_s - called_s)
        self._control(exposure.controls())
        self._locked = exposure

    def take(self, called_s: float, deadline_s: float) -> Capture:
        pixels_HWC: Pixels | None = None
        metadata: Mapping[str, Any] = {}
        while pixels_HWC is None:
            # Controls take some frames to reach the sensor.
            pixels_HWC, metadata = self._frame(called_s, deadline_s, wants=self._is_as_locked)
            if pixels_HWC is None and time.monotonic() >= deadline_s:
                raise CameraError(
                    f"{self._name}: expected a frame taken with {self._locked}, found "
                    f"{_Exposure.of(metadata)}; {_REMEDY}"
                )
        exposure = _Exposure.of(metadata)
        return Capture(
            source="libcamera",
            captured_at=datetime.now(timezone.utc),
            pixels_HWC=pixels_HWC,
            exposure_us=metadata.get("ExposureTime"),
            analog_gain=metadata.get("AnalogueGain"),
            color_gains=None if exposure is None else (exposure.red_gain, exposure.blue_gain),
        )

    def unlock(self) -> None:
        if self._locked is not None:
            self._locked = None
            self._control({"AeEnable": True, "AwbEnable": True})

    def _is_as_locked(self, metadata: Mapping[str, Any]) -> bool:
        if self._locked is None:
            return True
        exposure = _Exposure.of(metadata)
        return exposure is not None and exposure.is_like(self._locked)

    def _control(self, controls: dict[str, Any]) -> None:
        camera = self._camera
        if camera is None:
            return
        try:
            camera.set_controls(controls)
        except _FAULTS as error:
            raise CameraError(
                f"{self._name}: refused the controls {', '.join(controls)} ({error}); {_REMEDY}"
            ) from error

    def _frame(
        self, called_s: float, deadline_s: float, *, wants: Callable[[Mapping[str, Any]], bool]
    ) -> tuple[Pixels | None, Mapping[str, Any]]:
        """Wait for the next frame that was exposed from now on; its pixels only if it *wants*."""
        camera = self._camera
        if camera is None:
            raise CameraError(f"{self._name}: not open; {_REMEDY}")
        asked_ns = time.monotonic_ns()
        try:
            while True:
                request = self._next_request(camera, called_s, deadline_s)
                try:
                    metadata = request.get_metadata()
                    # Two may be finished and old.
                    if _exposed_ns(metadata) < asked_ns:
                        continue
                    if not wants(metadata):
                        return None, metadata
                    return check_pixels(request.make_array("main")), metadata
                finally:
                    request.release()
        except (*_FAULTS, CancelledError) as error:
            raise CameraError(f"{self._name}: capture failed ({error}); {_REMEDY}") from error

    def _next_request(self, camera: Picamera2, called_s: float, deadline_s: float) -> Any:
        # Not with its `flush`, which asks for the exposure time of cameras that tell none.
        job = camera.capture_request(wait=False)
        try:
            return job.get_result(timeout=max(0.0, deadline_s - time.monotonic()))
        except FutureTimeoutError as error:
            self._give_up(camera, job)
            raise CameraError(
                f"{self._name}: no frame within {deadline_s - called_s:g} s; {_REMEDY}"
            ) from error

    def close(self) -> None:
        camera, self._camera = self._camera, None
        self._locked = None
        if camera is None:
            return
        # A job that waits for a frame would let stop() wait behind it for ever.
        for step in (camera.cancel_all_and_flush, camera.stop, camera.close):
            try:
                step()
            except _FAULTS as error:  # noqa: PERF203 - three steps, and each must be tried
                _LOG.warning("event=camera.close_failed camera=%r error=%r", self._name, error)

    @staticmethod
    def _give_up(camera: Picamera2, job: Any) -> None:
        """Take back a job that waits, so that nothing has to wait behind it."""
        camera.cancel_all_and_flush()
        # If a frame came at this very moment, nobody else will give its buffer back.
        with contextlib.suppress(FutureTimeoutError, CancelledError, *_FAULTS):
            job.get_result(timeout=_LATE_JOB_S).release()
