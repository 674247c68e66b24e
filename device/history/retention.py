"""
What is kept, and for how long: by days and by bytes, the oldest goes first.

A box without a clock chip may believe in any year after a power cut.  So age is measured only by
a clock that is trusted now, and a row's age only by rows that were stamped by a trusted one: a row
is too old when a trusted one that was recorded after it is too old.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import datetime, timedelta

from device.core.results import LARGEST_INTEGER
from device.history.database import used_bytes
from device.history.rows import microseconds
from device.history.store import delete_oldest

BATCH = 64
"""Results deleted in one transaction, so that an answer never waits long."""


def prune(
    connection: sqlite3.Connection,
    *,
    now: datetime,
    clock_trusted: bool,
    keep_days: int,
    keep_bytes: int,
) -> int:
    """
    Delete one batch of results that are too old or too many.

    Args:
        connection: The writer's.
        now: UTC.
        clock_trusted: Whether *now* is to be believed; otherwise nothing is too old.
        keep_days: 0 keeps them whatever their age.
        keep_bytes: Of the database, what is free in it not counted.

    Returns:
        How many were deleted; call again until it is 0.
    """
    numbers = _oldest(connection)
    if not numbers:
        return 0
    too_old = 0
    if keep_days and clock_trusted:
        too_old = _newest_too_old(connection, microseconds(now - timedelta(days=keep_days)))
    doomed = [sequence for sequence in numbers if sequence <= too_old]
    if not doomed:
        doomed = numbers[: _too_many(connection, keep_bytes)]
    if doomed:
        delete_oldest(connection, up_to=doomed[-1])
    return len(doomed)


def _newest_too_old(connection: sqlite3.Connection, limit_us: int) -> int:
    """Number of the newest trusted row before the first that is young enough; 0 without one."""
    query = """
        SELECT coalesce(max(sequence), 0) FROM result
        WHERE clock_trusted AND captured_at_us < :limit_us AND sequence < coalesce(
            (
                SELECT sequence FROM result
                WHERE clock_trusted AND captured_at_us >= :limit_us ORDER BY sequence LIMIT 1
            ),
            :all
        )
    """
    values = {"limit_us": limit_us, "all": LARGEST_INTEGER}
    with closing(connection.execute(query, values)) as cursor:
        return int(cursor.fetchone()[0])


def _too_many(connection: sqlite3.Connection, keep_bytes: int) -> int:
    """About how many of the oldest results hold what is too much, at most a batch."""
    used = used_bytes(connection)
    if used <= keep_bytes:
        return 0
    query = "SELECT 1 + max(sequence) - min(sequence) FROM result"
    with closing(connection.execute(query)) as cursor:
        (count,) = cursor.fetchone()
    return min(BATCH, max(1, (used - keep_bytes) * int(count) // used))


def _oldest(connection: sqlite3.Connection) -> list[int]:
    query = "SELECT sequence FROM result ORDER BY sequence LIMIT ?"
    with closing(connection.execute(query, (BATCH,))) as cursor:
        return [sequence for (sequence,) in cursor]
