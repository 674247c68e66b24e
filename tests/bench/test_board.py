"""A wrong board's name is refused with what was found."""

import json

import pytest

from bench.board import DATASHEETS, NAMES, environment, identify
from bench.results import BenchError
from device.board.catalogue import BOARDS


@pytest.fixture
def pi4(tmp_path):
    (tmp_path / "model").write_bytes(b"Raspberry Pi 4 Model B Rev 1.4\0")
    (tmp_path / "compatible").write_bytes(b"raspberrypi,4-model-b\0brcm,bcm2711\0")
    return tmp_path


@pytest.mark.parametrize("asked", ["pi4", "auto"])
def test_the_board_is_taken_by_its_name_or_found(asked, pi4):
    board = identify(asked, force=False, device_tree=pi4)
    assert (board.found, board.is_as_asked) == ("pi4", True)
    assert board.model == "Raspberry Pi 4 Model B Rev 1.4"


@pytest.mark.parametrize("asked", sorted({*BOARDS} - {"pi4"}))
def test_another_boards_name_is_refused_with_what_was_found(asked, pi4):
    with pytest.raises(BenchError, match=r"Raspberry Pi 4 Model B.*`pi4`.*--board pi4"):
        identify(asked, force=False, device_tree=pi4)


def test_a_machine_without_a_device_tree_is_no_pi(tmp_path):
    with pytest.raises(BenchError, match=r"no device tree.*`generic`"):
        identify("pi5", force=False, device_tree=tmp_path)
    assert identify("auto", force=False, device_tree=tmp_path).found == "generic"


def test_force_measures_all_the_same_and_says_so(pi4):
    board = identify("pi5", force=True, device_tree=pi4)
    assert (board.asked, board.found, board.is_as_asked) == ("pi5", "pi4", False)


def test_the_names_are_the_catalogues():
    assert set(NAMES) == {*BOARDS, "auto"}
    assert set(DATASHEETS) <= set(BOARDS)


def test_the_peak_of_a_data_sheet_is_clock_times_width():
    assert DATASHEETS["pi4"].gmacs_per_second == pytest.approx(7.2)
    assert DATASHEETS["pi5"].gmacs_per_second == pytest.approx(19.2)


def test_the_environment_names_what_took_part():
    found = environment("a fan")
    assert {"numpy", "onnxruntime", "opencv-python-headless"} <= found.versions.keys()
    assert found.note == "a fan"
    assert json.loads(found.model_dump_json())["cores"] >= 1
