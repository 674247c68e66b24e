"""The watch: the light learns of every fault, and a stuck camera ends the process, not the box."""

import threading

import pytest

from device.service.watch import Watch

pytestmark = pytest.mark.portable


class Box:
    """Parts whose problems a test sets."""

    def __init__(self, longest_stuck_s=60.0):
        self.problems = {"model": None, "camera": None}
        self.reported = []
        self.given_up = []
        self.stuck_s = 0.0
        self.looked = threading.Event()
        self.watch = Watch(
            {name: lambda name=name: self.check(name) for name in self.problems},
            report=lambda part, problem: self.reported.append((part, problem)),
            stuck_s=lambda: self.stuck_s,
            longest_stuck_s=longest_stuck_s,
            give_up=self.given_up.append,
            every_s=0.005,
        )

    def check(self, name):
        if name == "camera":
            self.looked.set()
        problem = self.problems[name]
        if isinstance(problem, Exception):
            raise problem
        return problem


def test_every_part_is_reported_well_or_not():
    box = Box()
    box.problems["camera"] = "unplugged; plug it in"
    assert box.watch.look()
    assert box.reported == [("model", None), ("camera", "unplugged; plug it in")]


def test_a_change_is_logged_once(caplog):
    box = Box()
    caplog.set_level("INFO")
    for problem in (None, "unplugged", "unplugged", None, None):
        box.problems["camera"] = problem
        box.watch.look()
    told = [record.getMessage() for record in caplog.records]
    assert told == [
        "event=watch.part part=camera problem='unplugged'",
        "event=watch.part part=camera problem=None",
    ]


@pytest.mark.parametrize(
    ("stuck_s", "longest_s", "gives_up"),
    [(0, 60, False), (59, 60, False), (60, 60, True), (10**6, 0, False), (0, 0, False)],
)
def test_it_gives_up_when_the_camera_stays_stuck_and_not_before(stuck_s, longest_s, gives_up):
    box = Box(longest_stuck_s=longest_s)
    box.stuck_s = stuck_s
    assert box.watch.look() is not gives_up
    assert bool(box.given_up) is gives_up


def test_why_it_gave_up_is_told():
    box = Box()
    box.stuck_s = 61.0
    box.watch.look()
    (why,) = box.given_up
    assert why.startswith("the camera has been stuck in its driver for 61 s")


def test_a_bug_in_a_check_does_not_end_the_watch(caplog):
    box = Box()
    box.problems["camera"] = ZeroDivisionError()
    with box.watch:
        for _ in range(3):
            box.looked.clear()
            assert box.looked.wait(30)
    assert "event=watch.look_failed" in caplog.text


def test_it_looks_at_once_and_again_and_ends_with_the_box():
    box = Box()
    with box.watch:
        for _ in range(3):
            box.looked.clear()
            assert box.looked.wait(30)
    assert not any(thread.name == "watch" for thread in threading.enumerate())


def test_after_it_gave_up_it_looks_no_more():
    box = Box()
    box.stuck_s = 100.0
    with box.watch:
        box.watch._thread.join(30)
        assert not box.watch._thread.is_alive()
    assert len(box.given_up) == 1


def test_a_check_that_waits_does_not_keep_the_box_from_stopping():
    gate = threading.Event()
    box = Box()
    box.check = lambda name: gate.wait(10)
    with box.watch:
        pass
    gate.set()
    box.watch._thread.join(30)
    assert box.reported == []
