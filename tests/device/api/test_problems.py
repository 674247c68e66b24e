"""One table from errors to problem documents: complete, documented, and of one shape."""

import asyncio
import importlib
import pkgutil
import re
from pathlib import Path

import pytest
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.requests import Request

import device
from device.api import problems
from device.api.problems import KINDS, Refused, slug_of
from device.core.errors import (
    BundleError,
    BundleFault,
    DecodeError,
    DecodeFault,
    EdgeDermError,
    ModelError,
)

pytestmark = pytest.mark.portable

PAGE = Path(__file__).resolve().parents[3] / "docs/rest.md"


def families(root=EdgeDermError):
    for family in root.__subclasses__():
        yield family
        yield from families(family)


def slugs():
    """Of every family that exists once all of the device that can be imported is."""
    for found in pkgutil.walk_packages(device.__path__, "device."):
        if found.name.endswith("__main__"):
            continue
        try:
            importlib.import_module(found.name)
        except ModuleNotFoundError:
            continue
    for family in families():
        if issubclass(family, DecodeError):
            yield from (f"{family.slug}-{fault.value}" for fault in DecodeFault)
        elif issubclass(family, BundleError):
            yield from (f"{family.slug}-{fault.value}" for fault in BundleFault)
        else:
            yield family.slug


def test_every_family_and_every_fault_has_a_row():
    missing = set(slugs()) - set(KINDS)
    assert not missing, f"add these to KINDS in device/api/problems.py: {sorted(missing)}"


def test_the_only_server_error_is_503_and_it_says_when_to_come_back():
    for slug, kind in KINDS.items():
        assert kind.status == 503 or 400 <= kind.status < 500, slug
        assert (kind.retry_after_s is not None) == (kind.status in {429, 503}), slug
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", slug)
        assert kind.example
        assert kind.title


@pytest.mark.parametrize("fault", DecodeFault)
def test_a_fault_of_the_picture_is_the_clients(fault):
    assert 400 <= KINDS[slug_of(DecodeError(fault, "x"))].status < 500


def answered(handler, error, method="GET", path="/"):
    scope = {"type": "http", "method": method, "path": path, "headers": [], "query_string": b""}
    return asyncio.run(handler(Request(scope), error))


def test_a_family_without_a_row_is_a_mistake_of_ours(caplog):
    class NewError(EdgeDermError):
        slug = "new"

    answer = answered(problems.answer_edgederm_error, NewError("secret"))
    assert answer.status_code == 503
    assert b'"internal"' in answer.body
    assert b"secret" not in answer.body
    assert "NewError" in caplog.text
    # Subclasses live as long as somebody knows them; the test above must not meet this one.
    NewError.slug = "busy"


def test_a_part_that_fails_is_in_the_log(caplog):
    error = ModelError(field="golden", expected="1", found="2", remedy="install it again")
    answered(problems.answer_edgederm_error, error)
    assert "event=api.problem code=model" in caplog.text


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (HTTPException(400, "broken"), 400, "bad-request"),
        (HTTPException(418, "teapot"), 400, "bad-request"),
        (HTTPException(404), 404, "not-found"),
        (HTTPException(413, "too much"), 413, "upload-too-large"),
    ],
)
def test_what_the_framework_refuses_has_our_shape(error, status, code):
    answer = answered(problems.answer_http_exception, error)
    assert answer.status_code == status
    assert f'"code":"{code}"'.encode() in answer.body
    assert answer.media_type == "application/problem+json"


def test_parameters_that_are_not_understood_are_all_named():
    error = RequestValidationError(
        [
            {"loc": ("query", "side"), "msg": "expected an integer", "type": "x"},
            {"loc": ("query", "name"), "msg": "missing", "type": "x"},
        ]
    )
    answer = answered(problems.answer_validation_error, error)
    assert answer.status_code == 422
    assert b"query.side: expected an integer; query.name: missing" in answer.body


@pytest.mark.parametrize(
    "handler",
    [
        problems.answer_edgederm_error,
        problems.answer_refusal,
        problems.answer_http_exception,
        problems.answer_validation_error,
    ],
)
def test_a_handler_that_is_wired_wrongly_says_so(handler):
    with pytest.raises(TypeError, match="KeyError"):
        answered(handler, KeyError("x"))


def test_a_refusal_carries_its_headers_and_members():
    refusal = Refused("not-ready", "wait", {"X-Test": "1"}, {"parts": {"model": "ok"}})
    answer = answered(problems.answer_refusal, refusal)
    assert answer.headers["x-test"] == "1"
    assert answer.headers["retry-after"] == "5"
    assert b'"parts":{"model":"ok"}' in answer.body


def test_an_unknown_address_is_a_problem(client, check_problem):
    check_problem(client.get("/nowhere"), 404, "not-found", "/nowhere")
    check_problem(client.get("/classify/"), 404, "not-found")
    check_problem(client.get("/docs"), 404, "not-found")


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("PUT", "/classify", "GET, OPTIONS, POST"),
        ("HEAD", "/classify", "GET, OPTIONS, POST"),
        ("DELETE", "/model", "GET, HEAD, OPTIONS, PUT"),
        ("POST", "/healthz", "GET, HEAD, OPTIONS"),
        ("BREW", "/readyz", "GET, HEAD, OPTIONS"),
    ],
)
def test_a_method_that_an_address_lacks_is_a_problem(client, check_problem, method, path, allow):
    answer = client.request(method, path)
    assert answer.status_code == 405
    assert answer.headers["allow"] == allow
    if method != "HEAD":
        check_problem(answer, 405, "method-not-allowed", method, allow)


def test_head_answers_as_get_does_without_the_body_where_that_costs_nothing(client):
    for path in ("/healthz", "/readyz", "/model", "/openapi.json"):
        get, head = client.get(path), client.head(path)
        assert head.status_code == get.status_code == 200
        assert head.headers == get.headers


def test_options_tells_what_an_address_does_and_invites_nobody(client, box):
    answer = client.options("/classify")
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["allow"] == "GET, OPTIONS, POST"
    assert box.frames.requested == 0


def test_the_page_names_every_route_and_every_problem(box):
    text = PAGE.read_text(encoding="utf-8")
    routes = {
        f"{method} {route.path}"
        for route in box.application().routes
        if isinstance(route, APIRoute)
        for method in route.methods - {"HEAD"}
    }
    missing = [route for route in routes if f"`{route}`" not in text]
    rows = dict(re.findall(r"^\| `([a-z-]+)` \| (\d+) \|", text, re.MULTILINE))
    assert not missing
    assert rows == {slug: str(kind.status) for slug, kind in KINDS.items()}
