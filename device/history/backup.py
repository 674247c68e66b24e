"""
A copy of the history as one file, and the way back.

A restore never brings back what was erased since: the audit trail of the box outlives it, and
what stands there about erasures and consent is done again to the copy.
"""

from __future__ import annotations

import logging
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from device.core.errors import HistoryError, HistoryFault
from device.history import store
from device.history.database import SIDE_FILES, UNFINISHED, connect, translated
from device.history.identifiers import parse_id
from device.history.migrations import migrate, schema_of
from device.history.rows import microseconds
from device.history.store import Stamp
from device.history.transaction import transaction

_log = logging.getLogger(__name__)
_CONSENT = {"consent given": True, "consent withdrawn": False}


def back_up(connection: sqlite3.Connection, target: Path) -> None:
    """
    Copy the database into one new file; the box goes on meanwhile.

    Args:
        connection: A reader's.
        target: Must not exist; readable for its owner alone.

    Raises:
        HistoryError: It exists or cannot be written, or the copy is not whole.
    """
    if target.exists():
        raise HistoryError(
            HistoryFault.BACKUP, f"expected no file {target} yet, found one; give another name"
        )
    with _refusing(), translated(target), _unfinished(target) as copy:
        _copy(connection, copy)
        with closing(connect(copy)) as written:
            _verify(written)
        copy.replace(target)
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def restore(connection: sqlite3.Connection, path: Path, source: Path, stamp: Stamp) -> int:
    """
    Put a backup in the place of all results, after it was found whole.

    It replaces the database in one transaction: a power cut leaves the old one or the new one,
    and a running box goes on with the new one.

    Args:
        connection: The writer's.
        path: Of the database that *connection* has open.
        source: From :func:`back_up`, of this schema or an earlier one.
        stamp: For the audit trail.

    Returns:
        How many results there are now.

    Raises:
        HistoryError: *source* is missing, damaged, newer, or no history; nothing was changed.
    """
    if not source.is_file():
        raise HistoryError(
            HistoryFault.BACKUP, f"expected a backup in {source}, found no file; check the name"
        )
    with translated(path), _unfinished(path) as copy:
        with _refusing(), translated(source), closing(_read_only(source)) as backup:
            _verify(backup)
            if schema_of(backup) == 0:
                raise HistoryError(
                    HistoryFault.FOREIGN,
                    f"expected a backup of a history in {source}, found an empty database; take "
                    "a file that `python -m device history backup` wrote",
                )
            _copy(backup, copy)
        with closing(connect(copy)) as prepared:
            prepared.execute("PRAGMA foreign_keys = ON")
            prepared.execute("PRAGMA secure_delete = ON")
            migrate(prepared, now_us=microseconds(stamp.now))
            _carry_over(connection, prepared)
            with transaction(prepared):
                store.audit(prepared, "restore", source.name, stamp)
            prepared.backup(connection)
            with closing(prepared.execute("SELECT count(*) FROM result")) as cursor:
                return int(cursor.fetchone()[0])


def _carry_over(live: sqlite3.Connection, prepared: sqlite3.Connection) -> None:
    """Do to the copy what was erased, allowed and forbidden since it was made."""
    columns = "at_us, clock_trusted, act, subject, actor"
    with closing(live.execute(f"SELECT {columns} FROM audit ORDER BY audit_id")) as cursor:  # noqa: S608 - constants
        trail = cursor.fetchall()
    with closing(prepared.execute(f"SELECT {columns} FROM audit")) as cursor:  # noqa: S608 - the same
        known = set(cursor.fetchall())
    if known - set(trail):
        _log.warning(
            "event=history.trail_gone detail=%r",
            "the box does not remember what the backup does: its database was lost since. Erasures "
            "and withdrawn consent after the backup are not known; repeat those that you know of",
        )
    with closing(
        live.execute("SELECT max(highest, (SELECT coalesce(max(sequence), 0) FROM result)) "
                     "FROM counter")
    ) as cursor:  # fmt: skip
        (highest,) = cursor.fetchone()
    with transaction(prepared):
        prepared.execute("UPDATE counter SET highest = max(highest, ?)", (highest,))
        for entry in trail:
            _, _, act, subject, _ = entry
            if act == "delete":
                prepared.execute(
                    "DELETE FROM result WHERE sequence = ? AND secret = ?", parse_id(subject)
                )
            elif act in _CONSENT:
                prepared.execute(
                    "UPDATE result SET consent = ? WHERE sequence = ? AND secret = ?",
                    (_CONSENT[act], *parse_id(subject)),
                )
            if entry not in known:
                prepared.execute(f"INSERT INTO audit ({columns}) VALUES (?, ?, ?, ?, ?)", entry)  # noqa: S608 - the same


def _verify(connection: sqlite3.Connection) -> None:
    """Read every page; raise ``sqlite3.DatabaseError`` for the first that is wrong."""
    for pragma, is_good in (
        ("integrity_check(1)", lambda rows: rows == [("ok",)]),
        ("foreign_key_check", lambda rows: not rows),
    ):
        with closing(connection.execute(f"PRAGMA {pragma}")) as cursor:
            rows = cursor.fetchall()
        if not is_good(rows):
            raise sqlite3.DatabaseError(f"{pragma} found {rows[0]}")


def _copy(source: sqlite3.Connection, target: Path) -> None:
    with closing(connect(target)) as written:
        source.backup(written)
        # One file, without a log beside it.
        written.execute("PRAGMA journal_mode = DELETE").close()


def _read_only(source: Path) -> sqlite3.Connection:
    # Immutable: a backup may lie on a stick that nobody can write to.
    return sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro&immutable=1", uri=True)


@contextmanager
def _refusing() -> Iterator[None]:
    """Say of what goes wrong inside that it is the backup's fault, not that of the history."""
    try:
        yield
    except HistoryError as error:
        raise HistoryError(HistoryFault.BACKUP, f"the copy was not used: {error}") from error


@contextmanager
def _unfinished(target: Path) -> Iterator[Path]:
    """Name a new file beside *target*, for its owner alone, and remove what is left of it."""
    copy = target.with_name(UNFINISHED.format(target.name))
    copy.unlink(missing_ok=True)
    os.close(os.open(copy, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        yield copy
    finally:
        for suffix in SIDE_FILES:
            copy.with_name(copy.name + suffix).unlink(missing_ok=True)
