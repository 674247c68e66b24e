"""
The file: opened with the promises that we make, and what SQLite says when it cannot keep them.

The only door to ``sqlite3`` is this room.
"""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timezone
from pathlib import Path

from device.core.errors import HistoryError, HistoryFault
from device.history.migrations import migrate, schema_of

FILE_NAME = "history.sqlite"
SIDE_FILES = ("", "-wal", "-shm", "-journal")
"""What a database may consist of."""
UNFINISHED = ".{}.unfinished"
"""Name of a copy on its way; one that a power cut left behind is removed at the next start."""
RESERVE_BYTES = 4 * 2**20
"""No answer is recorded with less room, free pages of the database counted."""
LEAST_FREE_BYTES = 2**20
"""Nor with less free on the disk itself: on a full one not even an erasure would succeed."""
_LOCK_WAIT_S = 5.0
_PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    # An answer that was shown survives a power cut.
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
    # What is deleted is overwritten with zeros.
    "PRAGMA secure_delete = ON",
    # No copy of a row in a file that nobody watches.
    "PRAGMA temp_store = MEMORY",
    # Kibibytes, negative by SQLite's rule: two megabytes would fill with the rows of a year.
    "PRAGMA cache_size = -512",
    # Copying the log into the database waits until nobody waits for an answer.
    "PRAGMA wal_autocheckpoint = 0",
)
_log = logging.getLogger(__name__)


def open_writer(path: Path, *, now_us: int) -> sqlite3.Connection:
    """
    Open the database, make it if it is not there, and bring it to the newest schema.

    Args:
        path: Of the file; its folder is made for nobody but us.
        now_us: Microseconds since 1970, for the record of a migration.

    Raises:
        HistoryError: It cannot be opened, is damaged, of newer software or somebody else's.

    Threads: the connection belongs to the one that opened it.
    """
    with translated(path):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        for suffix in SIDE_FILES:
            left = UNFINISHED.format(path.name) + suffix
            path.with_name(left).unlink(missing_ok=True)
        # SQLite gives log and index the rights and the owner of the database.
        # No link is followed: root would give away whatever the folder's owner made it point to.
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        handle = os.open(path, flags, 0o600)
        try:
            os.fchmod(handle, 0o600)
            if os.geteuid() == 0:
                # A restore by root, say: the service must be able to open what it left.
                folder = path.parent.stat()
                os.fchown(handle, folder.st_uid, folder.st_gid)
        finally:
            os.close(handle)
        connection = connect(path)
        try:
            # First the question whose file this is: the next lines change it.
            schema_of(connection)
            for pragma in _PRAGMAS:
                connection.execute(pragma).close()
            migrate(connection, now_us=now_us)
            # Finishes what the last power cut interrupted, an erasure above all.
            empty_log(connection)
        except BaseException:
            connection.close()
            raise
    return connection


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """
    Keep every other program from opening, moving or restoring the database during the block.

    Else one could open what another is about to move, or remove a copy that it is making.
    Whoever has the database open goes on.  Not to be nested: the inner one would wait for ever.

    Raises:
        HistoryError: The folder cannot be made or opened.
    """
    with translated(path):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with translated(path):
            fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def file_at(path: Path) -> tuple[int, int] | None:
    """Tell which file has this name now: its device and number, or None without one."""
    with translated(path):
        try:
            found = path.stat()
        except FileNotFoundError:
            return None
    return found.st_dev, found.st_ino


def connect(path: Path) -> sqlite3.Connection:
    """Open an existing file; transactions begin where we say so."""
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=rw",
        uri=True,
        timeout=_LOCK_WAIT_S,
        isolation_level=None,
    )


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """
    Open a connection that cannot write, and close it after the block.

    Raises:
        HistoryError: There is no database, or SQLite complains inside the block.
    """
    if not path.exists():
        raise HistoryError(
            HistoryFault.MISSING,
            f"expected a database in {path.parent}, found none; the box makes it when it "
            "starts, so check history.path",
        )
    with translated(path), closing(connect(path)) as connection:
        connection.execute("PRAGMA query_only = ON")
        yield connection


def check(connection: sqlite3.Connection) -> None:
    """
    Look for damage in the results; pictures, which may be many, are left out.

    Raises:
        sqlite3.DatabaseError: There is some.
    """
    with closing(connection.execute("PRAGMA quick_check(result)")) as cursor:
        (found,) = cursor.fetchone()
    if found != "ok":
        raise sqlite3.DatabaseError(found)


def empty_log(connection: sqlite3.Connection) -> None:
    """
    Copy the log into the database and cut it to nothing: no old row stays in it.

    Raises:
        HistoryError: Another program reads the database and does not stop.
    """
    with closing(connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")) as cursor:
        (is_busy, _, _) = cursor.fetchone()
    if is_busy:
        raise HistoryError(
            HistoryFault.LOCKED,
            "what was erased stays in the log as long as another program reads the database; "
            "end that program and ask again",
        )


def move_aside(path: Path, now: datetime) -> Path:
    """Rename a damaged database with all that belongs to it; returns its new place."""
    stamp = now.astimezone(timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    aside, number = path.with_name(f"{path.name}.damaged-{stamp}"), 1
    while aside.exists():
        number += 1
        aside = path.with_name(f"{path.name}.damaged-{stamp}-{number}")
    for suffix in SIDE_FILES:
        side = path.with_name(path.name + suffix)
        if side.exists():
            side.rename(aside.with_name(aside.name + suffix))
    _log.error(
        "event=history.damaged moved_to=%r remedy='restore a backup: python -m device history "
        "restore'",
        str(aside),
    )
    return aside


def check_room(connection: sqlite3.Connection, path: Path) -> None:
    """
    See that there is room for more than one answer; cut the log if that helps.

    Raises:
        HistoryError: There is not.
    """
    if _has_room(connection, path):
        return
    empty_log(connection)
    if not _has_room(connection, path):
        raise HistoryError(
            HistoryFault.FULL,
            f"expected room for {RESERVE_BYTES} bytes in {path.parent}, found "
            f"{shutil.disk_usage(path.parent).free} free on the disk; delete results or other "
            "files, or lower history.keep_bytes",
        )


def _has_room(connection: sqlite3.Connection, path: Path) -> bool:
    disk_bytes = shutil.disk_usage(path.parent).free
    free_bytes = pragma(connection, "freelist_count") * pragma(connection, "page_size")
    return disk_bytes >= LEAST_FREE_BYTES and disk_bytes + free_bytes >= RESERVE_BYTES


def used_bytes(connection: sqlite3.Connection) -> int:
    """Bytes of the database's pages that hold something."""
    pages = pragma(connection, "page_count") - pragma(connection, "freelist_count")
    return pages * pragma(connection, "page_size")


def pragma(connection: sqlite3.Connection, name: str) -> int:
    """Ask for a number."""
    with closing(connection.execute(f"PRAGMA {name}")) as cursor:
        return int(cursor.fetchone()[0])


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn what SQLite and the system raise in the block into a HistoryError."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        # Its other children (a broken constraint, a wrong call) are mistakes of ours.
        if type(error) not in {sqlite3.DatabaseError, sqlite3.OperationalError}:
            raise
        raise _history_error(path, error) from error
    except OSError as error:
        raise HistoryError(
            HistoryFault.STORAGE,
            f"expected to read and write {path}, found {error.strerror}; check history.path and "
            "whose it is",
        ) from error


def _history_error(path: Path, error: sqlite3.DatabaseError) -> HistoryError:
    text = str(error)
    # Python 3.10 does not tell SQLite's own code.  Damage is the one that has the class itself.
    if type(error) is sqlite3.DatabaseError:
        return HistoryError(
            HistoryFault.DAMAGED,
            f"expected a whole database in {path}, found '{text}'; restore a backup with "
            "`python -m device history restore`",
        )
    if "full" in text:
        return HistoryError(
            HistoryFault.FULL,
            f"expected room to write {path}, found none; delete results or other files, or lower "
            "history.keep_bytes",
        )
    if "locked" in text:
        return HistoryError(
            HistoryFault.LOCKED,
            f"expected to write {path} within {_LOCK_WAIT_S:g} s, found another program writing; "
            "end that program",
        )
    return HistoryError(
        HistoryFault.STORAGE,
        f"expected to read and write {path}, found '{text}'; check the card and whose file it is",
    )
