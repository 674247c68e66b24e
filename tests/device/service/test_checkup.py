"""What a technician is told: what was found, how bad it is, and what to do."""

import os
import socket
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from device.core.board import BoardHealth
from device.core.checkup import Verdict
from device.core.clock import ClockDocument, ClockSetter
from device.core.errors import CameraError
from device.service import checkup

pytestmark = pytest.mark.portable


def verdict(finding):
    """A warning or a failure always says what to do; where all is well there is nothing to do."""
    assert (finding.remedy is None) == (finding.verdict is Verdict.OK)
    return finding.verdict


def raising(error):
    def check():
        raise error

    return check


def test_an_error_that_explains_itself_is_found_and_remedy():
    finding = checkup.checked("camera", raising(CameraError("v4l2 x: was unplugged; plug it in")))
    assert verdict(finding) is Verdict.FAILURE
    assert (finding.part, finding.found) == ("camera", "v4l2 x: was unplugged")
    assert finding.remedy == "plug it in"


@pytest.mark.parametrize("error", [CameraError("no remedy here"), ZeroDivisionError("bug")])
def test_an_error_that_does_not_is_a_failure_all_the_same(error):
    finding = checkup.checked("camera", raising(error))
    assert verdict(finding) is Verdict.FAILURE
    assert str(error) in finding.found


def test_a_port_that_is_taken_means_that_a_box_runs():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        taken = checkup.check_port("127.0.0.1", port)
    assert verdict(taken) is Verdict.WARNING
    assert "stop the box first" in taken.remedy
    assert verdict(checkup.check_port("127.0.0.1", port)) is Verdict.OK
    assert verdict(checkup.check_port("127.0.0.1", 0)) is Verdict.OK


@pytest.mark.parametrize(
    ("free", "expected"),
    [
        (checkup.LEAST_FREE_BYTES - 1, Verdict.FAILURE),
        (checkup.LITTLE_FREE_BYTES - 1, Verdict.WARNING),
        (checkup.LITTLE_FREE_BYTES, Verdict.OK),
    ],
)
def test_a_full_disk_is_told_before_it_is_full(free, expected, tmp_path, monkeypatch):
    usage = SimpleNamespace(free=free)
    monkeypatch.setattr(checkup.shutil, "disk_usage", lambda _: usage)
    assert verdict(checkup.check_disk(tmp_path / "not" / "made")) is expected


@pytest.mark.parametrize(
    ("set_by", "trusted", "expected"),
    [
        (None, False, Verdict.WARNING),
        (ClockSetter.CHIP, False, Verdict.WARNING),
        (ClockSetter.CHIP, True, Verdict.OK),
        (ClockSetter.NETWORK, True, Verdict.OK),
        (ClockSetter.PERSON, True, Verdict.OK),
    ],
)
def test_a_clock_that_nobody_set_or_an_empty_battery_did_is_a_warning(set_by, trusted, expected):
    now = datetime(2026, 6, 1, 9, 30, tzinfo=UTC)
    read = ClockDocument(now=now, clock_trusted=trusted, set_by=set_by, settable=False)
    finding = checkup.check_clock(read)
    assert verdict(finding) is expected
    assert "2026-06-01 09:30 UTC" in finding.found


def test_a_folder_that_others_may_read_is_a_warning(tmp_path):
    tmp_path.chmod(0o700)
    assert verdict(checkup.check_folder(tmp_path)) is Verdict.OK
    tmp_path.chmod(0o755)
    assert verdict(checkup.check_folder(tmp_path)) is Verdict.WARNING
    # What is above it is not ours.
    assert verdict(checkup.check_folder(tmp_path / "history")) is Verdict.OK


def test_a_folder_that_cannot_be_written_is_a_failure(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert verdict(checkup.check_folder(tmp_path)) is Verdict.FAILURE


@pytest.mark.parametrize(
    ("user", "mine", "expected"),
    [
        (0, [], Verdict.WARNING),
        (1000, ["users"], Verdict.WARNING),
        (1000, ["users", "video"], Verdict.OK),
    ],
)
def test_a_user_without_the_cameras_group_is_told_so(user, mine, expected, monkeypatch):
    monkeypatch.setattr(os, "getuid", lambda: user)
    monkeypatch.setattr(checkup, "_group_names", lambda _: mine)
    monkeypatch.setattr(checkup, "_exists", lambda name: name == "video")
    finding = checkup.check_groups({"video", "gpio"})
    assert verdict(finding) is expected
    assert "gpio" not in f"{finding.found} {finding.remedy}", "this system has no such group"


def test_groups_are_known_by_their_numbers():
    assert "root" in checkup._group_names([0])
    assert checkup._exists("root")
    assert not checkup._exists("no-such-group-here")


@pytest.mark.parametrize(
    ("health", "expected"),
    [
        (BoardHealth(), Verdict.OK),
        (BoardHealth(temperatures_celsius={"cpu": 50.0, "gpu": 60.0}), Verdict.OK),
        (BoardHealth(temperatures_celsius={"cpu": 50.0, "gpu": 76.0}), Verdict.WARNING),
        (BoardHealth(flags={"under_voltage": True, "throttled": False}), Verdict.FAILURE),
        (
            BoardHealth(
                temperatures_celsius={"cpu": 50.0}, flags_since_start={"under_voltage": True}
            ),
            Verdict.WARNING,
        ),
    ],
)
def test_heat_and_a_weak_supply_are_told(health, expected):
    assert verdict(checkup.check_heat(health, limit_celsius=80.0)) is expected


def test_a_board_without_a_known_limit_has_the_usual_one():
    hot = BoardHealth(temperatures_celsius={"cpu": 79.0})
    assert verdict(checkup.check_heat(hot, limit_celsius=None)) is Verdict.WARNING


def test_a_box_in_a_network_without_tls_is_a_warning():
    assert verdict(checkup.check_no_tls(is_loopback=True)) is Verdict.OK
    assert verdict(checkup.check_no_tls(is_loopback=False)) is Verdict.WARNING


@pytest.mark.parametrize(
    ("beginning", "end", "expected", "said"),
    [
        (-10, None, Verdict.OK, "without an end"),
        (-10, 31, Verdict.OK, "until 2026-07-02"),
        (-10, 29, Verdict.WARNING, "ends on 2026-06-30"),
        (-10, 0, Verdict.FAILURE, "ended on 2026-06-01"),
        (1, 90, Verdict.WARNING, "begins on 2026-06-02"),
    ],
)
def test_a_certificate_is_told_by_its_fingerprint_and_its_end(beginning, end, expected, said):
    now = datetime(2026, 6, 1, tzinfo=UTC)
    finding = checkup.check_certificate(
        "AB:CD",
        beginning=now + timedelta(days=beginning),
        end=None if end is None else now + timedelta(days=end),
        now=now,
    )
    assert verdict(finding) is expected
    assert "AB:CD" in finding.found
    assert said in finding.found
