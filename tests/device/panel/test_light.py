"""The states of the light: what is so, and which of it is shown."""

import itertools

import pytest

from device.core.panel import LightState
from device.core.values import Result
from device.panel.light import Light
from device.panel.lines import Color
from device.panel.patterns import PATTERNS, REFUSAL

pytestmark = pytest.mark.portable

MS = 1_000_000
S = 1_000_000_000


@pytest.fixture
def light():
    return Light(shown_ns=30 * S)


# What may be so at the same time, the one that is shown first.
ORDER = [
    (lambda light: setattr(light, "is_updating", True), LightState.UPDATING),
    (lambda light: setattr(light, "is_busy", True), LightState.BUSY),
    (lambda light: light.show(Result.BENIGN, 0), LightState.BENIGN),
    (lambda light: light.faults.add("camera"), LightState.FAULT),
    (lambda light: None, LightState.STARTING),
]


@pytest.mark.parametrize(
    "so", [so for n in range(1, 5) for so in itertools.combinations(range(4), n)] + [()], ids=str
)
def test_of_all_that_is_so_the_first_is_shown(light, so):
    for number in so:
        ORDER[number][0](light)
    assert light.state(0) is ORDER[min(so, default=4)][1]


def test_a_box_that_has_started_is_ready(light):
    assert light.state(0) is LightState.STARTING
    light.is_started = True
    assert light.state(1) is LightState.READY


@pytest.mark.parametrize(
    ("result", "state"),
    [
        (Result.BENIGN, LightState.BENIGN),
        (Result.MALIGNANT, LightState.MALIGNANT),
        (Result.UNCERTAIN, LightState.UNCERTAIN),
        (Result.RETAKE, LightState.RETAKE),
        (None, LightState.FAULT),
    ],
)
def test_an_answer_is_shown_for_its_time_and_then_ready_again(light, result, state):
    light.is_started = True
    light.show(result, 100)
    assert light.state(100) is state
    assert light.state(100 + 30 * S - 1) is state
    assert light.state(100 + 30 * S) is LightState.READY


def test_every_result_has_a_state(light):
    for result in Result:
        light.show(result, 0)
        assert light.state(0).value == result.value


def test_a_fault_is_shown_until_the_last_part_works(light):
    light.is_started = True
    light.faults |= {"camera", "history"}
    assert light.state(0) is LightState.FAULT
    light.faults.discard("camera")
    assert light.state(10**12) is LightState.FAULT
    light.faults.discard("history")
    assert light.state(10**12) is LightState.READY


def test_a_pattern_begins_with_its_state(light):
    light.is_started = True
    light.state(0)
    began_ns = 12_345 * MS
    light.is_busy = True
    assert light.color(began_ns) == Color.BLUE
    assert light.color(began_ns + 199 * MS) == Color.BLUE
    assert light.color(began_ns + 200 * MS) == Color.OFF
    assert light.color(began_ns + 400 * MS) == Color.BLUE


def test_an_answer_that_is_shown_again_begins_again(light):
    light.show(Result.RETAKE, 0)
    assert light.color(0) == Color.MAGENTA
    assert light.color(300 * MS) == Color.OFF
    light.show(Result.RETAKE, 300 * MS)
    assert light.color(300 * MS) == Color.MAGENTA


def test_the_deadline_is_the_next_change_of_color_or_the_end_of_an_answer(light):
    light.is_started = True
    assert light.deadline_ns(5) is None, "a steady light needs no clock"
    light.show(Result.BENIGN, 5)
    assert light.deadline_ns(5) == 5 + 2700 * MS
    late_ns = 5 + 29_900 * MS
    assert light.deadline_ns(late_ns) == 5 + 30 * S


def test_a_refused_press_blinks_once_and_the_pattern_goes_on(light):
    light.is_started = True
    light.color(0)
    light.refuse(0)
    shown = [light.color(at * 100 * MS) for at in range(12)]
    assert shown == [*[Color.OFF] * 3, *[Color.WHITE] * 4, *[Color.OFF] * 3, *[Color.CYAN] * 2]
    assert light.deadline_ns(12 * S) is None


def test_many_refused_presses_are_one_blink_at_a_time(light):
    """Else the light of somebody who keeps pressing would stay dark."""
    light.is_started = True
    for at_ms in range(0, 900, 100):
        light.refuse(at_ms * MS)
        expected = REFUSAL.color_at(at_ms * MS)
        assert light.color(at_ms * MS) == expected


def test_an_answer_ends_the_blink(light):
    light.refuse(0)
    light.show(Result.MALIGNANT, 100 * MS)
    assert light.color(100 * MS) == PATTERNS[LightState.MALIGNANT].color_at(0)
