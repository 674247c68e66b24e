"""A camera module below picamera2: stands in for the package and keeps its habits."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import CancelledError
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import numpy as np

RED, GREEN = 200, 40
PATIENCE_S = 5.0
"""A fake that waits for ever would hang the tests; after this it is a failure all the same."""


@dataclass
class Sensor:
    """What hangs on the ribbon cable."""

    present: bool = True
    delivers: bool = True
    """Off, the cable is loose: picamera2 then simply waits."""
    finishes_late: bool = False
    """The next frame comes at the moment in which its job is given up."""
    given_format: str | None = None
    """What libcamera makes of the format asked for; None to take it."""
    metadata: dict[str, Any] = field(
        default_factory=lambda: {
            "ExposureTime": 9000,
            "AnalogueGain": 2.5,
            "ColourGains": (1.9, 1.6),
        }
    )
    """What the automatic would have, once it has come to rest."""
    restless_frames: int = 0
    """Frames until the automatic has come to rest; they come nearer by leaps."""
    control_delay: int = 2
    """Frames until controls reach the sensor."""
    on_controls: Callable[[dict[str, Any]], None] = lambda _controls: None
    """Called when controls are set: the world need not stand still then."""
    obeys: bool = True
    """Off, controls are taken and nothing comes of them."""
    exposure_step_us: int = 50
    """The sensor knows whole lines alone."""
    array_fault: Exception | None = None
    stop_fault: Exception | None = None
    start_blocks: bool = False
    go_on: threading.Event = field(default_factory=threading.Event)
    opened: list[FakePicamera2] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    threads: set[int] = field(default_factory=set)
    out: int = 0
    """Requests that were handed out and not released."""
    made: int = 0

    def module(self) -> ModuleType:
        """Return what ``import picamera2`` finds."""
        module = ModuleType("picamera2")
        module.Picamera2 = lambda camera_num=0: FakePicamera2(self, camera_num)  # type: ignore[attr-defined]  # made here
        return module

    def idle(self) -> None:
        """Let time pass: picamera2 keeps the last finished frame."""
        camera = self.opened[-1]
        camera.completed.clear()
        camera.completed.append(FakeRequest(camera))


class FakeRequest:
    def __init__(self, camera: FakePicamera2) -> None:
        self.camera = camera
        self.sensor = camera.sensor
        self.sensor.made += 1
        self.number = self.sensor.made
        self.exposed_ns = time.monotonic_ns()
        self.released = False
        self.metadata = self.camera.expose()

    def get_metadata(self) -> dict[str, Any]:
        read_out_ns = self.exposed_ns + 1000 * self.metadata.get("ExposureTime", 0)
        return {**self.metadata, "SensorTimestamp": read_out_ns}

    def make_array(self, name: str) -> np.ndarray:
        assert name == "main"
        if self.sensor.array_fault is not None:
            raise self.sensor.array_fault
        width, height = self.camera.config["main"]["size"]
        # The names are reversed: "BGR888" lies in memory as R, G, B.
        bgr = (4 * self.number, GREEN, RED)
        color = bgr if self.camera.config["main"]["format"] == "RGB888" else bgr[::-1]
        return np.full((height, width, 3), color, dtype=np.uint8)

    def release(self) -> None:
        assert not self.released
        self.released = True
        self.sensor.out -= 1


class FakeJob:
    def __init__(self, camera: FakePicamera2) -> None:
        self.camera = camera
        self.is_cancelled = False
        self.late: FakeRequest | None = None

    def get_result(self, timeout: float | None = None) -> FakeRequest:
        sensor = self.camera.sensor
        if self.is_cancelled:
            raise CancelledError
        if self.late is not None:
            return self.late
        if sensor.finishes_late:
            # Done, and so in no queue any more, but nobody was told yet.
            self.camera.jobs.remove(self)
            self.late = FakeRequest(self.camera)
            sensor.out += 1
            raise FutureTimeoutError
        if not sensor.delivers:
            assert timeout is not None, "would wait for ever"
            time.sleep(min(timeout, 0.05))
            raise FutureTimeoutError
        completed = self.camera.completed
        request = completed.popleft() if completed else FakeRequest(self.camera)
        self.camera.jobs.remove(self)
        sensor.out += 1
        return request


class FakePicamera2:
    def __init__(self, sensor: Sensor, camera_num: int) -> None:
        self.sensor = sensor
        self._note("open")
        # As in picamera2: the number is looked up in a list of what is there.
        [sensor][: int(sensor.present)][camera_num]
        self.config: dict[str, Any] = {}
        self.jobs: list[FakeJob] = []
        self.completed: deque[FakeRequest] = deque()
        self.is_started = False
        self.controls: dict[str, Any] = {"AeEnable": True, "AwbEnable": True}
        self.asked: list[dict[str, Any]] = []
        self.waiting: list[tuple[int, dict[str, Any]]] = []
        sensor.opened.append(self)

    def set_controls(self, controls: dict[str, Any]) -> None:
        self._note("set_controls")
        unknown = controls.keys() - {
            *("AeEnable", "AwbEnable", "ExposureTime", "AnalogueGain", "ColourGains"),
        }
        if unknown:
            raise RuntimeError(f"Control {unknown.pop()} is not advertised by libcamera")
        self.asked.append(dict(controls))
        self.sensor.on_controls(controls)
        self.waiting.append((self.sensor.made + self.sensor.control_delay, dict(controls)))

    def expose(self) -> dict[str, Any]:
        """Metadata of the frame that is taken now."""
        sensor = self.sensor
        while self.waiting and self.waiting[0][0] < sensor.made:
            _, controls = self.waiting.pop(0)
            if sensor.obeys:
                self.controls |= controls
        metadata = dict(sensor.metadata)
        left = sensor.restless_frames - sensor.made
        if left > 0 and "ExposureTime" in metadata:
            away = 0.1 * min(left, 10) + 0.2 * (sensor.made % 2)
            metadata["ExposureTime"] = round(metadata["ExposureTime"] * (1 + away))
        if not self.controls["AeEnable"]:
            step = sensor.exposure_step_us
            metadata["ExposureTime"] = self.controls["ExposureTime"] // step * step
            metadata["AnalogueGain"] = self.controls["AnalogueGain"]
        if not self.controls["AwbEnable"]:
            metadata["ColourGains"] = self.controls["ColourGains"]
        return metadata

    def _note(self, call: str) -> None:
        self.sensor.calls.append(call)
        self.sensor.threads.add(threading.get_ident())

    def create_still_configuration(
        self, main: dict[str, Any], buffer_count: int = 1
    ) -> dict[str, Any]:
        return {"use_case": "still", "main": dict(main), "buffer_count": buffer_count}

    def configure(self, config: dict[str, Any]) -> None:
        self._note("configure")
        self.config = config
        if self.sensor.given_format is not None:
            config["main"]["format"] = self.sensor.given_format

    def camera_configuration(self) -> dict[str, Any]:
        return self.config

    def start(self) -> None:
        self._note("start")
        if self.sensor.start_blocks:
            self.sensor.go_on.wait(PATIENCE_S)
        self.is_started = True

    def capture_request(self, *, wait: bool) -> FakeJob:
        assert wait is False
        assert self.is_started
        self._note("capture_request")
        job = FakeJob(self)
        self.jobs.append(job)
        return job

    def cancel_all_and_flush(self) -> None:
        self._note("cancel_all_and_flush")
        for job in self.jobs:
            job.is_cancelled = True
        self.jobs.clear()

    def stop(self) -> None:
        self._note("stop")
        # A job at the head of the queue lets everything behind it wait.
        assert not self.jobs, "stop() waits behind a job for ever"
        self.is_started = False
        if self.sensor.stop_fault is not None:
            raise self.sensor.stop_fault

    def close(self) -> None:
        self._note("close")
