"""Previews: small, for all who look together, and never more often than was said."""

import threading

import cv2
import numpy as np
import pytest

from device.core.errors import BusyError, CameraError
from device.service import camera as service_camera
from device.service.camera import PREVIEW_EVERY_S, CameraThread
from device.service.preview import LONGEST_PX, preview_jpeg
from tests.builders import a_capture, a_picture
from tests.device.service.test_service import FakeCamera, wait_for

pytestmark = pytest.mark.portable


def opened(jpeg):
    return cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR_RGB)


@pytest.mark.parametrize(("height", "width"), [(300, 400), (1520, 2028), (2000, 100)])
def test_a_preview_is_small_and_keeps_its_shape(height, width):
    picture = cv2.resize(a_picture(height_px=300, width_px=400), (width, height))
    shown = opened(preview_jpeg(a_capture(picture), max_pixels=10**7))
    scale = min(1.0, LONGEST_PX / max(height, width))
    assert shown.shape[:2] == (round(scale * height), round(scale * width))
    expected = cv2.resize(picture, shown.shape[1::-1], interpolation=cv2.INTER_AREA)
    assert abs(shown.mean(axis=(0, 1)) - expected.mean(axis=(0, 1))).max() < 3


def test_an_encoded_frame_is_shown_too():
    encoded = cv2.imencode(".png", a_picture(height_px=300, width_px=400))[1].tobytes()
    assert opened(preview_jpeg(a_capture(encoded=encoded), max_pixels=10**6)).shape == (300, 400, 3)


def test_what_is_no_picture_is_the_cameras_fault():
    with pytest.raises(CameraError, match="delivered what cannot be shown"):
        preview_jpeg(a_capture(encoded=b"no picture"), max_pixels=10**6)


def test_all_who_look_together_get_one_frame():
    camera = FakeCamera()
    camera.gate.clear()
    with CameraThread(camera, timeout_s=5.0) as frames:
        viewers = [frames.preview() for _ in range(5)]
        camera.gate.set()
        pictures = {viewer.result(timeout=30) for viewer in viewers}
    assert len(pictures) == 1
    assert camera.taken == 1


def test_who_asks_again_at_once_gets_the_same_frame():
    now = [0.0]
    camera = FakeCamera()
    with CameraThread(camera, timeout_s=5.0, clock_s=lambda: now[0]) as frames:
        first = frames.preview().result(timeout=30)
        assert frames.preview().result(timeout=30) is first
        now[0] = PREVIEW_EVERY_S
        frames.preview().result(timeout=30)
    assert camera.taken == 2


def test_while_nobody_looks_the_camera_rests():
    camera = FakeCamera()
    with CameraThread(camera, timeout_s=5.0):
        pass
    assert (camera.opened, camera.taken) == (0, 0)


def test_one_who_goes_away_takes_the_picture_from_nobody():
    camera = FakeCamera()
    camera.gate.clear()
    with CameraThread(camera, timeout_s=5.0) as frames:
        gone, stays = frames.preview(), frames.preview()
        assert gone.cancel()
        camera.gate.set()
        assert stays.result(timeout=30)


def test_a_fault_is_told_to_all_and_the_next_one_asks_anew():
    camera = FakeCamera()
    camera.error = CameraError("fake: unplugged; plug it in")
    with CameraThread(camera, timeout_s=5.0) as frames:
        with pytest.raises(CameraError, match="unplugged"):
            frames.preview().result(timeout=30)
        camera.error = None
        assert frames.preview().result(timeout=30)


def test_while_frames_are_scored_a_preview_waits_its_turn_or_comes_back_later():
    camera = FakeCamera()
    camera.gate.clear()
    with CameraThread(camera, timeout_s=5.0) as frames:
        first = frames.request()
        wait_for(first.running)
        scored = [first, frames.request(), frames.request()]
        with pytest.raises(BusyError):
            frames.preview().result(timeout=30)
        camera.gate.set()
        for future in scored:
            future.result(timeout=30)
        assert frames.preview().result(timeout=30)


def test_a_crowd_is_bounded(monkeypatch):
    monkeypatch.setattr(service_camera, "_MOST_VIEWERS", 2)
    camera = FakeCamera()
    camera.gate.clear()
    with CameraThread(camera, timeout_s=5.0) as frames:
        viewers = [frames.preview(), frames.preview()]
        with pytest.raises(BusyError, match="expected at most 2 viewers"):
            frames.preview()
        camera.gate.set()
        for viewer in viewers:
            viewer.result(timeout=30)


def test_the_camera_is_asked_by_its_own_thread_alone():
    camera = FakeCamera()
    with CameraThread(camera, timeout_s=5.0) as frames:
        frames.preview().result(timeout=30)
        frames.request().result(timeout=30)
    assert len(camera.threads) == 1
    assert threading.get_ident() not in camera.threads
