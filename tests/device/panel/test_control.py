"""What a press does in every state, that none is lost, and that no error lights an answer."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.core.errors import BusyError, CameraError, EdgeDermError, ModelError, NotReadyError
from device.core.panel import LightState, PressOutcome
from device.core.values import Result
from device.panel.button import LONG_NS
from device.panel.control import LONGEST_NS, SEEN_NS, Control
from device.panel.lines import Color, Edge

pytestmark = pytest.mark.portable

MS = 1_000_000
S = 1_000_000_000


def families(root=EdgeDermError):
    for family in root.__subclasses__():
        yield family
        yield from families(family)


class Desk:
    """Control with a clock that stands still, hands on the button, and a worker that waits."""

    def __init__(self, *, is_started=True):
        self.now = 1000 * S
        self.begun = []
        self.control = Control(begin=self.begun.append, shown_ns=30 * S)
        self.round()
        if is_started:
            self.control.serve(None)
            self.round()

    def round(self):
        self.control.tick(self.now)
        self.color = self.control.color(self.now)
        self.control.end_round(self.now)
        self.status = self.control.status(self.now, problem=None, reopened=0)

    def wait(self, ns):
        """Let time pass as the thread does: from one deadline to the next."""
        end = self.now + ns
        while (due := self.control.deadline_ns(self.now)) is not None and due <= end:
            self.now = max(self.now, due)
            self.round()
        self.now = end
        self.round()

    def edge(self, is_pressed):
        self.control.edge(Edge(is_pressed, self.now), self.now)
        self.round()

    def press(self, hold_ns=100 * MS):
        self.edge(True)
        self.wait(hold_ns)
        self.edge(False)

    def hold(self):
        self.press(LONG_NS + 500 * MS)

    def answer(self, result=Result.BENIGN, number=None):
        self.control.answered(number or self.begun[-1], result, self.now)
        self.round()

    def fail(self, error=None):
        self.control.failed(self.begun[-1], error or CameraError("unplugged"), self.now)
        self.round()

    def report(self, part, problem):
        self.control.report(part, problem)
        self.round()

    @property
    def state(self):
        return self.status.state

    @property
    def outcomes(self):
        return [record.outcome.value for record in self.status.presses]


@pytest.fixture
def desk():
    return Desk()


def test_a_short_press_begins_an_examination_at_its_release(desk):
    desk.edge(True)
    desk.wait(200 * MS)
    assert desk.begun == []
    desk.edge(False)
    assert len(desk.begun) == 1
    assert desk.state is LightState.BUSY


@pytest.mark.parametrize("result", Result)
def test_the_answer_is_lit_for_thirty_seconds(desk, result):
    desk.press()
    desk.answer(result)
    assert desk.state.value == result.value
    desk.wait(30 * S - 1)
    assert desk.state.value == result.value
    desk.wait(1)
    assert desk.state is LightState.READY


def test_a_press_and_its_light_are_on_record(desk):
    pressed_ns = desk.now
    desk.press(120 * MS)
    desk.wait(40 * MS)
    desk.answer(Result.MALIGNANT)
    (record,) = desk.status.presses
    assert record.pressed_ns == pressed_ns
    assert record.released_ns == pressed_ns + 120 * MS
    assert record.lit_ns == pressed_ns + 160 * MS
    assert record.outcome is PressOutcome.ANSWERED
    assert record.result is Result.MALIGNANT
    assert desk.color == Color.RED


def test_the_changes_of_the_light_are_on_record(desk):
    desk.press()
    desk.answer()
    desk.wait(31 * S)
    assert [change.state.value for change in desk.status.changes] == [
        "starting",
        "ready",
        "busy",
        "benign",
        "ready",
    ]


def test_a_press_while_an_answer_is_lit_begins_the_next(desk):
    desk.press()
    desk.answer()
    desk.wait(100 * MS)
    desk.press()
    assert len(desk.begun) == 2
    assert desk.state is LightState.BUSY


def test_one_press_while_busy_is_kept_and_the_others_blink_and_count(desk):
    for _ in range(4):
        desk.press()
    assert len(desk.begun) == 1
    assert desk.outcomes == ["refused-busy"] * 2
    assert desk.color == Color.OFF
    desk.wait(300 * MS)
    assert desk.color == Color.WHITE, "the blink"
    assert desk.state is LightState.BUSY
    desk.answer(Result.MALIGNANT)
    desk.wait(SEEN_NS)
    assert len(desk.begun) == 2
    desk.answer(Result.BENIGN, desk.begun[1])
    assert Counter(desk.outcomes) == {"refused-busy": 2, "answered": 2}


def test_the_answer_before_a_press_that_waits_is_seen(desk):
    """Two quick presses must not hide the first answer, which may be the bad one."""
    desk.press()
    desk.press()
    desk.answer(Result.MALIGNANT)
    desk.wait(SEEN_NS - 1)
    assert desk.state is LightState.MALIGNANT
    assert len(desk.begun) == 1
    desk.wait(1)
    assert len(desk.begun) == 2
    assert desk.state is LightState.BUSY


def test_while_a_press_waits_for_the_answer_to_be_seen_others_are_refused(desk):
    desk.press()
    desk.press()
    desk.answer()
    desk.press()
    desk.hold()
    assert desk.outcomes == ["answered", "refused-busy", "refused-busy"]


@pytest.mark.parametrize("answers_s", [0.01, 0.5, 5.0])
def test_presses_faster_than_answers_lose_none(desk, answers_s):
    """A child at the button: ten presses a second for twenty seconds."""
    next_answer = None
    for _ in range(200):
        desk.press(50 * MS)
        desk.wait(50 * MS)
        if desk.state is LightState.BUSY and next_answer is None:
            next_answer = desk.now + round(answers_s * S)
        if next_answer is not None and desk.now >= next_answer:
            desk.answer()
            next_answer = None
    desk.wait(10 * S)
    if desk.state is LightState.BUSY:
        desk.answer()
    desk.wait(10 * S)
    if desk.state is LightState.BUSY:
        desk.answer()
    assert sum(desk.status.counts.values()) == 200
    assert desk.status.counts[PressOutcome.ANSWERED] == len(desk.begun) > 1


def test_a_long_press_shows_the_last_result_again_while_it_is_still_held(desk):
    desk.press()
    desk.answer(Result.UNCERTAIN)
    desk.wait(60 * S)
    assert desk.state is LightState.READY
    desk.edge(True)
    desk.wait(LONG_NS - 1)
    assert desk.state is LightState.READY
    desk.wait(100 * MS)
    assert desk.state is LightState.UNCERTAIN
    desk.edge(False)
    assert len(desk.begun) == 1, "its release is no press"
    assert desk.outcomes == ["answered", "shown-again"]
    assert desk.status.presses[-1].result is Result.UNCERTAIN
    assert desk.status.presses[-1].released_ns - desk.status.presses[-1].pressed_ns == LONG_NS
    desk.wait(31 * S)
    assert desk.state is LightState.READY


def test_a_long_press_without_a_result_is_refused(desk):
    desk.hold()
    assert desk.outcomes == ["nothing-to-show"]
    assert desk.begun == []


def test_a_box_may_know_its_last_result_from_before():
    desk = Desk(is_started=False)
    desk.control.serve(Result.MALIGNANT)
    desk.hold()
    assert desk.state is LightState.MALIGNANT


def test_a_long_press_while_busy_is_refused(desk):
    desk.press()
    desk.hold()
    assert desk.outcomes == ["refused-busy"]
    assert desk.state is LightState.BUSY


def test_a_failure_lights_the_fault_and_then_ready(desk):
    desk.press()
    desk.fail()
    assert desk.state is LightState.FAULT
    assert desk.outcomes == ["failed"]
    desk.wait(30 * S)
    assert desk.state is LightState.READY


def test_after_a_failure_a_press_tries_again(desk):
    desk.press()
    desk.fail()
    desk.press()
    desk.answer()
    assert desk.state is LightState.BENIGN


def test_a_failure_wipes_the_last_result(desk):
    """What was before may be another person's."""
    desk.press()
    desk.answer(Result.BENIGN)
    desk.press()
    desk.fail()
    desk.hold()
    assert desk.outcomes[-1] == "nothing-to-show"
    assert desk.state is LightState.FAULT


@pytest.mark.parametrize(
    "error",
    [
        *[
            family("x")
            for family in families()
            if family not in {BusyError, ModelError} and family.__init__ is EdgeDermError.__init__
        ],
        ModelError(field="outputs", expected="numbers", found="nan", remedy="install it"),
        ZeroDivisionError(),
        KeyboardInterrupt(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_no_error_lights_an_answer(desk, error):
    desk.press()
    desk.fail(error)
    assert desk.state is LightState.FAULT


def test_a_queue_that_is_full_of_uploads_is_a_refusal_and_no_fault(desk):
    desk.press()
    desk.answer(Result.BENIGN)
    desk.wait(8 * S)
    desk.press()
    desk.fail(BusyError("4 pictures wait already"))
    assert desk.outcomes == ["answered", "refused-busy"]
    assert desk.color == Color.OFF, "the blink"
    desk.wait(2 * S)
    assert desk.state is LightState.READY, "the answer before would be taken for this one's"
    desk.hold()
    assert desk.outcomes[-1] == "nothing-to-show"


def test_an_examination_without_end_fails_in_a_minute_and_its_late_answer_stays_dark(desk, caplog):
    desk.press()
    desk.wait(LONGEST_NS - 1)
    assert desk.state is LightState.BUSY
    desk.wait(1)
    assert desk.state is LightState.FAULT
    assert desk.outcomes == ["failed"]
    assert "no answer within 60 s" in caplog.text
    desk.answer(Result.BENIGN)
    assert desk.state is LightState.FAULT
    assert "event=panel.answer_late" in caplog.text
    desk.fail()
    assert desk.outcomes == ["failed"]


def test_a_late_answer_is_not_taken_for_that_of_the_next_press(desk):
    desk.press()
    desk.wait(LONGEST_NS)
    desk.press()
    desk.answer(Result.BENIGN, number=desk.begun[0])
    assert desk.state is LightState.BUSY


class TestWhileStarting:
    @pytest.fixture
    def desk(self):
        return Desk(is_started=False)

    def test_presses_are_refused(self, desk):
        desk.press()
        desk.hold()
        assert desk.outcomes == ["refused-starting"] * 2
        assert desk.begun == []
        assert desk.state is LightState.STARTING

    def test_a_button_that_is_held_through_the_start_counts_at_its_release(self, desk):
        desk.edge(True)
        desk.wait(1 * S)
        desk.control.serve(None)
        desk.round()
        desk.edge(False)
        assert len(desk.begun) == 1

    def test_a_fault_wins(self, desk):
        desk.report("model", "refused")
        assert desk.state is LightState.FAULT
        desk.press()
        assert desk.outcomes == ["refused-fault"]


class TestWhileAPartDoesNotWork:
    @pytest.fixture
    def desk(self, desk):
        desk.press()
        desk.answer(Result.MALIGNANT)
        desk.wait(31 * S)
        desk.report("camera", "unplugged; plug it in")
        return desk

    def test_the_fault_wins_over_ready(self, desk):
        assert desk.state is LightState.FAULT
        desk.wait(1000 * S)
        assert desk.state is LightState.FAULT

    def test_a_press_is_refused(self, desk):
        desk.press()
        assert desk.outcomes[1:] == ["refused-fault"]
        assert len(desk.begun) == 1

    def test_the_last_result_can_be_seen(self, desk):
        desk.hold()
        assert desk.state is LightState.MALIGNANT
        desk.wait(31 * S)
        assert desk.state is LightState.FAULT

    def test_it_is_ready_when_the_part_works_again(self, desk):
        desk.report("camera", None)
        assert desk.state is LightState.READY
        desk.press()
        assert len(desk.begun) == 2

    def test_a_part_that_never_failed_works_again_without_a_word(self, desk):
        desk.report("history", None)
        assert desk.state is LightState.FAULT


def test_an_answer_is_not_covered_by_a_fault_that_comes_later(desk):
    desk.press()
    desk.answer(Result.MALIGNANT)
    desk.report("camera", "unplugged")
    assert desk.state is LightState.MALIGNANT
    desk.wait(30 * S)
    assert desk.state is LightState.FAULT


def test_a_model_that_does_not_work_takes_its_answer_back(desk):
    desk.press()
    desk.answer(Result.BENIGN)
    desk.report("model", "golden case failed")
    assert desk.state is LightState.FAULT
    desk.report("model", None)
    desk.hold()
    assert desk.outcomes[-1] == "nothing-to-show"


def test_an_answer_of_a_model_that_failed_meanwhile_is_none(desk):
    desk.press()
    desk.report("model", "golden case failed")
    desk.answer(Result.BENIGN)
    assert desk.state is LightState.FAULT
    assert desk.outcomes == ["failed"]


def test_a_press_that_waited_is_refused_when_a_part_fails_meanwhile(desk):
    desk.press()
    desk.press()
    desk.report("camera", "unplugged")
    desk.answer()
    desk.wait(SEEN_NS)
    assert desk.outcomes == ["answered", "refused-fault"]


class TestWhileUpdating:
    @pytest.fixture
    def desk(self, desk):
        desk.control.set_updating(is_updating=True)
        desk.round()
        return desk

    def test_every_press_is_refused(self, desk):
        desk.press()
        desk.hold()
        assert desk.outcomes == ["refused-updating"] * 2
        assert desk.begun == []

    def test_the_light_says_so_whatever_else_is_so(self, desk):
        desk.report("camera", "unplugged")
        assert desk.state is LightState.UPDATING

    def test_then_it_is_ready_again(self, desk):
        desk.control.set_updating(is_updating=False)
        desk.round()
        assert desk.state is LightState.READY


def test_an_answer_that_an_update_covers_was_not_lit(desk):
    desk.press()
    desk.control.set_updating(is_updating=True)
    desk.answer(Result.MALIGNANT)
    assert desk.state is LightState.UPDATING
    assert desk.status.presses[-1].lit_ns is None
    desk.control.set_updating(is_updating=False)
    desk.round()
    assert desk.state is LightState.MALIGNANT


def test_a_press_that_had_begun_when_the_lines_broke_is_lost_but_counted(desk):
    desk.edge(True)
    desk.control.interrupted(desk.now)
    desk.round()
    desk.edge(False)
    assert desk.outcomes == ["lost"]
    assert desk.begun == []


def test_lines_that_break_while_nobody_presses_lose_nothing(desk):
    desk.control.interrupted(desk.now)
    desk.round()
    assert desk.outcomes == []


def test_at_the_end_every_press_has_its_outcome(desk):
    desk.press()
    desk.press()
    desk.edge(True)
    desk.control.stop(desk.now)
    status = desk.control.status(desk.now, problem=None, reopened=0)
    assert Counter(record.outcome.value for record in status.presses) == {"stopped": 2, "lost": 1}
    assert all(record.lit_ns is None for record in status.presses)


def test_a_release_after_the_end_is_no_press(desk):
    desk.edge(True)
    desk.control.stop(desk.now)
    desk.edge(False)
    assert desk.begun == []
    assert desk.status.counts == {PressOutcome.LOST: 1}


def test_memory_does_not_grow_with_presses(desk):
    for _ in range(600):
        desk.press(1)
        desk.answer()
    assert len(desk.status.presses) == 256
    assert len(desk.status.changes) == 64
    assert desk.status.counts == {PressOutcome.ANSWERED: 600}


def test_every_press_is_in_the_log_without_what_it_showed(desk, caplog):
    caplog.set_level("INFO")
    desk.press()
    desk.wait(12 * MS)
    desk.answer(Result.MALIGNANT)
    assert "event=panel.press outcome=answered latency_ms=12.0" in caplog.text
    assert "malignant" not in caplog.text


STEPS = st.one_of(
    st.tuples(st.just("press"), st.integers(1, 4000)),
    st.tuples(st.just("wait"), st.integers(0, 70_000)),
    st.tuples(st.just("answer"), st.sampled_from(Result)),
    st.tuples(st.just("fail"), st.sampled_from(["camera", "busy", "stopping"])),
    st.tuples(st.just("report"), st.sampled_from(["model", "camera", "history"])),
    st.tuples(st.just("repair"), st.sampled_from(["model", "camera", "history"])),
    st.tuples(st.just("updating"), st.booleans()),
    st.tuples(st.just("break"), st.none()),
)
ERRORS = {"camera": CameraError("x"), "busy": BusyError("x"), "stopping": NotReadyError("x")}


@given(st.lists(STEPS, max_size=40))
def test_whatever_happens_no_press_is_lost_and_only_answers_are_lit(steps):
    desk = Desk()
    pressed = 0
    answered = []
    for step, value in steps:
        if step == "press":
            pressed += 1
            desk.press(value * MS)
        elif step == "wait":
            desk.wait(value * MS)
        elif step == "answer" and desk.begun:
            answered.append(value)
            desk.answer(value)
        elif step == "fail" and desk.begun:
            desk.fail(ERRORS[value])
        elif step in {"report", "repair"}:
            desk.report(value, "broken" if step == "report" else None)
        elif step == "updating":
            desk.control.set_updating(is_updating=value)
            desk.round()
        elif step == "break":
            desk.control.interrupted(desk.now)
            desk.round()
        if desk.state.value in {result.value for result in Result}:
            assert desk.state.value in {result.value for result in answered}
        open_presses = pressed - sum(desk.status.counts.values())
        assert 0 <= open_presses <= 2, "one under way, one that waits"
    desk.control.stop(desk.now)
    counts = desk.control.status(desk.now, problem=None, reopened=0).counts
    assert sum(counts.values()) == pressed
