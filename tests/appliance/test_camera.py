"""The whole box with a camera that has every fault, and what the others notice of it."""

import os
import subprocess
import sys
import time

import pytest

from device import compose
from device.camera.simulated import Faults, SimulatedCamera
from device.core.errors import CameraError
from device.core.panel import LightState
from device.core.values import Result
from device.panel.simulated import SimulatedLines
from device.settings import Settings
from tests.builders import a_capture, a_model_file

pytestmark = pytest.mark.portable

STUCK = """
import sys

from device import cli, compose
from device.camera import bounded
from device.camera.simulated import Faults, SimulatedCamera

bounded.CLOSE_TIMEOUT_S = bounded.GRACE_S = 0.05
compose.WATCH_EVERY_S = 0.05
compose.CAMERAS["simulated"] = lambda settings: SimulatedCamera(
    width_px=160, height_px=120, faults=Faults(stalls=True)
)
sys.exit(cli.main(["serve"]))
"""

# So slow that nothing is served yet when the box gives up.
SLOW_START = """
import time
build = compose.build_application
compose.build_application = lambda *parts: (time.sleep(2), build(*parts))[1]
"""


def wait_for(is_so):
    deadline_s = time.monotonic() + 30
    while not is_so():
        assert time.monotonic() < deadline_s
        time.sleep(0.002)


@pytest.fixture
def faults(monkeypatch):
    """Of the box's camera; every wait is short."""
    faults = Faults()
    monkeypatch.setitem(
        compose.CAMERAS,
        "simulated",
        lambda settings: SimulatedCamera(
            width_px=320, height_px=240, burst=settings.burst_frames, faults=faults
        ),
    )
    monkeypatch.setattr(compose, "WATCH_EVERY_S", 0.05)
    monkeypatch.setattr("device.service.camera.FRESH_S", 0.05)
    monkeypatch.setattr("device.service.camera.LONGEST_BACK_OFF_S", 0.1)
    for name in ("OPEN_TIMEOUT_S", "CLOSE_TIMEOUT_S", "GRACE_S"):
        monkeypatch.setattr(f"device.camera.bounded.{name}", 0.5)
    yield faults
    faults.go_on.set()


@pytest.fixture
def box(faults, tmp_path, monkeypatch):
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    pytest.importorskip("onnx", reason="the model is made on the spot")
    lines = SimulatedLines(debounce_s=0.005)
    monkeypatch.setitem(compose.PANELS, "simulated", lambda settings: lines)
    settings = Settings(
        camera={"kind": "simulated", "timeout_s": 0.3},
        panel={"kind": "simulated"},
        model={"path": a_model_file(tmp_path / "model.onnx")},
    )
    with compose.appliance(settings) as box:
        wait_for(lambda: box.panel.status().state is LightState.READY)
        yield box


def light_is(box, state):
    return lambda: box.panel.status().state is state


def test_while_the_camera_is_wedged_uploads_are_answered_and_the_light_says_so(box, faults):
    faults.stalls = True
    wait_for(light_is(box, LightState.FAULT))
    answer = box.examiner.submit(a_capture(source="upload")).result(timeout=30)
    assert answer.decision.result is Result.UNCERTAIN
    found = box.readiness()
    assert not found.is_ready
    assert found.camera.startswith("simulated: ")
    assert (found.model, found.history) == (None, None)
    with pytest.raises(CameraError):
        box.frames.request().result(timeout=30)
    faults.stalls = False
    faults.go_on.set()
    wait_for(light_is(box, LightState.READY))
    assert box.frames.request().result(timeout=30).pixels_HWC is not None


def test_a_camera_that_fails_is_opened_again_by_itself(box, faults):
    faults.error = "unplugged"
    wait_for(light_is(box, LightState.FAULT))
    assert "unplugged" in box.readiness().camera
    faults.error = None
    wait_for(light_is(box, LightState.READY))
    assert box.readiness().is_ready


def test_a_black_frame_is_to_be_taken_again(box, faults):
    faults.is_black = True
    capture = box.frames.request().result(timeout=30)
    answer = box.examiner.submit(capture).result(timeout=30)
    assert answer.decision.result is Result.RETAKE
    assert answer.decision.reasons[0].code == "too_dark"


def test_a_preview_shows_what_the_camera_sees(box):
    assert box.frames.preview().result(timeout=30).startswith(b"\xff\xd8")


@pytest.mark.parametrize("start", ["", SLOW_START])
def test_a_box_whose_camera_stays_stuck_ends_with_a_status_that_says_start_me_again(
    tmp_path, start
):
    """No signal, no request: it finds out by itself, and no call of the driver holds it back."""
    pytest.importorskip("onnx", reason="the model is made on the spot")
    ended = subprocess.run(
        [sys.executable, "-c", STUCK.replace("sys.exit", start + "sys.exit")],
        env={
            **os.environ,
            "EDGEDERM_HISTORY__PATH": str(tmp_path),
            "EDGEDERM_SERVER__PORT": "0",
            "EDGEDERM_CAMERA__KIND": "simulated",
            "EDGEDERM_CAMERA__TIMEOUT_S": "0.1",
            "EDGEDERM_CAMERA__STUCK_EXIT_S": "0.5",
            "EDGEDERM_MODEL__PATH": str(a_model_file(tmp_path / "model.onnx")),
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == compose.STUCK_STATUS, ended.stderr
    assert "event=watch.gave_up" in ended.stderr
    assert "the camera has been stuck in its driver for" in ended.stderr
    assert "Traceback" not in ended.stderr
