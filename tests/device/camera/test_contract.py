"""What every camera promises, whichever it is."""

import logging
import time
from datetime import timedelta

import pytest

from device.core.errors import CameraError
from device.service.camera import CameraThread

pytestmark = pytest.mark.portable


def test_a_capture_says_what_it_is(rig):
    """Either bytes or pixels, from this kind of camera, in UTC."""
    with rig.camera as camera:
        capture = camera.capture(10.0)
    assert (capture.encoded is None) != (capture.pixels_HWC is None)
    assert capture.source == rig.kind
    assert capture.captured_at.utcoffset() == timedelta(0)


def test_each_opening_is_logged_once_and_so_is_its_end(rig, caplog):
    caplog.set_level(logging.INFO)
    with CameraThread(rig.camera, timeout_s=10.0) as frames:
        for _ in range(2):
            frames.request().result(timeout=30)
    events = [record.getMessage() for record in caplog.records]
    assert len(events) == 2
    assert events[0].startswith(f"event=camera.opened camera={rig.camera.name!r} ")
    assert events[1] == f"event=camera.closed camera={rig.camera.name!r}"


def test_with_gives_the_camera_itself(rig):
    with rig.camera as camera:
        assert camera is rig.camera
    assert rig.camera.name.startswith(rig.kind)


def test_it_delivers_again_and_again(rig):
    with rig.camera as camera:
        captures = [camera.capture(10.0) for _ in range(5)]
    assert len(captures) == 5


def test_it_closes_twice_and_opens_again(rig):
    rig.camera.__exit__(None, None, None)
    for _ in range(2):
        with rig.camera as camera:
            camera.capture(10.0)
        rig.camera.__exit__(None, None, None)


def test_opened_twice_it_still_delivers(rig):
    with rig.camera, rig.camera as camera:
        camera.capture(10.0)


def test_only_an_open_camera_captures(rig):
    with pytest.raises(CameraError, match="not open; open the camera"):
        rig.camera.capture(10.0)
    with rig.camera:
        pass
    with pytest.raises(CameraError, match="not open; open the camera"):
        rig.camera.capture(10.0)


def test_a_missing_camera_is_named_with_a_remedy(rig):
    rig.unplug()
    with pytest.raises(CameraError) as caught:
        rig.camera.__enter__()
    assert rig.device in str(caught.value)
    assert rig.setting in str(caught.value)
    with pytest.raises(CameraError, match="not open"):
        rig.camera.capture(10.0)


def test_a_camera_unplugged_while_open_is_named_with_a_remedy(rig):
    with rig.camera as camera:
        camera.capture(10.0)
        rig.unplug()
        with pytest.raises(CameraError) as caught:
            camera.capture(0.02)
    assert rig.device in str(caught.value)
    assert "; " in str(caught.value)


def test_closed_and_opened_again_a_replugged_camera_delivers(rig):
    with rig.camera as camera:
        rig.unplug()
        with pytest.raises(CameraError):
            camera.capture(0.02)
    rig.plug_in()
    with rig.camera as camera:
        camera.capture(10.0)


@pytest.mark.parametrize("rig", ["v4l2", "libcamera"], indirect=True)
@pytest.mark.usefixtures("short_waits")
def test_a_stalled_camera_costs_no_more_than_the_timeout(rig):
    """Neither the capture nor the ones behind it, nor the close."""
    with rig.camera as camera:
        rig.stall()
        started_s = time.monotonic()
        for _ in range(2):
            with pytest.raises(CameraError) as caught:
                camera.capture(0.02)
            assert rig.device in str(caught.value)
            assert "no frame within 0.02 s" in str(caught.value)
            assert rig.setting in str(caught.value)
    assert time.monotonic() - started_s < 10.0
