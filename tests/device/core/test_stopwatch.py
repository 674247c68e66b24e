"""A recorder keeps the time of each stage, in order, and the total last."""

from itertools import count

import pytest

from device.core.stopwatch import Recorder

pytestmark = pytest.mark.portable


def test_stages_are_kept_in_the_order_of_their_start_and_the_total_last():
    """A clock that ticks once for every look at it."""
    recorder = Recorder(clock_ns=count().__next__)
    with recorder.stage("decode"):
        pass
    with recorder.stage("inference"):
        pass
    assert list(recorder.stages().items()) == [("decode", 1), ("inference", 1), ("total", 5)]


def test_a_stage_that_runs_twice_adds_up():
    recorder = Recorder(clock_ns=count().__next__)
    for _ in range(2):
        with recorder.stage("resize"):
            pass
    assert recorder.stages()["resize"] == 2


def test_a_stage_that_fails_is_timed_all_the_same():
    recorder = Recorder(clock_ns=count().__next__)
    with pytest.raises(KeyError), recorder.stage("decode"):
        raise KeyError
    assert recorder.stages()["decode"] == 1


def test_what_it_gives_away_cannot_be_changed():
    stages = Recorder(clock_ns=count().__next__).stages()
    with pytest.raises(TypeError):
        stages["total"] = 0


def test_what_was_timed_before_comes_first_and_counts():
    recorder = Recorder(clock_ns=count().__next__, earlier_ns={"capture": 100})
    with recorder.stage("decode"):
        pass
    assert list(recorder.stages().items()) == [("capture", 100), ("decode", 1), ("total", 103)]
