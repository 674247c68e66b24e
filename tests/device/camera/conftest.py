"""The three cameras on simulators of what stands behind them, with one set of handles."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from device.camera import bounded, v4l2
from device.camera.libcamera import LibcameraCamera
from device.camera.replay import ReplayCamera
from device.camera.v4l2 import V4L2Camera
from device.core.ports import Camera
from tests.device.camera.fake_picamera2 import Sensor
from tests.device.camera.fake_v4l2 import UsbCamera


@dataclass
class Rig:
    """A camera, and hands on the cable behind it."""

    camera: Camera
    kind: str
    device: str
    """What an error must name."""
    setting: str
    """The settings key that a remedy must name."""
    unplug: Callable[[], None]
    plug_in: Callable[[], None]
    stall: Callable[[], None] | None = None
    """None where nothing can stall."""


@pytest.fixture(autouse=True)
def _no_thread_stays() -> Iterator[None]:
    """A camera that was closed leaves nothing running."""
    before = set(threading.enumerate())
    yield
    for thread in set(threading.enumerate()) - before:
        thread.join(10)
        assert not thread.is_alive(), thread.name


@pytest.fixture(autouse=True)
def _grace(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream ends a capture itself, however busy the machine is."""
    monkeypatch.setattr(bounded, "GRACE_S", 10.0)


@pytest.fixture
def short_waits(monkeypatch: pytest.MonkeyPatch, _grace: None) -> None:
    """Let a test reach the end of a capture and of a close that hang; opening takes its time."""
    monkeypatch.setattr(bounded, "CLOSE_TIMEOUT_S", 0.03)
    monkeypatch.setattr(bounded, "GRACE_S", 0.01)


@pytest.fixture
def short_opening(monkeypatch: pytest.MonkeyPatch, short_waits: None) -> None:
    """Let a test reach the end of an opening that hangs."""
    monkeypatch.setattr(bounded, "OPEN_TIMEOUT_S", 0.03)


@pytest.fixture
def usb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[UsbCamera]:
    """A plugged-in USB camera."""
    camera = UsbCamera(tmp_path / "video0")
    camera.plug_in()
    monkeypatch.setattr(v4l2.cv2, "VideoCapture", camera.video_capture)
    yield camera
    camera.go_on.set()


@pytest.fixture
def sensor(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sensor]:
    """A connected camera module, and picamera2 installed."""
    sensor = Sensor()
    monkeypatch.setitem(sys.modules, "picamera2", sensor.module())
    yield sensor
    sensor.go_on.set()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two pictures and what else lies about; the bytes need not be a picture here."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    (folder / "b.PNG").write_bytes(b"second")
    (folder / "a.jpg").write_bytes(b"first")
    (folder / "README.md").write_bytes(b"no picture")
    (folder / "c.jpg").mkdir()
    return folder


@pytest.fixture(params=["replay", "v4l2", "libcamera"])
def rig(request: pytest.FixtureRequest) -> Rig:
    if request.param == "replay":
        folder: Path = request.getfixturevalue("folder")
        away = folder.with_name("away")
        return Rig(
            camera=ReplayCamera(folder),
            kind="replay",
            device=str(folder),
            setting="camera.path",
            unplug=lambda: folder.rename(away),
            plug_in=lambda: away.rename(folder),
        )
    if request.param == "v4l2":
        usb: UsbCamera = request.getfixturevalue("usb")
        return Rig(
            camera=V4L2Camera(str(usb.device), width_px=64, height_px=48),
            kind="v4l2",
            device=str(usb.device),
            setting="camera.device",
            unplug=usb.unplug,
            plug_in=usb.plug_in,
            stall=lambda: setattr(usb, "is_stalled", True),
        )
    sensor: Sensor = request.getfixturevalue("sensor")

    def connect(is_connected: bool) -> None:
        sensor.present = sensor.delivers = is_connected

    return Rig(
        camera=LibcameraCamera(0, width_px=64, height_px=48),
        kind="libcamera",
        device="libcamera 0",
        setting="camera.index",
        unplug=lambda: connect(False),
        plug_in=lambda: connect(True),
        stall=lambda: setattr(sensor, "delivers", False),
    )
