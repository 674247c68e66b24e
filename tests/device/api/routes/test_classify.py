"""``/classify``: frames and uploads become answers, and whatever goes wrong has its own word."""

import threading
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import UTC, datetime

import pytest

from device.core.document import NOTICE, AnswerDocument
from device.core.errors import (
    BusyError,
    CameraError,
    ModelError,
    NotReadyError,
    SettingsError,
)

pytestmark = pytest.mark.portable

JPEG = {"Content-Type": "image/jpeg"}
MODEL_ERROR = ModelError(
    field="outputs", expected="finite numbers", found="NaN", remedy="install the model again"
)


def test_get_captures_a_frame_and_answers(client, box):
    answer = client.get("/classify")
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    body = answer.json()
    assert (body["result"], body["source"]) == ("malignant", "replay")
    assert body["probability_malignant"] > 0.99
    assert body["model"] == {"name": "scripted", "version": "1.2.3", "sha256": "ab" * 32}
    assert body["reasons"][0]["code"] == "above_malignant_threshold"
    assert body["notice"] == NOTICE
    assert body["captured_at"].endswith("Z")
    assert sum(body["diagnoses"].values()) == pytest.approx(1)
    assert (box.frames.requested, len(box.examiner.submitted)) == (1, 1)
    # The schema is the document's own: nothing is left out, nothing added.
    assert AnswerDocument.model_validate_json(answer.content).model_dump(mode="json") == body


def test_the_capture_is_timed_and_counts_into_the_total(client):
    timings = client.get("/classify").json()["timings_ms"]
    assert next(iter(timings)) == "capture"
    assert list(timings)[-1] == "total"
    parts = [spent for stage, spent in timings.items() if stage != "total"]
    assert timings["total"] >= sum(parts) - 0.01


def test_post_answers_for_the_whole_body(client, box, picture):
    before = datetime.now(UTC)
    body = client.post("/classify", content=picture, headers=JPEG).json()
    assert (body["result"], body["source"]) == ("uncertain", "upload")
    assert "capture" not in body["timings_ms"]
    assert before <= datetime.fromisoformat(body["captured_at"]) <= datetime.now(UTC)
    assert box.examiner.submitted[0].encoded == picture
    assert box.frames.requested == 0


def test_post_answers_for_a_form_with_a_file(client, box, picture):
    answer = client.post("/classify", files={"file": ("lesion.jpg", picture, "image/jpeg")})
    assert answer.json()["source"] == "upload"
    assert box.examiner.submitted[0].encoded == picture


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        (CameraError("no frame for 5 s from v4l2 /dev/video0; plug it in again"), "camera"),
        (NotReadyError("the box is stopping"), "not-ready"),
        (BusyError("2 captures wait already"), "busy"),
    ],
)
@pytest.mark.parametrize("is_at_once", [True, False])
def test_a_camera_that_fails_is_a_503_with_the_reason(
    client, box, check_problem, picture, failure, code, is_at_once
):
    setattr(box.frames, "refusal" if is_at_once else "failure", failure)
    check_problem(client.get("/classify"), 503, code, str(failure))
    # An upload needs no camera.
    assert client.post("/classify", files={"file": picture}).status_code == 200


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        (MODEL_ERROR, "model"),
        (NotReadyError("the box is stopping"), "not-ready"),
        (SettingsError("settings refused: camera.kind"), "settings"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_examination_that_fails_is_a_503_with_the_reason(
    client, box, check_problem, picture, failure, code, method
):
    box.examiner.failure = failure
    content = picture if method == "POST" else None
    answer = client.request(method, "/classify", content=content, headers=JPEG)
    check_problem(answer, 503, code, str(failure))


def test_a_frame_that_cannot_be_scored_is_the_cameras_fault(client, box, check_problem):
    box.frames.encoded = b"not a picture"
    check_problem(client.get("/classify"), 503, "camera", "replay", "expected a JPEG or PNG")


def test_a_bug_is_a_503_without_a_word_about_it_and_a_traceback_in_the_log(
    client, box, check_problem, picture, caplog
):
    box.examiner.failure = ZeroDivisionError("secret of the inside")
    answer = client.post("/classify", content=picture, headers=JPEG)
    check_problem(answer, 503, "internal")
    assert "secret" not in answer.text
    assert "ZeroDivisionError" in caplog.text
    assert "Traceback" in caplog.text
    assert "event=api.internal" in caplog.text


def test_a_full_queue_is_a_503_that_says_when_to_come_back(client, box, check_problem, picture):
    """Four pictures wait behind the gate; the fifth is refused, and the four are answered."""
    box.examiner.gate.clear()
    with ThreadPoolExecutor(4) as clients:
        waiting = [
            clients.submit(client.post, "/classify", content=picture, headers=JPEG)
            for _ in range(4)
        ]
        while len(box.examiner.submitted) < 4:
            done, _ = wait(waiting, timeout=0.01)
            assert not done
        refused = client.post("/classify", content=picture, headers=JPEG)
        check_problem(refused, 503, "busy", "try again")
        assert refused.headers["retry-after"] == "1"
        assert client.get("/classify").status_code == 503
        assert client.get("/healthz").status_code == 200
        box.examiner.gate.set()
        assert [future.result(30).status_code for future in waiting] == [200] * 4


def test_many_clients_at_once_each_get_an_answer_or_busy(client, picture):
    with ThreadPoolExecutor(16) as clients:
        answers = list(
            clients.map(
                lambda number: (
                    client.get("/classify")
                    if number % 2
                    else client.post("/classify", content=picture, headers=JPEG)
                ),
                range(64),
            )
        )
    codes = {(answer.status_code, answer.json().get("code")) for answer in answers}
    assert codes <= {(200, None), (503, "busy")}
    assert (200, None) in codes


def test_requests_start_no_threads(client, box, picture):
    client.post("/classify", content=picture, headers=JPEG)
    before = threading.active_count()
    for _ in range(5):
        client.post("/classify", content=picture, headers=JPEG)
        client.get("/classify")
    assert threading.active_count() == before
