"""Any two states are told apart by rhythm alone and by color, and nothing flashes too fast."""

import itertools
import re
from pathlib import Path

import pytest

from device.core.panel import LightState
from device.panel.lines import Color
from device.panel.patterns import PATTERNS, REFUSAL

pytestmark = pytest.mark.portable

PAGE = Path(__file__).resolve().parents[3] / "docs/panel.md"
MS = 1_000_000
STEP_MS = 50
"""Every step of every pattern is a multiple of it."""
PAIRS = list(itertools.combinations(LightState, 2))


def rhythm(state, *, ms):
    """Lit or dark, every 50 ms."""
    return [bool(PATTERNS[state].color_at(at * MS)) for at in range(0, ms, STEP_MS)]


def colors(state):
    return frozenset(step.color for step in PATTERNS[state].steps) - {Color.OFF}


def test_every_state_has_a_pattern():
    assert set(PATTERNS) == set(LightState)


@pytest.mark.parametrize(("one", "other"), PAIRS, ids=lambda state: state.value)
def test_two_states_differ_without_color(one, other):
    """For a tenth of the time at least, wherever in each of them somebody begins to look."""
    looked_ms = 12_000
    seen = rhythm(one, ms=looked_ms)
    shifted = rhythm(other, ms=looked_ms + PATTERNS[other].period_ms)
    for shift in range(PATTERNS[other].period_ms // STEP_MS):
        differ = sum(a != b for a, b in zip(seen, shifted[shift:], strict=False))
        assert differ >= 0.1 * len(seen)


@pytest.mark.parametrize(("one", "other"), PAIRS, ids=lambda state: state.value)
def test_two_states_differ_in_color(one, other):
    assert colors(one) != colors(other)


def test_each_led_alone_is_red_green_or_blue():
    """So that a mixture is never mistaken for the absence of an LED."""
    assert [bool(color & Color.RED) for color in (Color.YELLOW, Color.CYAN, Color.WHITE)] == [
        True,
        False,
        True,
    ]
    assert Color.WHITE == Color.RED | Color.GREEN | Color.BLUE
    assert not Color.OFF


@pytest.mark.parametrize("pattern", [*PATTERNS.values(), REFUSAL], ids=lambda each: each.words)
def test_nothing_flashes_more_than_three_times_within_a_second(pattern):
    """A flash begins when the light comes on or changes its color."""
    shown = [pattern.color_at(at * MS) for at in range(0, 10_000, STEP_MS)]
    begins = [
        at
        for at, (before, now) in enumerate(itertools.pairwise([Color.OFF, *shown]))
        if now and now is not before
    ]
    second = 1000 // STEP_MS
    assert all(sum(0 <= other - at < second for other in begins) <= 3 for at in begins)


@pytest.mark.parametrize("state", LightState)
def test_a_pattern_begins_lit(state):
    """An answer is seen from the moment when it is there."""
    assert PATTERNS[state].color_at(0)


@pytest.mark.parametrize("state", LightState)
def test_the_next_change_is_where_the_color_changes(state):
    pattern = PATTERNS[state]
    if len(pattern.steps) == 1:
        assert pattern.until_change_ns(123) is None
        return
    at_ns = 0
    for number in range(3 * len(pattern.steps)):
        step = pattern.steps[number % len(pattern.steps)]
        assert pattern.color_at(at_ns) == step.color
        assert pattern.until_change_ns(at_ns) == step.ms * MS
        assert pattern.color_at(at_ns + step.ms * MS - 1) == step.color
        assert pattern.until_change_ns(at_ns + step.ms * MS - 1) == 1
        at_ns += step.ms * MS


def test_the_page_shows_every_state_as_it_is():
    section = PAGE.read_text().partition("## What the light says")[2].partition("## ")[0]
    rows = dict(re.findall(r"^\| `([a-z]+)` \| ([^|]+) \| [^|]+ \|$", section, re.MULTILINE))
    assert rows == {state.value: pattern.words for state, pattern in PATTERNS.items()}
