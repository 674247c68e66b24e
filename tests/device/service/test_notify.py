"""What systemd hears: ready, how the box is, and a beat only while every thread turns."""

import os
import socket
import threading
import time

import pytest

from device.core.errors import BusyError
from device.service.notify import Notifier, Pulse
from device.service.queue_thread import QueueThread

pytestmark = pytest.mark.portable


@pytest.fixture(params=["file", "abstract"])
def heard(request, tmp_path):
    """A socket as systemd opens it, and the environment that names it."""
    name = str(tmp_path / "notify") if request.param == "file" else f"@edgederm-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(name.replace("@", "\0"))
        listening.settimeout(5)
        yield {"NOTIFY_SOCKET": name}, lambda: listening.recv(4096).decode()


def test_ready_comes_with_how_the_box_is(heard):
    environment, hear = heard
    Notifier(environment).ready()
    assert hear() == "READY=1\nSTATUS=ready"


def test_the_status_names_what_fails_until_it_works_again(heard):
    environment, hear = heard
    notifier = Notifier(environment)
    notifier.report("history", "full;\nerase")
    assert hear() == "STATUS=history: full; erase"
    notifier.report("camera", "unplugged")
    assert hear() == "STATUS=camera: unplugged; history: full; erase"
    notifier.report("history", None)
    assert hear() == "STATUS=camera: unplugged"
    notifier.report("camera", None)
    assert hear() == "STATUS=ready"


def test_a_long_problem_is_cut_to_a_line(heard):
    environment, hear = heard
    Notifier(environment).report("camera", "word " * 1000)
    assert len(hear()) < 250


def test_a_long_problem_hides_no_other(heard):
    """Whoever switches releases reads there which parts fail."""
    environment, hear = heard
    notifier = Notifier(environment)
    notifier.report("camera", "word " * 1000)
    hear()
    notifier.report("history", "full " * 1000)
    said = hear()
    assert said.startswith("STATUS=camera: word")
    assert "; history: full" in said
    assert len(said) < 250


def test_the_end_and_the_beat_are_told(heard):
    environment, hear = heard
    notifier = Notifier(environment)
    notifier.beat()
    assert hear() == "WATCHDOG=1"
    notifier.stopping()
    assert hear() == "STOPPING=1\nSTATUS=stopping"


def test_without_systemd_nothing_is_said_and_nothing_beats():
    notifier = Notifier({"WATCHDOG_USEC": "10000000"})
    notifier.ready()
    assert notifier.beat_every_s is None


def test_a_socket_that_is_gone_ends_no_box(tmp_path, caplog):
    Notifier({"NOTIFY_SOCKET": str(tmp_path / "gone")}).ready()
    assert "event=notify.unheard" in caplog.text


@pytest.mark.parametrize(
    ("environment", "every_s"),
    [
        ({"WATCHDOG_USEC": "10000000"}, 2.5),
        ({"WATCHDOG_USEC": "10000000", "WATCHDOG_PID": str(os.getpid())}, 2.5),
        ({"WATCHDOG_USEC": "10000000", "WATCHDOG_PID": "1"}, None),
        ({}, None),
    ],
)
def test_it_beats_four_times_in_each_period_and_only_where_it_is_meant(environment, every_s):
    assert Notifier({"NOTIFY_SOCKET": "@x", **environment}).beat_every_s == every_s


def test_one_thread_that_is_silent_is_enough_to_stop_the_beat(caplog):
    silent_s, beats = {"worker": 0.0, "camera": 0.0}, []
    pulse = Pulse(
        {name: lambda name=name: silent_s[name] for name in silent_s},
        longest_s={"worker": 30.0, "camera": 60.0},
        beat=lambda: beats.append(1),
    )
    pulse()
    silent_s.update(worker=29.0, camera=59.0)
    pulse()
    assert len(beats) == 2
    for _ in range(2):
        silent_s.update(camera=61.0)
        pulse()
    assert len(beats) == 2
    assert [record.getMessage() for record in caplog.records] == [
        "event=watchdog.not_fed threads=camera:61s"
    ]
    silent_s.update(camera=1.0)
    pulse()
    assert len(beats) == 3


def test_an_idle_thread_comes_round_and_one_that_is_stuck_does_not():
    until, began = threading.Event(), threading.Event()
    with QueueThread("stuck", waiting=1) as jobs:
        jobs.submit(lambda: None).result(30)
        # Longer than an idle turn, so that without turning it would show.
        threading.Event().wait(1.3)
        # A busy machine may keep it waiting; without turning it would stay silent for good.
        deadline_s = time.monotonic() + 30
        while jobs.silent_s() > 1.0:
            assert time.monotonic() < deadline_s
            time.sleep(0.01)
        began_s = time.monotonic()
        jobs.submit(lambda: began.set() or until.wait(30))
        assert began.wait(30)
        jobs.submit(lambda: None)
        with pytest.raises(BusyError):
            jobs.submit(lambda: None)
        threading.Event().wait(0.2)
        assert 0.2 <= jobs.silent_s() < time.monotonic() - began_s + 1.2
        until.set()
