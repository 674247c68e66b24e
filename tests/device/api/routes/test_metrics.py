"""The figures over REST, and that they count what really happened there."""

import re

import pytest

from device.api import problems
from device.core.access import Role

pytestmark = pytest.mark.portable

JPEG = {"Content-Type": "image/jpeg"}


def value(client, name, **labels):
    text = client.get("/metrics").text
    wanted = ",".join(f'{label}="{word}"' for label, word in sorted(labels.items()))
    match = re.search(rf"^{name}{{{re.escape(wanted)}}} (\S+)$", text, re.MULTILINE)
    return float(match[1]) if match else None


def test_what_was_answered_and_refused_is_counted(client, picture):
    assert value(client, "edgederm_refusals_total", code="picture-not-a-picture") == 0
    client.get("/classify")
    client.post("/classify", content=picture, headers=JPEG)
    client.post("/classify", content=b"no picture", headers=JPEG)
    client.get("/classify", headers={"Host": "example.org"})
    client.get("/nowhere")
    assert value(client, "edgederm_refusals_total", code="picture-not-a-picture") == 1
    assert value(client, "edgederm_refusals_total", code="unknown-host") == 1
    assert value(client, "edgederm_refusals_total", code="not-found") == 1
    assert value(client, "edgederm_http_responses_total", status="421") == 1
    text = client.get("/metrics").text
    answers = re.findall(r'^edgederm_answers_total\{.*source="(\w+)".*\} 1.0$', text, re.MULTILINE)
    assert sorted(answers) == ["replay", "upload"]


def test_every_problem_is_there_from_the_beginning(client):
    text = client.get("/metrics").text
    shown = re.findall(r'edgederm_refusals_total\{code="([a-z-]+)"\} 0', text)
    assert set(shown) == set(problems.KINDS)


def test_prometheus_is_told_which_format_this_is(client):
    answer = client.get("/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert client.head("/metrics").status_code == 200


def test_a_reader_may_look_and_nobody_else(box, check_problem):
    with box.client(is_loopback=False) as locked:
        check_problem(locked.get("/metrics"), 401, "unauthorized")
        assert locked.get("/metrics", headers=box.bearer(Role.READ)).status_code == 200


def test_figures_tell_no_secret_and_nobodys_name(box):
    with box.client(is_loopback=False) as locked:
        headers = box.bearer(Role.ADMIN)
        locked.get("/results", headers=headers, params={"patient_reference": "P-113"})
        text = locked.get("/metrics", headers=headers).text
    for word in ("P-113", "10.0.0.9", "adminer", headers["Authorization"].rpartition("-")[2]):
        assert word not in text
