"""The adapter asks the kernel for what the panel needs, and says what is missing."""

import errno
import inspect
import logging
import sys
import threading
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from device.core.errors import PanelError
from device.panel.gpio import GpiodLines
from device.panel.lines import Color
from tests.device.panel.conftest import HEADER, LINES
from tests.device.panel.fake_gpiod import Bias, Clock, Direction, EdgeKind, FakeChip, Value

pytestmark = pytest.mark.portable


def opened(lines=LINES, *, is_led_active_low=False):
    return GpiodLines(lines, debounce_s=0.02, is_led_active_low=is_led_active_low)


def test_the_button_is_an_input_that_the_kernel_debounces_and_stamps(chip, gpiod_lines):
    with gpiod_lines:
        button = chip.config[17]
    assert button.direction is Direction.INPUT
    assert button.edge_detection is EdgeKind.BOTH
    assert button.bias is Bias.PULL_UP
    assert button.active_low, "a press connects the line to ground"
    assert button.debounce_period == timedelta(milliseconds=20)
    assert button.event_clock is Clock.MONOTONIC


@pytest.mark.parametrize("is_led_active_low", [False, True])
def test_the_leds_are_outputs_that_begin_dark(chip, is_led_active_low):
    with opened(is_led_active_low=is_led_active_low):
        for offset in (22, 27, 23):
            led = chip.config[offset]
            assert led.direction is Direction.OUTPUT
            assert led.output_value is Value.INACTIVE
            assert led.active_low is is_led_active_low


def test_a_line_has_one_user_by_name(chip, gpiod_lines):
    with gpiod_lines:
        assert chip.consumer == "edgederm"
        assert chip.used == {17, 22, 23, 27}
    assert chip.used == set()


def test_all_three_leds_change_at_once(chip, gpiod_lines):
    with gpiod_lines as lines:
        lines.light(Color.YELLOW)
        assert chip.written[-1] == {22: Value.ACTIVE, 27: Value.ACTIVE, 23: Value.INACTIVE}


def test_offsets_do_as_well_as_names(chip):
    lines = replace(LINES, button="17", red="22", green="27", blue="23")
    with opened(lines) as panel:
        panel.light(Color.BLUE)
        assert chip.levels[23] is Value.ACTIVE


def test_without_a_label_the_chip_is_found_by_its_lines(chip):
    with opened(replace(LINES, chip=None)):
        assert chip.request is not None


def test_a_label_is_not_enough(chip, chips):
    """The chip must have the lines, and another label with the same lines is another chip."""
    chips[str(Path(next(iter(chips))).with_name("gpiochip2"))] = FakeChip("other", [*HEADER])
    for path in chips:
        Path(path).touch()
    with opened():
        assert chip.request is not None
    with pytest.raises(PanelError, match=r"found 2 of them, .*gpiochip0, .*gpiochip2; give one's"):
        opened(replace(LINES, chip=None)).__enter__()


def test_a_link_to_a_chip_is_not_a_second_chip(chip, chips):
    """Raspberry Pi OS keeps the Pi 5's old number."""
    path = Path(next(iter(chips)))
    link = path.with_name("gpiochip4")
    link.symlink_to(path)
    chips[str(link)] = chip
    with opened(replace(LINES, chip=None)):
        assert chip.request is not None


@pytest.mark.parametrize(
    "lines",
    [
        replace(LINES, chip="pinctrl-rp1"),
        replace(LINES, red="GPIO99"),
        replace(LINES, red="99"),
    ],
    ids=["chip", "name", "offset"],
)
def test_what_is_not_there_is_named_with_what_there_is(chips, lines):
    with pytest.raises(PanelError) as caught:
        opened(lines).__enter__()
    text = str(caught.value)
    assert f"expected a chip with lines {', '.join(lines.all)}" in text
    assert "found none" not in text
    assert "pinctrl-test, firmware" in text
    assert "panel.chip" in text


def test_a_machine_without_chips_says_so(chips):
    for path in list(chips):
        del chips[path]
    with pytest.raises(PanelError, match="found no chip at all; check `gpioinfo`"):
        opened().__enter__()


def test_a_chip_that_is_closed_to_us_names_the_group(chip):
    chip.refusal = errno.EACCES
    with pytest.raises(PanelError, match=r"Permission denied; add the service's user to the group"):
        opened().__enter__()


def test_another_chip_that_is_closed_to_us_is_none_of_our_business(chips, chip):
    list(chips.values())[1].refusal = errno.EACCES
    with opened():
        assert chip.request is not None


def test_a_line_in_use_says_where_to_look(chip):
    chip.used.add(27)
    with pytest.raises(PanelError, match="a line is in use; `gpioinfo` names by whom"):
        opened().__enter__()


def test_two_names_of_one_line_are_an_error(chip):
    with pytest.raises(PanelError, match="exactly once - offset 17 repeats; check"):
        opened(replace(LINES, red="17")).__enter__()


def test_without_the_library_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "gpiod", None)
    with pytest.raises(PanelError, match=r"gpiod cannot be imported .*; install the board's lock"):
        opened().__enter__()


def test_a_failed_opening_leaves_nothing_to_close(chip):
    chip.refusal = errno.EACCES
    lines = opened()
    with pytest.raises(PanelError):
        lines.__enter__()
    lines.__exit__(None, None, None)
    with pytest.raises(PanelError, match="not open; open the lines before"):
        lines.light(Color.RED)
    with pytest.raises(PanelError, match="not open; open the lines before"):
        lines.wait(0.0)


def test_edges_that_the_kernel_had_to_drop_are_in_the_log(chip, gpiod_lines, caplog):
    caplog.set_level(logging.WARNING)
    with gpiod_lines as lines:
        chip.edge(is_pressed=True)
        lines.wait(1.0)
        assert not caplog.records
        chip.edge(is_pressed=False, lose=2)
        lines.wait(1.0)
    assert "event=panel.edges_lost" in caplog.text
    assert "count=2" in caplog.text


def test_the_kernels_time_is_kept(chip, gpiod_lines):
    with gpiod_lines as lines:
        chip.edge(is_pressed=True, at_ns=123)
        (edge,) = lines.wait(1.0)
    assert edge.at_ns == 123


def test_opening_is_logged_with_the_lines(chip, gpiod_lines, caplog):
    caplog.set_level(logging.INFO)
    with gpiod_lines:
        pass
    assert "button=GPIO17 red=GPIO22 green=GPIO27 blue=GPIO23" in caplog.text


def test_a_chip_that_goes_away_ends_a_long_wait(chip, gpiod_lines):
    with gpiod_lines as lines:
        hand = threading.Timer(0.02, chip.unplug)
        hand.start()
        began_s = time.monotonic()
        with pytest.raises(PanelError, match="gpiod pinctrl-test"):
            lines.wait(60.0)
        assert time.monotonic() - began_s < 30.0
        hand.join()


class TestAgainstTheLibraryItself:
    """What the stand-in takes and gives is what gpiod takes and gives."""

    @pytest.fixture
    def gpiod(self):
        return pytest.importorskip("gpiod", reason="gpiod is not installed here")

    def test_it_takes_our_settings(self, gpiod):
        lines = opened()
        lines._gpiod = gpiod
        config = lines._config()
        assert list(config) == ["GPIO17", "GPIO22", "GPIO27", "GPIO23"]
        assert all(isinstance(settings, gpiod.LineSettings) for settings in config.values())
        assert config["GPIO17"].debounce_period == timedelta(milliseconds=20)

    def test_it_has_all_that_we_call(self, gpiod):
        for owner, names in (
            (gpiod, ("is_gpiochip_device", "request_lines", "Chip", "LineSettings", "EdgeEvent")),
            (gpiod.Chip, ("__enter__", "__exit__", "get_info", "line_offset_from_id")),
            (gpiod.LineRequest, ("fd", "wait_edge_events", "read_edge_events", "set_values")),
            (gpiod.LineRequest, ("release",)),
            (gpiod.EdgeEvent.Type, ("RISING_EDGE",)),
            (gpiod.line.Value, ("ACTIVE", "INACTIVE")),
        ):
            assert [name for name in names if not hasattr(owner, name)] == []
        asked = inspect.signature(gpiod.request_lines).parameters
        assert {"path", "config", "consumer", "event_buffer_size"} <= set(asked)
        stamped = inspect.signature(gpiod.EdgeEvent.__init__).parameters
        assert {"event_type", "timestamp_ns", "line_seqno"} <= set(stamped)

    def test_a_device_that_is_no_chip_is_passed_over(self, gpiod, tmp_path, monkeypatch):
        monkeypatch.setattr("device.panel.gpio.DEVICES", tmp_path)
        (tmp_path / "gpiochip0").write_bytes(b"")
        with pytest.raises(PanelError, match="found no chip at all"):
            opened().__enter__()
