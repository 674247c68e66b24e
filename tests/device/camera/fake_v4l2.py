"""A USB camera below OpenCV: stands in for ``cv2.VideoCapture`` and keeps a driver's habits."""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

MJPG = int.from_bytes(b"MJPG", "little")
YUYV = int.from_bytes(b"YUYV", "little")
RED, GREEN = 200, 40


def number_of(pixels_HWC: np.ndarray) -> int:
    """Which frame a picture is: it stands in the blue channel, in steps that survive JPEG."""
    return round(float(pixels_HWC[:, :, 2].mean()) / 4)


@dataclass
class Frame:
    number: int
    stamp_s: float


@dataclass
class UsbCamera:
    """
    What stands behind a device file.

    The driver fills its free buffers with frames and, when none is free, drops what comes; a frame
    that is waiting is handed out at once, the next one is made when it is asked for.
    """

    device: Path
    opens: bool = True
    formats: tuple[int, ...] = (MJPG, YUYV)
    largest_px: tuple[int, int] = (64, 48)
    clock: str = "monotonic"
    broken: set[int] = field(default_factory=set)
    """Numbers of the frames that arrive cut off."""
    missing: set[int] = field(default_factory=set)
    """Numbers of the frames that cannot be retrieved."""
    is_stalled: bool = False
    restless_frames: int = 0
    """Frames until the automatic exposure has come to rest; they leap till then."""
    can_hold: bool = True
    """Off, the driver knows no manual exposure."""
    tells_exposure: bool = True
    """Off, it reads back a value that is not the one in use, as some do."""
    exposure: float = 150.0
    flicker: dict[int, float] = field(default_factory=dict)
    """Light of single frames, 1 being usual."""
    go_on: threading.Event = field(default_factory=threading.Event)
    calls: list[str] = field(default_factory=list)
    threads: set[int] = field(default_factory=set)
    held: deque[Frame] = field(default_factory=deque)
    made: int = 0
    opened: list[FakeVideoCapture] = field(default_factory=list)
    sets: list[tuple[int, float]] = field(default_factory=list)

    def plug_in(self) -> None:
        """Make the device file: /dev/null is a character device wherever the tests run."""
        self.device.symlink_to("/dev/null")

    def unplug(self) -> None:
        self.device.unlink()

    def expose(self) -> Frame:
        """Take the next frame, now."""
        self.made += 1
        stamp_s = {
            "monotonic": time.monotonic(),
            "wall": time.time(),
            "none": 0.0,
        }[self.clock]
        return Frame(self.made, stamp_s)

    def idle(self) -> None:
        """Let time pass: the buffers are full of frames that grow old."""
        while len(self.held) < 2:
            self.held.append(self.expose())

    def video_capture(self, device: str, backend: int) -> FakeVideoCapture:
        """Stand in for the constructor of ``cv2.VideoCapture``."""
        assert device == str(self.device)
        assert backend == cv2.CAP_V4L2
        return FakeVideoCapture(self)


class FakeVideoCapture:
    def __init__(self, camera: UsbCamera) -> None:
        self.camera = camera
        self.values: dict[int, float] = {
            cv2.CAP_PROP_FOURCC: YUYV,
            cv2.CAP_PROP_FRAME_WIDTH: 32,
            cv2.CAP_PROP_FRAME_HEIGHT: 24,
            cv2.CAP_PROP_BUFFERSIZE: 4,
            cv2.CAP_PROP_CONVERT_RGB: 1,
            cv2.CAP_PROP_AUTO_EXPOSURE: 3,
            cv2.CAP_PROP_AUTO_WB: 1,
            cv2.CAP_PROP_EXPOSURE: camera.exposure if camera.tells_exposure else 10.0,
        }
        self.is_open = camera.opens
        camera.opened.append(self)
        self.grabbed: Frame | None = None
        self._note("open")

    def _note(self, call: str) -> None:
        self.camera.calls.append(call)
        self.camera.threads.add(threading.get_ident())

    def isOpened(self) -> bool:  # noqa: N802 - OpenCV's name
        return self.is_open

    def set(self, prop: int, value: float) -> bool:
        names = {
            cv2.CAP_PROP_FOURCC: "fourcc",
            cv2.CAP_PROP_FRAME_WIDTH: "width",
            cv2.CAP_PROP_FRAME_HEIGHT: "height",
            cv2.CAP_PROP_BUFFERSIZE: "buffersize",
            cv2.CAP_PROP_CONVERT_RGB: "convert",
        }
        if prop in names:
            self._note(names[prop])
        elif prop not in self.values or not self.camera.can_hold:
            return False
        if prop == cv2.CAP_PROP_FOURCC and value not in self.camera.formats:
            return False
        if prop == cv2.CAP_PROP_FRAME_WIDTH:
            value = min(value, self.camera.largest_px[0])
        if prop == cv2.CAP_PROP_FRAME_HEIGHT:
            value = min(value, self.camera.largest_px[1])
        self.values[prop] = value
        self.camera.sets.append((prop, value))
        return True

    def get(self, prop: int) -> float:
        if prop == cv2.CAP_PROP_POS_MSEC:
            return 1000 * self.grabbed.stamp_s if self.grabbed else 0.0
        return self.values.get(prop, 0.0)

    def grab(self) -> bool:
        self._note("grab")
        if self.camera.is_stalled:
            self.camera.go_on.wait()
            return False
        if not self.camera.device.exists():
            return False
        self.grabbed = self.camera.held.popleft() if self.camera.held else self.camera.expose()
        return True

    def retrieve(self) -> tuple[bool, np.ndarray | None]:
        self._note("retrieve")
        assert self.grabbed is not None
        number = self.grabbed.number
        if number in self.camera.missing:
            return False, None
        size = (
            int(self.values[cv2.CAP_PROP_FRAME_HEIGHT]),
            int(self.values[cv2.CAP_PROP_FRAME_WIDTH]),
            3,
        )
        light = self.camera.flicker.get(number, 1.0)
        if number < self.camera.restless_frames:
            light *= 0.3 + 0.3 * (number % 2)
        if self.values[cv2.CAP_PROP_AUTO_EXPOSURE] == 1:
            light = self.values[cv2.CAP_PROP_EXPOSURE] / self.camera.exposure
        green_red = [min(255, light * level) for level in (GREEN, RED)]
        bgr_HWC = np.full(size, (4 * number, *green_red), dtype=np.uint8)
        if self.values[cv2.CAP_PROP_CONVERT_RGB]:
            return True, bgr_HWC
        jpeg = cv2.imencode(".jpg", bgr_HWC)[1].reshape(1, -1)
        return True, jpeg[:, : jpeg.size // 2] if number in self.camera.broken else jpeg

    def release(self) -> None:
        self._note("release")
        self.is_open = False
