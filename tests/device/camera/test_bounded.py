"""The two threads of a bounded camera: what one gives up, the other still cleans away."""

import threading
from datetime import UTC, datetime

import pytest

from device.camera.bounded import BoundedCamera
from device.core.errors import CameraError
from device.core.values import Capture

pytestmark = pytest.mark.portable


class ScriptedStream:
    """Does in each call what the test gave it to do."""

    def __init__(self, *, opening=lambda: None, taking=lambda: None, closing=lambda: None):
        self.opening, self.taking, self.closing = opening, taking, closing
        self.takes = 0

    def open(self):
        self.opening()

    def take(self, called_s, deadline_s):
        self.takes += 1
        self.taking()
        return Capture(source="test", captured_at=datetime.now(UTC), encoded=b"x")

    def close(self):
        self.closing()


def a_camera(stream):
    return BoundedCamera(name="test 0", remedy="look at it", make_stream=lambda: stream)


def raising(error):
    def raise_it():
        raise error

    return raise_it


def test_an_error_of_the_stream_reaches_the_owner():
    with (
        a_camera(ScriptedStream(taking=raising(CameraError("test 0: torn")))) as camera,
        pytest.raises(CameraError, match="torn"),
    ):
        camera.capture(1.0)


def test_a_mistake_is_not_dressed_up_as_a_camera_fault():
    """A ZeroDivisionError is ours to mend, nobody's cable."""
    closed = threading.Event()
    camera = a_camera(ScriptedStream(opening=raising(ZeroDivisionError()), closing=closed.set))
    with pytest.raises(ZeroDivisionError):
        camera.__enter__()
    assert closed.is_set()


def test_closing_never_raises():
    with a_camera(ScriptedStream(closing=raising(RuntimeError("gone")))) as camera:
        camera.capture(1.0)


@pytest.mark.usefixtures("short_waits")
def test_a_capture_behind_a_stuck_one_is_never_begun():
    """It was given up while it waited; only the first is still under way."""
    go_on = threading.Event()
    stream = ScriptedStream(taking=go_on.wait)
    with a_camera(stream) as camera:
        for _ in range(3):
            with pytest.raises(CameraError, match=r"test 0: no frame within 0\.01 s; look at it"):
                camera.capture(0.01)
        go_on.set()
        camera.capture(1.0)
        assert stream.takes == 2


@pytest.mark.usefixtures("short_waits")
def test_a_stuck_thread_closes_what_it_opened_when_it_returns():
    go_on, closed = threading.Event(), threading.Event()
    with (
        a_camera(ScriptedStream(taking=go_on.wait, closing=closed.set)) as camera,
        pytest.raises(CameraError),
    ):
        camera.capture(0.01)
    assert not closed.is_set()
    go_on.set()
    assert closed.wait(1.0)


@pytest.mark.usefixtures("short_waits")
def test_a_camera_whose_thread_is_stuck_does_not_get_another():
    """Each opening would leave one more behind."""
    go_on = threading.Event()
    camera = a_camera(ScriptedStream(opening=go_on.wait))
    with pytest.raises(CameraError, match="did not open"):
        camera.__enter__()
    threads = set(threading.enumerate())
    for _ in range(3):
        with pytest.raises(CameraError, match="still stuck in the driver; unplug it"):
            camera.__enter__()
    assert set(threading.enumerate()) == threads
    go_on.set()
    camera._abandoned._thread.join(1)
    with camera:
        camera.capture(1.0)
