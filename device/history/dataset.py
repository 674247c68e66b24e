"""
A folder that training reads like any other set: pictures with consent and a confirmed diagnosis.

The layout is that of HAM10000, down to the words of its columns, so its reader reads it.  Nothing
in the folder names a patient: a lesion is known by the number of its first result.
"""

from __future__ import annotations

import csv
import json
import re
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path

from device.core.errors import HistoryError, HistoryFault
from device.history.identifiers import make_id

_COLUMNS = ("lesion_id", "image_id", "dx", "dx_type", "age", "sex", "localization")
_UNKNOWN = "unknown"
_QUERY = """
    SELECT result.sequence, secret, lower(confirmed_diagnosis), diagnosis_confirm_type, jpeg,
        CASE WHEN lesion_reference IS NULL THEN result.sequence ELSE (
            SELECT min(other.sequence) FROM result AS other
            WHERE other.lesion_reference = result.lesion_reference
                AND other.patient_reference IS result.patient_reference
        ) END
    FROM result JOIN picture ON picture.sequence = result.sequence
    WHERE consent AND confirmed_diagnosis IS NOT NULL AND result.result <> 'retake'
    ORDER BY result.sequence
"""


def write_dataset(connection: sqlite3.Connection, folder: Path, *, now: datetime) -> int:
    """
    Write the pictures that may be trained on.

    Pictures that the box asked to take again are left out: they show too little.

    Args:
        connection: A reader's.
        folder: Made anew; its name becomes the data set's.
        now: UTC, for the record.

    Returns:
        How many pictures there are.

    Raises:
        HistoryError: The folder exists, cannot be written, or there is no such picture.

    Threads: one; takes as long as the pictures are many.
    """
    name = re.sub(r"[^a-z0-9-]+", "-", folder.resolve().name.lower()).strip("-") or "edgederm"
    if folder.exists():
        raise HistoryError(
            HistoryFault.STORAGE,
            f"expected no folder {folder} yet, found one; give another name or move it away",
        )
    # Beside it, and renamed when it is whole: a folder of that name is never half a set.
    unfinished = folder.with_name(f".{folder.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    try:
        pictures = unfinished / f"{name}_images_part_1"
        pictures.mkdir(mode=0o700, parents=True)
        with (unfinished / f"{name}_metadata.csv").open("w", newline="") as table:
            lines = csv.writer(table)
            lines.writerow(_COLUMNS)
            count = 0
            for line, jpeg in _pictures(connection, name):
                lines.writerow(line)
                (pictures / f"{line[1]}.jpg").write_bytes(jpeg)
                count += 1
        if not count:
            raise HistoryError(
                HistoryFault.MISSING,
                "expected a kept picture with consent and a confirmed diagnosis, found none; set "
                "history.keep_pictures, and enter both for a result",
            )
        (unfinished / "about.json").write_text(
            json.dumps({"name": name, "pictures": count, "written_at": now.isoformat()}, indent=1)
        )
        unfinished.replace(folder)
    except OSError as error:
        raise HistoryError(
            HistoryFault.STORAGE,
            f"expected to write {folder}, found {error.strerror}; check its place and the room",
        ) from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return count


def _pictures(connection: sqlite3.Connection, name: str) -> Iterator[tuple[list[str], bytes]]:
    """Lines of the metadata, each with its picture; one at a time in memory."""
    with closing(connection.execute(_QUERY)) as cursor:
        for sequence, secret, dx, confirm_type, jpeg, first in cursor:
            yield (
                [
                    f"{name}-lesion-{first:08d}",
                    f"{name}-{make_id(sequence, secret)}",
                    dx,
                    confirm_type or _UNKNOWN,
                    "",
                    _UNKNOWN,
                    _UNKNOWN,
                ],
                jpeg,
            )
