"""The camera without a lens has every fault that a box must live with."""

import time

import numpy as np
import pytest

from device.camera import bounded
from device.camera.simulated import Faults, SimulatedCamera
from device.core.errors import CameraError
from device.quality import assess
from device.service.camera import CameraThread
from tests.builders import a_manifest

pytestmark = pytest.mark.portable


def a_camera(**faults):
    return SimulatedCamera(width_px=160, height_px=120, burst=2, faults=Faults(**faults))


def test_it_shows_a_lesion_that_can_be_scored():
    with a_camera() as camera:
        capture = camera.capture(10.0)
    assert capture.pixels_HWC.shape == (120, 160, 3)
    assert assess(capture.pixels_HWC, a_manifest().quality).reasons == ()
    assert (capture.source, capture.exposure_us, capture.analog_gain) == ("simulated", 10_000, 1.0)


def test_a_black_frame_is_a_frame_and_gets_retake():
    with a_camera(is_black=True) as camera:
        pixels_HWC = camera.capture(10.0).pixels_HWC
    reasons = assess(pixels_HWC, a_manifest().quality).reasons
    assert reasons[0].code == "too_dark"


def test_exposure_that_leaps_is_waited_for():
    with a_camera(restless_frames=10) as camera:
        capture = camera.capture(5.0)
        assert camera._stream._frames > 10
    assert capture.exposure_us == 10_000


def test_exposure_that_never_rests_is_an_error():
    with a_camera(restless_frames=10**9) as camera, pytest.raises(CameraError, match="rest within"):
        camera.capture(0.5)


def test_frames_of_another_size_come_as_they_are():
    with a_camera(size_px=(100, 90)) as camera:
        assert camera.capture(10.0).pixels_HWC.shape == (90, 100, 3)


def test_one_that_is_missing_does_not_open():
    with pytest.raises(CameraError, match="there is none"):
        a_camera(is_missing=True).__enter__()


def test_a_fault_is_told_and_passes():
    camera = a_camera(error="unplugged")
    with camera:
        with pytest.raises(CameraError, match="simulated: unplugged"):
            camera.capture(10.0)
        camera.faults.error = None
        camera.capture(10.0)


def test_a_stall_costs_no_more_than_the_timeout_and_shows_as_stuck(monkeypatch):
    """As a driver that never returns: the camera is left behind, and found again when it does."""
    # It opens at its own pace: only the waits for frames and for its end are short.
    monkeypatch.setattr(bounded, "CLOSE_TIMEOUT_S", 0.03)
    monkeypatch.setattr(bounded, "GRACE_S", 0.01)
    camera = a_camera(stalls=True)
    now = [0.0]
    with CameraThread(camera, timeout_s=2.0, clock_s=lambda: now[0]) as frames:
        began_s = time.monotonic()
        with pytest.raises(CameraError, match="no frame within"):
            frames.request().result(timeout=30)
        with pytest.raises(CameraError, match="still stuck in the driver"):
            frames.request().result(timeout=30)
        assert time.monotonic() - began_s < 20
        frames.stuck_s()
        now[0] = 90.0
        assert frames.stuck_s() == 90
        camera.faults.stalls = False
        camera.faults.go_on.set()
        deadline_s = time.monotonic() + 30
        while camera.is_stuck:
            assert time.monotonic() < deadline_s
            time.sleep(0.005)
        assert frames.stuck_s() == 0
        now[0] = 200.0
        assert isinstance(frames.request().result(timeout=30).pixels_HWC, np.ndarray)
