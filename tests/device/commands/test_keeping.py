"""Who only looks in, or notes a deed, erases nothing: how long results stay is the box's affair."""

import json
from datetime import UTC, datetime

import pytest

from device import cli, compose
from device.core.ports import HistoryUse
from device.core.results import ResultFilter
from device.service.clock import SystemClock
from tests.builders import a_capture, a_history, a_model_file, an_answer
from tests.bundles import a_key_folder, a_real_bundle, newer

pytestmark = pytest.mark.portable

OLD = 3


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The state of a box that keeps all; the commands below have the default settings."""
    folder = tmp_path / "state"
    for name in ("HISTORY__PATH", "SERVER__STATE_PATH", "MODEL__STATE_PATH"):
        monkeypatch.setenv(f"EDGEDERM_{name}", str(folder))
    monkeypatch.setattr(SystemClock, "is_trusted", lambda _: True)
    with a_history(folder, keep_days=0) as archive:
        for _ in range(OLD):
            archive.record(a_capture(), an_answer(captured_at=datetime(2020, 1, 1, tzinfo=UTC)))
        archive.back_up(tmp_path / "copy.sqlite", actor="t").result(30)
    return folder


@pytest.fixture
def count(folder, capsys):
    """Count the results that are left."""

    def count():
        with a_history(folder, use=HistoryUse.LOOK) as archive:
            return len(archive.page(ResultFilter(), cursor=None, limit=9).result(30).results)

    return count


@pytest.mark.parametrize(
    "words",
    [
        ["history", "list"],
        ["history", "export"],
        ["history", "audit"],
        ["history", "backup", "new.sqlite"],
        ["history", "restore", "copy.sqlite"],
        ["token", "add", "front desk"],
    ],
    ids=" ".join,
)
def test_a_command_leaves_what_is_too_old_by_its_settings(words, count, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert cli.main(words) == 0
    assert count() == OLD


def test_so_does_the_installation_of_a_model(count, tmp_path, monkeypatch):
    monkeypatch.setenv("EDGEDERM_MODEL__KEYS_PATH", str(a_key_folder(tmp_path / "keys")))
    (tmp_path / "new.edm").write_bytes(a_real_bundle(newer()))
    assert cli.main(["model", "install", str(tmp_path / "new.edm")]) == 0
    assert count() == OLD


def test_the_doctor_changes_nothing_in_a_history(count, capsys):
    cli.main(["doctor", "--json"])
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert "can be written" in next(line for line in found if line["part"] == "history")["found"]
    assert count() == OLD


def test_prune_erases_because_it_was_asked(count, capsys):
    assert cli.main(["history", "prune"]) == 0
    assert json.loads(capsys.readouterr().out) == {"erased": OLD}
    assert count() == 0


def test_the_box_tidies(count, tmp_path):
    pytest.importorskip("onnx", reason="the model is made on the spot")
    settings = cli.load_settings(None)
    model = settings.model.model_copy(update={"path": a_model_file(tmp_path / "model.onnx")})
    with compose.appliance(settings.model_copy(update={"model": model})):
        pass
    assert count() == 0
