"""Cameras behind a GStreamer pipeline, such as those on the ribbon cable of a Jetson."""

from __future__ import annotations

import logging
import time
from datetime import datetime, timezone

import cv2
import numpy as np

from device.camera.bounded import BoundedCamera
from device.camera.settling import agree, brightness, rest
from device.core.errors import CameraError
from device.core.values import Capture, Pixels

_REMEDY = (
    "try the pipeline with `gst-launch-1.0`, its appsink replaced by fakesink, and check the "
    "settings keys camera.pipeline and camera.index"
)
_NO_GSTREAMER = (
    "expected an OpenCV with GStreamer, found {version} without; the packages of PyPI have none: "
    "take the system's (`sudo apt install python3-opencv`, on a Jetson NVIDIA's), in a virtual "
    "environment made with --system-site-packages that holds no opencv-python-headless, or set "
    "camera.kind to v4l2"
)
# The sink holds one frame that may be old, and another may be on its way.
_STALE_FRAMES = 2
_SAME_BRIGHTNESS = 0.08

_LOG = logging.getLogger(__name__)


def jetson_pipeline(index: int, *, width_px: int, height_px: int) -> str:
    """
    Return the pipeline for a camera on a Jetson's ribbon cable.

    Args:
        index: Number of the sensor.
        width_px: Width of a frame; the sensor's mode is chosen by it.
        height_px: Height of a frame.

    Source: NVIDIA, "Accelerated GStreamer" of the Jetson Linux developer guide (nvarguscamerasrc,
    nvvidconv).
    """
    return (
        f"nvarguscamerasrc sensor-id={index} ! "
        f"video/x-raw(memory:NVMM),width={width_px},height={height_px},framerate=30/1 ! "
        "nvvidconv ! video/x-raw,format=BGRx ! videoconvert ! video/x-raw,format=BGR ! "
        "appsink drop=true max-buffers=1 sync=false"
    )


class GStreamerCamera(BoundedCamera):
    """
    A pipeline that ends in an appsink of BGR frames, running from open to close.

    OpenCV cannot reach the controls of a running pipeline, so exposure and white balance are not
    locked: their coming to rest is waited for, and a frame that is not as bright as those before it
    is passed over.  A pipeline that fixes them (``exposuretimerange``, ``gainrange``, ``wbmode``
    of nvarguscamerasrc) is at rest from the first frame on.

    Args:
        pipeline: As ``gst-launch-1.0`` takes it.
        burst: Frames of which a capture is the sharpest.

    Threads: one thread owns a camera; OpenCV is called in the vendor's thread alone.
    """

    def __init__(self, pipeline: str, *, burst: int = 1) -> None:
        name = f"gstreamer {pipeline.partition('!')[0].strip()}"
        super().__init__(
            name=name,
            remedy=_REMEDY,
            make_stream=lambda: _GStreamerStream(name, pipeline),
            burst=burst,
        )


class _GStreamerStream:
    """One run of the pipeline."""

    def __init__(self, name: str, pipeline: str) -> None:
        self._name = name
        self._pipeline = pipeline
        self._video: cv2.VideoCapture | None = None
        self._fresh_for_s: float | None = None
        self._settled: float | None = None

    def open(self) -> None:
        if not cv2.videoio_registry.hasBackend(cv2.CAP_GSTREAMER):
            raise CameraError(f"{self._name}: {_NO_GSTREAMER.format(version=cv2.__version__)}")
        video = self._video = cv2.VideoCapture(self._pipeline, cv2.CAP_GSTREAMER)
        if not video.isOpened():
            raise CameraError(f"{self._name}: the pipeline does not start; {_REMEDY}")
        _LOG.info(
            "event=camera.opened camera=%r width_px=%d height_px=%d",
            self._name,
            video.get(cv2.CAP_PROP_FRAME_WIDTH),
            video.get(cv2.CAP_PROP_FRAME_HEIGHT),
        )

    def settle(self, called_s: float, deadline_s: float) -> None:
        self._settled = rest(
            self._name, lambda: self._frame(called_s, deadline_s), called_s, deadline_s
        )

    def take(self, called_s: float, deadline_s: float) -> Capture:
        while True:
            pixels_HWC = self._frame(called_s, deadline_s)
            level = brightness(pixels_HWC)
            if self._settled is None or agree(level, self._settled, tolerance=_SAME_BRIGHTNESS):
                return Capture(
                    source="gstreamer",
                    captured_at=datetime.now(timezone.utc),
                    pixels_HWC=pixels_HWC,
                )

    def unlock(self) -> None:
        self._settled = None

    def close(self) -> None:
        video, self._video = self._video, None
        if video is not None:
            video.release()

    def _frame(self, called_s: float, deadline_s: float) -> Pixels:
        video = self._video
        if video is None:
            raise CameraError(f"{self._name}: not open; {_REMEDY}")
        stale = 0 if self._fresh_for_s == called_s else _STALE_FRAMES
        for _ in range(stale + 1):
            if time.monotonic() >= deadline_s:
                raise CameraError(
                    f"{self._name}: no steady frame within {deadline_s - called_s:g} s; hold "
                    f"still, with the lamp on; {_REMEDY}"
                )
            if not video.grab():
                raise CameraError(f"{self._name}: the pipeline stopped; {_REMEDY}")
        self._fresh_for_s = called_s
        is_there, bgr_HWC = video.retrieve()
        if not is_there:
            raise CameraError(f"{self._name}: a frame could not be read; {_REMEDY}")
        return np.asarray(cv2.cvtColor(bgr_HWC, cv2.COLOR_BGR2RGB), dtype=np.uint8)
