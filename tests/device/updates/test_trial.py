"""A model on trial is kept after it has worked for a while, and given up at its first fault."""

import pytest

from device.updates.trial import TrialWatch

pytestmark = pytest.mark.portable


class Trial:
    def __init__(self, needed_s=600.0):
        self.now_s = 1000.0
        self.told = []
        self.watch = TrialWatch(
            needed_s=needed_s,
            clock_s=lambda: self.now_s,
            good=lambda: self.told.append("good"),
            failed=self.told.append,
        )

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
