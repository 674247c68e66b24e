"""A board is known by its device tree, and an unknown one is no guess."""

import pytest

from device.board import BOARDS, find_board
from device.board.detect import detect, read_device_tree

pytestmark = pytest.mark.portable

# As the firmware of each writes them.
TREES = [
    ("pi4", "Raspberry Pi 4 Model B Rev 1.4", ["raspberrypi,4-model-b", "brcm,bcm2711"]),
    ("pi4", "Raspberry Pi 400 Rev 1.0", ["raspberrypi,400", "brcm,bcm2711"]),
    ("pi4", "Raspberry Pi Compute Module 4", ["raspberrypi,4-compute-module", "brcm,bcm2711"]),
    ("pi5", "Raspberry Pi 5 Model B Rev 1.0", ["raspberrypi,5-model-b", "brcm,bcm2712"]),
    ("zero2w", "Raspberry Pi Zero 2 W Rev 1.0", ["raspberrypi,model-zero-2-w", "brcm,bcm2837"]),
    (
        "jetson-orin-nano",
        "NVIDIA Jetson Orin Nano Developer Kit",
        ["nvidia,p3768-0000+p3767-0005", "nvidia,p3767-0005", "nvidia,tegra234"],
    ),
    (
        "jetson-orin-nano",
        "NVIDIA Jetson Orin Nano Engineering Reference Developer Kit Super",
        ["nvidia,p3768-0000+p3767-0005-super", "nvidia,p3767-0005", "nvidia,tegra234"],
    ),
    # Close to one of ours, and wired differently.
    ("generic", "Raspberry Pi 3 Model B Rev 1.2", ["raspberrypi,3-model-b", "brcm,bcm2837"]),
    ("generic", "Raspberry Pi Zero W Rev 1.1", ["raspberrypi,model-zero-w", "brcm,bcm2835"]),
    (
        "generic",
        "NVIDIA Jetson AGX Orin Developer Kit",
        ["nvidia,p3737-0000+p3701-0000", "nvidia,p3701-0000", "nvidia,tegra234"],
    ),
    ("generic", "Somebody's Board", ["somebody,board"]),
    ("generic", "", []),
]


@pytest.mark.parametrize(("name", "model", "compatible"), TREES)
def test_a_board_is_known_by_its_device_tree(name, model, compatible):
    assert detect(model, compatible) is BOARDS[name]


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("pi4", "Raspberry Pi 4 Model B Rev 1.5"),
        ("pi5", "Raspberry Pi 5 Model B Rev 1.1"),
        ("zero2w", "Raspberry Pi Zero 2 W Rev 1.0"),
        ("jetson-orin-nano", "NVIDIA Jetson Orin Nano Developer Kit"),
        ("generic", "Raspberry Pi 3 Model B Rev 1.2"),
    ],
)
def test_the_model_alone_is_enough(name, model):
    assert detect(model, []) is BOARDS[name]


def test_where_both_speak_the_drivers_word_counts():
    assert detect("Raspberry Pi 4 lookalike", ["somebody,board"]) is BOARDS["generic"]


@pytest.fixture
def device_tree(tmp_path):
    """Write a device tree as the kernel shows it."""

    def write(model, compatible):
        (tmp_path / "model").write_bytes(model.encode() + b"\0")
        (tmp_path / "compatible").write_bytes(
            b"".join(word.encode() + b"\0" for word in compatible)
        )
        return tmp_path

    return write


@pytest.mark.parametrize(("name", "model", "compatible"), TREES)
def test_auto_reads_the_device_tree(device_tree, name, model, compatible):
    folder = device_tree(model, compatible)
    assert read_device_tree(folder) == (model, tuple(compatible))
    assert find_board("auto", device_tree=folder) is BOARDS[name]


def test_a_machine_without_a_device_tree_is_generic(tmp_path):
    assert read_device_tree(tmp_path) == ("", ())
    assert find_board("auto", device_tree=tmp_path) is BOARDS["generic"]


def test_bytes_that_are_no_text_are_no_error(tmp_path):
    (tmp_path / "model").write_bytes(b"\xff\xfe")
    assert find_board("auto", device_tree=tmp_path) is BOARDS["generic"]


@pytest.mark.parametrize("name", BOARDS)
def test_a_name_is_taken_at_its_word(device_tree, name):
    folder = device_tree("Raspberry Pi 5 Model B Rev 1.0", ["brcm,bcm2712"])
    assert find_board(name, device_tree=folder) is BOARDS[name]


def test_a_name_that_is_not_in_the_catalogue_is_an_error():
    with pytest.raises(KeyError, match="pi3"):
        find_board("pi3")
