"""The panel's thread: it alone owns the lines, mends them, and leaves the light dark."""

import itertools
import threading
import time
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

import pytest

from device.core.errors import CameraError, NotReadyError
from device.core.panel import LightState, PressOutcome
from device.core.values import Answer, Decision, Result
from device.panel import thread
from device.panel.lines import Color
from device.panel.simulated import SimulatedLines
from device.panel.thread import PanelThread
from tests.builders import a_capture, a_quality

pytestmark = pytest.mark.portable


def an_answer(result):
    return Answer(
        decision=Decision(
            result=result, probability_malignant=0.5, diagnoses={}, reasons=(), novelty=0.5
        ),
        quality=a_quality(),
        model=None,
        source="test",
        captured_at=a_capture().captured_at,
        activation_map_HW=None,
    )


class Examinations:
    """Futures in the hands of the test."""

    def __init__(self):
        self.begun = []
        self.threads = set()
        self.error = None

    def __call__(self):
        self.threads.add(threading.get_ident())
        if self.error is not None:
            raise self.error
        self.begun.append(Future())
        return self.begun[-1]


def wait_for(is_so):
    deadline_s = time.monotonic() + 10
    while not is_so():
        assert time.monotonic() < deadline_s
        time.sleep(0.002)


@pytest.fixture
def examine():
    return Examinations()


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(thread, "SHORTEST_BACK_OFF_S", 0.01)
    monkeypatch.setattr(thread, "LONGEST_BACK_OFF_S", 0.04)


@pytest.fixture
def lines():
    return SimulatedLines()


@pytest.fixture
def panel(lines, examine):
    with PanelThread(lines, shown_s=30.0) as panel:
        panel.serve(examine)
        wait_for(lambda: panel.status().state is LightState.READY)
        yield panel


def state(panel):
    return panel.status().state


def shown(lines):
    return lines.lights[-1].color if lines.lights else None


def test_from_press_to_light(panel, lines, examine):
    released_ns = lines.tap()
    wait_for(lambda: examine.begun)
    wait_for(lambda: state(panel) is LightState.BUSY)
    wait_for(lambda: shown(lines) == Color.BLUE)
    examine.begun[0].set_result(an_answer(Result.MALIGNANT))
    wait_for(lambda: state(panel) is LightState.MALIGNANT)
    (record,) = panel.status().presses
    assert record.outcome is PressOutcome.ANSWERED
    assert record.released_ns == released_ns
    (red,) = [lit for lit in lines.lights if lit.color == Color.RED]
    assert record.lit_ns == red.at_ns


def test_everything_is_done_on_one_thread(panel, lines, examine):
    threads = set()
    real = lines.light
    lines.light = lambda color: (threads.add(threading.get_ident()), real(color))[1]
    lines.tap()
    wait_for(lambda: examine.begun)
    examine.begun[0].set_result(an_answer(Result.BENIGN))
    wait_for(lambda: state(panel) is LightState.BENIGN)
    assert examine.threads == threads
    assert len(threads) == 1
    assert threading.get_ident() not in threads


def test_the_light_says_starting_until_the_box_serves(lines, examine):
    with PanelThread(lines, shown_s=30.0) as panel:
        wait_for(lambda: panel.status().problem is None)
        assert state(panel) is LightState.STARTING
        wait_for(lambda: shown(lines) == Color.WHITE)
        lines.tap()
        wait_for(lambda: panel.status().counts)
        assert panel.status().counts == {PressOutcome.REFUSED_STARTING: 1}
        panel.serve(examine)
        wait_for(lambda: state(panel) is LightState.READY)
    assert examine.begun == []


def test_the_pattern_is_played(panel, lines):
    panel.report("camera", "unplugged")
    wait_for(lambda: [lit.color for lit in lines.lights][-3:] == [Color.RED, Color.OFF, Color.BLUE])
    panel.report("camera", None)
    wait_for(lambda: shown(lines) == Color.CYAN)


def test_an_update_is_shown(panel):
    panel.set_updating(is_updating=True)
    wait_for(lambda: state(panel) is LightState.UPDATING)
    panel.set_updating(is_updating=False)
    wait_for(lambda: state(panel) is LightState.READY)


def test_the_last_result_may_come_from_before(lines, examine):
    with PanelThread(lines, shown_s=30.0) as panel:
        panel.serve(examine, last=Result.UNCERTAIN)
        wait_for(lambda: state(panel) is LightState.READY)
        lines.move(is_pressed=True, at_ns=time.monotonic_ns() - 3_100_000_000)
        wait_for(lambda: state(panel) is LightState.UNCERTAIN)


@pytest.mark.parametrize(
    "error", [CameraError("unplugged"), ZeroDivisionError("bug")], ids=["ours", "bug"]
)
def test_an_examination_that_cannot_begin_is_a_failure(panel, lines, examine, error, caplog):
    examine.error = error
    lines.tap()
    wait_for(lambda: state(panel) is LightState.FAULT)
    assert panel.status().counts == {PressOutcome.FAILED: 1}
    assert str(error) in caplog.text
    examine.error = None
    lines.tap()
    wait_for(lambda: examine.begun)


@pytest.mark.parametrize(
    "fail",
    [
        lambda future: future.set_exception(NotReadyError("stopping")),
        lambda future: future.set_exception(ZeroDivisionError()),
        lambda future: future.cancel() and future.set_running_or_notify_cancel(),
    ],
    ids=["ours", "bug", "cancelled"],
)
def test_an_examination_that_fails_lights_the_fault(panel, lines, examine, fail):
    lines.tap()
    wait_for(lambda: examine.begun)
    fail(examine.begun[0])
    wait_for(lambda: state(panel) is LightState.FAULT)
    assert panel.status().counts == {PressOutcome.FAILED: 1}


def test_an_answer_that_is_there_at_once_is_lit(panel, lines):
    done = Future()
    done.set_result(an_answer(Result.BENIGN))
    panel.serve(lambda: done)
    lines.tap()
    wait_for(lambda: state(panel) is LightState.BENIGN)


def test_no_answer_outlives_its_light(panel, lines, examine):
    """The light needs one word of it; the rest is pictures and maps."""
    import weakref

    class Watched(Answer):
        __slots__ = ("__weakref__",)

    answer = Watched(**{name: getattr(an_answer(Result.BENIGN), name) for name in FIELDS})
    gone = threading.Event()
    weakref.finalize(answer, gone.set)
    lines.tap()
    wait_for(lambda: examine.begun)
    examine.begun.pop().set_result(answer)
    del answer
    wait_for(lambda: state(panel) is LightState.BENIGN)
    assert gone.wait(30)


FIELDS = list(Answer.__dataclass_fields__)


class TestBrokenLines:
    def test_are_opened_again_and_the_state_is_lit(self, panel, lines, examine):
        lines.set_broken(is_broken=True)
        wait_for(lambda: panel.status().problem)
        assert "the wires are cut; mend them" in panel.status().problem
        lines.set_broken(is_broken=False)
        wait_for(lambda: panel.status().problem is None)
        assert panel.status().reopened == 1
        wait_for(lambda: shown(lines) == Color.CYAN)
        lines.tap()
        wait_for(lambda: examine.begun)

    def test_are_tried_less_and_less_often(self, panel, lines, monkeypatch):
        monkeypatch.setattr(thread, "LONGEST_BACK_OFF_S", 0.2)
        attempts_s = []
        real = lines.__enter__

        def enter(self):
            attempts_s.append(time.monotonic())
            return real()

        monkeypatch.setattr(SimulatedLines, "__enter__", enter)
        lines.set_broken(is_broken=True)
        wait_for(lambda: len(attempts_s) == 7)
        pauses_s = [b - a for a, b in itertools.pairwise(attempts_s)]
        assert all(
            pause_s >= wanted_s
            for pause_s, wanted_s in zip(pauses_s, [0.02, 0.04, 0.08, 0.16, 0.2, 0.2], strict=True)
        )

    def test_are_logged_once(self, panel, lines, caplog):
        lines.set_broken(is_broken=True)
        wait_for(lambda: panel.status().problem)
        time.sleep(0.1)
        assert caplog.text.count("event=panel.failed") == 1

    def test_do_not_stop_a_box_from_starting(self, lines, examine):
        lines.set_broken(is_broken=True)
        with PanelThread(lines, shown_s=30.0) as panel:
            panel.serve(examine)
            wait_for(lambda: "cut" in panel.status().problem)
            lines.set_broken(is_broken=False)
            wait_for(lambda: panel.status().problem is None)
            assert state(panel) is LightState.READY

    def test_count_the_press_that_had_begun(self, panel, lines):
        lines.move(is_pressed=True)
        wait_for(lambda: lines.edges)
        lines.set_broken(is_broken=True)
        wait_for(lambda: panel.status().counts)
        assert panel.status().counts == {PressOutcome.LOST: 1}

    def test_do_not_lose_the_answer_of_a_press_before(self, panel, lines, examine):
        lines.tap()
        wait_for(lambda: examine.begun)
        lines.set_broken(is_broken=True)
        wait_for(lambda: panel.status().problem)
        examine.begun[0].set_result(an_answer(Result.MALIGNANT))
        wait_for(lambda: panel.status().counts)
        (record,) = panel.status().presses
        assert record.outcome is PressOutcome.ANSWERED
        assert record.lit_ns is None, "nobody has seen it yet"
        lines.set_broken(is_broken=False)
        wait_for(lambda: any(lit.color == Color.RED for lit in lines.lights))

    def test_a_bug_is_no_end_either(self, panel, lines, examine, caplog):
        real = lines.wait
        calls = []

        def wait(timeout_s, wake_fd=None):
            calls.append(timeout_s)
            if len(calls) == 1:
                raise ZeroDivisionError
            return real(timeout_s, wake_fd)

        lines.wait = wait
        panel.set_updating(is_updating=False)  # Wakes the thread, which then waits anew.
        wait_for(lambda: panel.status().reopened)
        assert "event=panel.bug" in caplog.text
        assert "ZeroDivisionError" in caplog.text
        lines.tap()
        wait_for(lambda: examine.begun)


class TestTheEnd:
    def test_leaves_the_light_dark_and_the_lines_closed(self, lines, examine):
        with PanelThread(lines, shown_s=30.0) as panel:
            panel.serve(examine)
            wait_for(lambda: shown(lines) == Color.CYAN)
        assert shown(lines) == Color.OFF
        assert lines._hand_fd is None

    def test_may_be_asked_for_twice_and_before_the_beginning(self, lines):
        panel = PanelThread(lines, shown_s=30.0)
        panel.stop()
        panel = PanelThread(lines, shown_s=30.0)
        with panel:
            panel.stop()
            panel.stop()
        panel.stop()

    def test_gives_every_press_its_outcome(self, panel, lines, examine):
        lines.tap()
        wait_for(lambda: examine.begun)
        lines.move(is_pressed=True)
        wait_for(lambda: len(lines.edges) == 3)
        panel.stop()
        assert panel.status().counts == {PressOutcome.STOPPED: 1, PressOutcome.LOST: 1}

    def test_makes_a_release_or_an_answer_after_it_nothing(self, panel, lines, examine):
        lines.tap()
        wait_for(lambda: examine.begun)
        lines.move(is_pressed=True)
        wait_for(lambda: len(lines.edges) == 3)
        panel.stop()
        before = panel.status()
        lines.move(is_pressed=False)
        examine.begun[0].set_result(an_answer(Result.MALIGNANT))
        panel.report("camera", "unplugged")
        panel.set_updating(is_updating=True)
        panel.serve(examine)
        assert panel.status() is before
        assert shown(lines) == Color.OFF

    def test_comes_at_once_while_broken_lines_are_waited_for(self, lines, monkeypatch):
        monkeypatch.setattr(thread, "SHORTEST_BACK_OFF_S", 60.0)
        lines.set_broken(is_broken=True)
        with PanelThread(lines, shown_s=30.0) as panel:
            wait_for(lambda: "cut" in panel.status().problem)
            began_s = time.monotonic()
        assert time.monotonic() - began_s < 30.0

    def test_does_not_wait_for_ever_for_lines_that_hang(self, lines, monkeypatch, caplog):
        monkeypatch.setattr(thread, "_STOPPING_S", 0.05)
        go_on = threading.Event()
        monkeypatch.setattr(lines, "wait", lambda *_: go_on.wait(10) and [])
        with PanelThread(lines, shown_s=30.0):
            time.sleep(0.01)
        assert "event=panel.stop_late" in caplog.text
        go_on.set()

    def test_leaves_no_file_open(self, examine):
        before = len(list(Path("/proc/self/fd").iterdir()))
        for _ in range(5):
            with PanelThread(SimulatedLines(), shown_s=30.0) as panel:
                panel.serve(examine)
                wait_for(lambda: state(panel) is LightState.READY)
        assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_an_idle_panel_hardly_wakes(panel, lines):
    """A steady light needs no clock; the longest wait is five seconds."""
    wait_for(lambda: state(panel) is LightState.READY)
    time.sleep(0.3)
    calls = []
    real = lines.wait
    lines.wait = lambda *arguments: (calls.append(arguments), real(*arguments))[1]
    time.sleep(0.3)
    assert len(calls) <= 1


def test_the_status_is_a_snapshot(panel, lines, examine):
    before = panel.status()
    lines.tap()
    wait_for(lambda: examine.begun)
    assert before.presses == ()
    assert before.state is LightState.READY
    with pytest.raises(TypeError):
        before.counts[PressOutcome.LOST] = 1
    assert replace(before, reopened=1) != before
