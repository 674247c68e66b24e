"""What an admin sees and ends over REST."""

import pytest

from device.core.access import Role

pytestmark = pytest.mark.portable


@pytest.fixture
def admin(box):
    return box.bearer(Role.ADMIN)


@pytest.fixture
def locked(box, admin):
    with box.client(is_loopback=False) as opened:
        opened.headers.update(admin)
        yield opened


def test_tokens_are_listed_without_anything_that_opens(box, locked, admin):
    listed = locked.get("/tokens")
    (token,) = listed.json()["tokens"]
    assert set(token) == {"token_id", "name", "role", "created_at"}
    assert token["role"] == "admin"
    assert admin["Authorization"].rpartition("-")[2] not in listed.text
    assert "sha256" not in listed.text


def test_a_revoked_token_stands_in_the_audit_trail_with_who_did_it(box, locked, check_problem):
    reader = box.bearer(Role.READ)
    victim = box.tokens.all()[1]
    assert locked.delete(f"/tokens/{victim.token_id}").status_code == 204
    check_problem(locked.delete(f"/tokens/{victim.token_id}"), 404, "token-not-found")
    check_problem(locked.get("/model", headers=reader), 401, "unauthorized")
    (entry,) = locked.get("/audit").json()["entries"]
    admin = box.tokens.all()[0]
    assert entry["act"] == "token revoked"
    assert entry["subject"] == victim.token_id
    assert entry["actor"] == f"api: {admin.name} ({admin.token_id})"


def test_a_token_is_revoked_even_where_that_cannot_be_noted(box, locked, check_problem):
    box.bearer(Role.READ)
    victim = box.tokens.all()[1]
    box.history.__exit__(None, None, None)
    check_problem(locked.delete(f"/tokens/{victim.token_id}"), 503, "not-ready")
    assert box.tokens.holds(victim.token_id) is None


def test_an_admin_may_revoke_itself(box, locked, check_problem):
    assert locked.delete(f"/tokens/{box.tokens.all()[0].token_id}").status_code == 204
    check_problem(locked.get("/tokens"), 401, "unauthorized")


@pytest.mark.parametrize("token_id", ["nothing", "..", "%2e%2e", "a" * 64, "\u20ac"])
def test_what_is_no_token_cannot_be_revoked(locked, token_id):
    assert locked.delete(f"/tokens/{token_id}").status_code in {404, 405}


def test_the_audit_trail_is_read_in_pages_the_newest_first(box, locked):
    for number in range(5):
        box.history.note("test", str(number), actor="box").result()
    first = locked.get("/audit?limit=2").json()
    assert [entry["subject"] for entry in first["entries"]] == ["4", "3"]
    box.history.note("test", "5", actor="box").result()
    second = locked.get(f"/audit?limit=2&cursor={first['next']}").json()
    assert [entry["subject"] for entry in second["entries"]] == ["2", "1"]
    third = locked.get(f"/audit?limit=2&cursor={second['next']}").json()
    assert [entry["subject"] for entry in third["entries"]] == ["0"]
    assert third["next"] is None


def test_erasing_over_rest_names_the_token(box, locked, picture):
    answer = locked.post("/classify", content=picture, headers={"Content-Type": "image/jpeg"})
    result_id = answer.json()["id"]
    assert locked.delete(f"/results/{result_id}").status_code == 204
    (entry,) = locked.get("/audit").json()["entries"]
    assert (entry["act"], entry["subject"]) == ("delete", result_id)
    assert entry["actor"].startswith("api: a adminer (")
