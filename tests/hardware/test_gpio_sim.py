"""
Button and light on a real kernel: its GPIO simulator behind the real gpiod.

Needs root, the module gpio-sim, configfs below /sys/kernel/config, and gpiod.
"""

import os
import time
from concurrent.futures import Future
from pathlib import Path

import pytest

from device.board import GENERIC
from device.core.errors import PanelError
from device.core.panel import LightState, PressOutcome
from device.panel.gpio import GpiodLines
from device.panel.lines import Color
from device.panel.thread import PanelThread

CONFIGFS = Path("/sys/kernel/config/gpio-sim")
NAMES = {3: "BUTTON", 5: "LED_RED", 6: "LED_GREEN", 7: "LED_BLUE"}
DEBOUNCE_S = 0.02


def missing():
    """Say what this machine lacks, or nothing."""
    if not CONFIGFS.is_dir():
        return f"no {CONFIGFS}: load the kernel's module gpio-sim and mount configfs"
    if not os.access(CONFIGFS, os.W_OK):
        return f"{CONFIGFS} is closed to this user: run as root"
    return ""


pytestmark = [pytest.mark.hardware, pytest.mark.skipif(bool(missing()), reason=missing())]


class Board:
    """A simulated chip, and hands on its wires."""

    def __init__(self, name):
        pytest.importorskip("gpiod", reason="gpiod is not installed here")
        self.folder = CONFIGFS / name
        bank = self.folder / "bank0"
        bank.mkdir(parents=True)
        (bank / "num_lines").write_text("8")
        (bank / "label").write_text(name)
        for offset, line in NAMES.items():
            (bank / f"line{offset}").mkdir()
            (bank / f"line{offset}" / "name").write_text(line)
        (self.folder / "live").write_text("1")
        chip = (bank / "chip_name").read_text().strip()
        device = (self.folder / "dev_name").read_text().strip()
        self.sysfs = Path("/sys/devices/platform") / device / chip
        self.device = Path("/dev") / chip
        deadline_s = time.monotonic() + 30
        while not self.device.exists():
            assert time.monotonic() < deadline_s, f"{self.device} does not appear"
            time.sleep(0.01)

    def remove(self):
        (self.folder / "live").write_text("0")
        for offset in NAMES:
            (self.folder / "bank0" / f"line{offset}").rmdir()
        (self.folder / "bank0").rmdir()
        self.folder.rmdir()

    def move(self, *, is_pressed):
        """The button connects its line to ground."""
        (self.sysfs / "sim_gpio3" / "pull").write_text("pull-down" if is_pressed else "pull-up")

    def tap(self, hold_s=0.1):
        self.move(is_pressed=True)
        time.sleep(hold_s)
        self.move(is_pressed=False)
        return time.monotonic_ns()

    def shown(self):
        """What the LEDs show."""
        color = Color.OFF
        for offset, part in ((5, Color.RED), (6, Color.GREEN), (7, Color.BLUE)):
            if (self.sysfs / f"sim_gpio{offset}" / "value").read_text().strip() == "1":
                color |= part
        return color


@pytest.fixture
def board():
    board = Board(f"edgederm-{os.getpid()}")
    yield board
    board.remove()


@pytest.fixture
def lines():
    return GpiodLines(GENERIC.lines, debounce_s=DEBOUNCE_S, is_led_active_low=False)


def edges_of(lines, *, for_s):
    found = []
    end_s = time.monotonic() + for_s
    while time.monotonic() < end_s:
        found += lines.wait(end_s - time.monotonic())
    return found


def test_lines_are_found_by_name_and_the_leds_show_what_is_written(board, lines):
    with lines:
        for color in (Color.RED, Color.YELLOW, Color.WHITE, Color.BLUE, Color.OFF):
            lines.light(color)
            assert board.shown() == color
        lines.light(Color.WHITE)
    assert board.shown() == Color.OFF


def test_a_press_comes_with_the_kernels_monotonic_time(board, lines):
    with lines:
        began_ns = time.monotonic_ns()
        board.tap()
        pressed, released = edges_of(lines, for_s=0.3)
        assert (pressed.is_pressed, released.is_pressed) == (True, False)
        assert began_ns < pressed.at_ns < released.at_ns < time.monotonic_ns()


def test_the_kernel_waits_until_the_button_is_quiet(board, lines):
    """Two edges of a contact that bounced, each stamped when its bouncing was over."""
    with lines:
        for is_pressed in (True, False):
            for _ in range(5):
                board.move(is_pressed=is_pressed)
                board.move(is_pressed=not is_pressed)
            board.move(is_pressed=is_pressed)
            last_ns = time.monotonic_ns()
            (edge,) = edges_of(lines, for_s=0.2)
            assert edge.is_pressed is is_pressed
            assert edge.at_ns >= last_ns + 0.5 * DEBOUNCE_S * 1e9


def test_a_spike_is_no_press(board, lines):
    with lines:
        board.move(is_pressed=True)
        board.move(is_pressed=False)
        assert edges_of(lines, for_s=0.2) == []


def test_lines_that_somebody_uses_are_refused_until_they_are_free(board, lines):
    other = GpiodLines(GENERIC.lines, debounce_s=DEBOUNCE_S, is_led_active_low=False)
    with lines, pytest.raises(PanelError, match="a line is in use; `gpioinfo` names by whom"):
        other.__enter__()
    with other:
        assert other.light(Color.RED)


def test_an_active_low_led_is_dark_when_its_line_is_high(board):
    with GpiodLines(GENERIC.lines, debounce_s=DEBOUNCE_S, is_led_active_low=True) as lines:
        assert board.shown() == Color.WHITE, "levels, not light"
        lines.light(Color.WHITE)
        assert board.shown() == Color.OFF


def wait_for(is_so):
    deadline_s = time.monotonic() + 10
    while not is_so():
        assert time.monotonic() < deadline_s
        time.sleep(0.002)


def test_from_the_button_to_the_light(board, lines):
    begun = []

    def examine():
        begun.append(Future())
        return begun[-1]

    with PanelThread(lines, shown_s=30.0) as panel:
        panel.serve(examine)
        wait_for(lambda: panel.status().state is LightState.READY)
        assert board.shown() == Color.CYAN
        released_ns = board.tap()
        wait_for(lambda: begun)
        wait_for(lambda: board.shown() == Color.BLUE)
        begun[0].set_exception(PanelError("made up"))
        wait_for(lambda: panel.status().state is LightState.FAULT)
        assert board.shown() == Color.RED
        (record,) = panel.status().presses
        assert record.outcome is PressOutcome.FAILED
        assert record.lit_ns > record.released_ns > released_ns
    assert board.shown() == Color.OFF
