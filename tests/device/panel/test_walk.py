"""The technician's walk shows every state, waits for a press no longer than said, and ends dark."""

import pytest

from device.core.errors import PanelError
from device.core.panel import LightState
from device.panel.lines import Color
from device.panel.patterns import PATTERNS
from device.panel.simulated import SimulatedLines
from device.panel.walk import walk

pytestmark = pytest.mark.portable

MS = 1_000_000


class Clock:
    """Time that passes only while somebody waits."""

    def __init__(self):
        self.now = 10**12

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def lines(clock, monkeypatch):
    lines = SimulatedLines(debounce_s=0.02, clock_ns=clock)
    real = lines.wait

    def wait(timeout_s, wake_fd=None):
        """Jump to the end of the wait, or to what comes before."""
        end_ns = clock.now + max(1, round(timeout_s * 1e9))
        while clock.now < end_ns:
            clock.now = min(end_ns, clock.now + MS)
            edges = real(0, wake_fd)
            if edges:
                return edges
        return []

    monkeypatch.setattr(lines, "wait", wait)
    return lines


def walked(lines, clock, press=lambda: None, *, state_s=4.0, press_s=20.0):
    said = []
    found = walk(
        lines, state_s=state_s, press_s=press_s, say=said.append, press=press, clock_ns=clock
    )
    return found, said


def test_every_state_is_shown_and_named(lines, clock):
    _, said = walked(lines, clock)
    assert said[:9] == [f"{state.value}: {PATTERNS[state].words}" for state in LightState]
    shown = {lit.color for lit in lines.lights}
    assert shown == {step.color for pattern in PATTERNS.values() for step in pattern.steps}


def test_each_state_takes_its_time_and_ends_dark(lines, clock):
    began_ns = clock.now
    walked(lines, clock, state_s=1.5, press_s=2.0)
    assert clock.now - began_ns == pytest.approx((9 * 1.5 + 2.0) * 1e9, rel=0.01)
    assert lines.lights[-1].color == Color.OFF


@pytest.mark.parametrize(
    ("held_s", "words"),
    [(0.25, "a short press, held for 0.25 s"), (5.0, "a long press, held for 3")],
)
def test_a_press_is_told_with_its_length(lines, clock, held_s, words):
    found, said = walked(lines, clock, lambda: lines.tap(hold_s=held_s, after_s=1.0))
    assert found
    assert said[-1].startswith(words)


def test_a_press_that_does_not_come_is_told_with_a_remedy(lines, clock):
    found, said = walked(lines, clock)
    assert not found
    assert "no press came" in said[-1]
    assert "panel.button" in said[-1]


def test_a_press_before_the_wait_does_not_count(lines, clock):
    lines.tap(after_s=1.0)
    assert not walked(lines, clock)[0]


def test_a_press_that_begins_in_time_may_end_a_little_later(lines, clock):
    found, said = walked(lines, clock, lambda: lines.tap(hold_s=1.0, after_s=1.5), press_s=2.0)
    assert found
    assert said[-1].startswith("a short press, held for 1.00 s")


def test_a_button_that_hangs_is_a_long_press_and_no_wait_without_end(lines, clock):
    found, said = walked(lines, clock, lambda: lines.move(is_pressed=True), press_s=2.0)
    assert found
    assert "a long press" in said[-1]


def test_lines_that_do_not_open_are_an_error(lines, clock):
    lines.set_broken(is_broken=True)
    with pytest.raises(PanelError, match="mend them"):
        walked(lines, clock)
