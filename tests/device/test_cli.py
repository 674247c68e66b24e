"""The command line answers on standard output and complains on standard error."""

import json
import os
import subprocess
import sys

import cv2
import pytest

from device import cli, compose
from device.core.errors import ModelError
from device.core.panel import LightState
from tests.builders import a_manifest, a_model_file, a_picture


@pytest.fixture
def model(tmp_path):
    return a_model_file(tmp_path / "model.onnx")


def written(path, seed=1):
    cv2.imwrite(str(path), a_picture(seed)[:, :, ::-1])
    return str(path)


def lines_of(capsys):
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_files_are_answered_in_the_order_given(tmp_path, model, capsys):
    files = [written(tmp_path / f"{name}.png") for name in "cab"]
    assert cli.main(["classify", "--model", str(model), *files]) == 0
    lines = lines_of(capsys)
    assert [line["file"] for line in lines] == files
    assert {line["result"] for line in lines} == {"uncertain"}
    assert all(0 <= line["probability_malignant"] <= 1 for line in lines)
    assert all(line["model"]["name"] == "test" for line in lines)
    assert all("not a medical device" in line["notice"] for line in lines)


def test_a_bad_file_is_named_and_the_others_are_answered(tmp_path, model, capsys):
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"nothing")
    files = [written(tmp_path / "a.png"), str(bad), str(tmp_path / "none.png"), str(tmp_path)]
    files.append(written(tmp_path / "z.png"))
    assert cli.main(["classify", "--model", str(model), *files]) == 1
    lines = lines_of(capsys)
    assert [line["file"] for line in lines] == files
    assert ["error" in line for line in lines] == [False, True, True, True, False]
    assert "expected a JPEG or PNG" in lines[1]["error"]
    assert "No such file" in lines[2]["error"]


def test_a_picture_that_the_model_fails_on_is_named_and_the_others_are_answered(
    tmp_path, model, capsys, monkeypatch
):
    load_classifier, calls = compose.load_classifier, []

    def load(settings):
        classifier = load_classifier(settings)
        classify = classifier.classify

        def fail_once(input_HWC):
            calls.append(input_HWC)
            if len(calls) == 1:
                raise ModelError(field="logits", expected="numbers", found="nan", remedy="retrain")
            return classify(input_HWC)

        monkeypatch.setattr(classifier, "classify", fail_once)
        return classifier

    monkeypatch.setattr(compose, "load_classifier", load)
    files = [written(tmp_path / f"{name}.png") for name in "ab"]
    assert cli.main(["classify", "--model", str(model), *files]) == 1
    lines = lines_of(capsys)
    assert "found nan" in lines[0]["error"]
    assert lines[1]["result"] == "uncertain"


def run(*arguments, **options):
    return subprocess.Popen(
        [sys.executable, "-m", "device", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONIOENCODING": "utf-8"},
        **options,
    )


def test_a_file_name_need_not_be_utf_8(tmp_path, model):
    name = os.fsencode(tmp_path) + b"/m\xfcll.jpg"
    out, err = run("classify", "--model", str(model), name).communicate(timeout=60)
    line = json.loads(out)
    assert os.fsencode(line["file"]) == name
    assert "No such file" in line["error"]
    assert not err


@pytest.mark.parametrize("verb", ["classify", "inspect"])
def test_a_reader_that_goes_away_gets_no_traceback(verb, model):
    files = ["--model", str(model), "/none"] if verb == "classify" else [str(model)]
    with run(verb, *files) as program:
        program.stdout.close()  # Before anything is printed.
        assert program.stderr.read() == b""
        assert program.wait(timeout=60) == 1


def test_inspect_prints_the_contract(model, capsys):
    assert cli.main(["inspect", str(model)]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["contract"] == a_manifest().model_dump(mode="json")
    assert printed["size_bytes"] == model.stat().st_size
    assert printed["golden_difference"] < 1e-4


def test_a_refused_model_is_one_line_and_exit_status_one(tmp_path, capsys):
    assert cli.main(["inspect", str(tmp_path / "none.onnx")]) == 1
    assert capsys.readouterr().err.startswith("edgederm inspect: model refused (file)")


def test_wrong_settings_stop_before_anything_opens(tmp_path, capsys):
    path = tmp_path / "edgederm.toml"
    path.write_text("[server]\nport = -1\n[camera]\nkind = 'crystal ball'\n")
    assert cli.main(["serve", "--settings", str(path)]) == 1
    complaint = capsys.readouterr().err
    assert "server" in complaint
    assert "camera.kind" in complaint


def test_wrong_usage_is_exit_status_two(capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(["divine"])
    assert caught.value.code == 2


def test_help_says_what_this_is_not():
    """Wherever it speaks it says so; and help needs none of the heavy libraries."""
    program = (
        "import sys\n"
        "from device import cli\n"
        "try:\n    cli.main(['--help'])\nexcept SystemExit: pass\n"
        "print(sorted({'cv2', 'onnxruntime', 'fastapi'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert "not a medical device" in " ".join(done.stdout.split())
    assert done.stdout.splitlines()[-1] == "[]"


def test_the_module_is_a_program(model, tmp_path):
    """``python -m device`` hands its exit status on."""
    done = subprocess.run(
        [sys.executable, "-m", "device", "classify", "--model", str(model), "/nonexistent"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 1
    assert json.loads(done.stdout)["file"] == "/nonexistent"


@pytest.fixture
def simulated(monkeypatch):
    monkeypatch.setenv("EDGEDERM_PANEL__KIND", "simulated")


@pytest.mark.usefixtures("simulated")
def test_panel_test_shows_every_state_and_takes_a_press(capsys):
    assert cli.main(["panel-test", "--seconds", "0.01", "--wait", "5"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "simulated: nothing is lit, and the press is made up"
    assert [line.partition(":")[0] for line in lines[1:10]] == [state.value for state in LightState]
    assert "a short press, held for 0.20 s" in lines[-1]


@pytest.mark.usefixtures("simulated")
def test_panel_test_says_when_no_press_came(capsys):
    assert cli.main(["panel-test", "--seconds", "0.01", "--wait", "0.01"]) == 1
    assert "no press came" in capsys.readouterr().out


def test_panel_test_names_the_lines_that_it_tries(monkeypatch, capsys):
    monkeypatch.setenv("EDGEDERM_PANEL__KIND", "gpiod")
    monkeypatch.setenv("EDGEDERM_PANEL__BOARD", "pi5")
    monkeypatch.setenv("EDGEDERM_PANEL__RED", "GPIO5")
    monkeypatch.setitem(sys.modules, "gpiod", None)
    assert cli.main(["panel-test"]) == 1
    said = capsys.readouterr()
    assert said.out == (
        "board pi5, chip pinctrl-rp1: button GPIO17, red GPIO5, green GPIO27, blue GPIO23\n"
    )
    assert "gpiod cannot be imported" in said.err


def test_panel_test_without_a_panel_says_what_to_set(capsys):
    assert cli.main(["panel-test"]) == 1
    assert "panel.kind is none; set it to gpiod or simulated" in capsys.readouterr().err


@pytest.mark.parametrize("seconds", ["0", "-1", "601", "nan", "soon"])
def test_panel_test_waits_for_nothing_without_end(seconds, capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(["panel-test", "--wait", seconds])
    assert caught.value.code == 2
