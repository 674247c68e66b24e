"""The whole box by its button and light: composed, with the replay camera and a simulated panel."""

import math
import time

import cv2
import pytest

from device import compose
from device.core.errors import ModelError
from device.core.panel import LightState, PressOutcome
from device.panel.lines import Color
from device.panel.simulated import SimulatedLines
from device.settings import Settings
from tests.builders import a_capture, a_manifest, a_model_file, a_picture

pytestmark = pytest.mark.portable


LOGIT = 3.0


def wait_for(is_so):
    deadline_s = time.monotonic() + 30
    while not is_so():
        assert time.monotonic() < deadline_s
        time.sleep(0.002)


@pytest.fixture
def lines(monkeypatch):
    # A fault is shown soon, and gone as soon.
    monkeypatch.setattr(compose, "WATCH_EVERY_S", 0.05)
    monkeypatch.setattr("device.service.camera.FRESH_S", 0.05)
    lines = SimulatedLines(debounce_s=0.005)
    monkeypatch.setitem(compose.PANELS, "simulated", lambda settings: lines)
    return lines


@pytest.fixture
def folder(tmp_path):
    """What the camera shows."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    cv2.imwrite(str(folder / "a.png"), a_picture()[:, :, ::-1])
    return folder


@pytest.fixture
def settings(tmp_path, folder, monkeypatch):
    """A box whose model says ``malignant``, whatever it is shown."""
    pytest.importorskip("onnx", reason="the model is made on the spot")
    golden = a_manifest().golden.model_copy(
        # An embedding of four equal entries has the direction of (1/2, 1/2, 1/2, 1/2).
        update={"probability_malignant": 1 / (1 + math.exp(-LOGIT)), "novelty": 0.5}
    )
    manifest = a_manifest(golden=golden)
    # What the box remembers goes here.
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "state"))
    return Settings(
        camera={"kind": "replay", "path": folder},
        panel={"kind": "simulated"},
        model={"path": a_model_file(tmp_path / "model.onnx", value=LOGIT, manifest=manifest)},
    )


@pytest.fixture
def box(lines, settings):
    with compose.appliance(settings) as box:
        wait_for(lambda: box.panel.status().state is LightState.READY)
        yield box


def outcomes(box):
    return {outcome.value: count for outcome, count in box.panel.status().counts.items()}


def test_a_press_is_answered_by_the_light(box, lines):
    released_ns = lines.tap()
    wait_for(lambda: box.panel.status().state is LightState.MALIGNANT)
    (record,) = box.panel.status().presses
    assert record.outcome is PressOutcome.ANSWERED
    assert record.released_ns == released_ns + 5_000_000, "the line was quiet for so long"
    assert record.lit_ns > record.released_ns
    assert [change.state for change in box.panel.status().changes][-2:] == [
        LightState.BUSY,
        LightState.MALIGNANT,
    ]


def test_an_upload_never_lights_the_panel(box, lines):
    before = len(lines.lights)
    box.examiner.submit(a_capture(source="upload")).result(timeout=30)
    time.sleep(0.05)
    assert box.panel.status().state is LightState.READY
    assert len(lines.lights) == before


def test_a_picture_that_cannot_be_scored_lights_retake(box, lines, folder):
    cv2.imwrite(str(folder / "a.png"), a_picture()[:, :, ::-1] // 20)
    lines.tap()
    wait_for(lambda: box.panel.status().state is LightState.RETAKE)


def test_a_camera_without_a_picture_lights_the_fault_until_it_delivers(box, lines, folder):
    picture = folder / "a.png"
    kept = picture.read_bytes()
    picture.unlink()
    lines.tap()
    # The press itself, or the watch before it, finds that there is no picture.
    wait_for(lambda: box.panel.status().state is LightState.FAULT)
    wait_for(lambda: sum(box.panel.status().counts.values()) == 1)
    picture.write_bytes(kept)
    wait_for(lambda: box.panel.status().state is LightState.READY)
    lines.tap()
    wait_for(lambda: box.panel.status().state is LightState.MALIGNANT)


def test_a_file_that_is_no_picture_lights_the_fault(box, lines, folder):
    (folder / "a.png").write_bytes(b"no picture")
    lines.tap()
    wait_for(lambda: box.panel.status().state is LightState.FAULT)


def test_twenty_presses_are_twenty_answers_each_with_its_light(box, lines):
    for number in range(1, 21):
        lines.tap()
        wait_for(lambda number=number: sum(box.panel.status().counts.values()) == number)
    assert outcomes(box) == {"answered": 20}
    assert all(record.lit_ns is not None for record in box.panel.status().presses)


def test_presses_all_at_once_are_answered_or_refused_and_none_is_lost(box, lines):
    """Thirty in a third of a second: some are answered at once, one may wait, others blink."""
    for number in range(30):
        lines.tap(hold_s=0.006, after_s=number * 0.012)
    wait_for(lambda: sum(box.panel.status().counts.values()) == 30)
    assert set(outcomes(box)) <= {"answered", "refused-busy"}
    assert outcomes(box)["answered"] >= 2


def test_the_box_that_stops_leaves_the_light_dark(lines, settings):
    with compose.appliance(settings) as box:
        wait_for(lambda: box.panel.status().state is LightState.READY)
        lines.tap()
        wait_for(lambda: lines.lights[-1].color not in {Color.CYAN, Color.OFF})
    assert lines.lights[-1].color == Color.OFF
    # Either it was answered just before, or the end came first; nothing is in between.
    assert sum(box.panel.status().counts.values()) == 1
    assert "failed" not in outcomes(box)


def test_the_light_says_that_the_box_is_starting_and_goes_dark_when_it_cannot(
    lines, settings, monkeypatch
):
    def load_model(*_, **__):
        wait_for(lambda: lines.lights and lines.lights[-1].color == Color.WHITE)
        raise ModelError(field="file", expected="a model", found="none", remedy="install it")

    monkeypatch.setattr(compose, "load_model", load_model)
    with pytest.raises(ModelError), compose.appliance(settings):
        pytest.fail("a box without a model")
    assert lines.lights[-1].color == Color.OFF


def test_a_panel_that_does_not_work_does_not_stop_the_box(lines, settings):
    lines.set_broken(is_broken=True)
    with compose.appliance(settings) as box:
        wait_for(lambda: "mend them" in box.panel.status().problem)
        answer = box.examiner.submit(a_capture()).result(timeout=30)
    assert answer.decision.result == "malignant"


def test_a_box_without_a_panel_has_none(settings):
    without = settings.model_copy(update={"panel": type(settings.panel)()})
    with compose.appliance(without) as box:
        assert box.panel is None
