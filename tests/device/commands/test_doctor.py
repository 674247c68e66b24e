"""``doctor`` and ``capture`` on a box that is well, and on one that is not."""

import json

import cv2
import numpy as np
import pytest

from device import cli, compose
from device.camera.simulated import Faults, SimulatedCamera
from device.core.ports import HistoryUse
from tests.builders import a_model_file
from tests.bundles import Signer, a_key_folder, a_real_bundle, newer

pytestmark = pytest.mark.portable

PARTS = [
    *("board", "port", "groups", "model", "camera", "panel", "permissions", "history"),
    *("disk", "clock", "temperature", "access", "tls", "release"),
]


@pytest.fixture
def settings(tmp_path, monkeypatch):
    """A settings file of a box with a camera that the test may break."""
    pytest.importorskip("onnx", reason="the model is made on the spot")
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    monkeypatch.setenv("STATE_DIRECTORY", str(state))
    model = a_model_file(tmp_path / "model.onnx")
    path = tmp_path / "edgederm.toml"
    path.write_text(
        f'[camera]\nkind = "simulated"\nwidth_px = 320\nheight_px = 240\ntimeout_s = 2\n'
        f'[panel]\nkind = "simulated"\n[server]\nport = 0\n[model]\npath = "{model}"\n'
    )
    return path


@pytest.fixture
def faults(monkeypatch):
    faults = Faults()
    monkeypatch.setitem(
        compose.CAMERAS,
        "simulated",
        lambda settings: SimulatedCamera(
            width_px=settings.width_px, height_px=settings.height_px, faults=faults
        ),
    )
    yield faults
    faults.go_on.set()


def findings(output):
    return {line["part"]: line for line in map(json.loads, output.splitlines())}


@pytest.fixture
def in_a_network(settings):
    """The same box, told to listen beyond loopback."""
    text = settings.read_text().replace("port = 0\n", 'port = 0\nhost = "0.0.0.0"\n')
    settings.write_text(text)
    return settings


@pytest.mark.usefixtures("faults")
def test_every_part_has_a_line_and_a_box_that_works_is_status_0(settings, capsys):
    assert cli.main(["doctor", "--json", "--settings", str(settings)]) == 0
    found = findings(capsys.readouterr().out)
    assert list(found) == PARTS
    assert found["model"]["verdict"] == "ok"
    assert "computed by cpu" in found["model"]["found"]
    assert "this is no camera" in found["camera"]["found"]
    assert "will be made" in found["history"]["found"]


def test_it_changes_nothing(settings, faults, tmp_path):
    before = sorted(tmp_path.rglob("*"))
    cli.main(["doctor", "--settings", str(settings)])
    assert sorted(tmp_path.rglob("*")) == before


def test_a_certificate_that_is_not_made_yet_is_not_made_by_looking(
    in_a_network, faults, tmp_path, capsys
):
    before = sorted(tmp_path.rglob("*"))
    cli.main(["doctor", "--json", "--settings", str(in_a_network)])
    assert sorted(tmp_path.rglob("*")) == before
    assert "will be made" in findings(capsys.readouterr().out)["tls"]["found"]


def test_the_certificate_is_shown_as_browsers_show_it(in_a_network, faults, capsys):
    certificate = compose.find_certificate(cli.load_settings(in_a_network).server)
    cli.main(["doctor", "--json", "--settings", str(in_a_network)])
    tls = findings(capsys.readouterr().out)["tls"]
    assert tls["verdict"] == "ok"
    assert certificate.fingerprint in tls["found"]
    assert "without an end" in tls["found"]


def test_a_certificate_that_cannot_be_used_is_a_failure(in_a_network, faults, capsys):
    certificate = compose.find_certificate(cli.load_settings(in_a_network).server)
    certificate.certificate.write_text("no certificate")
    assert cli.main(["doctor", "--json", "--settings", str(in_a_network)]) == 1
    assert findings(capsys.readouterr().out)["tls"]["verdict"] == "failure"


def test_a_camera_that_is_missing_is_a_failure_with_a_remedy(settings, faults, capsys):
    faults.is_missing = True
    assert cli.main(["doctor", "--settings", str(settings)]) == 1
    lines = capsys.readouterr().out.splitlines()
    place = next(number for number, line in enumerate(lines) if "camera:" in line)
    assert lines[place].startswith("FAILURE  camera: simulated: there is none")
    assert lines[place + 1].strip().startswith("-> set camera.kind")


def test_a_model_that_is_missing_does_not_hide_the_rest(settings, faults, capsys):
    text = settings.read_text().replace("model.onnx", "none.onnx")
    settings.write_text(text)
    assert cli.main(["doctor", "--json", "--settings", str(settings)]) == 1
    found = findings(capsys.readouterr().out)
    assert list(found) == PARTS
    assert found["model"]["verdict"] == found["camera"]["verdict"] == "failure"
    assert found["disk"]["verdict"] != "failure"


def test_settings_that_are_refused_are_the_first_finding(tmp_path, capsys):
    path = tmp_path / "edgederm.toml"
    path.write_text("[camera]\nkind = 'telescope'\n")
    assert cli.main(["doctor", "--json", "--settings", str(path)]) == 1
    (finding,) = findings(capsys.readouterr().out).values()
    assert (finding["part"], finding["verdict"]) == ("settings", "failure")
    assert "camera.kind" in finding["found"]


def test_a_history_that_was_made_is_opened_and_tried(settings, faults, capsys):
    with compose.open_history(cli.load_settings(settings).history, HistoryUse.BOX):
        pass
    assert cli.main(["doctor", "--json", "--settings", str(settings)]) == 0
    assert "can be written" in findings(capsys.readouterr().out)["history"]["found"]


def test_capture_writes_the_picture_and_what_is_known_of_it(settings, faults, tmp_path, capsys):
    target = tmp_path / "picture.png"
    assert cli.main(["capture", str(target), "--settings", str(settings)]) == 0
    told = json.loads(capsys.readouterr().out)
    assert json.loads((tmp_path / "picture.png.json").read_text()) == told
    assert (told["source"], told["exposure_us"], told["analog_gain"]) == ("simulated", 10_000, 1.0)
    assert told["capture_ms"] > 0
    assert told["reasons"] == []
    expected = SimulatedCamera(width_px=320, height_px=240)
    with expected as camera:
        pixels_HWC = camera.capture(2.0).pixels_HWC
    written = cv2.imread(str(target), cv2.IMREAD_COLOR_RGB)
    assert np.array_equal(written, pixels_HWC)


def test_a_picture_that_would_be_refused_is_written_and_said(settings, faults, tmp_path, capsys):
    faults.is_black = True
    assert cli.main(["capture", str(tmp_path / "p.png"), "--settings", str(settings)]) == 0
    assert "to be taken again: too dark" in capsys.readouterr().err
    assert (tmp_path / "p.png").exists()


def test_an_encoded_frame_is_written_as_it_looks(settings, tmp_path, capsys):
    settings.write_text(
        settings.read_text().replace('kind = "simulated"\nwidth', 'kind = "replay"\nwidth')
    )
    assert cli.main(["capture", str(tmp_path / "p.png"), "--settings", str(settings)]) == 0
    assert json.loads(capsys.readouterr().out)["name"] == "1-nevus.jpg"
    assert cv2.imread(str(tmp_path / "p.png")).shape == (768, 1024, 3)


def test_no_camera_no_picture(settings, faults, tmp_path, capsys):
    faults.error = "unplugged"
    assert cli.main(["capture", str(tmp_path / "p.png"), "--settings", str(settings)]) == 1
    assert "edgederm capture: simulated: unplugged; set camera.kind" in capsys.readouterr().err
    assert not (tmp_path / "p.png").exists()


def test_a_folder_that_is_not_there_is_named(settings, faults, tmp_path, capsys):
    assert cli.main(["capture", str(tmp_path / "no" / "p.png"), "--settings", str(settings)]) == 1
    assert "cannot write" in capsys.readouterr().err


@pytest.mark.usefixtures("faults")
def test_a_model_that_answers_in_place_of_another_is_a_warning(
    settings, capsys, monkeypatch, tmp_path
):
    keys = a_key_folder(tmp_path / "keys")
    bundle = tmp_path / "new.edm"
    bundle.write_bytes(a_real_bundle(newer()))
    text = settings.read_text().partition("[model]")[0]
    settings.write_text(f'{text}[model]\nkeys_path = "{keys}"\n')
    monkeypatch.setenv("EDGEDERM_HISTORY__PATH", str(tmp_path / "state"))
    assert cli.main(["model", "--settings", str(settings), "install", str(bundle)]) == 0
    capsys.readouterr()
    assert cli.main(["doctor", "--json", "--settings", str(settings)]) == 0
    found = findings(capsys.readouterr().out)["model"]
    assert (found["verdict"], "on trial" in found["found"]) == ("ok", True)
    a_key_folder(keys, revoked=(Signer(1),))
    assert cli.main(["doctor", "--json", "--settings", str(settings)]) == 0
    found = findings(capsys.readouterr().out)["model"]
    assert found["verdict"] == "warning"
    assert "which was revoked" in found["found"]
