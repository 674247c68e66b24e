"""The two threads of a bounded camera: what one gives up, the other still cleans away."""

import threading
import time
from datetime import UTC, datetime

import cv2
import numpy as np
import pytest

from device.camera.bounded import BoundedCamera
from device.core.errors import CameraError
from device.core.values import Capture

pytestmark = pytest.mark.portable


class ScriptedStream:
    """Does in each call what the test gave it to do."""

    def __init__(
        self,
        *,
        opening=lambda: None,
        settling=lambda: None,
        taking=lambda: None,
        closing=lambda: None,
        frames=None,
    ):
        self.opening, self.settling = opening, settling
        self.taking, self.closing = taking, closing
        self.frames = frames
        self.takes = 0
        self.is_locked = False
        self.taken_locked = []

    def open(self):
        self.opening()

    def take(self, called_s, deadline_s):
        self.takes += 1
        self.taking()
        self.taken_locked.append(self.is_locked)
        if self.frames is None:
            return Capture(source="test", captured_at=datetime.now(UTC), encoded=b"x")
        frame = self.frames[self.takes - 1]
        if isinstance(frame, Exception):
            raise frame
        return Capture(source="test", captured_at=datetime.now(UTC), pixels_HWC=frame)

    def settle(self, called_s, deadline_s):
        self.settling()
        self.is_locked = True

    def unlock(self):
        self.is_locked = False

    def close(self):
        self.closing()


def a_camera(stream, burst=1):
    return BoundedCamera(
        name="test 0", remedy="look at it", make_stream=lambda: stream, burst=burst
    )


def raising(error):
    def raise_it():
        raise error

    return raise_it


def test_an_error_of_the_stream_reaches_the_owner():
    with (
        a_camera(ScriptedStream(taking=raising(CameraError("test 0: torn")))) as camera,
        pytest.raises(CameraError, match="torn"),
    ):
        camera.capture(10.0)


def test_a_mistake_is_not_dressed_up_as_a_camera_fault():
    """A ZeroDivisionError is ours to mend, nobody's cable."""
    closed = threading.Event()
    camera = a_camera(ScriptedStream(opening=raising(ZeroDivisionError()), closing=closed.set))
    with pytest.raises(ZeroDivisionError):
        camera.__enter__()
    assert closed.is_set()


def stall(camera, began):
    """Give up on captures until one has called the driver: a busy machine may come to it late."""
    while not began.is_set():
        with pytest.raises(CameraError, match="no frame within"):
            camera.capture(0.01)


def test_closing_never_raises():
    with a_camera(ScriptedStream(closing=raising(RuntimeError("gone")))) as camera:
        camera.capture(10.0)


@pytest.mark.usefixtures("short_waits")
def test_a_capture_behind_a_stuck_one_is_never_begun():
    """It was given up while it waited; only the first is still under way."""
    began, go_on = threading.Event(), threading.Event()
    stream = ScriptedStream(taking=lambda: began.set() or go_on.wait())
    with a_camera(stream) as camera:
        stall(camera, began)
        for _ in range(2):
            with pytest.raises(CameraError, match=r"test 0: no frame within 0\.01 s; look at it"):
                camera.capture(0.01)
        go_on.set()
        camera.capture(10.0)
        assert stream.takes == 2


@pytest.mark.usefixtures("short_waits")
def test_a_stuck_thread_closes_what_it_opened_when_it_returns():
    began, go_on, closed = threading.Event(), threading.Event(), threading.Event()
    stream = ScriptedStream(taking=lambda: began.set() or go_on.wait(), closing=closed.set)
    with a_camera(stream) as camera:
        stall(camera, began)
    assert not closed.is_set()
    go_on.set()
    assert closed.wait(10)


@pytest.mark.usefixtures("short_opening")
def test_a_camera_whose_thread_is_stuck_does_not_get_another():
    """Each opening would leave one more behind."""
    began, go_on = threading.Event(), threading.Event()
    camera = a_camera(ScriptedStream(opening=lambda: began.set() or go_on.wait()))
    while not began.is_set():
        with pytest.raises(CameraError, match=r"did not open|still stuck"):
            camera.__enter__()
    threads = set(threading.enumerate())
    for _ in range(3):
        with pytest.raises(CameraError, match="still stuck in the driver; unplug it"):
            camera.__enter__()
    assert set(threading.enumerate()) == threads
    go_on.set()
    camera._abandoned._thread.join(10)
    with camera:
        camera.capture(10.0)


SHARP = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
SOFT = cv2.GaussianBlur(SHARP, (0, 0), 1.0)
SOFTER = cv2.GaussianBlur(SHARP, (0, 0), 2.0)


@pytest.mark.parametrize("place", [0, 1, 2])
def test_of_a_burst_the_sharpest_frame_is_given(place):
    frames = [SOFTER, SOFT]
    frames.insert(place, SHARP)
    stream = ScriptedStream(frames=frames)
    with a_camera(stream, burst=3) as camera:
        assert camera.capture(10.0).pixels_HWC is SHARP
    assert stream.taken_locked == [True, True, True]


def test_all_frames_are_taken_locked_and_then_the_camera_is_let_go():
    stream = ScriptedStream(frames=[SOFT, CameraError("test 0: torn")])
    with a_camera(stream, burst=3) as camera:
        assert camera.capture(10.0).pixels_HWC is SOFT
        assert not stream.is_locked
    assert stream.taken_locked == [True, True]


def test_a_burst_without_a_first_frame_is_an_error_and_lets_the_camera_go():
    stream = ScriptedStream(frames=[CameraError("test 0: torn")])
    with a_camera(stream, burst=3) as camera, pytest.raises(CameraError, match="torn"):
        camera.capture(10.0)
    assert not stream.is_locked


def test_without_rest_there_is_no_frame_to_score():
    stream = ScriptedStream(settling=raising(CameraError("test 0: did not come to rest")))
    with a_camera(stream) as camera, pytest.raises(CameraError, match="come to rest"):
        camera.capture(10.0)
    assert stream.takes == 0


def test_a_glance_takes_one_frame_and_locks_nothing():
    stream = ScriptedStream()
    with a_camera(stream, burst=3) as camera:
        camera.glance(10.0)
    assert stream.taken_locked == [False]


@pytest.mark.usefixtures("short_waits")
def test_a_camera_says_that_it_is_stuck_until_the_driver_returns():
    began, go_on = threading.Event(), threading.Event()
    camera = a_camera(ScriptedStream(taking=lambda: began.set() or go_on.wait()))
    assert not camera.is_stuck
    with camera:
        stall(camera, began)
    assert camera.is_stuck
    go_on.set()
    deadline_s = time.monotonic() + 30
    while camera.is_stuck:
        assert time.monotonic() < deadline_s
        time.sleep(0.005)
