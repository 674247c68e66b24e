"""The verb ``model``: takes what is signed, says what there is, returns, and notes all of it."""

import json

import pytest

from device import cli
from tests.bundles import BROKEN, Signer, a_bundle, a_key_folder, a_real_bundle, newer, shipped

pytestmark = pytest.mark.portable

NEWER, NEWEST = newer(1), newer(2)


@pytest.fixture
def state(tmp_path, monkeypatch):
    folder = tmp_path / "state"
    monkeypatch.setenv("EDGEDERM_MODEL__STATE_PATH", str(folder))
    monkeypatch.setenv("EDGEDERM_HISTORY__PATH", str(folder))
    monkeypatch.setenv("EDGEDERM_MODEL__KEYS_PATH", str(a_key_folder(tmp_path / "keys")))
    return folder


@pytest.fixture
def bundle(tmp_path):
    path = tmp_path / "new.edm"
    path.write_bytes(a_real_bundle(NEWEST))
    return path


def lines(capsys):
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def say(capsys, *words):
    assert cli.main(["model", *map(str, words)]) == 0
    return lines(capsys)


def trail(capsys):
    capsys.readouterr()
    assert cli.main(["history", "audit"]) == 0
    return [(entry["act"], entry["actor"]) for entry in lines(capsys)]


def test_a_model_is_installed_listed_verified_and_rolled_back(state, bundle, capsys):
    (taken,) = say(capsys, "install", bundle)
    assert (taken["version"], taken["has_changed"], taken["restarts"]) == (NEWEST, True, False)
    current, last = say(capsys, "list")
    assert (current["slot"], current["version"], current["trial"]) == (
        "current",
        NEWEST,
        "waiting",
    )
    assert (last["slot"], last["sha256"]) == ("shipped", shipped().identity.sha256)
    (verified,) = say(capsys, "verify")
    assert (verified["version"], verified["problem"]) == (NEWEST, None)
    (returned,) = say(capsys, "rollback")
    assert returned["current"] == "the shipped model"
    assert trail(capsys) == [
        ("model installed", "command line"),
        ("model rolled back", "command line"),
    ]


def test_a_damaged_history_is_told_and_left_to_the_box(state, bundle, capsys):
    state.mkdir(exist_ok=True)
    (state / "history.sqlite").write_bytes(b"no database" * 100)
    for words in (["install", str(bundle)], ["rollback"]):
        assert cli.main(["model", *words]) == 0
        assert "not in the audit trail: history (damaged)" in capsys.readouterr().err
    assert [path.name for path in state.glob("history*")] == ["history.sqlite"]


@pytest.mark.usefixtures("state")
def test_the_same_again_changes_and_notes_nothing(bundle, capsys):
    say(capsys, "install", bundle)
    assert not say(capsys, "install", bundle)[0]["has_changed"]
    assert len(trail(capsys)) == 1


@pytest.mark.usefixtures("state")
def test_the_command_line_answers_with_what_is_installed(bundle, tmp_path, capsys):
    say(capsys, "install", bundle)
    assert cli.main(["classify", str(tmp_path / "none.png")]) == 1
    capsys.readouterr()
    assert say(capsys, "list")[0]["trial"] == "waiting"  # Only the box begins a trial.


@pytest.mark.usefixtures("state")
def test_force_is_a_word_of_its_own_and_is_noted(bundle, tmp_path, capsys):
    say(capsys, "install", bundle)
    older = tmp_path / "older.edm"
    older.write_bytes(a_real_bundle(NEWER))
    assert cli.main(["model", "install", str(older)]) == 1
    assert f"expected a version above {NEWEST}" in capsys.readouterr().err
    assert say(capsys, "install", "--force", older)[0]["is_forced"]
    assert trail(capsys)[-1] == ("model installed (forced)", "command line")


@pytest.mark.parametrize("name", ["a bit of the model", "a revoked key", "too large", "empty"])
def test_a_refused_bundle_is_one_line_and_nothing_has_changed(state, tmp_path, capsys, name):
    path = tmp_path / "bad.edm"
    path.write_bytes(BROKEN[name].make())
    assert cli.main(["model", "install", "--force", str(path)]) == 1
    (complaint,) = capsys.readouterr().err.splitlines()
    assert complaint.startswith("edgederm model: model bundle refused")
    assert not state.exists()


@pytest.mark.usefixtures("state")
def test_verify_tries_a_file_without_installing_it(bundle, tmp_path, capsys):
    assert say(capsys, "verify", bundle)[0]["problem"] is None
    assert len(say(capsys, "list")) == 1
    bad = tmp_path / "bad.edm"
    bad.write_bytes(a_bundle())
    assert cli.main(["model", "verify", str(bad)]) == 1
    (line,) = lines(capsys)
    assert "expected an ONNX graph" in line["problem"]


def test_keys_are_listed_with_whether_they_count(state, tmp_path, capsys, monkeypatch):
    a_key_folder(tmp_path / "keys", Signer(1), Signer(2), revoked=(Signer(2),))
    assert {line["key_id"]: line["is_trusted"] for line in say(capsys, "keys")} == {
        Signer(1).name: True,
        Signer(2).name: False,
    }
    monkeypatch.setenv("EDGEDERM_MODEL__KEYS_PATH", str(tmp_path / "none"))
    assert cli.main(["model", "keys"]) == 0
    assert "no model can be installed" in capsys.readouterr().err


@pytest.mark.usefixtures("state")
def test_where_the_settings_name_a_file_nothing_is_installed(bundle, capsys, monkeypatch):
    monkeypatch.setenv("EDGEDERM_MODEL__PATH", "m.onnx")
    for words in (["install", str(bundle)], ["rollback"], ["list"]):
        assert cli.main(["model", *words]) == 1
        assert "model.path set to m.onnx" in capsys.readouterr().err


@pytest.mark.usefixtures("state")
def test_there_is_nothing_before_the_shipped_model(capsys):
    assert cli.main(["model", "rollback"]) == 1
    assert "before it there is nothing" in capsys.readouterr().err
