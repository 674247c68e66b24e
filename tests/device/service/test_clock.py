"""The time of day is believed when somebody set the clock."""

from datetime import UTC, datetime

import pytest

from device.service import clock

pytestmark = pytest.mark.portable
NOW = datetime(2026, 6, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def kernel(monkeypatch):
    """What the kernel says; not this machine's."""
    said = [False]
    monkeypatch.setattr(clock, "kernel_is_synchronized", lambda: said[0])
    return said


def test_nobody_set_it(tmp_path):
    assert not clock.is_clock_trusted(root=tmp_path, now=NOW)


def test_the_network_set_it_since_the_start(tmp_path):
    (tmp_path / "run/systemd/timesync").mkdir(parents=True)
    (tmp_path / "run/systemd/timesync/synchronized").touch()
    assert clock.is_clock_trusted(root=tmp_path, now=NOW)


@pytest.mark.parametrize(("written", "expected"), [("1\n", True), ("0\n", False), ("", False)])
def test_a_clock_chip_set_it_at_the_start(tmp_path, written, expected):
    chip = tmp_path / "sys/class/rtc/rtc1"
    chip.mkdir(parents=True)
    (chip / "hctosys").write_text(written)
    assert clock.is_clock_trusted(root=tmp_path, now=NOW) is expected


def test_a_chip_that_cannot_be_read_set_nothing(tmp_path):
    (tmp_path / "sys/class/rtc/rtc0/hctosys").mkdir(parents=True)
    assert not clock.is_clock_trusted(root=tmp_path, now=NOW)


def test_a_service_told_the_kernel(tmp_path, kernel):
    kernel[0] = True
    assert clock.is_clock_trusted(root=tmp_path, now=NOW)


def test_a_year_before_this_software_is_believed_from_nobody(tmp_path, kernel):
    kernel[0] = True
    assert not clock.is_clock_trusted(root=tmp_path, now=datetime(2000, 1, 1, tzinfo=UTC))


def test_the_kernel_is_asked_and_nothing_is_set(monkeypatch):
    monkeypatch.undo()
    assert clock.kernel_is_synchronized() in {True, False}
    assert clock.is_clock_trusted() in {True, False}
