"""
What is written to and read from the history, as functions of a connection.

Those that write are called by the one thread that owns the writing connection.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from device.core.errors import PictureNotKeptError, ResultNotFoundError
from device.core.results import (
    LARGEST_INTEGER,
    MOST_RESULTS,
    Annotation,
    AuditEntry,
    LesionDocument,
    LesionPage,
    LesionSummary,
    ResultDocument,
    ResultFilter,
    ResultPage,
)
from device.core.values import Result
from device.history.identifiers import make_id, not_found, parse_id
from device.history.pictures import KeptPicture
from device.history.rows import (
    RESULT_COLUMNS,
    RESULT_TABLES,
    NewRow,
    activation_map,
    audit_entry_of,
    microseconds,
    moment,
    result_of,
)
from device.history.transaction import transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """When something was done, by whom, and whether the clock was right."""

    now: datetime
    clock_trusted: bool
    actor: str


def insert(connection: sqlite3.Connection, row: NewRow, picture: KeptPicture | None) -> str:
    """Write one answer, all of it or nothing; returns its id once it is safe from a power cut."""
    with transaction(connection):
        connection.execute(
            "INSERT INTO maker (model_name, model_version, model_sha256, software_version) "
            "VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
            row.maker,
        )
        (maker_id,) = _one(
            connection,
            "SELECT maker_id FROM maker WHERE model_name = ? AND model_version = ? "
            "AND model_sha256 = ? AND software_version = ?",
            row.maker,
        )
        (sequence,) = _one(
            connection,
            "SELECT 1 + max(highest, (SELECT coalesce(max(sequence), 0) FROM result)) FROM counter",
        )
        columns = {**row.columns, "sequence": sequence, "maker_id": maker_id}
        _insert(connection, "result", columns)
        if picture is not None:
            _insert(
                connection,
                "picture",
                {
                    "sequence": sequence,
                    "jpeg": picture.jpeg,
                    "thumbnail": picture.thumbnail,
                    "crop_top_px": picture.crop_top_px,
                    "crop_left_px": picture.crop_left_px,
                    "crop_side_px": picture.crop_side_px,
                },
            )
    return make_id(sequence, str(row.columns["secret"]))


def annotate(
    connection: sqlite3.Connection, result_id: str, changes: Annotation, stamp: Stamp
) -> ResultDocument:
    """
    Set the stated members of *changes*; a change of consent goes into the audit trail.

    Raises:
        ResultNotFoundError: There is no such result.
    """
    stated = changes.model_dump(mode="json", include=changes.model_fields_set)
    with transaction(connection):
        before = result(connection, result_id)
        if stated:
            _update(connection, before.sequence, stated)
        if stated.get("consent", before.consent) != before.consent:
            audit(connection, "consent given" if changes.consent else "consent withdrawn",
                  result_id, stamp)  # fmt: skip
        return result(connection, result_id)


def delete(connection: sqlite3.Connection, result_id: str, stamp: Stamp) -> None:
    """
    Delete a result and its picture, and say so in the audit trail.

    The log still holds it until :func:`device.history.database.empty_log`.

    Raises:
        ResultNotFoundError: There is no such result.
    """
    with transaction(connection):
        found = result(connection, result_id)
        _keep_counting(connection)
        connection.execute("DELETE FROM result WHERE sequence = ?", (found.sequence,))
        audit(connection, "delete", result_id, stamp)


def delete_oldest(connection: sqlite3.Connection, *, up_to: int) -> None:
    """Delete the results up to this number, for their age or for room."""
    with transaction(connection):
        _keep_counting(connection)
        connection.execute("DELETE FROM result WHERE sequence <= ?", (up_to,))


def audit(connection: sqlite3.Connection, act: str, subject: str, stamp: Stamp) -> None:
    """Note who did what; the caller owns the transaction."""
    _insert(
        connection,
        "audit",
        {
            "at_us": microseconds(stamp.now),
            "clock_trusted": stamp.clock_trusted,
            "act": act,
            "subject": subject,
            "actor": stamp.actor,
        },
    )


def audit_page(
    connection: sqlite3.Connection, *, cursor: int | None, limit: int
) -> tuple[list[AuditEntry], int | None]:
    """Return entries below *cursor*, the newest first, and the cursor of those that follow."""
    query = (
        "SELECT audit_id, at_us, clock_trusted, act, subject, actor FROM audit "
        "WHERE audit_id < ? ORDER BY audit_id DESC LIMIT ?"
    )
    rows = _all(connection, query, (LARGEST_INTEGER if cursor is None else cursor, limit + 1))
    entries = [audit_entry_of(row[1:]) for row in rows[:limit]]
    return entries, rows[limit - 1][0] if len(rows) > limit else None


def audit_trail(connection: sqlite3.Connection) -> list[AuditEntry]:
    """Return all of it, the oldest entry first."""
    query = "SELECT at_us, clock_trusted, act, subject, actor FROM audit ORDER BY audit_id"
    return [audit_entry_of(row) for row in _all(connection, query)]


def result(connection: sqlite3.Connection, result_id: str) -> ResultDocument:
    """
    Look up one result.

    Raises:
        ResultNotFoundError: There is none of this id.
    """
    row = _one_or_none(
        connection,
        f"SELECT {RESULT_COLUMNS} FROM {RESULT_TABLES} "  # noqa: S608 - constants
        "WHERE sequence = ? AND secret = ?",
        parse_id(result_id),
    )
    if row is None:
        raise not_found(result_id)
    return result_of(row)


def page(
    connection: sqlite3.Connection, wanted: ResultFilter, *, cursor: int | None, limit: int
) -> ResultPage:
    """Return at most *limit* results before *cursor*, the newest first."""
    conditions, values = _conditions(wanted)
    rows = _all(
        connection,
        f"SELECT {RESULT_COLUMNS} FROM {RESULT_TABLES} "  # noqa: S608 - constants
        f"WHERE sequence < ?{conditions} ORDER BY sequence DESC LIMIT ?",
        (LARGEST_INTEGER if cursor is None else cursor, *values, limit + 1),
    )
    results = tuple(result_of(row) for row in rows[:limit])
    return ResultPage(results=results, next=results[-1].sequence if len(rows) > limit else None)


def lesions(
    connection: sqlite3.Connection,
    *,
    patient_reference: str | None,
    cursor: int | None,
    limit: int,
) -> LesionPage:
    """Return at most *limit* lesions whose newest result comes before *cursor*."""
    condition = "" if patient_reference is None else " AND patient_reference = :patient"
    rows = _all(
        connection,
        f"""
        SELECT lesion.patient_reference, lesion.lesion_reference, results,
            first.captured_at_us, newest.captured_at_us, newest.result, newest.sequence
        FROM (
            SELECT patient_reference, lesion_reference, count(*) AS results,
                min(sequence) AS first_sequence, max(sequence) AS newest_sequence
            FROM result WHERE lesion_reference IS NOT NULL{condition}
            GROUP BY patient_reference, lesion_reference
        ) AS lesion
        JOIN result AS first ON first.sequence = first_sequence
        JOIN result AS newest ON newest.sequence = newest_sequence
        WHERE newest_sequence < :cursor ORDER BY newest_sequence DESC LIMIT :limit
        """,  # noqa: S608 - constants
        {
            "patient": patient_reference,
            "cursor": LARGEST_INTEGER if cursor is None else cursor,
            "limit": limit + 1,
        },
    )
    return LesionPage(
        lesions=tuple(_lesion_summary(row) for row in rows[:limit]),
        next=rows[limit - 1][-1] if len(rows) > limit else None,
    )


def lesion(
    connection: sqlite3.Connection, lesion_reference: str, *, patient_reference: str | None
) -> LesionDocument:
    """
    Return the newest results of one lesion in their order.

    Raises:
        ResultNotFoundError: There is none.
    """
    condition = "lesion_reference = ? AND patient_reference IS ?"
    values = (lesion_reference, patient_reference)
    (total,) = _one(connection, f"SELECT count(*) FROM result WHERE {condition}", values)  # noqa: S608 - constants
    if not total:
        raise ResultNotFoundError(
            "expected a lesion that results name, found none of this reference and patient"
        )
    rows = _all(
        connection,
        f"SELECT {RESULT_COLUMNS} FROM {RESULT_TABLES} WHERE {condition} "  # noqa: S608 - constants
        "ORDER BY sequence DESC LIMIT ?",
        (*values, MOST_RESULTS),
    )
    return LesionDocument(
        patient_reference=patient_reference,
        lesion_reference=lesion_reference,
        total=total,
        results=tuple(result_of(row) for row in reversed(rows)),
    )


def picture(connection: sqlite3.Connection, sequence: int) -> KeptPicture:
    """
    Return the kept picture of a result.

    Raises:
        PictureNotKeptError: None was kept.
    """
    row = _one_or_none(
        connection,
        "SELECT jpeg, thumbnail, crop_top_px, crop_left_px, crop_side_px FROM picture "
        "WHERE sequence = ?",
        (sequence,),
    )
    if row is None:
        raise PictureNotKeptError(
            "expected a result with a picture, found one whose picture was not kept; the "
            "setting history.keep_pictures decides when an answer is made"
        )
    jpeg, thumbnail, top_px, left_px, side_px = row
    return KeptPicture(
        jpeg=jpeg,
        thumbnail=thumbnail,
        crop_top_px=top_px,
        crop_left_px=left_px,
        crop_side_px=side_px,
    )


def map_of(connection: sqlite3.Connection, sequence: int) -> NDArray[np.float32]:
    """Return the activation map of a result that exists, fp32 ``[h, w]``."""
    return activation_map(
        *_one(
            connection,
            "SELECT activation_map, map_height, map_width FROM result WHERE sequence = ?",
            (sequence,),
        )
    )


def _update(connection: sqlite3.Connection, sequence: int, stated: dict[str, Any]) -> None:
    assignments = ", ".join(f"{name} = ?" for name in stated)
    connection.execute(
        f"UPDATE result SET {assignments} WHERE sequence = ?",  # noqa: S608 - names of a schema
        (*stated.values(), sequence),
    )


def _keep_counting(connection: sqlite3.Connection) -> None:
    """Remember the highest number before its row may go: none is given twice."""
    connection.execute(
        "UPDATE counter SET highest = max(highest, (SELECT coalesce(max(sequence), 0) FROM result))"
    )


def _conditions(wanted: ResultFilter) -> tuple[str, list[object]]:
    """SQL after a first condition, and its values."""
    conditions, values = "", []
    for name in ("result", "source", "patient_reference", "lesion_reference"):
        value = getattr(wanted, name)
        if value is not None:
            conditions += f" AND {name} = ?"
            values.append(value.value if isinstance(value, Result) else value)
    for limit, comparison in ((wanted.captured_from, ">="), (wanted.captured_before, "<")):
        if limit is not None:
            conditions += f" AND captured_at_us {comparison} ?"
            values.append(microseconds(limit))
    return conditions, values


def _lesion_summary(row: tuple[Any, ...]) -> LesionSummary:
    patient_reference, lesion_reference, count, first_us, last_us, word, _ = row
    return LesionSummary(
        patient_reference=patient_reference,
        lesion_reference=lesion_reference,
        results=count,
        first_captured_at=moment(first_us),
        last_captured_at=moment(last_us),
        last_result=word,
    )


def _insert(connection: sqlite3.Connection, table: str, columns: dict[str, Any]) -> None:
    connection.execute(
        f"INSERT INTO {table} ({', '.join(columns)}) "  # noqa: S608 - names of our own
        f"VALUES ({', '.join('?' * len(columns))})",
        tuple(columns.values()),
    )


def _all(
    connection: sqlite3.Connection,
    query: str,
    values: Sequence[object] | Mapping[str, object] = (),
) -> list[tuple[Any, ...]]:
    with closing(connection.execute(query, values)) as cursor:
        return cursor.fetchall()


def _one_or_none(
    connection: sqlite3.Connection, query: str, values: Sequence[object] = ()
) -> tuple[Any, ...] | None:
    with closing(connection.execute(query, values)) as cursor:
        row: tuple[Any, ...] | None = cursor.fetchone()
        return row


def _one(
    connection: sqlite3.Connection, query: str, values: Sequence[object] = ()
) -> tuple[Any, ...]:
    row = _one_or_none(connection, query, values)
    if row is None:
        raise LookupError(f"expected one row for {query!r}")
    return row
