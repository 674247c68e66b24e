"""What is kept: by days that a trusted clock counted, and by bytes; the oldest goes first."""

from datetime import UTC, datetime, timedelta

import pytest

from device.history import database, store
from device.history.database import used_bytes
from device.history.pictures import KeptPicture
from device.history.retention import BATCH, prune
from device.history.rows import new_row
from tests.builders import an_answer

pytestmark = pytest.mark.portable
NOW = datetime(2026, 6, 1, tzinfo=UTC)
MUCH = 2**40


@pytest.fixture
def connection(tmp_path):
    opened = database.open_writer(tmp_path / "history.sqlite", now_us=0)
    yield opened
    opened.close()


def add(connection, captured_at, *, clock_trusted=True, picture_bytes=0):
    row = new_row(
        an_answer(captured_at=captured_at),
        secret="a" * 16,
        clock_trusted=clock_trusted,
        software_version="0",
    )
    picture = KeptPicture(
        jpeg=bytes(picture_bytes),
        thumbnail=b"",
        crop_top_px=0,
        crop_left_px=0,
        crop_side_px=1,
    )
    store.insert(connection, row, picture if picture_bytes else None)


def left(connection):
    return [number for (number,) in connection.execute("SELECT sequence FROM result").fetchall()]


def prune_all(connection, **changes):
    options = {
        "now": NOW, "clock_trusted": True, "keep_days": 30, "keep_bytes": MUCH, **changes
    }  # fmt: skip
    total = 0
    while count := prune(connection, **options):
        assert count <= BATCH
        total += count
    return total


def test_what_is_older_goes_and_what_is_as_old_stays(connection):
    for days in (32, 31, 30, 29, 0):
        add(connection, NOW - timedelta(days=days))
    assert prune_all(connection) == 2
    assert left(connection) == [3, 4, 5]


def test_zero_days_keep_all(connection):
    add(connection, NOW - timedelta(days=10_000))
    assert prune_all(connection, keep_days=0) == 0


def test_a_clock_that_is_not_trusted_makes_nothing_old(connection):
    add(connection, NOW - timedelta(days=10_000))
    assert prune_all(connection, clock_trusted=False) == 0
    assert left(connection) == [1]


def test_a_row_without_a_trusted_time_is_as_old_as_the_trusted_one_after_it(connection):
    for captured_at, trusted in (
        (datetime(1970, 1, 1, tzinfo=UTC), False),
        (NOW - timedelta(days=40), True),
        (datetime(2100, 1, 1, tzinfo=UTC), False),
        (datetime(1970, 1, 1, tzinfo=UTC), False),
        (NOW - timedelta(days=35), True),
        (datetime(1970, 1, 1, tzinfo=UTC), False),
        (NOW - timedelta(days=1), True),
        (datetime(1970, 1, 1, tzinfo=UTC), False),
    ):
        add(connection, captured_at, clock_trusted=trusted)
    assert prune_all(connection) == 5
    assert left(connection) == [6, 7, 8]


def test_more_than_a_batch_of_untrusted_rows_hide_no_old_one(connection):
    for _ in range(BATCH + 10):
        add(connection, datetime(1970, 1, 1, tzinfo=UTC), clock_trusted=False)
    add(connection, NOW - timedelta(days=40))
    add(connection, NOW)
    assert prune_all(connection) == BATCH + 11
    assert left(connection) == [BATCH + 12]


def test_nothing_is_too_much_for_an_empty_history(connection):
    assert prune_all(connection, keep_bytes=1) == 0


def test_the_oldest_go_until_the_rest_has_room(connection):
    for _ in range(40):
        add(connection, NOW, picture_bytes=50_000)
    limit = used_bytes(connection) // 2
    assert 15 <= prune_all(connection, keep_bytes=limit) <= 25
    assert used_bytes(connection) <= limit
    assert left(connection)[-1] == 40
    assert used_bytes(connection) > limit - 200_000


def test_bytes_count_what_is_used_and_not_what_became_free(connection):
    for _ in range(20):
        add(connection, NOW, picture_bytes=50_000)
    full = used_bytes(connection)
    prune_all(connection, keep_bytes=full // 4)
    assert used_bytes(connection) < full // 3
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    assert pages * 4096 >= full
