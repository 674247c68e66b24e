"""The time of day is believed when somebody set the clock; no test sets this machine's."""

import struct
from datetime import UTC, datetime, timedelta

import pytest

from device.core.clock import ClockSetter
from device.core.errors import ClockError, ClockKeptError
from device.service import clock
from device.service.clock import SystemClock

pytestmark = pytest.mark.portable
NOW = datetime(2026, 6, 1, tzinfo=UTC)
LATER = datetime(2026, 6, 3, 9, 30, 15, 250_000, tzinfo=UTC)
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def kernel(monkeypatch):
    """What the kernel says; not this machine's."""
    said = [False]
    monkeypatch.setattr(clock, "kernel_is_synchronized", lambda: said[0])
    return said


class Board:
    """A machine below a folder, whose clock stands still until it is set."""

    def __init__(self, root):
        self.root = root
        self.state = root / "state"
        self.now = NOW
        self.chips = []
        self.error = self.chip_error = None
        self.start("first")
        self.clock = SystemClock(
            self.state,
            is_settable=True,
            root=root,
            now=lambda: self.now,
            set_time=self.set_time,
            set_chip=self.set_chip,
        )

    def start(self, name):
        path = self.root / "proc/sys/kernel/random/boot_id"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{name}\n")

    def add_chip(self, name, hctosys):
        (self.root / "sys/class/rtc" / name).mkdir(parents=True)
        (self.root / "sys/class/rtc" / name / "hctosys").write_text(hctosys)

    def synchronize(self):
        (self.root / "run/systemd/timesync").mkdir(parents=True)
        (self.root / "run/systemd/timesync/synchronized").touch()

    def set_time(self, moment):
        if self.error is not None:
            raise self.error
        self.now = moment

    def set_chip(self, chip, moment):
        if self.chip_error is not None:
            raise self.chip_error
        self.chips.append((chip.relative_to(self.root).as_posix(), moment))


@pytest.fixture
def board(tmp_path):
    return Board(tmp_path)


def test_nobody_set_it(board):
    assert not board.clock.is_trusted()
    read = board.clock.read()
    assert (read.now, read.clock_trusted, read.set_by, read.settable) == (NOW, False, None, True)


def test_the_network_set_it_since_the_start(board):
    board.synchronize()
    assert board.clock.is_trusted()
    assert board.clock.read().set_by is ClockSetter.NETWORK


@pytest.mark.parametrize(("written", "expected"), [("1\n", True), ("0\n", False), ("", False)])
def test_a_clock_chip_set_it_at_the_start(board, written, expected):
    board.add_chip("rtc1", written)
    assert board.clock.is_trusted() is expected


def test_a_chip_that_cannot_be_read_set_nothing(board):
    (board.root / "sys/class/rtc/rtc0/hctosys").mkdir(parents=True)
    assert not board.clock.is_trusted()


def test_a_service_told_the_kernel(board, kernel):
    kernel[0] = True
    assert board.clock.is_trusted()


def test_a_year_before_this_software_is_believed_from_nobody(board, kernel):
    kernel[0] = True
    board.now = LONG_AGO
    assert not board.clock.is_trusted()
    assert not board.clock.read().clock_trusted


def test_the_kernel_is_asked_and_nothing_is_set(monkeypatch, tmp_path):
    monkeypatch.undo()
    assert clock.kernel_is_synchronized() in {True, False}
    assert SystemClock(tmp_path).read().now - datetime.now(UTC) < timedelta(seconds=5)


def test_a_person_sets_it_and_it_is_trusted_until_the_board_starts_again(board):
    change = board.clock.set(LATER)
    assert (change.before, change.now) == (NOW, LATER)
    assert (change.clock_trusted, change.set_by) == (True, ClockSetter.PERSON)
    assert change.chip_set is None
    # Another process of the same box knows it, and so does the next one.
    assert SystemClock(board.state, root=board.root, now=lambda: LATER).is_trusted()
    board.start("second")
    assert not board.clock.is_trusted()


def test_a_chip_is_set_with_it_the_one_that_the_board_starts_with(board):
    board.add_chip("rtc0", "0")
    board.add_chip("rtc1", "1")
    assert board.clock.set(LATER).chip_set is True
    assert board.chips == [("dev/rtc1", LATER)]
    assert board.clock.read().set_by is ClockSetter.PERSON


def test_a_chip_that_refuses_is_told(board, caplog):
    board.add_chip("rtc0", "1")
    board.chip_error = PermissionError(13, "Permission denied")
    change = board.clock.set(LATER)
    assert (change.now, change.chip_set) == (LATER, False)
    assert "event=clock.chip_not_set" in caplog.text


def test_a_clock_that_the_network_keeps_is_left_alone(board):
    board.synchronize()
    assert not board.clock.read().settable
    with pytest.raises(ClockKeptError, match="time service"):
        board.clock.set(LATER)
    assert board.now == NOW


def test_nobody_may_set_it_unless_the_settings_say_so(board):
    fixed = SystemClock(board.state, root=board.root, set_time=board.set_time)
    assert not fixed.read().settable
    with pytest.raises(ClockKeptError, match=r"clock\.settable"):
        fixed.set(LATER)
    assert board.now == NOW


def test_a_service_without_the_right_is_told_what_it_lacks(board):
    board.error = PermissionError(1, "Operation not permitted")
    with pytest.raises(ClockError, match=r"CAP_SYS_TIME.*Operation not permitted"):
        board.clock.set(LATER)
    assert not board.clock.is_trusted()


def test_what_could_not_be_remembered_is_set_and_not_trusted(board):
    board.state.touch()
    with pytest.raises(ClockError, match="was set, but is not trusted"):
        board.clock.set(LATER)
    assert board.now == LATER
    assert not board.clock.is_trusted()


def test_a_sandbox_that_hides_the_start_leaves_the_clock_alone(board):
    (board.root / "proc/sys/kernel/random/boot_id").unlink()
    with pytest.raises(ClockError, match="ProcSubset"):
        board.clock.set(LATER)
    assert board.now == NOW


def test_the_kernel_is_given_whole_nanoseconds(monkeypatch):
    given = []
    monkeypatch.setattr(clock.time, "clock_settime_ns", lambda *what: given.append(what))
    clock.set_kernel_time(LATER)
    assert given == [(clock.time.CLOCK_REALTIME, int(LATER.timestamp()) * 10**9 + 250_000_000)]


def test_the_chip_is_given_the_parts_of_the_time(monkeypatch, tmp_path):
    chip = tmp_path / "rtc0"
    chip.touch()
    given = []
    monkeypatch.setattr(
        clock.fcntl, "ioctl", lambda _, request, fields: given.append((request, fields))
    )
    clock.set_chip_time(chip, LATER)
    ((request, fields),) = given
    # linux/rtc.h: _IOW('p', 0x0a, struct rtc_time).
    assert request == (1 << 30) | (struct.calcsize("9i") << 16) | (ord("p") << 8) | 0x0A
    assert struct.unpack("9i", fields) == (15, 30, 9, 3, 5, 126, 0, 0, 0)
