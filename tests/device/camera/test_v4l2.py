"""The V4L2 camera against a simulated driver: what it asks for, which frame it takes, its words."""

import logging
import os
import threading
import time

import cv2
import numpy as np
import pytest

from device.camera import v4l2
from device.camera.v4l2 import V4L2Camera
from device.core.errors import CameraError
from tests.device.camera.fake_v4l2 import GREEN, RED, YUYV, number_of

pytestmark = pytest.mark.portable


@pytest.fixture
def camera(usb):
    return V4L2Camera(str(usb.device), width_px=64, height_px=48)


def test_format_size_and_buffers_are_set_in_this_order(usb, camera):
    """Each restarts the stream, and the sizes depend on the format."""
    with camera:
        pass
    assert usb.calls == [
        *("open", "fourcc", "width", "height", "buffersize", "convert"),
        *("grab", "release"),
    ]


def test_opencv_is_called_in_one_thread_that_is_not_ours(usb, camera):
    with camera:
        camera.glance(10.0)
    (thread,) = usb.threads
    assert thread != threading.get_ident()


@pytest.mark.parametrize("is_jpeg", [True, False])
def test_channels_come_as_red_green_blue(usb, camera, is_jpeg):
    if not is_jpeg:
        usb.formats = (YUYV,)
    with camera:
        pixels_HWC = camera.glance(10.0).pixels_HWC
    assert pixels_HWC.shape == (48, 64, 3)
    assert pixels_HWC.dtype == np.uint8
    np.testing.assert_allclose(pixels_HWC[0, 0, :2], (RED, GREEN), atol=3)


def test_a_size_that_the_driver_refuses_is_taken_as_it_gives_it(usb, caplog):
    with (
        caplog.at_level(logging.INFO),
        V4L2Camera(str(usb.device), width_px=2028, height_px=1520) as camera,
    ):
        assert camera.glance(10.0).pixels_HWC.shape == (48, 64, 3)
    assert "fourcc=MJPG width_px=64 height_px=48 wanted_width_px=2028" in caplog.text


@pytest.mark.parametrize("clock", ["monotonic", "wall", "none"])
def test_frames_from_before_the_call_are_passed_over(usb, camera, clock):
    """The buffered ones, and the one that was on its way, whatever clock the driver uses."""
    usb.clock = clock
    with camera:
        for _ in range(3):
            usb.idle()
            before = usb.made
            number = number_of(camera.glance(10.0).pixels_HWC)
            assert number == before + 2


def test_a_stamp_of_our_clock_saves_waiting_for_buffers_that_hold_nothing(usb, camera):
    """Without it, as many frames are passed over as the buffers might have held."""
    with camera:
        usb.held.clear()
        before = usb.made
        assert number_of(camera.glance(10.0).pixels_HWC) == before + 2
        usb.clock = "none"
        before = usb.made
        assert number_of(camera.glance(10.0).pixels_HWC) == before + 4


@pytest.mark.parametrize("fault", ["broken", "missing"])
def test_a_broken_frame_is_replaced_by_the_next_whole_one(usb, camera, fault):
    with camera:
        getattr(usb, fault).update({3, 4})
        assert number_of(camera.glance(10.0).pixels_HWC) == 5


def test_a_cut_frame_is_broken_even_if_opencv_would_fill_it(usb, camera, monkeypatch):
    """As 4.8 does, with gray."""
    monkeypatch.setattr(v4l2.cv2, "imdecode", lambda *_: np.full((48, 64, 3), 4, dtype=np.uint8))
    with camera:
        usb.broken.update({3, 4})
        camera.glance(10.0)
    assert usb.made == 5


def test_broken_frames_alone_end_at_the_deadline(usb, camera):
    usb.broken.update(range(100_000))
    with (
        camera,
        pytest.raises(CameraError, match=r"no whole frame in time, [1-9]\d* broken ones; use a"),
    ):
        camera.capture(0.5)


def test_what_opencv_cannot_convert_is_a_broken_frame(usb, camera, monkeypatch):
    def refuse(*_):
        raise v4l2.cv2.error("too large")

    with camera:
        monkeypatch.setattr(v4l2.cv2, "imdecode", refuse)
        with pytest.raises(CameraError, match="broken ones"):
            camera.capture(0.5)


def test_an_unplugged_camera_is_told_from_one_that_fell_silent(usb, camera):
    with camera:
        usb.is_stalled = True
        usb.go_on.set()
        with pytest.raises(CameraError, match="stopped delivering frames; plug it in"):
            camera.glance(10.0)
        usb.unplug()
        with pytest.raises(CameraError, match="was unplugged; plug it in, check `v4l2-ctl --list"):
            camera.glance(10.0)


def test_a_camera_without_a_first_frame_does_not_open(usb, camera):
    usb.is_stalled = True
    usb.go_on.set()
    with pytest.raises(CameraError, match="stopped delivering frames"):
        camera.__enter__()
    assert usb.calls[-1] == "release"


@pytest.mark.usefixtures("short_opening")
def test_a_driver_that_hangs_while_opening_is_left_behind(usb, camera, caplog):
    """And lets go of the device as soon as it returns."""
    usb.is_stalled = True
    with pytest.raises(CameraError, match=r"did not open within 0.03 s; plug it in"):
        camera.__enter__()
    assert "event=camera.close_late" in caplog.text
    assert "release" not in usb.calls
    (thread,) = [thread for thread in threading.enumerate() if thread.name == camera.name]
    assert thread.daemon, "it would keep the process from ending"
    usb.go_on.set()
    thread.join(10)
    assert usb.calls[-1] == "release"


@pytest.mark.usefixtures("short_waits")
def test_a_frame_that_came_too_late_is_not_the_next_answer(usb, camera):
    with camera:
        usb.is_stalled = True
        with pytest.raises(CameraError, match=r"no frame within"):
            camera.capture(0.02)
        usb.is_stalled = False
        usb.go_on.set()
        before = usb.made
        assert number_of(camera.glance(10.0).pixels_HWC) > before


def test_a_busy_device_is_told_apart(usb, camera):
    usb.opens = False
    with pytest.raises(CameraError, match=r"does not open as a camera; close the program"):
        camera.__enter__()
    assert usb.calls == ["open", "release"]


def test_permission_denied_names_the_group(camera, monkeypatch):
    def refuse(path, flags):
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(v4l2.os, "open", refuse)
    with pytest.raises(CameraError, match=r"Permission denied; add the service's user to the gr"):
        camera.__enter__()


def test_a_plain_file_is_no_camera(tmp_path):
    """Said by the adapter with the real OpenCV, which only knows that it failed."""
    file = tmp_path / "video0"
    file.write_bytes(b"")
    with pytest.raises(CameraError, match=r"video0: expected a camera, found a file; plug it in"):
        V4L2Camera(str(file), width_px=64, height_px=48).__enter__()


def test_a_device_without_pictures_is_no_camera(capfd):
    with pytest.raises(CameraError, match=r"v4l2 /dev/null: does not open as a camera"):
        V4L2Camera(os.devnull, width_px=64, height_px=48).__enter__()


def test_asked_before_it_opened_a_stream_has_no_frame(usb):
    """The owner's thread may still ask when opening failed in the vendor's."""
    stream = v4l2._V4L2Stream(str(usb.device), 64, 48)
    with pytest.raises(CameraError, match="stopped delivering"):
        stream.take(time.monotonic(), time.monotonic() + 1)
    stream.close()


def test_brightness_comes_to_rest_before_a_frame_counts(usb, camera):
    usb.restless_frames = 12
    with camera:
        pixels_HWC = camera.capture(5.0).pixels_HWC
    assert number_of(pixels_HWC) > 12
    assert pixels_HWC[0, 0, 0] == pytest.approx(RED, abs=4)


def test_light_that_never_rests_is_an_error_that_says_what_to_do(usb, camera):
    usb.restless_frames = 10**9
    told = r"did not come to rest within 0\.5 s; hold still"
    with camera, pytest.raises(CameraError, match=told):
        camera.capture(0.5)


def test_exposure_and_white_balance_are_held_for_a_capture_and_let_go_after_it(usb, camera):
    with camera:
        camera.capture(5.0)
        video = usb.opened[-1]
        assert video.values[cv2.CAP_PROP_AUTO_EXPOSURE] == 3
        assert video.values[cv2.CAP_PROP_AUTO_WB] == 1
    sets = [(prop, value) for prop, value in usb.sets if prop == cv2.CAP_PROP_AUTO_EXPOSURE]
    assert [value for _, value in sets] == [3, 1, 3], "at the opening, held, let go"
    assert (cv2.CAP_PROP_EXPOSURE, 150.0) in usb.sets


def test_a_camera_that_loses_its_exposure_when_told_to_hold_it_is_left_automatic(
    usb, camera, caplog
):
    """It reads back a value that it does not use; darkness would be the answer."""
    usb.tells_exposure = False
    with camera:
        for _ in range(2):
            assert camera.capture(5.0).pixels_HWC[0, 0, 0] == pytest.approx(RED, abs=4)
    assert caplog.text.count("event=camera.cannot_hold_exposure") == 1
    assert usb.opened[-1].values[cv2.CAP_PROP_AUTO_EXPOSURE] == 3


def test_a_camera_without_manual_exposure_still_delivers(usb, camera):
    usb.can_hold = False
    with camera:
        assert camera.capture(5.0).pixels_HWC[0, 0, 0] == pytest.approx(RED, abs=4)


def test_a_frame_of_another_brightness_is_passed_over(usb, camera):
    """The automatic exposure took a step between rest and the frame that counts."""
    usb.can_hold = False
    with camera:
        usb.flicker = {6: 0.7, 7: 0.7}
        capture = camera.capture(5.0)
    assert number_of(capture.pixels_HWC) > 7


def test_a_control_that_does_not_stay_makes_a_frame_worthless(camera):
    with camera:
        pixels_HWC = camera.capture(5.0).pixels_HWC
        stream = camera._stream
        stream._settled = float(pixels_HWC.mean())
        assert stream._complaint(pixels_HWC) is None
        stream._held = {cv2.CAP_PROP_EXPOSURE: 99.0}
        assert "at 99, found 150" in stream._complaint(pixels_HWC)


def test_frames_that_never_look_alike_again_are_an_error(usb, camera, monkeypatch):
    with camera:
        monkeypatch.setattr(camera._stream, "_complaint", lambda _: "expected light, found none")
        with pytest.raises(CameraError, match="expected light, found none; hold still"):
            camera.glance(0.05)
