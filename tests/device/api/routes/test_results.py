"""``/results``: kept answers are listed, completed, shown and erased."""

import csv
import io
import json

import cv2
import numpy as np
import pytest

from device.core.errors import BusyError, HistoryError, HistoryFault
from device.core.results import ResultDocument, ResultPage

pytestmark = pytest.mark.portable

JPEG = {"Content-Type": "image/jpeg"}
FULL = HistoryError(HistoryFault.FULL, "expected room, found none; delete something")
FILES = ["heatmap.png", "picture.jpg", "thumbnail.jpg"]
UNKNOWN = "00000009-aaaaaaaaaaaaaaaa"


@pytest.fixture
def upload(client, picture):
    """Upload a picture; returns the answer's document."""
    return lambda: client.post("/classify", content=picture, headers=JPEG).json()


def test_an_answer_is_found_under_its_id_as_it_was_given(client, upload):
    for answer in (upload(), client.get("/classify").json()):
        kept = client.get(f"/results/{answer['id']}")
        assert kept.status_code == 200
        assert answer.items() <= kept.json().items()
        assert ResultDocument.model_validate_json(kept.content).has_picture


def test_what_cannot_be_recorded_is_not_answered(client, box, check_problem, picture, monkeypatch):
    def record(capture, answer):
        raise FULL

    monkeypatch.setattr(box.examiner, "record", record)
    check_problem(client.get("/classify"), 503, "history", "found none")
    upload = client.post("/classify", content=picture, headers=JPEG)
    check_problem(upload, 503, "history", "found none")


def test_the_list_is_paged_the_newest_first(client, upload):
    ids = [upload()["id"] for _ in range(5)]
    found, query = [], "limit=2"
    while True:
        page = ResultPage.model_validate_json(client.get(f"/results?{query}").content)
        found += [result.id for result in page.results]
        if page.next is None:
            break
        query = f"limit=2&cursor={page.next}"
        upload()
    assert found == ids[::-1]


def test_the_list_is_filtered(client, upload):
    uploaded, framed = upload(), client.get("/classify").json()

    def ids(**query):
        return [result["id"] for result in client.get("/results", params=query).json()["results"]]

    assert ids(source="upload") == [uploaded["id"]]
    assert ids(result="malignant") == [framed["id"]]
    assert ids(captured_from="2100-01-01T00:00:00Z") == []
    assert ids(captured_before="2100-01-01T00:00:00+02:00") == [framed["id"], uploaded["id"]]
    client.patch(f"/results/{uploaded['id']}", json={"patient_reference": "P-1"})
    assert ids(patient_reference="P-1") == [uploaded["id"]]
    assert ids(patient_reference="P") == []


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=201",
        "limit=many",
        "cursor=0",
        "cursor=9223372036854775808",
        "result=fine",
        "result=",
        "patient=P-1",
        "captured_from=yesterday",
        "captured_from=2026-03-01T00:00:00",
        "captured_from=0001-01-01T00:00:00%2B14:00",
        "patient_reference=a/b",
        "patient_reference=%00",
        "patient_reference=",
        "source=",
    ],
)
@pytest.mark.parametrize("path", ["/results", "/results.csv"])
def test_a_parameter_that_is_not_understood_is_refused_by_name(client, check_problem, path, query):
    name = query.split("=")[0]
    check_problem(client.get(f"{path}?{query}"), 422, "invalid-request", f"query.{name}")


@pytest.mark.parametrize("result_id", [UNKNOWN, "1", "a%00b", "...", "%F0%9F%98%80", "x" * 64])
def test_an_id_that_names_nothing_is_not_found(client, check_problem, result_id):
    path = f"/results/{result_id}"
    for answer in (
        client.get(path),
        client.delete(path),
        client.patch(path, json={"note": "a"}),
        *(client.get(f"{path}/{name}") for name in FILES),
    ):
        check_problem(answer, 404, "result-not-found")


def test_an_id_without_end_is_refused(client, check_problem):
    check_problem(client.get(f"/results/{'x' * 65}"), 422, "invalid-request", "result_id")


class TestPatch:
    def test_it_sets_clears_and_leaves(self, client, upload):
        path = f"/results/{upload()['id']}"
        first = client.patch(
            path,
            json={
                "note": "after the holidays",
                "patient_reference": "P-1",
                "lesion_reference": "left arm 1",
                "confirmed_diagnosis": "MEL",
                "diagnosis_confirm_type": "histo",
                "consent": True,
            },
        )
        assert first.status_code == 200
        second = client.patch(path, json={"note": None}).json()
        assert second == {**first.json(), "note": None}
        assert client.get(path).json() == second
        assert client.patch(path, json={}).json() == second

    @pytest.mark.parametrize(
        "media_type", ["application/merge-patch+json", "Application/JSON; a=b"]
    )
    def test_either_media_type_will_do(self, client, upload, media_type):
        answer = client.patch(
            f"/results/{upload()['id']}",
            content=b'{"note": "a"}',
            headers={"Content-Type": media_type},
        )
        assert answer.json()["note"] == "a"

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"null",
            b"[]",
            b'{"note": 7}',
            b'{"note": ""}',
            b'{"note": "\\u0000"}',
            b'{"note": "\\ud800"}',
            b'{"consent": null}',
            b'{"consent": 1}',
            b'{"confirmed_diagnosis": "mole"}',
            b'{"diagnosis_confirm_type": "guess"}',
            b'{"patient_reference": "../etc"}',
            b'{"patient_reference": " P"}',
            b'{"result": "benign"}',
            b'{"note": "a"',
            b"\xff",
            b'{"note": "' + b"x" * 2001 + b'"}',
        ],
    )
    def test_what_is_not_understood_changes_nothing(self, client, upload, check_problem, body):
        path = f"/results/{upload()['id']}"
        before = client.get(path).json()
        answer = client.patch(path, content=body, headers={"Content-Type": "application/json"})
        check_problem(answer, 422, "invalid-request", "body")
        assert client.get(path).json() == before

    def test_a_body_of_another_kind_is_refused(self, client, upload, check_problem):
        path = f"/results/{upload()['id']}"
        for headers in ({}, {"Content-Type": "text/plain"}):
            answer = client.patch(path, content=b"{}", headers=headers)
            check_problem(answer, 415, "media-type", "application/json")

    def test_a_large_body_is_not_read_to_its_end(self, client, upload, check_problem):
        path = f"/results/{upload()['id']}"
        read = []

        def endless():
            for number in range(1000):
                read.append(number)
                yield b" " * 1024

        answer = client.patch(path, content=endless(), headers={"Content-Type": "application/json"})
        check_problem(answer, 413, "upload-too-large", "16384")


def test_deleting_erases(client, box, upload, check_problem):
    answer = upload()
    path = f"/results/{answer['id']}"
    erased = client.delete(path)
    assert (erased.status_code, erased.content) == (204, b"")
    check_problem(client.get(path), 404, "result-not-found")
    check_problem(client.delete(path), 404, "result-not-found")
    assert client.get("/results").json() == {"results": [], "next": None}
    (entry,) = box.history.audit_trail().result(30)
    assert (entry.act, entry.subject, entry.actor) == ("delete", answer["id"], "api")


class TestFiles:
    def test_the_pictures_are_pictures(self, client, upload):
        result_id = upload()["id"]
        for name, media_type in zip(FILES, ("png", "jpeg", "jpeg"), strict=True):
            answer = client.get(f"/results/{result_id}/{name}")
            assert answer.headers["content-type"] == f"image/{media_type}"
            assert answer.headers["x-content-type-options"] == "nosniff"
            image_HWC = cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_COLOR)
            assert image_HWC.shape[0] in {120, 144}
            head = client.head(f"/results/{result_id}/{name}")
            assert (head.status_code, head.content) == (200, b"")

    def test_the_heatmap_is_there_without_a_picture_and_the_picture_is_not(
        self, client, box, upload, check_problem
    ):
        box.history._keep = None
        result_id = upload()["id"]
        assert client.get(f"/results/{result_id}/heatmap.png").status_code == 200
        for name in FILES[1:]:
            answer = client.get(f"/results/{result_id}/{name}")
            check_problem(answer, 404, "picture-not-kept", "history.keep_pictures")

    def test_the_page_is_a_pdf(self, client, upload):
        answer = client.get(f"/results/{upload()['id']}/report.pdf")
        assert answer.headers["content-type"] == "application/pdf"
        assert answer.content.startswith(b"%PDF-")


class TestTable:
    def test_it_holds_all_that_match_and_is_audited(self, client, box, upload, monkeypatch):
        monkeypatch.setattr("device.history.archive._CSV_LIMIT", 2)
        ids = [upload()["id"] for _ in range(5)]
        client.get("/classify")
        client.patch(f"/results/{ids[0]}", json={"note": "=HYPERLINK(1)"})
        answer = client.get("/results.csv?source=upload")
        assert answer.headers["content-type"] == "text/csv; charset=utf-8"
        assert "attachment" in answer.headers["content-disposition"]
        rows = list(csv.DictReader(io.StringIO(answer.text, newline="")))
        assert [row["id"] for row in rows] == ids[::-1]
        assert rows[-1]["note"] == "'=HYPERLINK(1)"
        (entry,) = box.history.audit_trail().result(30)
        assert (entry.act, entry.actor) == ("export table", "api")

    def test_an_empty_history_is_a_head(self, client):
        assert client.get("/results.csv").text.count("\r\n") == 1

    def test_another_site_cannot_make_the_box_write_into_its_trail(
        self, client, box, check_problem
    ):
        answer = client.get("/results.csv", headers={"Sec-Fetch-Site": "cross-site"})
        check_problem(answer, 403, "cross-site")
        assert box.history.audit_trail().result(30) == []

    def test_a_failure_before_the_first_line_is_a_problem(
        self, client, box, check_problem, monkeypatch
    ):
        monkeypatch.setattr(box.history, "csv_page", fail)
        check_problem(client.get("/results.csv"), 503, "history")


def fail(*_, **__):
    raise FULL


@pytest.mark.parametrize("error", [FULL, BusyError("16 wait already; try again in a moment")])
@pytest.mark.parametrize(
    ("method", "path", "name"),
    [
        ("GET", "/results", "page"),
        ("GET", f"/results/{UNKNOWN}", "result"),
        ("PATCH", f"/results/{UNKNOWN}", "annotate"),
        ("DELETE", f"/results/{UNKNOWN}", "delete"),
        ("GET", "/results.csv", "begin_export"),
        ("GET", "/lesions", "lesions"),
        ("GET", "/lesions/arm", "lesion"),
    ],
)
def test_a_storage_that_fails_is_a_503_with_the_reason(
    client, box, check_problem, monkeypatch, error, method, path, name
):
    def raising(*_, **__):
        raise error

    monkeypatch.setattr(box.history, name, raising)
    headers = {"Content-Type": "application/json"}
    content = b"{}" if method == "PATCH" else None
    answer = client.request(method, path, content=content, headers=headers)
    check_problem(answer, 503, error.slug, str(error))


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
def test_another_site_may_not_change_anything(client, upload, check_problem, method):
    path = f"/results/{upload()['id']}"
    answer = client.request(
        method,
        path,
        content=json.dumps({"note": "a"}),
        headers={"Content-Type": "application/json", "Origin": "http://elsewhere.example"},
    )
    check_problem(answer, 403, "cross-site")
    assert client.get(path).json()["note"] is None


@pytest.mark.parametrize(
    ("path", "allow"),
    [
        ("/results", "GET, HEAD, OPTIONS"),
        ("/results.csv", "GET, OPTIONS"),
        (f"/results/{UNKNOWN}", "DELETE, GET, HEAD, OPTIONS, PATCH"),
        (f"/results/{UNKNOWN}/report.pdf", "GET, HEAD, OPTIONS"),
        ("/lesions/arm", "GET, HEAD, OPTIONS"),
    ],
)
def test_options_tells_what_an_address_does(client, path, allow):
    assert client.options(path).headers["allow"] == allow


@pytest.mark.parametrize("path", ["/results", f"/results/{UNKNOWN}", "/results.csv", "/lesions"])
def test_the_token_is_needed(box, check_problem, path):
    with box.client(is_loopback=False) as locked:
        check_problem(locked.get(path), 401, "unauthorized")
        check_problem(locked.delete(path), 401, "unauthorized")
