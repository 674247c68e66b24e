"""Who may ask, and what every answer carries."""

import asyncio
import json

import pytest

from device.api import Rules
from device.api.security.guard import Guard
from device.api.security.headers import ALWAYS, PAGE_POLICY
from device.api.security.sessions import Sessions
from device.api.security.throttle import FAILURES, Throttle
from device.core.access import Role

pytestmark = pytest.mark.portable

JPEG = {"Content-Type": "image/jpeg"}
ROUTES = ["/classify", "/readyz", "/model", "/openapi.json", "/session", "/audit", "/tokens"]
ORIGIN = "http://127.0.0.1:8000"


@pytest.fixture
def locked(box):
    """A box that the network reaches."""
    with box.client(is_loopback=False, names=("edgederm.local",)) as opened:
        yield opened


@pytest.fixture
def admin(box):
    return box.bearer(Role.ADMIN)


@pytest.mark.parametrize("path", [*ROUTES, "/nowhere", "/results", "/healthz/", "/assets"])
def test_without_a_token_nothing_but_health_and_the_page_answers(locked, check_problem, path):
    answer = locked.get(path)
    check_problem(answer, 401, "unauthorized", "Authorization: Bearer")
    assert answer.headers["www-authenticate"] == 'Bearer realm="edgederm"'
    assert locked.get("/healthz").status_code == 200


@pytest.mark.parametrize("path", ["/", "/favicon.ico", "/assets/page.js"])
def test_the_shell_of_the_page_asks_for_no_token(locked, path):
    """Whether it is there or not: nothing of it tells one box from another."""
    assert locked.get(path).status_code in {200, 404}
    assert locked.post(path).status_code == 401


def test_on_loopback_a_token_is_asked_for_where_the_settings_say_so(box, check_problem, admin):
    with box.client(is_token_needed=True) as client:
        check_problem(client.get("/model"), 401, "unauthorized")
        assert client.get("/model", headers=admin).status_code == 200
        assert client.get("/session", headers=admin).json()["name"] == "a adminer"


def test_a_refused_upload_is_not_read(box, locked, check_problem):
    answer = locked.post("/classify", content=b"x" * 10, headers=JPEG)
    check_problem(answer, 401, "unauthorized")
    assert not box.examiner.submitted


@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_an_admins_token_opens_every_route(locked, admin, path, scheme):
    authorization = admin["Authorization"].replace("Bearer", scheme)
    assert locked.get(path, headers={"Authorization": authorization}).status_code == 200


@pytest.mark.parametrize(
    "damage",
    [
        lambda token: f"Bearer {token}x",
        lambda token: f"Bearer {token[:-1]}",
        lambda token: f"Bearer {token.upper()}",
        lambda token: f"Bearer {token} {token}",
        lambda token: f"Bearer {token}, Bearer {token}",
        lambda token: f"Basic {token}",
        lambda token: token,
        lambda token: "Bearer",
        lambda token: "Bearer ",
        lambda token: b"Bearer \xff\xfe",
        lambda token: "Bearer " + "a" * 8000,
        lambda token: "",
    ],
)
def test_anything_but_the_token_is_refused(locked, check_problem, admin, damage):
    token = admin["Authorization"].removeprefix("Bearer ")
    answer = locked.get("/model", headers={"Authorization": damage(token)})
    check_problem(answer, 401, "unauthorized")
    assert answer.headers["www-authenticate"].startswith("Bearer ")
    assert token not in answer.text


@pytest.mark.parametrize(
    "query",
    ["token={}", "a=1&access_token={}", "TOKEN={}", "%74oken={}", "a;token={}", "bearer", "auth="],
)
@pytest.mark.parametrize("path", ["/model", "/", "/login", "/nowhere"])
def test_a_token_in_an_address_is_refused_even_the_right_one(
    locked, check_problem, admin, path, query
):
    token = admin["Authorization"].removeprefix("Bearer ")
    answer = locked.get(f"{path}?{query.format(token)}", headers=admin)
    check_problem(answer, 400, "bad-request", "revoke it")
    assert token not in answer.text


def test_a_token_in_the_addresss_user_part_is_none(locked, check_problem, admin):
    token = admin["Authorization"].removeprefix("Bearer ")
    check_problem(locked.get("/model", auth=("token", token)), 401, "unauthorized")


def test_a_revoked_token_opens_nothing(box, locked, check_problem, admin):
    assert locked.get("/model", headers=admin).status_code == 200
    box.tokens.revoke(box.tokens.all()[0].token_id)
    check_problem(locked.get("/model", headers=admin), 401, "unauthorized", "revoked")


def test_tokens_that_others_could_read_open_nothing(box, locked, check_problem, admin, caplog):
    box.tokens.path.chmod(0o644)
    answer = locked.get("/model", headers=admin)
    body = check_problem(answer, 503, "access")
    assert str(box.tokens.path) not in body["detail"]
    assert "event=api.closed" in caplog.text
    assert locked.get("/healthz").status_code == 200


# What each role may do; what a role may, those above it may as well.
ALLOWED = [
    (Role.READ, "GET", "/results"),
    (Role.READ, "GET", "/model"),
    (Role.READ, "GET", "/readyz"),
    (Role.READ, "GET", "/session"),
    (Role.READ, "HEAD", "/lesions"),
    (Role.READ, "OPTIONS", "/results"),
    (Role.READ, "GET", "/nowhere"),
    (Role.OPERATE, "GET", "/classify"),
    (Role.OPERATE, "POST", "/classify"),
    (Role.OPERATE, "GET", "/results.csv"),
    (Role.OPERATE, "PATCH", "/results/00000001-aaaaaaaaaaaaaaaa"),
    (Role.OPERATE, "GET", "/preview.jpg"),
    (Role.ADMIN, "DELETE", "/results/00000001-aaaaaaaaaaaaaaaa"),
    (Role.ADMIN, "GET", "/audit"),
    (Role.ADMIN, "GET", "/tokens"),
    (Role.ADMIN, "HEAD", "/tokens"),
    (Role.ADMIN, "OPTIONS", "/tokens/aaaaaaaa"),
    (Role.ADMIN, "DELETE", "/tokens/aaaaaaaa"),
    # What nobody thought of asks for the highest.
    (Role.ADMIN, "POST", "/nowhere"),
    (Role.ADMIN, "PUT", "/results"),
    (Role.ADMIN, "BREW", "/model"),
]


@pytest.mark.parametrize(("needed", "method", "path"), ALLOWED)
@pytest.mark.parametrize("role", Role)
def test_a_role_may_what_it_may_and_no_more(box, locked, needed, method, path, role):
    answer = locked.request(method, path, headers=box.bearer(role))
    if role.covers(needed):
        assert answer.status_code not in {401, 403}
        return
    assert answer.status_code == 403
    if method != "HEAD":
        assert answer.json()["code"] == "forbidden"


def test_wrong_tokens_make_an_address_wait(box, locked, check_problem, admin):
    wrong = {"Authorization": "Bearer edgederm-aaaaaaaa-" + "a" * 32}
    for _ in range(FAILURES):
        check_problem(locked.get("/model", headers=wrong), 401, "unauthorized")
    answer = locked.get("/model", headers=wrong)
    check_problem(answer, 429, "too-many-failures", "10.0.0.9")
    assert 0 < int(answer.headers["retry-after"]) <= 6
    # Not even the right one: else waiting would be no hindrance.
    check_problem(locked.get("/model", headers=admin), 429, "too-many-failures")
    check_problem(locked.post("/login", json={"token": "x"}), 429, "too-many-failures")


def test_no_token_is_no_wrong_token(locked, check_problem):
    for _ in range(2 * FAILURES):
        check_problem(locked.get("/model"), 401, "unauthorized")


@pytest.mark.parametrize(
    "host",
    ["localhost", "localhost:8000", "LOCALHOST", "127.0.0.1", "127.0.0.1:1", "[::1]", "[::1]:80"],
)
def test_this_machines_names_are_answered(client, host):
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
@pytest.mark.parametrize("path", ["/healthz", "/classify", "/nowhere", "/", "/login"])
def test_on_loopback_other_names_are_refused(client, box, check_problem, host, path):
    """A page of example.org whose name points to 127.0.0.1 must not reach the box."""
    check_problem(client.get(path, headers={"Host": host}), 421, "unknown-host", repr(host))
    assert box.frames.requested == 0


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("edgederm.local:8000", 200),
        ("EdgeDerm.Local", 200),
        ("192.168.1.5", 200),
        ("192.168.1.5:8000", 200),
        ("[fe80::1]:8000", 200),
        ("[2001:db8::5]", 200),
        ("localhost:8000", 200),
        ("example.org", 421),
        ("evil.edgederm.local", 421),
        ("edgederm.local.example.org", 421),
        ("edgederm.local@example.org", 421),
        ("192.168.1.5.example.org", 421),
        ("[fe80::1", 421),
        ("fe80::1", 421),
        ("", 421),
        ("a" * 4000, 421),
    ],
)
def test_beyond_loopback_the_boxs_names_and_addresses_are_answered(locked, host, status):
    answer = locked.get("/healthz", headers={"Host": host})
    assert answer.status_code == status
    assert len(answer.text) < 1000


@pytest.mark.parametrize("site", ["cross-site", "same-site", "Cross-Site"])
@pytest.mark.parametrize("path", ["/classify", "/readyz", "/results", "/model", "/nowhere"])
def test_another_site_cannot_ask_for_anything(client, box, check_problem, site, path):
    check_problem(client.get(path, headers={"Sec-Fetch-Site": site}), 403, "cross-site")
    assert box.frames.requested == 0
    assert next(box.checks) == 0


@pytest.mark.parametrize("site", ["same-origin", "none"])
def test_the_boxs_own_page_and_the_address_bar_can(client, site):
    assert client.get("/classify", headers={"Sec-Fetch-Site": site}).status_code == 200


@pytest.mark.parametrize("path", ["/", "/healthz", "/assets/page.css"])
def test_a_link_from_elsewhere_may_lead_to_the_page(client, path):
    answer = client.get(path, headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code in {200, 404}


FOREIGN = [
    {"Origin": "https://example.org"},
    {"Origin": "null"},
    {"Origin": ""},
    {"Origin": "http://127.0.0.1:9000"},
    {"Origin": "https://127.0.0.1:8000"},
    {"Origin": "127.0.0.1:8000"},
    {"Origin": f"{ORIGIN}, https://example.org"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "cross-site", "Origin": ORIGIN},
]


@pytest.mark.parametrize("headers", FOREIGN)
def test_a_form_of_another_site_is_refused(client, box, check_problem, picture, headers):
    answer = client.post("/classify", content=picture, headers={**JPEG, **headers})
    check_problem(answer, 403, "cross-site")
    assert not box.examiner.submitted


@pytest.mark.parametrize("headers", FOREIGN)
@pytest.mark.parametrize("path", ["/login", "/logout"])
def test_another_site_logs_nobody_in_or_out(client, check_problem, path, headers):
    answer = client.post(path, json={"token": "x"}, headers=headers)
    check_problem(answer, 403, "cross-site")
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("headers", [{}, {"Origin": ORIGIN}])
def test_a_form_of_our_own_and_a_program_are_answered(client, picture, headers):
    answer = client.post("/classify", content=picture, headers={**JPEG, **headers})
    assert answer.status_code == 200


def test_over_tls_the_origin_is_a_secure_one(box, picture):
    with box.client(is_secure=True, base_url="https://127.0.0.1:8000") as client:
        for origin, status in ((ORIGIN.replace("http", "https"), 200), (ORIGIN, 403)):
            answer = client.post("/classify", content=picture, headers={**JPEG, "Origin": origin})
            assert answer.status_code == status


def test_no_other_site_is_ever_invited(client, picture):
    for method in ("GET", "POST", "OPTIONS"):
        answer = client.request(
            method, "/classify", content=picture, headers={**JPEG, "Origin": ORIGIN}
        )
        assert not any(name.startswith("access-control") for name in answer.headers)


@pytest.mark.parametrize(
    "path", ["/classify", "/healthz", "/readyz", "/model", "/openapi.json", "/nowhere", "/results"]
)
def test_every_answer_forbids_what_it_is_not_for(client, path):
    headers = client.get(path).headers
    assert {name: headers[name] for name in ALWAYS} == dict(ALWAYS)
    assert headers["content-security-policy"].startswith("default-src 'none'")
    assert "server" not in headers


def test_the_page_may_load_only_what_comes_from_the_box():
    assert "default-src 'none'" in PAGE_POLICY
    assert "unsafe" not in PAGE_POLICY
    assert "data:" not in PAGE_POLICY
    assert "http" not in PAGE_POLICY


def http_scope():
    return {
        "type": "http",
        "method": "GET",
        "path": "/healthz",
        "query_string": b"",
        "headers": [(b"host", b"localhost")],
    }


def guard_of(app):
    rules = Rules(tokens=None, is_token_needed=False, is_loopback=True)
    return Guard(app, rules=rules, sessions=Sessions(None, is_secure=False), throttle=Throttle())


def test_an_answer_that_breaks_off_is_not_followed_by_another(caplog):
    async def breaks_off(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise ZeroDivisionError

    sent = []

    async def send(message):
        sent.append(message)

    with pytest.raises(ZeroDivisionError):
        asyncio.run(guard_of(breaks_off)(http_scope(), None, send))
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
        guard = guard_of(waits)
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

    asyncio.run(guard_of(inside)({"type": "lifespan"}, None, None))
    assert seen == ["lifespan"]


def test_the_figures_hear_of_every_answer_and_of_every_problem():
    heard = []

    async def inside(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def send(message):
        pass

    rules = Rules(tokens=None, is_token_needed=False, is_loopback=True)
    guard = Guard(
        inside,
        rules=rules,
        sessions=Sessions(None, is_secure=False),
        throttle=Throttle(),
        count=lambda status, slug: heard.append((status, slug)),
    )
    asyncio.run(guard(http_scope(), None, send))
    asyncio.run(guard({**http_scope(), "headers": []}, None, send))
    assert heard == [(200, None), (421, "unknown-host")]
