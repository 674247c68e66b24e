"""Both kinds of lines, each on a simulator of what is behind it, with one set of hands."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from device.core.board import PanelLines
from device.panel import gpio
from device.panel.gpio import GpiodLines
from device.panel.lines import Color, Lines
from device.panel.simulated import SimulatedLines
from tests.device.panel.fake_gpiod import FakeChip, FakeGpiod, Value

HEADER = [f"GPIO{number}" for number in range(28)]
LINES = PanelLines(
    chip="pinctrl-test", button="GPIO17", red="GPIO22", green="GPIO27", blue="GPIO23"
)
OFFSETS = {22: Color.RED, 27: Color.GREEN, 23: Color.BLUE}


@dataclass
class Rig:
    """Lines, and hands on the wires."""

    lines: Lines
    press: Callable[[], None]
    release: Callable[[], None]
    shown: Callable[[], Color]
    """What the LEDs show."""
    cut: Callable[[], None]
    mend: Callable[[], None]


@pytest.fixture(autouse=True)
def _no_thread_stays() -> Iterator[None]:
    """A panel that was stopped leaves nothing running."""
    before = set(threading.enumerate())
    yield
    for thread in set(threading.enumerate()) - before:
        thread.join(1)
        assert not thread.is_alive(), thread.name


@pytest.fixture
def chips(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, FakeChip]:
    """The chips of a board; add or change them before the lines are opened."""
    chips = {
        str(tmp_path / "gpiochip0"): FakeChip("pinctrl-test", [*HEADER]),
        str(tmp_path / "gpiochip1"): FakeChip("firmware", ["BT_ON", "WL_ON"]),
    }
    for path in chips:
        Path(path).touch()
    monkeypatch.setattr(gpio, "DEVICES", tmp_path)
    monkeypatch.setitem(sys.modules, "gpiod", FakeGpiod(chips))
    return chips


@pytest.fixture
def chip(chips: dict[str, FakeChip]) -> FakeChip:
    """The one with the header."""
    return next(iter(chips.values()))


@pytest.fixture
def gpiod_lines() -> GpiodLines:
    return GpiodLines(LINES, debounce_s=0.02, is_led_active_low=False)


@pytest.fixture(params=["gpiod", "simulated"])
def rig(request: pytest.FixtureRequest) -> Rig:
    if request.param == "simulated":
        simulated = SimulatedLines()
        return Rig(
            lines=simulated,
            press=lambda: simulated.move(is_pressed=True),
            release=lambda: simulated.move(is_pressed=False),
            shown=lambda: simulated.lights[-1].color,
            cut=lambda: simulated.set_broken(is_broken=True),
            mend=lambda: simulated.set_broken(is_broken=False),
        )
    chip: FakeChip = request.getfixturevalue("chip")

    def shown() -> Color:
        color = Color.OFF
        for offset, part in OFFSETS.items():
            if chip.levels[offset] is Value.ACTIVE:
                color |= part
        return color

    return Rig(
        lines=request.getfixturevalue("gpiod_lines"),
        press=lambda: chip.edge(is_pressed=True),
        release=lambda: chip.edge(is_pressed=False),
        shown=shown,
        cut=chip.unplug,
        mend=lambda: setattr(chip, "is_gone", False),
    )
