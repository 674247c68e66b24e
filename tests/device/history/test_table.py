"""The table is CSV that a spreadsheet opens and never runs."""

import csv
import io

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from device.core.manifest import DIAGNOSES
from device.core.results import Annotation
from device.history.table import COLUMNS, csv_head, csv_lines, escaped

pytestmark = pytest.mark.portable


def rows(text):
    return list(csv.DictReader(io.StringIO(csv_head() + text, newline="")))


def test_every_result_is_a_line_with_all_its_columns(archive, record):
    result_id = record()
    changes = Annotation(
        note='two\nlines, "quoted"', patient_reference="P-1", consent=True,
        confirmed_diagnosis="NV", diagnosis_confirm_type="histo",
    )  # fmt: skip
    result = archive.annotate(result_id, changes, actor="t").result(30)
    (row,) = rows(csv_lines([result]))
    assert tuple(row) == COLUMNS
    assert row["id"] == result_id
    assert row["note"] == changes.note
    assert (row["consent"], row["has_picture"], row["clock_trusted"]) == ("yes", "no", "yes")
    assert float(row["probability_malignant"]) == result.probability_malignant
    assert [float(row[f"probability_{code}"]) for code in DIAGNOSES] == list(
        result.diagnoses.values()
    )
    assert row["lesion_reference"] == ""
    assert row["reasons"] == "between_thresholds"
    assert (row["model_name"], row["diagnosis_confirm_type"]) == ("test", "histo")


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "\uff1d1", "\uff0b1"]
)
def test_what_begins_like_a_formula_begins_with_an_apostrophe(text):
    assert escaped(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", "a=1", " =1", "'quoted", "1-2"])
def test_all_else_stays(text):
    assert escaped(text) == text


@given(note=st.from_regex(r"\A[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]{1,40}\Z"))
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_note_comes_through_and_none_is_a_formula(archive, record, note):
    result = archive.annotate(record(), Annotation(note=note), actor="t").result(30)
    (row,) = rows(csv_lines([result]))
    assert row["note"] == escaped(result.note)
    assert row["note"][0] not in "=+-@\t\r\n"
