"""The libcamera camera against a simulated picamera2: its one configuration, its time-outs."""

import subprocess
import sys
import threading
import time

import pytest

from device.camera import libcamera
from device.camera.libcamera import LibcameraCamera
from device.core.errors import CameraError
from tests.device.camera.fake_picamera2 import GREEN, RED

pytestmark = pytest.mark.portable


@pytest.fixture
def camera(sensor):
    return LibcameraCamera(0, width_px=64, height_px=48)


def test_one_still_configuration_is_kept_running(sensor, camera):
    with camera:
        camera.capture(10.0)
        camera.capture(10.0)
        assert sensor.opened[-1].config == {
            "use_case": "still",
            "main": {"size": (64, 48), "format": "BGR888"},
            "buffer_count": 2,
        }
    setting_up = [call for call in sensor.calls if call not in {"capture_request", "set_controls"}]
    assert setting_up == ["open", "configure", "start", "cancel_all_and_flush", "stop", "close"]


def test_picamera2_is_called_in_one_thread_that_is_not_ours(sensor, camera):
    with camera:
        camera.capture(10.0)
    (thread,) = sensor.threads
    assert thread != threading.get_ident()


def test_channels_come_as_red_green_blue(sensor, camera):
    """picamera2's names are reversed: what it calls BGR888 is R, G, B in the array."""
    with camera:
        pixels_HWC = camera.capture(10.0).pixels_HWC
    assert pixels_HWC.shape == (48, 64, 3)
    assert tuple(pixels_HWC[0, 0]) == (RED, GREEN, 4 * sensor.made)


def test_another_format_than_asked_for_is_refused(sensor, camera):
    """Rather than red and blue exchanged."""
    sensor.given_format = "RGB888"
    with pytest.raises(CameraError, match="expected pixel format BGR888, found RGB888"):
        camera.__enter__()
    assert sensor.calls[-3:] == ["cancel_all_and_flush", "stop", "close"]


def test_exposure_and_gain_are_the_sensors(sensor, camera):
    with camera:
        capture = camera.capture(10.0)
    assert (capture.exposure_us, capture.analog_gain) == (9000, 2.5)
    assert capture.color_gains == (1.9, 1.6)


def test_a_sensor_that_tells_nothing_is_not_locked(sensor, camera):
    sensor.metadata = {}
    with camera:
        bare = camera.capture(10.0)
    assert (bare.exposure_us, bare.analog_gain, bare.color_gains) == (None, None, None)
    assert "set_controls" not in sensor.calls


def test_exposure_comes_to_rest_before_it_is_locked(sensor, camera):
    """While the automatic still moves, no frame is worth an answer."""
    sensor.restless_frames = 8
    with camera:
        capture = camera.capture(10.0)
    assert capture.exposure_us == 9000
    assert sensor.made > 8


def test_what_is_locked_is_what_the_frame_was_taken_with(sensor, camera):
    with camera:
        camera.capture(10.0)
        locked, let_go = sensor.opened[-1].asked
    assert locked == {
        "AeEnable": False,
        "AwbEnable": False,
        "ExposureTime": 9000,
        "AnalogueGain": 2.5,
        "ColourGains": (1.9, 1.6),
    }
    assert let_go == {"AeEnable": True, "AwbEnable": True}


def test_frames_from_before_the_lock_reached_the_sensor_are_passed_over(sensor, camera):
    """The light changes at the very moment of the lock: those frames have another exposure."""
    sensor.control_delay = 4
    with camera:

        def brighter(camera_controls):
            sensor.metadata["ExposureTime"] = 2000

        sensor.on_controls = brighter
        assert camera.capture(10.0).exposure_us == 9000


def test_a_sensor_that_does_not_obey_gives_no_frame(sensor, camera):
    sensor.obeys = False

    def darker(camera_controls):
        sensor.metadata["ExposureTime"] = 20_000

    with camera:
        sensor.on_controls = darker
        with pytest.raises(CameraError, match=r"expected a frame taken with .*9000.*20000"):
            camera.capture(0.5)


def test_an_exposure_that_never_rests_is_an_error_that_says_what_to_do(sensor, camera):
    sensor.restless_frames = 10**9
    with (
        camera,
        pytest.raises(CameraError, match=r"did not come to rest within 0\.5 s; hold still"),
    ):
        camera.capture(0.5)


def test_refused_controls_are_a_camera_error(sensor, camera, monkeypatch):
    def refuse(controls):
        raise RuntimeError("Control ColourGains is not advertised by libcamera")

    with camera:
        monkeypatch.setattr(sensor.opened[-1], "set_controls", refuse)
        with pytest.raises(CameraError, match=r"refused the controls AeEnable.*not advertised"):
            camera.capture(10.0)


def test_a_frame_from_before_the_call_is_passed_over(sensor, camera):
    with camera:
        sensor.idle()
        stale = sensor.made
        assert camera.glance(10.0).pixels_HWC[0, 0, 2] == 4 * (stale + 1)


def test_every_request_is_given_back(sensor, camera):
    with camera:
        camera.capture(10.0)
        assert sensor.out == 0
        sensor.array_fault = RuntimeError("failed to find buffer")
        with pytest.raises(CameraError, match=r"capture failed \(failed to find buffer\); switch"):
            camera.capture(10.0)
        assert sensor.out == 0


def test_after_a_timeout_nothing_waits_behind_the_job(sensor, camera):
    with camera:
        sensor.delivers = False
        with pytest.raises(CameraError, match=r"no frame within 0.02 s; switch the box off and"):
            camera.capture(0.02)
        assert sensor.calls[-1] == "cancel_all_and_flush"
        assert not sensor.opened[-1].jobs
        sensor.delivers = True
        camera.capture(10.0)
    assert sensor.calls[-2:] == ["stop", "close"]


def test_a_frame_that_comes_while_the_job_is_given_up_is_given_back(sensor, camera):
    """Two of them lost, and the sensor would have no buffer left to fill."""
    with camera:
        sensor.finishes_late = True
        with pytest.raises(CameraError, match="no frame within"):
            camera.capture(0.02)
        assert sensor.out == 0


def test_it_is_closed_even_if_it_cannot_be_stopped(sensor, camera, caplog):
    sensor.stop_fault = RuntimeError("device gone")
    with camera:
        pass
    assert sensor.calls[-1] == "close"
    assert "event=camera.close_failed camera='libcamera 0' error=RuntimeError('device gone')" in (
        caplog.text
    )


@pytest.mark.usefixtures("short_opening")
def test_a_sensor_that_hangs_while_starting_is_left_behind(sensor, camera):
    sensor.start_blocks = True
    with pytest.raises(CameraError, match=r"libcamera 0: did not open within 0.03 s; switch"):
        camera.__enter__()


def test_a_camera_that_is_not_there_is_named(sensor):
    with pytest.raises(CameraError, match=r"libcamera 1: does not open \(list index out of range"):
        LibcameraCamera(1, width_px=64, height_px=48).__enter__()


def test_without_picamera2_the_error_names_the_apt_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "picamera2", None)
    with pytest.raises(CameraError) as caught:
        LibcameraCamera(0, width_px=64, height_px=48).__enter__()
    assert "sudo apt install --no-install-recommends python3-picamera2" in str(caught.value)
    assert "--system-site-packages" in str(caught.value)


def test_a_picamera2_built_for_another_numpy_is_explained(monkeypatch):
    class Loader:
        def find_spec(self, name, path=None, target=None):
            if name == "picamera2":
                raise ValueError("numpy.dtype size changed, may indicate binary incompatibility")

    monkeypatch.delitem(sys.modules, "picamera2", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Loader(), *sys.meta_path])
    with pytest.raises(CameraError, match=r"numpy.dtype size changed.*locks/device-bookworm.txt"):
        LibcameraCamera(0, width_px=64, height_px=48).__enter__()


def test_asked_before_it_opened_a_stream_has_no_frame():
    stream = libcamera._LibcameraStream(0, 64, 48)
    with pytest.raises(CameraError, match="not open"):
        stream.take(time.monotonic(), time.monotonic() + 1)
    stream.close()


def test_the_room_loads_no_vendor_until_a_part_is_used():
    """Neither OpenCV nor picamera2; the libcamera part itself does without OpenCV."""
    program = (
        "import sys, device.camera, device.camera.replay, device.camera.libcamera\n"
        "print(*sorted({'cv2', 'picamera2', 'libcamera'} & sys.modules.keys()))"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
    )
    assert loaded.stdout.split() == []
