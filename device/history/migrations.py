"""
The schema as numbered steps.

A step and its record are committed together, so a power cut leaves a database before a step or
after it.  A step that was released never changes; what comes new is a new step, and a database of
each earlier schema stays among the tests.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass

from device.core.errors import HistoryError, HistoryFault
from device.history.transaction import transaction

APPLICATION_ID = 0x45444D31
"""In the file's header: ``EDM1``, so that nobody else's database is taken for ours."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One step."""

    number: int
    name: str
    statements: tuple[str, ...]


MIGRATIONS = (
    Migration(
        1,
        "results",
        (
            f"PRAGMA application_id = {APPLICATION_ID}",
            # Model and software of many results are the same: once, not in every row.
            """
            CREATE TABLE maker (
                maker_id INTEGER PRIMARY KEY,
                model_name TEXT NOT NULL,
                model_version TEXT NOT NULL,
                model_sha256 TEXT NOT NULL,
                software_version TEXT NOT NULL,
                UNIQUE (model_sha256, model_name, model_version, software_version)
            ) STRICT
            """,
            # The row's number is half of a result's id, so a look-up needs no index; every index
            # would cost a page of the card with every answer.
            """
            CREATE TABLE result (
                sequence INTEGER PRIMARY KEY,
                secret TEXT NOT NULL,
                captured_at_us INTEGER NOT NULL,
                clock_trusted INTEGER NOT NULL CHECK (clock_trusted IN (0, 1)),
                source TEXT NOT NULL,
                result TEXT NOT NULL
                    CHECK (result IN ('benign', 'malignant', 'uncertain', 'retake')),
                probability_malignant REAL NOT NULL
                    CHECK (probability_malignant BETWEEN 0 AND 1),
                diagnoses TEXT NOT NULL,
                reasons TEXT NOT NULL,
                quality TEXT NOT NULL,
                timings_ms TEXT NOT NULL,
                maker_id INTEGER NOT NULL REFERENCES maker,
                map_height INTEGER NOT NULL,
                map_width INTEGER NOT NULL,
                activation_map BLOB NOT NULL
                    CHECK (length(activation_map) = 4 * map_height * map_width),
                note TEXT,
                patient_reference TEXT,
                lesion_reference TEXT,
                confirmed_diagnosis TEXT,
                diagnosis_confirm_type TEXT,
                consent INTEGER NOT NULL DEFAULT 0 CHECK (consent IN (0, 1))
            ) STRICT
            """,
            # Partial: an answer without references writes into neither.
            """
            CREATE INDEX result_of_patient ON result (patient_reference)
                WHERE patient_reference IS NOT NULL
            """,
            """
            CREATE INDEX result_of_lesion ON result (lesion_reference)
                WHERE lesion_reference IS NOT NULL
            """,
            # The highest number that an erased result had: none is ever given twice.
            "CREATE TABLE counter (highest INTEGER NOT NULL) STRICT",
            "INSERT INTO counter (highest) VALUES (0)",
        ),
    ),
    Migration(
        2,
        "pictures",
        (
            """
            CREATE TABLE picture (
                sequence INTEGER PRIMARY KEY REFERENCES result ON DELETE CASCADE,
                jpeg BLOB NOT NULL,
                thumbnail BLOB NOT NULL,
                crop_top_px INTEGER NOT NULL,
                crop_left_px INTEGER NOT NULL,
                crop_side_px INTEGER NOT NULL
            ) STRICT
            """,
        ),
    ),
    Migration(
        3,
        "audit trail",
        (
            """
            CREATE TABLE audit (
                audit_id INTEGER PRIMARY KEY,
                at_us INTEGER NOT NULL,
                clock_trusted INTEGER NOT NULL CHECK (clock_trusted IN (0, 1)),
                act TEXT NOT NULL,
                subject TEXT NOT NULL,
                actor TEXT NOT NULL
            ) STRICT
            """,
        ),
    ),
)


def schema_of(connection: sqlite3.Connection) -> int:
    """
    Return the number of the newest step that this database has had; 0 if it is empty.

    Raises:
        HistoryError: The database is somebody else's, or of newer software.
    """
    with closing(connection.execute("PRAGMA application_id")) as cursor:
        (application_id,) = cursor.fetchone()
    if application_id == 0 and not _tables(connection):
        return 0
    if application_id != APPLICATION_ID:
        raise HistoryError(
            HistoryFault.FOREIGN,
            "expected a history of this box, found another program's database; move it away or "
            "set history.path to another folder",
        )
    with closing(connection.execute("SELECT max(number) FROM migration")) as cursor:
        (number,) = cursor.fetchone()
    if number > MIGRATIONS[-1].number:
        raise HistoryError(
            HistoryFault.NEWER,
            f"expected schema {MIGRATIONS[-1].number} or older, found {number}, which newer "
            "software made; update, or restore the backup made before that update",
        )
    return int(number)


def migrate(
    connection: sqlite3.Connection, *, now_us: int, migrations: Sequence[Migration] = MIGRATIONS
) -> int:
    """
    Bring the database to the newest schema; returns how many steps that took.

    Args:
        connection: In autocommit mode.
        now_us: Microseconds since 1970, UTC, for the record.
        migrations: Fewer than all only to make a database of an earlier schema.

    Raises:
        HistoryError: As :func:`schema_of`.
    """
    made = 0
    present = schema_of(connection)
    for step in migrations:
        if step.number <= present:
            continue
        with transaction(connection):
            if schema_of(connection) >= step.number:
                continue  # Another process was faster.
            connection.execute(
                "CREATE TABLE IF NOT EXISTS migration (number INTEGER PRIMARY KEY, "
                "name TEXT NOT NULL, applied_at_us INTEGER NOT NULL) STRICT"
            )
            for statement in step.statements:
                connection.execute(statement)
            connection.execute(
                "INSERT INTO migration VALUES (?, ?, ?)", (step.number, step.name, now_us)
            )
        made += 1
    return made


def _tables(connection: sqlite3.Connection) -> list[str]:
    with closing(
        connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
    ) as cursor:
        return [name for (name,) in cursor]
