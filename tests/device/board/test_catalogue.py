"""The catalogue is complete, says where it knows it from, and agrees with the page."""

import re
from pathlib import Path
from typing import get_args

import pytest

from device.board import AUTO, BOARDS
from device.settings import PanelSettings

pytestmark = pytest.mark.portable

PAGE = Path(__file__).resolve().parents[3] / "docs/panel.md"


def test_the_boards_are_those_that_settings_and_bench_name():
    assert list(BOARDS) == ["pi4", "pi5", "zero2w", "jetson-orin-nano", "generic"]
    assert all(name == spec.name for name, spec in BOARDS.items())


def test_settings_offer_every_board_and_auto():
    offered = get_args(PanelSettings.model_fields["board"].annotation)
    assert set(offered) == {AUTO, *BOARDS}


@pytest.mark.parametrize("spec", BOARDS.values(), ids=BOARDS)
class TestEachBoard:
    def test_says_where_its_numbers_stand(self, spec):
        assert spec.sources
        for source in spec.sources:
            assert source.name
            assert source.address.startswith("https://")

    def test_has_four_lines_that_differ(self, spec):
        assert len(set(spec.lines.all)) == 4
        if spec.pins is not None:
            assert len(set(spec.pins.all)) == 4

    def test_has_numbers_that_a_board_can_have(self, spec):
        assert 1 <= spec.threads <= 16
        assert 2**29 <= spec.memory_bytes <= 2**34
        assert spec.thermal_limit_celsius is None or 60 <= spec.thermal_limit_celsius <= 105

    def test_is_wired_as_the_page_says(self, spec):
        (row,) = re.findall(rf"^\| `{spec.name}` \| (.*) \|$", PAGE.read_text(), re.MULTILINE)
        chip = f"`{spec.lines.chip}`" if spec.lines.chip else "any"
        lines = [f"`{line}`" for line in spec.lines.all]
        if spec.pins is not None:
            lines = [f"{line}, pin {pin}" for line, pin in zip(lines, spec.pins.all, strict=True)]
        assert row.split(" | ") == [chip, *lines]

    def test_names_its_sources_on_the_page(self, spec):
        page = PAGE.read_text()
        assert [source for source in spec.sources if f"]({source.address})" not in page] == []


@pytest.mark.parametrize(
    "spec", [spec for spec in BOARDS.values() if spec.pins], ids=lambda spec: spec.name
)
def test_a_board_with_a_header_is_drawn_as_it_is_wired(spec):
    """The drawing's description and what it shows name the same pins as the catalogue."""
    drawing = PAGE.with_name("wiring.svg").read_text()
    is_jetson = spec.name.startswith("jetson")
    told = drawing[drawing.index("<desc") : drawing.index("</desc>")].split("Right: ")[is_jetson]
    pins = " ".join(re.findall(r"pins? (\d+(?:(?:, | and )\d+)*)", told))
    assert set(spec.pins.all) <= set(re.findall(r"\d+", pins))
    shown = drawing[drawing.index(f'<g id="{"jetson" if is_jetson else "pi"}">') :]
    assert all(re.search(rf"(pin |>){pin}\b", shown) for pin in spec.pins.all)


def test_no_word_of_a_device_tree_names_two_boards():
    words = [word for spec in BOARDS.values() for word in spec.compatible]
    assert len(set(words)) == len(words)


def test_only_a_board_with_a_header_has_pins():
    """The others are wired as their maker likes."""
    assert [name for name, spec in BOARDS.items() if spec.pins is None] == ["generic"]
