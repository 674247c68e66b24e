"""A model on trial is kept after it has worked for a while, and given up at its first fault."""

import pytest

from device.updates.trial import TrialWatch

pytestmark = pytest.mark.portable


class Trial:
    def __init__(self, needed_s=600.0):
        self.now_s = 1000.0
        self.told = []
        self.is_written = True
        self.watch = TrialWatch(
            needed_s=needed_s,
            clock_s=lambda: self.now_s,
            good=lambda: self.tell("good"),
            failed=self.tell,
        )

    def tell(self, what):
        self.told.append(what)
        return self.is_written

    def hear(self, problem=None, *, part="model", after_s=0.0):
        self.now_s += after_s
        self.watch.report(part, problem)
        return self.told


def test_it_is_good_after_the_whole_time_and_is_told_once():
    trial = Trial()
    assert trial.hear(after_s=599) == []
    assert trial.hear(after_s=1) == ["good"]
    assert trial.hear("broken", after_s=1) == ["good"]


def test_the_first_fault_ends_it():
    trial = Trial()
    assert trial.hear("no answer", after_s=599) == ["no answer"]
    assert trial.hear(after_s=1000) == ["no answer"]


def test_other_parts_are_not_the_models_fault():
    trial = Trial()
    assert trial.hear("unplugged", part="camera", after_s=700) == []
    assert trial.hear("full", part="history") == []
    assert trial.hear() == ["good"]


def test_a_trial_of_no_time_needs_one_good_look():
    assert Trial(needed_s=0).hear() == ["good"]


@pytest.mark.parametrize("fault", [None, "no answer"])
def test_what_could_not_be_written_down_is_tried_again(fault):
    trial = Trial()
    trial.is_written = False
    told = [fault or "good"]
    assert trial.hear(fault, after_s=600) == told
    assert trial.hear(fault) == 2 * told
    trial.is_written = True
    assert trial.hear(fault) == 3 * told
    assert trial.hear("another") == 3 * told


def test_a_fault_that_could_not_be_written_down_is_not_forgotten():
    trial = Trial()
    trial.is_written = False
    assert trial.hear("no answer", after_s=599) == ["no answer"]
    assert trial.hear(after_s=1) == 2 * ["no answer"]
