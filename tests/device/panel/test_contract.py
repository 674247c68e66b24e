"""What all lines promise, whichever they are."""

import os
import threading
import time

import pytest

from device.core.errors import PanelError
from device.panel.lines import Color

pytestmark = pytest.mark.portable


@pytest.fixture
def wake():
    """What interrupts a wait."""
    wake = os.eventfd(0, os.EFD_NONBLOCK)
    yield wake
    os.close(wake)


def test_with_gives_the_lines_themselves(rig):
    with rig.lines as lines:
        assert lines is rig.lines


def test_edges_come_in_order_with_the_monotonic_time(rig):
    with rig.lines as lines:
        before_ns = time.monotonic_ns()
        rig.press()
        rig.release()
        edges = []
        while len(edges) < 2:
            edges += lines.wait(1.0)
    assert [edge.is_pressed for edge in edges] == [True, False]
    assert before_ns <= edges[0].at_ns <= edges[1].at_ns <= time.monotonic_ns()


def test_a_wait_ends_at_its_limit(rig):
    with rig.lines as lines:
        began_s = time.monotonic()
        assert not lines.wait(0.03)
        assert 0.03 <= time.monotonic() - began_s < 30.0


@pytest.mark.parametrize("timeout_s", [0.0, -1.0])
def test_a_wait_of_no_time_is_over_at_once(rig, timeout_s):
    with rig.lines as lines:
        assert not lines.wait(timeout_s)


def test_an_edge_ends_a_wait(rig):
    with rig.lines as lines:
        hand = threading.Timer(0.02, rig.press)
        hand.start()
        assert [edge.is_pressed for edge in lines.wait(60.0)] == [True]
        hand.join()


def test_a_wait_can_be_interrupted(rig, wake):
    with rig.lines as lines:
        hand = threading.Timer(0.02, lambda: os.eventfd_write(wake, 1))
        hand.start()
        began_s = time.monotonic()
        assert not lines.wait(60.0, wake)
        assert time.monotonic() - began_s < 30.0
        hand.join()


@pytest.mark.parametrize("color", [Color.RED, Color.GREEN, Color.BLUE, Color.WHITE, Color.OFF])
def test_the_leds_show_what_is_written_and_tell_when(rig, color):
    with rig.lines as lines:
        before_ns = time.monotonic_ns()
        lit_ns = lines.light(color)
        assert rig.shown() == color
        assert before_ns <= lit_ns <= time.monotonic_ns()


def test_the_light_is_dark_when_opened_and_when_closed(rig):
    with rig.lines as lines:
        assert rig.shown() == Color.OFF
        lines.light(Color.WHITE)
    assert rig.shown() == Color.OFF


def test_they_close_twice_and_open_again(rig):
    rig.lines.__exit__(None, None, None)
    for _ in range(2):
        with rig.lines as lines:
            lines.light(Color.RED)
        rig.lines.__exit__(None, None, None)


def test_opened_twice_they_still_work(rig):
    with rig.lines, rig.lines as lines:
        rig.press()
        assert lines.wait(1.0)


def test_what_happened_while_they_were_closed_is_not_seen(rig):
    with rig.lines:
        rig.press()
    with rig.lines as lines:
        rig.press()
        rig.release()
        edges = []
        while not edges or edges[-1].is_pressed:
            edges += lines.wait(1.0)
        assert edges[-1].is_pressed is False


def test_cut_wires_are_an_error_with_a_remedy_and_open_again_when_mended(rig):
    with rig.lines as lines:
        rig.cut()
        for call in (lambda: lines.wait(0.01), lambda: lines.light(Color.RED)):
            with pytest.raises(PanelError, match=rf"{lines.name}.*; "):
                call()
    with pytest.raises(PanelError, match="; "):
        rig.lines.__enter__()
    rig.mend()
    with rig.lines as lines:
        lines.light(Color.RED)


def test_lines_that_were_closed_after_they_were_cut_raise_nothing(rig):
    rig.lines.__enter__()
    rig.cut()
    rig.lines.__exit__(None, None, None)
    rig.lines.__exit__(None, None, None)
