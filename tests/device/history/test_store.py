"""Looking for results: pages hold still, filters mean what they say, lesions are over time."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from device.core.errors import ResultNotFoundError
from device.core.results import Annotation, ResultFilter
from device.core.values import Result
from tests.builders import an_answer

pytestmark = pytest.mark.portable
ALL = ResultFilter()
START = datetime(2026, 3, 1, tzinfo=UTC)


def pages(archive, wanted=ALL, *, limit, meanwhile=lambda: None):
    """Numbers of all results, page by page; *meanwhile* happens between two pages."""
    found, cursor = [], None
    while True:
        page = archive.page(wanted, cursor=cursor, limit=limit).result(30)
        assert len(page.results) <= limit
        found += [result.sequence for result in page.results]
        cursor = page.next
        if cursor is None:
            return found
        meanwhile()


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 8])
def test_pages_hold_every_result_once_the_newest_first(archive, record, limit):
    for _ in range(7):
        record()
    assert pages(archive, limit=limit) == [7, 6, 5, 4, 3, 2, 1]


def test_an_empty_history_is_an_empty_page(archive):
    page = archive.page(ALL, cursor=None, limit=5).result(30)
    assert (page.results, page.next) == ((), None)


def test_results_that_come_or_go_meanwhile_shift_no_page(archive, record):
    ids = [record() for _ in range(9)]

    def meanwhile():
        record()
        if len(ids) > 7:
            archive.delete(ids.pop(), actor="api").result(30)

    assert pages(archive, limit=2, meanwhile=meanwhile) == [9, 8, 7, 6, 5, 4, 3, 2, 1]


@given(
    words=st.lists(st.sampled_from(Result), max_size=6),
    wanted=st.none() | st.sampled_from(Result),
    start=st.none() | st.integers(-1, 6),
    end=st.none() | st.integers(-1, 6),
    limit=st.integers(1, 4),
)
@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_a_filter_finds_what_python_would(archive, record, words, wanted, start, end, limit):
    before = pages(archive, limit=200)
    offset = before[0] if before else 0
    # Days that no other example has used.
    first_day = START + timedelta(days=100 * offset)
    moments = [first_day + timedelta(days=day) for day in range(len(words))]
    for word, moment in zip(words, moments, strict=True):
        decision = an_answer().decision
        fields = {name: getattr(decision, name) for name in decision.__slots__}
        record(decision=type(decision)(**{**fields, "result": word}), captured_at=moment)
    low = first_day + timedelta(days=start if start is not None else -1)
    high = None if end is None else first_day + timedelta(days=end)
    expected = [
        offset + 1 + number
        for number, (word, moment) in enumerate(zip(words, moments, strict=True))
        if (wanted is None or word is wanted) and moment >= low and (high is None or moment < high)
    ]
    found = pages(
        archive,
        ResultFilter(result=wanted, captured_from=low, captured_before=high),
        limit=limit,
    )
    assert found == expected[::-1]


def test_source_and_references_are_matched_whole(archive, record):
    for source, patient in (("upload", "P-1"), ("replay", "P-1"), ("upload", "P-11")):
        result_id = record(source=source)
        archive.annotate(
            result_id, Annotation(patient_reference=patient, lesion_reference="arm"), actor="t"
        ).result(30)
    assert pages(archive, ResultFilter(patient_reference="P-1"), limit=9) == [2, 1]
    wanted = ResultFilter(patient_reference="P-1", source="upload", lesion_reference="arm")
    assert pages(archive, wanted, limit=9) == [1]
    assert pages(archive, ResultFilter(lesion_reference="ar"), limit=9) == []


def test_two_spellings_of_one_letter_are_one(archive, record):
    result_id = record()
    archive.annotate(result_id, Annotation(patient_reference="Rene\u0301"), actor="t").result(30)
    assert pages(archive, ResultFilter(patient_reference="Ren\u00e9"), limit=9) == [1]


class TestLesions:
    @pytest.fixture(autouse=True)
    def _lesions(self, archive, record):
        for patient, lesion in (
            ("P-1", "arm"),
            ("P-2", "arm"),
            (None, "arm"),
            ("P-1", "leg"),
            ("P-1", "arm"),
            (None, None),
        ):
            result_id = record()
            archive.annotate(
                result_id,
                Annotation(patient_reference=patient, lesion_reference=lesion),
                actor="t",
            ).result(30)

    def test_a_lesion_is_one_of_a_patient_and_its_results_are_in_their_order(self, archive):
        lesion = archive.lesion("arm", patient_reference="P-1").result(30)
        assert (lesion.patient_reference, lesion.lesion_reference) == ("P-1", "arm")
        assert (lesion.total, [result.sequence for result in lesion.results]) == (2, [1, 5])

    def test_without_a_patient_it_is_nobodys(self, archive):
        lesion = archive.lesion("arm", patient_reference=None).result(30)
        assert [result.sequence for result in lesion.results] == [3]

    def test_one_that_is_not_there_is_told(self, archive):
        with pytest.raises(ResultNotFoundError, match="lesion"):
            archive.lesion("leg", patient_reference="P-2").result(30)

    def test_the_one_with_the_newest_result_comes_first(self, archive):
        page = archive.lesions(patient_reference=None, cursor=None, limit=3).result(30)
        rest = archive.lesions(patient_reference=None, cursor=page.next, limit=3).result(30)
        found = [
            (lesion.patient_reference, lesion.lesion_reference, lesion.results)
            for lesion in (*page.lesions, *rest.lesions)
        ]
        assert found == [("P-1", "arm", 2), ("P-1", "leg", 1), (None, "arm", 1), ("P-2", "arm", 1)]
        assert rest.next is None

    def test_those_of_one_patient_can_be_asked_for(self, archive):
        page = archive.lesions(patient_reference="P-2", cursor=None, limit=3).result(30)
        assert [lesion.lesion_reference for lesion in page.lesions] == ["arm"]

    def test_a_summary_spans_the_first_and_the_newest_result(self, archive, record):
        result_id = record(captured_at=START)  # The clock fell back.
        archive.annotate(
            result_id, Annotation(patient_reference="P-2", lesion_reference="arm"), actor="t"
        ).result(30)
        page = archive.lesions(patient_reference="P-2", cursor=None, limit=3).result(30)
        (lesion,) = page.lesions
        assert lesion.last_captured_at == START
        assert lesion.first_captured_at > START
        assert lesion.last_result is Result.UNCERTAIN


def test_a_table_has_every_result_once(archive, record, monkeypatch):
    monkeypatch.setattr("device.history.archive._CSV_LIMIT", 2)
    ids = [record() for _ in range(5)]
    head = archive.begin_export(actor="api").result(30)
    assert head.startswith("id,sequence,")
    text, cursor = "", None
    while True:
        lines, cursor = archive.csv_page(ALL, cursor=cursor).result(30)
        text += lines
        if cursor is None:
            break
    assert [line.split(",")[0] for line in text.splitlines()] == ids[::-1]
    assert [entry.act for entry in archive.audit_trail().result(30)] == ["export table"]
