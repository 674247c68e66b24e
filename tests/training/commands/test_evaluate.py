"""How a report names files without the names of this machine."""

import pytest

from training.commands.evaluate import shown
from training.runs import CONFIG_NAME


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """A folder with a run, and another working directory."""
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    (tmp_path / "runs/taught-1/test").mkdir(parents=True)
    (tmp_path / "runs/taught-1" / CONFIG_NAME).touch()
    return tmp_path


def test_what_lies_below_the_working_directory_is_named_from_there(elsewhere):
    assert shown(elsewhere / "work/device/student.onnx", "RUNS") == "device/student.onnx"


def test_of_others_the_last_part_is_named(elsewhere):
    assert shown(elsewhere / "runs/taught-1", "RUNS") == "RUNS/taught-1"
    assert shown(elsewhere / "sets/ham10000", "DATA") == "DATA/ham10000"


def test_a_report_is_named_with_its_run(elsewhere):
    """Three seeds' reports on the test part would all be called the same."""
    assert shown(elsewhere / "runs/taught-1/test", "RUNS") == "RUNS/taught-1/test"
