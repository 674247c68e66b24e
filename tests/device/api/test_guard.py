"""Who may ask, and what every answer carries."""

import asyncio
import json

import pytest

from device.api.guard import Guard, is_this_machine

pytestmark = pytest.mark.portable

TOKEN = "0123456789abcdef"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
JPEG = {"Content-Type": "image/jpeg"}
ROUTES = ["/classify", "/readyz", "/model", "/openapi.json"]


@pytest.fixture
def locked(box):
    with box.client(token=TOKEN, is_loopback=False) as opened:
        yield opened


@pytest.mark.parametrize("path", [*ROUTES, "/nowhere"])
def test_without_the_token_nothing_but_health_answers(locked, check_problem, path):
    answer = locked.get(path)
    check_problem(answer, 401, "unauthorized", "Authorization: Bearer")
    assert answer.headers["www-authenticate"] == 'Bearer realm="edgederm"'
    assert locked.get("/healthz").status_code == 200


def test_a_refused_upload_is_not_read(box, locked, check_problem):

    answer = locked.post("/classify", content=b"x" * 10, headers=JPEG)
    check_problem(answer, 401, "unauthorized")
    assert not box.examiner.submitted


@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_the_token_opens_every_route(locked, path, scheme):
    answer = locked.get(path, headers={"Authorization": f"{scheme} {TOKEN}"})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "authorization",
    [
        f"Bearer {TOKEN}x",
        f"Bearer {TOKEN[:-1]}",
        f"Bearer {TOKEN.upper()}",
        f"Basic {TOKEN}",
        TOKEN,
        "Bearer",
        "Bearer ",
        b"Bearer \xff\xfe",
        "",
    ],
)
def test_anything_but_the_token_is_refused(locked, check_problem, authorization):
    answer = locked.get("/model", headers={"Authorization": authorization})
    check_problem(answer, 401, "unauthorized")
    assert answer.headers["www-authenticate"].startswith("Bearer ")
    assert TOKEN not in answer.text


@pytest.mark.parametrize("token", ["sésame-ouvre-toi-ü", "a-byte-like-a-space-à"])
def test_a_token_outside_ascii_works(box, token):
    with box.client(token=token, is_loopback=True) as client:
        answer = client.get("/model", headers={"Authorization": f"Bearer {token}".encode()})
        assert answer.status_code == 200


@pytest.mark.parametrize(
    "host",
    ["localhost", "localhost:8000", "LOCALHOST", "127.0.0.1", "127.0.0.1:1", "[::1]", "[::1]:80"],
)
def test_this_machines_names_are_answered(client, host):
    assert is_this_machine(host)
    assert client.get("/healthz", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "example.org",
        "localhost.example.org",
        "127.0.0.1.example.org:8000",
        "10.0.0.1",
        "192.168.1.5:8000",
        "[::2]",
        "0.0.0.0",  # noqa: S104 - a name in a request, not an address to bind to
        "localhost:",
        "localhost:80:80",
        "user@localhost",
        "",
    ],
)
@pytest.mark.parametrize("path", ["/healthz", "/classify", "/nowhere"])
def test_on_loopback_other_names_are_refused(client, box, check_problem, host, path):
    """A page of example.org whose name points to 127.0.0.1 must not reach the box."""
    check_problem(client.get(path, headers={"Host": host}), 421, "unknown-host", repr(host))
    assert box.frames.requested == 0


def test_beyond_loopback_any_name_will_do(locked):
    headers = {"Host": "edgederm.local:8000", **BEARER}
    assert locked.get("/classify", headers=headers).status_code == 200


@pytest.mark.parametrize("site", ["cross-site", "same-site", "Cross-Site"])
@pytest.mark.parametrize("path", ["/classify", "/readyz"])
def test_another_site_cannot_make_the_box_work(client, box, check_problem, site, path):
    check_problem(client.get(path, headers={"Sec-Fetch-Site": site}), 403, "cross-site")
    assert box.frames.requested == 0
    assert next(box.checks) == 0


@pytest.mark.parametrize("site", ["same-origin", "none"])
def test_the_boxs_own_page_and_the_address_bar_can(client, site):
    assert client.get("/classify", headers={"Sec-Fetch-Site": site}).status_code == 200


def test_a_link_from_elsewhere_may_show_what_only_shows(client):
    assert client.get("/model", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://example.org"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:9000"},
        {"Origin": "127.0.0.1:8000"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "http://127.0.0.1:8000"},
    ],
)
def test_a_form_of_another_site_is_refused(client, box, check_problem, picture, headers):
    answer = client.post("/classify", content=picture, headers={**JPEG, **headers})
    check_problem(answer, 403, "cross-site")
    assert not box.examiner.submitted


@pytest.mark.parametrize("headers", [{}, {"Origin": "http://127.0.0.1:8000"}])
def test_a_form_of_our_own_and_a_program_are_answered(client, picture, headers):
    answer = client.post("/classify", content=picture, headers={**JPEG, **headers})
    assert answer.status_code == 200


def test_no_other_site_is_ever_invited(client, picture):
    for method in ("GET", "POST", "OPTIONS"):
        answer = client.request(
            method,
            "/classify",
            content=picture,
            headers={**JPEG, "Origin": "http://127.0.0.1:8000"},
        )
        assert not any(name.startswith("access-control") for name in answer.headers)


@pytest.mark.parametrize("path", ["/classify", "/healthz", "/readyz", "/model", "/openapi.json"])
def test_no_answer_is_kept_or_guessed_at(client, path):
    headers = client.get(path).headers
    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"


def http_scope():
    return {"type": "http", "method": "GET", "path": "/healthz", "headers": []}


def test_an_answer_that_breaks_off_is_not_followed_by_another(caplog):
    async def breaks_off(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise ZeroDivisionError

    sent = []

    async def send(message):
        sent.append(message)

    with pytest.raises(ZeroDivisionError):
        asyncio.run(Guard(breaks_off, token=None, is_loopback=False)(http_scope(), None, send))
    assert [message["type"] for message in sent] == ["http.response.start"]
    assert "event=api.internal" in caplog.text


@pytest.mark.parametrize("has_started", [False, True])
def test_a_request_that_the_end_cuts_short_is_told_so(has_started):
    """The server cancels what its grace was too short for."""
    sent = []

    async def waits(scope, receive, send):
        if has_started:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        await asyncio.sleep(30)

    async def send(message):
        sent.append(message)

    async def ask():
        guard = Guard(waits, token=None, is_loopback=False)
        asking = asyncio.ensure_future(guard(http_scope(), None, send))
        await asyncio.sleep(0)
        asking.cancel()
        await asking

    asyncio.run(ask())
    if has_started:
        assert [message["status"] for message in sent] == [200]
        return
    assert sent[0]["status"] == 503
    assert json.loads(sent[1]["body"])["code"] == "not-ready"


def test_what_is_not_http_passes():
    seen = []

    async def inside(scope, receive, send):
        seen.append(scope["type"])

    asyncio.run(Guard(inside, token=TOKEN, is_loopback=True)({"type": "lifespan"}, None, None))
    assert seen == ["lifespan"]
