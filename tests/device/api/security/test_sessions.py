"""A browser's login: what it gets, for how long, and who else might use it."""

import pytest

from device.access.tokens import TokenFile
from device.api.security.sessions import MOST_OF_A_TOKEN, SESSION_S, Sessions
from device.core.access import Role

pytestmark = pytest.mark.portable

ORIGIN = {"Origin": "http://127.0.0.1:8000"}


@pytest.fixture
def locked(box):
    with box.client(is_loopback=False) as opened:
        yield opened


def log_in(box, client, role=Role.ADMIN):
    _, secret = box.tokens.add(name="front desk", role=role)
    return client.post("/login", json={"token": secret}, headers=ORIGIN)


def test_a_token_is_traded_for_a_cookie_that_scripts_and_other_sites_do_not_get(box, locked):
    answer = log_in(box, locked, Role.OPERATE)
    assert answer.status_code == 200
    assert answer.json() == {
        "role": "operate",
        "name": "front desk",
        "token_id": box.tokens.all()[0].token_id,
        "is_token_needed": True,
    }
    value, *attributes = answer.headers["set-cookie"].split("; ")
    assert value.startswith("edgederm=")
    assert len(value) > 50
    assert set(attributes) == {"Path=/", f"Max-Age={SESSION_S}", "HttpOnly", "SameSite=Strict"}
    assert locked.get("/session").json() == answer.json()
    assert locked.get("/classify").status_code == 200


def test_over_tls_the_cookie_is_never_sent_without_it_nor_set_by_a_neighbour(box):
    with box.client(is_loopback=False, is_secure=True, base_url="https://127.0.0.1") as client:
        _, secret = box.tokens.add(name="x", role=Role.READ)
        answer = client.post("/login", json={"token": secret})
        assert answer.headers["set-cookie"].startswith("__Host-edgederm=")
        assert answer.headers["set-cookie"].endswith("; Secure")
        assert client.get("/session").status_code == 200


def test_without_a_cookie_the_page_is_told_to_log_in(locked, check_problem):
    check_problem(locked.get("/session"), 401, "unauthorized", "log in")


def test_where_no_token_is_needed_the_page_need_not_log_in(client):
    assert client.get("/session").json() == {
        "role": "admin",
        "name": None,
        "token_id": None,
        "is_token_needed": False,
    }


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b'{"token": "edgederm-aaaaaaaa-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}', 401, "unauthorized"),
        (b'{"token": "\\u0000\\u00e9\\ud83d\\ude00"}', 401, "unauthorized"),
        (b'{"token": ""}', 422, "invalid-request"),
        (b'{"token": 5}', 422, "invalid-request"),
        (b'{"token": "x", "role": "admin"}', 422, "invalid-request"),
        (b'{"token": "' + b"x" * 20000 + b'"}', 413, "upload-too-large"),
        (b'{"token": "' + b"x" * 200 + b'"}', 422, "invalid-request"),
        (b"token=x", 422, "invalid-request"),
        (b'{"token": "\\ud800"}', 422, "invalid-request"),
    ],
)
def test_what_is_no_token_opens_no_session(locked, check_problem, body, status, code):
    answer = locked.post("/login", content=body, headers={"Content-Type": "application/json"})
    check_problem(answer, status, code)
    assert "set-cookie" not in answer.headers


def test_a_form_cannot_log_in(locked, check_problem):
    check_problem(locked.post("/login", data={"token": "x"}), 415, "media-type")


def test_logging_out_ends_the_session_for_whoever_kept_the_cookie(box, locked, check_problem):
    log_in(box, locked)
    kept = locked.cookies["edgederm"]
    answer = locked.post("/logout", headers=ORIGIN)
    assert answer.status_code == 204
    assert "Max-Age=0" in answer.headers["set-cookie"]
    check_problem(locked.get("/session"), 401, "unauthorized")
    locked.cookies.set("edgederm", kept)
    check_problem(locked.get("/session"), 401, "unauthorized")


def test_who_is_not_logged_in_may_log_out(locked):
    assert locked.post("/logout").status_code == 204


def test_a_session_ends_with_its_token(box, locked, check_problem):
    log_in(box, locked)
    assert locked.get("/session").status_code == 200
    box.tokens.revoke(box.tokens.all()[0].token_id)
    check_problem(locked.get("/session"), 401, "unauthorized")


def test_a_wrong_token_in_a_header_is_not_saved_by_a_cookie(box, locked, check_problem):
    log_in(box, locked)
    answer = locked.get("/session", headers={"Authorization": "Bearer nonsense"})
    check_problem(answer, 401, "unauthorized")


def test_a_session_goes_on_while_its_address_has_to_wait(box, locked, check_problem):
    log_in(box, locked)
    for _ in range(12):
        locked.post("/login", json={"token": "wrong"}, headers=ORIGIN)
    answer = locked.post("/login", json={"token": "x"}, headers=ORIGIN)
    check_problem(answer, 429, "too-many-failures")
    assert locked.get("/session").status_code == 200


@pytest.mark.parametrize("headers", [{}, {"Sec-Fetch-Site": "none"}])
def test_a_cookie_does_nothing_unsafe_without_word_of_its_origin(
    box, locked, check_problem, headers
):
    log_in(box, locked)
    path = "/results/00000001-aaaaaaaaaaaaaaaa"
    check_problem(locked.delete(path, headers=headers), 403, "cross-site")
    check_problem(locked.delete(path, headers=ORIGIN), 404, "result-not-found")
    same = {"Sec-Fetch-Site": "same-origin"}
    check_problem(locked.delete(path, headers=same), 404, "result-not-found")


@pytest.mark.parametrize(
    "cookies",
    [
        "edgederm=",
        "edgederm",
        "edgederm=made-up",
        'edgederm="{}"',
        "EDGEDERM={}",
        "xedgederm={}",
        "edgederm={}; edgederm=other",
        "edgederm={}x",
        "edgederm=other; edgederm={}",
        "a=" + "b" * 5000 + "; edgederm={}",
        "__Host-edgederm={}",
        "edgederm=\xff{}",
        ";;;===;;; edgederm==",
    ],
)
def test_any_other_cookie_opens_nothing(box, locked, check_problem, cookies):
    log_in(box, locked)
    value = locked.cookies["edgederm"]
    locked.cookies.clear()
    sent = {"Cookie": cookies.format(value).encode("latin-1")}
    check_problem(locked.get("/session", headers=sent), 401, "unauthorized")


def test_neighbours_of_our_cookie_do_not_matter(box, locked):
    log_in(box, locked)
    value = locked.cookies["edgederm"]
    locked.cookies.clear()
    sent = {"Cookie": f"theme=dark;edgederm={value};  lang=de"}
    assert locked.get("/session", headers=sent).status_code == 200


@pytest.fixture
def tokens(tmp_path):
    return TokenFile(tmp_path)


def cookie_of(header):
    return header.partition(";")[0]


def test_a_session_ends_after_a_shift(tokens):
    now_s = [1000.0]
    sessions = Sessions(tokens, is_secure=False, clock_s=lambda: now_s[0])
    token, _ = tokens.add(name="x", role=Role.READ)
    cookie = cookie_of(sessions.begin(token))
    now_s[0] += SESSION_S - 1
    assert sessions.holder(cookie) == token
    now_s[0] += 1
    assert sessions.holder(cookie) is None


def test_every_login_is_another_session_and_the_oldest_ends_when_there_are_too_many(tokens):
    sessions = Sessions(tokens, is_secure=False)
    token, _ = tokens.add(name="x", role=Role.READ)
    other, _ = tokens.add(name="y", role=Role.READ)
    others = cookie_of(sessions.begin(other))
    cookies = [cookie_of(sessions.begin(token)) for _ in range(MOST_OF_A_TOKEN + 3)]
    assert len(set(cookies)) == len(cookies)
    held = [sessions.holder(cookie) is not None for cookie in cookies]
    assert held == [False] * 3 + [True] * MOST_OF_A_TOKEN
    assert sessions.holder(others) == other


def test_ended_sessions_are_forgotten(tokens):
    now_s = [0.0]
    sessions = Sessions(tokens, is_secure=False, clock_s=lambda: now_s[0])
    for _ in range(5):
        token, _ = tokens.add(name="x", role=Role.READ)
        sessions.begin(token)
        tokens.revoke(token.token_id)
    now_s[0] = SESSION_S + 1.0
    token, _ = tokens.add(name="x", role=Role.READ)
    sessions.begin(token)
    assert len(sessions._sessions) == 1


def test_what_is_kept_of_a_session_does_not_open_it(tokens):
    """A dump of the memory's table is no set of keys."""
    sessions = Sessions(tokens, is_secure=False)
    token, _ = tokens.add(name="x", role=Role.READ)
    value = cookie_of(sessions.begin(token)).partition("=")[2]
    assert value not in repr(sessions._sessions)
