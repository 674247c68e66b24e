"""The simulated button bounces, is debounced as the kernel does it, and remembers everything."""

import pytest

from device.panel.lines import Color, Edge
from device.panel.simulated import SimulatedLines

pytestmark = pytest.mark.portable

MS = 1_000_000

# Contacts as they bounce, recorded in milliseconds: when it closes, opens, closes ...
CLEAN = [0, 100]
BOUNCING = [0, 0.4, 0.9, 1.1, 3.0, 100, 100.3, 100.8, 101.9, 104.0]
SPIKE = [0, 0.05]
RELEASE_BOUNCES_LATE = [0, 100, 119, 120.5]


class Clock:
    def __init__(self):
        self.now = 0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def edges_of(moves_ms, clock, *, debounce_s=0.02, every_ms=0.5, until_ms=300):
    """What comes of the contact's moves, asked for again and again."""
    lines = SimulatedLines(debounce_s=debounce_s, clock_ns=clock)
    found = []
    with lines:
        for number, at_ms in enumerate(moves_ms):
            lines.move(is_pressed=number % 2 == 0, at_ns=round(at_ms * MS))
        for step in range(round(until_ms / every_ms)):
            clock.now = round(step * every_ms * MS)
            found += lines.wait(0)
    assert list(lines.edges) == found
    return found


@pytest.mark.parametrize(
    ("moves_ms", "expected"),
    [
        (CLEAN, [Edge(True, 20 * MS), Edge(False, 120 * MS)]),
        # The timer begins again with every bounce.
        (BOUNCING, [Edge(True, 23 * MS), Edge(False, 124 * MS)]),
        (SPIKE, []),
        (RELEASE_BOUNCES_LATE, [Edge(True, 20 * MS), Edge(False, 140_500_000)]),
    ],
    ids=["clean", "bouncing", "spike", "late"],
)
def test_bounces_do_not_come_through(clock, moves_ms, expected):
    assert edges_of(moves_ms, clock) == expected


@pytest.mark.parametrize("every_ms", [0.5, 5, 50, 299])
def test_it_does_not_matter_when_one_looks(clock, every_ms):
    """A thread that is late sees the same edges with the same times."""
    found = edges_of(CLEAN, clock, every_ms=every_ms, until_ms=600)
    assert found == [Edge(True, 20 * MS), Edge(False, 120 * MS)]


def test_without_debouncing_every_move_is_an_edge(clock):
    assert len(edges_of(BOUNCING, clock, debounce_s=0.0)) == len(BOUNCING)


def test_it_remembers_the_hands_the_edges_and_the_light(clock):
    lines = SimulatedLines(debounce_s=0.02, clock_ns=clock)
    with lines:
        lines.move(is_pressed=True)
        clock.now = 30 * MS
        lines.wait(0)
        lines.light(Color.RED)
    assert list(lines.moves) == [Edge(True, 0)]
    assert list(lines.edges) == [Edge(True, 20 * MS)]
    assert [(lit.at_ns, lit.color) for lit in lines.lights] == [
        (0, Color.OFF),
        (30 * MS, Color.RED),
        (30 * MS, Color.OFF),
    ]


def test_a_tap_is_a_press_however_short(clock):
    """The finger is never too quick for the debouncing."""
    lines = SimulatedLines(debounce_s=0.02, clock_ns=clock)
    with lines:
        released_ns = lines.tap()
        clock.now = 10**9
        assert [edge.is_pressed for edge in lines.wait(0)] == [True, False]
    assert released_ns == 20 * MS


def test_a_tap_may_lie_in_the_future(clock):
    lines = SimulatedLines(clock_ns=clock)
    with lines:
        lines.tap(hold_s=0.1, after_s=0.5)
        clock.now = 499 * MS
        assert not lines.wait(0)
        clock.now = 500 * MS
        assert lines.wait(0) == [Edge(True, 500 * MS)]
        clock.now = 600 * MS
        assert lines.wait(0) == [Edge(False, 600 * MS)]


def test_the_memory_is_bounded():
    lines = SimulatedLines()
    with lines:
        for _ in range(5000):
            lines.light(Color.RED)
    assert len(lines.lights) == 4096
