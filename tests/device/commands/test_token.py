"""The verb ``token``: shown once, listed without secrets, revoked at once, and all of it noted."""

import json
import re

import pytest

from device import cli
from device.access.tokens import TokenFile
from device.core.access import Role

pytestmark = pytest.mark.portable


@pytest.fixture
def state(tmp_path, monkeypatch):
    folder = tmp_path / "state"
    monkeypatch.setenv("EDGEDERM_SERVER__STATE_PATH", str(folder))
    monkeypatch.setenv("EDGEDERM_HISTORY__PATH", str(folder))
    return folder


def trail(capsys):
    capsys.readouterr()
    assert cli.main(["history", "audit"]) == 0
    entries = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return [(entry["act"], entry["subject"], entry["actor"]) for entry in entries]


def test_a_token_is_printed_alone_and_only_once(state, capsys):
    assert cli.main(["token", "add", "front desk", "--role", "operate"]) == 0
    said = capsys.readouterr()
    secret = said.out.strip()
    assert re.fullmatch(r"edgederm-[a-z2-7]{8}-[a-z2-7]{32}", secret)
    token = TokenFile(state).find(secret)
    assert (token.name, token.role) == ("front desk", Role.OPERATE)
    assert "shown this once" in said.err
    assert cli.main(["token", "list"]) == 0
    listed = capsys.readouterr().out
    assert secret.rpartition("-")[2] not in listed
    assert json.loads(listed)["name"] == "front desk"
    assert trail(capsys) == [("token added (operate)", token.token_id, "command line")]


def test_a_token_that_nobody_gave_a_role_may_only_read(state, capsys):
    assert cli.main(["token", "add", "wall display"]) == 0
    assert TokenFile(state).find(capsys.readouterr().out.strip()).role is Role.READ


def test_a_revoked_token_is_gone_and_noted(state, capsys):
    cli.main(["token", "add", "lost phone", "--role", "admin"])
    secret = capsys.readouterr().out.strip()
    token_id = secret.split("-")[1]
    assert cli.main(["token", "revoke", token_id]) == 0
    assert TokenFile(state).find(secret) is None
    assert trail(capsys)[-1] == ("token revoked", token_id, "command line")
    assert cli.main(["token", "revoke", token_id]) == 1
    assert "`token list` shows them" in capsys.readouterr().err


def test_a_history_that_does_not_work_keeps_no_token_alive(state, capsys, monkeypatch, tmp_path):
    cli.main(["token", "add", "lost phone"])
    secret = capsys.readouterr().out.strip()
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("EDGEDERM_HISTORY__PATH", str(tmp_path / "file"))
    assert cli.main(["token", "revoke", secret.split("-")[1]]) == 0
    assert "not in the audit trail" in capsys.readouterr().err
    assert TokenFile(state).find(secret) is None


def test_a_damaged_history_is_told_and_left_to_the_box(state, capsys):
    """A running box may be writing to it: moved aside, its next answers would be lost."""
    state.mkdir()
    (state / "history.sqlite").write_bytes(b"no database" * 100)
    assert cli.main(["token", "add", "front desk"]) == 0
    said = capsys.readouterr()
    assert TokenFile(state).find(said.out.strip()) is not None
    assert "not in the audit trail: history (damaged)" in said.err
    assert [path.name for path in state.glob("history*")] == ["history.sqlite"]


@pytest.mark.parametrize("words", [["token"], ["token", "add"], ["token", "add", "x", "--role", "root"], ["token", "revoke"]])  # fmt: skip  # noqa: E501 - one row of cases
def test_wrong_usage_is_exit_status_two(words):
    with pytest.raises(SystemExit) as caught:
        cli.main(words)
    assert caught.value.code == 2
