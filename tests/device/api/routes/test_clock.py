"""What time it is, by the box; and an admin who sets it. This machine's clock is left alone."""

from datetime import UTC, datetime, timedelta

import pytest

from device.core.access import Role
from device.service import clock

pytestmark = pytest.mark.portable

RIGHT = datetime(2027, 3, 1, 9, 30, tzinfo=UTC)
SENT = {"now": "2027-03-01T10:30:00+01:00"}


@pytest.fixture(autouse=True)
def kernel(monkeypatch):
    """What the kernel says of time services; not this machine's."""
    said = [False]
    monkeypatch.setattr(clock, "kernel_is_synchronized", lambda: said[0])
    return said


@pytest.fixture
def locked(box):
    with box.client(is_loopback=False) as opened:
        yield opened


def moment(text):
    return datetime.fromisoformat(text)


def test_the_time_is_told_with_what_it_is_worth(box, client):
    told = client.get("/clock").json()
    assert abs(moment(told.pop("now")) - datetime.now(UTC)) < timedelta(seconds=5)
    assert told == {"clock_trusted": False, "set_by": None, "settable": True}
    head = client.head("/clock")
    assert (head.status_code, head.content) == (200, b"")


def test_an_admin_sets_it_and_the_audit_trail_tells_who_and_from_when_to_when(box, locked):
    before = datetime.now(UTC)
    answer = locked.put("/clock", json=SENT, headers=box.bearer(Role.ADMIN))
    assert answer.status_code == 200
    told = answer.json()
    assert abs(moment(told["now"]) - RIGHT) < timedelta(seconds=5)
    assert abs(moment(told["before"]) - before) < timedelta(seconds=5)
    assert (told["clock_trusted"], told["set_by"], told["chip_set"]) == (True, "person", None)
    headers = box.bearer(Role.ADMIN)
    again = locked.get("/clock", headers=headers).json()
    assert again["clock_trusted"]
    (entry,) = locked.get("/audit", headers=headers).json()["entries"]
    assert entry["act"] == "clock set"
    assert entry["subject"].startswith(f"{moment(told['before']):%Y-%m-%dT%H:%M:%SZ} to ")
    assert entry["subject"].endswith(" to 2027-03-01T09:30:00Z")
    assert entry["actor"].startswith("api: a adminer (")


@pytest.mark.parametrize("role", [Role.READ, Role.OPERATE])
def test_who_is_no_admin_may_look_and_not_set(box, locked, check_problem, role):
    headers = box.bearer(role)
    assert locked.get("/clock", headers=headers).status_code == 200
    check_problem(locked.put("/clock", json=SENT, headers=headers), 403, "forbidden", "admin")
    assert box.board.ahead == timedelta()


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"now": None},
        {"now": 1_800_000_000},
        {"now": "2027-03-01T09:30:00"},
        {"now": "2027-03-01T09:30:00Z", "zone": "UTC"},
        {"now": "2025-12-31T23:59:59Z"},
        {"now": "2100-01-01T00:00:00Z"},
        {"now": "9999-12-31T23:59:59-14:00"},
    ],
)
def test_what_is_no_possible_time_is_refused(box, client, check_problem, body):
    check_problem(client.put("/clock", json=body), 422, "invalid-request", "body")
    assert box.board.ahead == timedelta()


def test_a_clock_that_the_network_keeps_is_left_alone(box, client, check_problem, kernel):
    kernel[0] = True
    told = client.get("/clock").json()
    assert (told["set_by"], told["settable"]) == ("network", False)
    check_problem(client.put("/clock", json=SENT), 409, "clock-kept", "time service")
    assert box.board.ahead == timedelta()


def test_a_machine_that_does_not_let_us_is_told_with_the_remedy(box, client, check_problem):
    box.board.error = PermissionError(1, "Operation not permitted")
    check_problem(client.put("/clock", json=SENT), 503, "clock", "CAP_SYS_TIME")
    assert client.get("/audit").json()["entries"] == []


def test_a_clock_is_set_even_where_that_cannot_be_noted(box, client, check_problem):
    box.history.__exit__(None, None, None)
    check_problem(client.put("/clock", json=SENT), 503, "not-ready")
    assert box.board.ahead > timedelta(days=1)


def test_another_web_site_sets_nothing(box, client, check_problem):
    headers = {"Origin": "https://example.org"}
    check_problem(client.put("/clock", json=SENT, headers=headers), 403, "cross-site")
    assert box.board.ahead == timedelta()
