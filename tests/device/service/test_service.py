"""Queues are bounded, threads own what they own, and nothing waits for ever."""

import threading
import time
from concurrent.futures import Future
from concurrent.futures._base import DoneAndNotDoneFutures
from contextlib import contextmanager
from dataclasses import replace

import pytest

from device.core.errors import (
    BusyError,
    CameraError,
    HistoryError,
    HistoryFault,
    ModelError,
    NotReadyError,
)
from device.service.camera import FRESH_S, LONGEST_BACK_OFF_S, CameraThread
from device.service.queue_thread import QueueThread
from device.service.worker import Worker
from tests.builders import ScriptedClassifier, a_capture

pytestmark = pytest.mark.portable


def a_worker(classifier):
    """Of one picture that may wait; its answers are recorded at once."""
    return Worker(
        classifier,
        record=lambda capture, answer: replace(answer, result_id="1"),
        max_pixels=10**6,
        waiting=1,
    )


class FakeCamera:
    """Fills the role of a camera; breaks and blocks as told."""

    name = "fake"

    def __init__(self):
        self.opened = self.closed = self.taken = 0
        self.error = None
        self.is_stuck = False
        self.gate = threading.Event()
        self.gate.set()
        self.threads = set()

    def __enter__(self):
        self.threads.add(threading.get_ident())
        self.opened += 1
        return self

    def __exit__(self, *exc_info):
        self.threads.add(threading.get_ident())
        self.closed += 1

    def capture(self, timeout_s):
        self.threads.add(threading.get_ident())
        if not self.gate.wait(timeout_s):
            raise CameraError("fake: no frame in time; plug it in")
        if self.error is not None:
            raise self.error
        self.taken += 1
        return a_capture()

    def glance(self, timeout_s):
        return self.capture(timeout_s)


def test_jobs_run_in_order_on_one_thread():
    seen = []
    with QueueThread("test", waiting=8) as jobs:
        futures = [
            jobs.submit(lambda i=i: seen.append((i, threading.get_ident()))) for i in range(5)
        ]
        for future in futures:
            future.result(timeout=30)
    assert [i for i, _ in seen] == list(range(5))
    assert len({thread for _, thread in seen}) == 1


def test_a_full_queue_says_so_at_once():
    gate, started = threading.Event(), threading.Event()
    with QueueThread("test", waiting=1) as jobs:
        jobs.submit(lambda: (started.set(), gate.wait(30)))
        assert started.wait(30)
        jobs.submit(lambda: None)
        with pytest.raises(BusyError, match="try again"):
            jobs.submit(lambda: None)
        gate.set()


def test_stopping_fails_what_waits_and_refuses_what_comes():
    gate, started = threading.Event(), threading.Event()
    jobs = QueueThread("test", waiting=2)
    jobs.__enter__()
    running = jobs.submit(lambda: (started.set(), gate.wait(30), "done")[-1])
    assert started.wait(30)
    waiting = jobs.submit(lambda: "never")
    stopper = threading.Thread(target=lambda: jobs.stop(timeout_s=5))
    stopper.start()
    with pytest.raises(NotReadyError):
        waiting.result(timeout=30)
    gate.set()
    stopper.join(30)
    assert running.result(timeout=30) == "done"
    with pytest.raises(NotReadyError):
        jobs.submit(lambda: None)
    jobs.stop(timeout_s=1)


def test_a_bug_in_one_job_does_not_end_the_thread(caplog):
    with QueueThread("test", waiting=2) as jobs:
        with pytest.raises(ZeroDivisionError):
            jobs.submit(lambda: 1 / 0).result(timeout=30)
        assert jobs.submit(lambda: "alive").result(timeout=30) == "alive"
    assert "event=service.job_failed thread=test" in caplog.text


def test_an_abandoned_job_is_not_run():
    gate, started, seen = threading.Event(), threading.Event(), []
    with QueueThread("test", waiting=2) as jobs:
        jobs.submit(lambda: (started.set(), gate.wait(30)))
        assert started.wait(30)
        abandoned = jobs.submit(lambda: seen.append(1))
        assert abandoned.cancel()
        gate.set()
        jobs.submit(lambda: None).result(timeout=30)
    assert seen == []


def test_the_camera_is_opened_used_and_closed_by_its_thread_alone():
    camera = FakeCamera()
    with CameraThread(camera, timeout_s=1.0) as frames:
        frames.request().result(timeout=30)
        frames.request().result(timeout=30)
    assert (camera.opened, camera.closed) == (1, 1)
    assert len(camera.threads) == 1
    assert threading.get_ident() not in camera.threads


def test_a_camera_that_broke_is_closed_and_opened_again():
    now = [0.0]
    camera = FakeCamera()
    with CameraThread(camera, timeout_s=1.0, clock_s=lambda: now[0]) as frames:
        frames.request().result(timeout=30)
        camera.error = CameraError("fake: unplugged; plug it in")
        with pytest.raises(CameraError):
            frames.request().result(timeout=30)
        assert frames.problem() == "fake: unplugged; plug it in"
        camera.error = None
        now[0] = 60.0
        assert frames.problem() is None
        frames.request().result(timeout=30)
    assert camera.opened == camera.closed == 3


def test_after_the_second_failure_it_is_opened_no_sooner_than_was_said():
    """Half a second, one, two and so on; a driver that is asked all the time never recovers."""
    now = [0.0]
    camera = FakeCamera()
    camera.error = CameraError("fake: unplugged; plug it in")
    openings = []
    with CameraThread(camera, timeout_s=1.0, clock_s=lambda: now[0]) as frames:
        for tick in range(8 * 100):
            now[0] = tick / 8
            with pytest.raises(CameraError, match=r"^fake: unplugged; plug it in$"):
                frames.request().result(timeout=30)
            if camera.opened > len(openings):
                openings.append(now[0])
        # At once after the first failure, then the waits double up to the longest.
        assert openings == [0.0, 0.125, 0.625, 1.625, 3.625, 7.625, 15.625, 31.625, 61.625, 91.625]
        camera.error = None
        now[0] += LONGEST_BACK_OFF_S
        frames.request().result(timeout=30)
        # One frame, and all is forgotten.
        camera.error = CameraError("fake: unplugged; plug it in")
        before = camera.opened
        for _ in range(2):
            with pytest.raises(CameraError):
                frames.request().result(timeout=30)
        assert camera.opened == before + 1


def test_a_camera_that_is_stuck_in_its_driver_says_for_how_long():
    now = [100.0]
    camera = FakeCamera()
    frames = CameraThread(camera, timeout_s=1.0, clock_s=lambda: now[0])
    assert frames.stuck_s() == 0
    camera.is_stuck = True
    assert frames.stuck_s() == 0
    now[0] = 130.0
    assert frames.stuck_s() == 30
    camera.is_stuck = False
    assert frames.stuck_s() == 0


def test_a_thread_that_does_not_come_back_is_stuck_too():
    now = [0.0]
    camera = FakeCamera()
    camera.gate.clear()
    with CameraThread(camera, timeout_s=7.0, clock_s=lambda: now[0]) as frames:
        asked = frames.request()
        wait_for(lambda: frames._working_since_s is not None)
        now[0] = 20.0
        assert frames.stuck_s() == 0
        now[0] = 50.0
        assert frames.stuck_s() == 30
        camera.gate.set()
        asked.result(timeout=30)
        assert frames.stuck_s() == 0


def test_a_camera_that_does_not_deliver_costs_its_timeout_and_no_more():
    camera = FakeCamera()
    camera.gate.clear()
    with CameraThread(camera, timeout_s=0.02) as frames:
        with pytest.raises(CameraError):
            frames.request().result(timeout=30)
        assert "no frame in time" in frames.problem()


def wait_for(is_so):
    deadline_s = time.monotonic() + 30
    while not is_so():
        assert time.monotonic() < deadline_s
        time.sleep(0.005)


def test_while_the_queue_is_full_the_last_verdict_stands():
    now = [0.0]
    camera = FakeCamera()
    camera.gate.clear()
    with CameraThread(camera, timeout_s=30.0, clock_s=lambda: now[0]) as frames:

        def fill():
            first = frames.request()
            wait_for(first.running)
            return [first, frames.request(), frames.request()]

        asked = fill()
        assert "no frame yet" in frames.problem()
        camera.gate.set()
        asked[-1].result(timeout=30)
        camera.gate.clear()
        asked = fill()
        now[0] = FRESH_S + 1
        assert frames.problem() is None
        camera.error = CameraError("fake: unplugged; plug it in")
        camera.gate.set()
        assert asked[-1].exception(timeout=30) is camera.error
        camera.gate.clear()
        now[0] += LONGEST_BACK_OFF_S
        fill()
        assert frames.problem() == "fake: unplugged; plug it in"
        camera.gate.set()


def test_a_verdict_that_does_not_come_leaves_no_request_behind(monkeypatch):
    monkeypatch.setattr("device.service.camera._OPENING_S", 0.01)
    camera = FakeCamera()
    gate = threading.Event()
    captures = []

    def stuck(timeout_s):
        captures.append(timeout_s)
        gate.wait(30)
        return a_capture()

    camera.capture = stuck
    with CameraThread(camera, timeout_s=0.01) as frames:
        first = frames.request()
        wait_for(first.running)
        for _ in range(2):
            assert "stuck" in frames.problem()
        gate.set()
        first.result(timeout=30)
        frames.request().result(timeout=30)
    assert len(captures) == 2


@pytest.fixture
def waited_s(monkeypatch):
    """How long somebody was ready to wait for a frame that does not come; nobody waits."""
    waited_s = []

    def wait(futures, timeout):
        waited_s.append(timeout)
        return DoneAndNotDoneFutures(set(), set(futures))

    monkeypatch.setattr("device.service.camera.wait", wait)
    return waited_s


def test_readiness_waits_for_as_many_slow_openings_as_may_stand_before_it(waited_s):
    frames = CameraThread(FakeCamera(), timeout_s=5.0)
    frames._jobs.submit = lambda _: Future()
    assert "stuck" in frames.problem()
    # Each opens for 10 s, captures for 5 s and a quarter, and closes for 2 s.
    assert sum(waited_s) >= 3 * (10 + 5.25 + 2)


def test_nobody_waits_long_for_a_camera_that_is_known_to_be_stuck(waited_s):
    """Else the watch, which ends the box for it, would come round after the watchdog has bitten."""
    asked = Future()
    camera = FakeCamera()
    camera.is_stuck = True
    frames = CameraThread(camera, timeout_s=5.0, clock_s=iter(range(1000)).__next__)
    frames._jobs.submit = lambda _: asked
    assert "stuck" in frames.problem()
    assert sum(waited_s) < 5
    assert asked.cancelled()


def test_a_bug_in_a_camera_closes_it_and_is_told():
    now = [0.0]
    camera = FakeCamera()
    with CameraThread(camera, timeout_s=1.0, clock_s=lambda: now[0]) as frames:
        assert frames.problem() is None
        now[0] = FRESH_S
        camera.error = ZeroDivisionError("secret")
        with pytest.raises(ZeroDivisionError):
            frames.request().result(timeout=30)
        assert camera.closed == 1
        told = frames.problem()
        assert told.startswith("fake: failed in a way that nobody foresaw (ZeroDivisionError)")
        camera.error = None
        now[0] += LONGEST_BACK_OFF_S
        assert frames.problem() is None
    assert camera.opened == camera.closed == 3


def test_a_fresh_frame_is_proof_enough():
    """Readiness is asked often; it takes a frame only when the last one is old."""
    now = [0.0]
    camera = FakeCamera()
    with CameraThread(camera, timeout_s=1.0, clock_s=lambda: now[0]) as frames:
        assert frames.problem() is None
        camera.error = CameraError("fake: unplugged; plug it in")
        now[0] = FRESH_S - 1
        assert frames.problem() is None
        now[0] = FRESH_S + 1
        assert frames.problem() == "fake: unplugged; plug it in"


def test_a_worker_answers_while_the_camera_is_wedged():
    camera = FakeCamera()
    camera.gate.clear()
    with (
        CameraThread(camera, timeout_s=30.0) as frames,
        a_worker(ScriptedClassifier()) as worker,
    ):
        stuck = frames.request()
        assert worker.submit(a_capture()).result(timeout=30).decision.result == "uncertain"
        assert not stuck.done()
        camera.gate.set()


def test_the_model_is_tested_when_readiness_is_asked():
    classifier = ScriptedClassifier()
    with a_worker(classifier) as worker:
        assert worker.problem() is None
        classifier.error = ModelError(field="golden", expected=1, found=2, remedy="install it")
        assert "install it" in worker.problem()
        classifier.error = None
        assert worker.problem() is None


def test_a_worker_that_is_busy_from_the_start_has_a_model_that_was_tested():
    """Nobody hands out a classifier that has not passed."""
    worker = a_worker(ScriptedClassifier())
    worker.submit(a_capture())  # Not yet started, so it stays in the queue.
    assert worker.problem() is None


def test_a_busy_worker_is_not_a_broken_one():
    gate, started = threading.Event(), threading.Event()
    classifier = ScriptedClassifier()

    def slow(image):
        started.set()
        gate.wait(30)
        return ScriptedClassifier().classify(image)

    with a_worker(classifier) as worker:
        assert worker.problem() is None
        classifier.classify = slow
        first = worker.submit(a_capture())
        assert started.wait(30)
        worker.submit(a_capture())
        assert worker.problem() is None
        gate.set()
        first.result(timeout=30)


@contextmanager
def a_worker_whose_card_waits():
    """Its record blocks until the gate is opened; one picture is at it."""
    gate, waits = threading.Event(), threading.Event()

    def record(capture, answer):
        waits.set()
        gate.wait(30)
        return replace(answer, result_id="1")

    classifier = ScriptedClassifier()
    with Worker(classifier, record=record, max_pixels=10**6, waiting=2) as worker:
        picture = worker.submit(a_capture())
        assert waits.wait(30)
        try:
            yield worker, classifier, gate
        finally:
            gate.set()
        picture.result(timeout=30)


def test_a_test_that_a_slow_card_keeps_waiting_blames_no_model(monkeypatch):
    monkeypatch.setattr("device.service.worker._SELF_TEST_TIMEOUT_S", 0.1)
    with a_worker_whose_card_waits() as (worker, classifier, gate):
        assert worker.problem() is None
        classifier.error = ModelError(field="golden", expected=1, found=2, remedy="install it")
        assert worker.problem() is None  # What nobody waits for any more is not run later.
        gate.set()
        while worker.pending:
            time.sleep(0.01)
        monkeypatch.setattr("device.service.worker._SELF_TEST_TIMEOUT_S", 30.0)
        assert "install it" in worker.problem()


def test_a_test_that_begins_late_has_its_whole_time(monkeypatch):
    monkeypatch.setattr("device.service.worker._SELF_TEST_TIMEOUT_S", 1.0)
    with a_worker_whose_card_waits() as (worker, classifier, gate):
        classifier.self_test = lambda: time.sleep(0.6)
        threading.Timer(0.7, gate.set).start()
        assert worker.problem() is None


def test_a_model_that_does_not_answer_is_told(monkeypatch):
    monkeypatch.setattr("device.service.worker._SELF_TEST_TIMEOUT_S", 0.1)
    gate = threading.Event()
    classifier = ScriptedClassifier()
    classifier.self_test = lambda: gate.wait(30)
    with a_worker(classifier) as worker:
        assert "does not answer" in worker.problem()
        gate.set()


def test_a_picture_that_never_ends_is_the_models_fault(monkeypatch):
    monkeypatch.setattr("device.service.worker._SELF_TEST_TIMEOUT_S", 0.1)
    monkeypatch.setattr("device.service.worker.LONGEST_TURN_S", 0.05)
    with a_worker_whose_card_waits() as (worker, _, _):
        assert "does not answer" in worker.problem()


def test_an_answer_comes_out_with_the_id_under_which_it_was_recorded():
    recorded = []

    def record(capture, answer):
        recorded.append((capture, answer))
        return replace(answer, result_id="7")

    with Worker(ScriptedClassifier(), record=record, max_pixels=10**6, waiting=1) as worker:
        capture = a_capture()
        assert worker.submit(capture).result(timeout=30).result_id == "7"
    assert recorded[0][0] is capture
    assert recorded[0][1].result_id is None


def test_what_cannot_be_recorded_is_not_answered():
    def record(capture, answer):
        raise HistoryError(HistoryFault.FULL, "expected room, found none; delete something")

    with Worker(ScriptedClassifier(), record=record, max_pixels=10**6, waiting=1) as worker:
        with pytest.raises(HistoryError, match="found none"):
            worker.submit(a_capture()).result(timeout=30)
        assert worker.problem() is None


def test_the_wait_for_the_frame_is_a_stage_of_the_answer():
    with a_worker(ScriptedClassifier()) as worker:
        stages = worker.submit(a_capture(capture_ns=5 * 10**9)).result(timeout=30).stage_ns
    assert next(iter(stages.items())) == ("capture", 5 * 10**9)
    assert list(stages)[-1] == "total"
    assert stages["total"] >= 5 * 10**9 + stages["decode"]


def test_the_camera_says_how_long_a_frame_took():
    with CameraThread(FakeCamera(), timeout_s=1.0) as frames:
        assert 0 < frames.request().result(timeout=30).capture_ns < 5 * 10**9
