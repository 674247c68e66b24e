"""Edges become presses by the kernel's times, whatever is missing between them."""

import pytest

from device.panel.button import LONG_NS, Button, Press
from device.panel.lines import Edge

pytestmark = pytest.mark.portable

MS = 1_000_000


@pytest.fixture
def button():
    return Button()


def test_a_press_counts_at_its_release(button):
    assert button.edge(Edge(True, 100)) is None
    press = button.edge(Edge(False, 200))
    assert press == Press(pressed_ns=100, released_ns=200)
    assert not press.is_long


@pytest.mark.parametrize(("held_ns", "is_long"), [(LONG_NS - 1, False), (LONG_NS, True)])
def test_three_seconds_make_it_long(button, held_ns, is_long):
    button.edge(Edge(True, 100))
    assert button.edge(Edge(False, 100 + held_ns)).is_long is is_long


def test_a_long_press_needs_no_release(button):
    button.edge(Edge(True, 100))
    assert button.deadline_ns > 100 + LONG_NS
    assert button.tick(button.deadline_ns - 1) is None
    press = button.tick(button.deadline_ns)
    assert press == Press(pressed_ns=100, released_ns=100 + LONG_NS)
    assert press.is_long
    assert button.deadline_ns is None
    assert button.edge(Edge(False, 100 + 2 * LONG_NS)) is None


def test_a_release_just_before_the_limit_may_arrive_after_it(button):
    """The kernel's time counts, not ours."""
    button.edge(Edge(True, 0))
    assert button.tick(LONG_NS + 10 * MS) is None
    assert not button.edge(Edge(False, LONG_NS - 1)).is_long


def test_a_release_that_nothing_came_before_is_no_press(button):
    assert button.edge(Edge(False, 100)) is None
    assert button.deadline_ns is None


def test_a_second_edge_in_the_same_direction_is_no_second_press(button):
    button.edge(Edge(True, 100))
    button.edge(Edge(True, 300))
    assert button.edge(Edge(False, 400)) == Press(pressed_ns=100, released_ns=400)
    assert button.edge(Edge(False, 500)) is None


def test_a_press_that_was_forgotten_has_no_end(button):
    button.edge(Edge(True, 100))
    assert button.reset() == 100
    assert button.reset() is None
    assert button.edge(Edge(False, 200)) is None
    assert button.tick(10 * LONG_NS) is None
