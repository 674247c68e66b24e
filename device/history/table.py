"""
Results as CSV for a spreadsheet.

A spreadsheet runs what begins like a formula, and a note may come from anybody: such a cell gets
an apostrophe in front, which spreadsheets take as "this is text".
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable

from device.core.manifest import DIAGNOSES
from device.core.results import ResultDocument

COLUMNS = (
    "id",
    "sequence",
    "captured_at",
    "clock_trusted",
    "source",
    "result",
    "probability_malignant",
    *(f"probability_{code}" for code in DIAGNOSES),
    "reasons",
    "patient_reference",
    "lesion_reference",
    "confirmed_diagnosis",
    "diagnosis_confirm_type",
    "consent",
    "note",
    "has_picture",
    "model_name",
    "model_version",
    "model_sha256",
    "software_version",
)
_FORMULA_STARTS = frozenset("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
"""The last four are the full-width forms of the first four."""


def csv_head() -> str:
    """First line: the columns' names."""
    return _lines([COLUMNS])


def csv_lines(results: Iterable[ResultDocument]) -> str:
    """One line a result, RFC 4180."""
    return _lines(_cells(result) for result in results)


def escaped(text: str) -> str:
    """Put an apostrophe before what a spreadsheet would run."""
    return f"'{text}" if text[:1] in _FORMULA_STARTS else text


def _cells(result: ResultDocument) -> list[object]:
    values: dict[str, object] = result.model_dump(mode="json")
    values |= {f"probability_{code}": result.diagnoses.get(code) for code in DIAGNOSES}
    values["reasons"] = " ".join(reason.code for reason in result.reasons)
    values |= {f"model_{name}": value for name, value in result.model.model_dump().items()}
    return [_cell(values[name]) for name in COLUMNS]


def _cell(value: object) -> object:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return escaped(value) if isinstance(value, str) else value


def _lines(rows: Iterable[Iterable[object]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()
