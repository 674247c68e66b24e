"""Many boards at once: what goes wrong on one neither stops nor changes another."""

import json

import pytest

from tests.bundles import a_real_bundle, newer, shipped
from tests.e2e.board import Board
from tests.e2e.conftest import ARTIFACTS, SETTINGS, commit, current

BAD_SETTINGS = {**SETTINGS, "server": {"host": "0.0.0.0", "portt": 1}}  # noqa: S104 - the board's own network
GONE = {"ansible_host": "10.99.9.77", "ansible_ssh_common_args": "-o ConnectTimeout=1"}


@pytest.fixture(scope="module")
def other(tmp_path_factory, board):
    """A second board, fresh."""
    made = Board(tmp_path_factory.mktemp("other"), ARTIFACTS, name="other", net=1)
    try:
        made.start()
        made.let_in()
        made.put_samples()
        yield made
        made.keep_journal()
    finally:
        made.stop()


def test_one_fails_and_the_other_is_deployed(board, other, variables, token, checkout):
    """One after the other, the one that fails first; its settings are refused on the board."""
    before = current(board)
    commit(checkout, "device/__init__.py", lambda text: text + "\n# Newer.\n")
    bad = {**other.host(), "appliance_settings": BAD_SETTINGS}
    inventory = board.inventory(variables, others={"other": bad, "gone": GONE})
    done, counts = board.play(
        "deploy", inventory, "-e", "deploy_serial=1", source=checkout, check=False
    )
    assert done.returncode != 0
    assert done.recap["other"]["failed"] == 1
    assert "refuses its settings" in done.stdout
    assert "it cannot be reached" in done.stdout
    assert counts["failed"] == 0
    assert current(board) != before
    assert board.answers(token)
    states = "systemctl is-active edgederm; systemctl is-enabled edgederm"
    found = other.root(f"readlink /opt/edgederm/current; {states}", check=False)
    assert found.split() == ["inactive", "not-found"]  # No unit came there at all.


def test_both_at_once_when_it_was_put_right(board, other, variables, token, checkout):
    """Each has a token of its own."""
    inventory = board.inventory(variables, others={"other": other.host()})
    done, counts = board.play("deploy", inventory, source=checkout)
    assert counts["changed"] == 0
    assert done.recap["other"]["changed"] > 0
    assert current(other) == current(board)
    assert other.service("ActiveState", "UnitFileState") == {
        "ActiveState": "active", "UnitFileState": "enabled",
    }  # fmt: skip
    assert token not in done.stdout


def test_one_has_nothing_to_go_back_to_and_the_other_goes_back(board, other, variables, token):
    new = current(board)
    inventory = board.inventory(variables, others={"other": other.host()})
    done, counts = board.play("rollback", inventory, check=False)
    assert done.returncode != 0
    assert "there is no release before this one" in done.stdout
    assert counts["failed"] == 0
    assert current(board) != new == current(other)
    assert current(board, "previous") == new
    assert other.service("ActiveState") == "active"
    assert board.answers(token)


def test_one_trusts_no_key_and_the_other_takes_the_model(board, other, variables, token, tmp_path):
    other.root("rm /etc/edgederm/keys/*")
    bundle = tmp_path / "model.edm"
    bundle.write_bytes(a_real_bundle(newer(8)))
    inventory = board.inventory(variables, others={"other": other.host(), "gone": GONE})
    done, counts = board.play(
        "update-model", inventory, "-e", f"model_bundle={bundle}", check=False
    )
    assert done.returncode != 0
    assert "expected a key of /etc/edgederm/keys (none)" in done.stdout
    assert "it cannot be reached" in done.stdout
    assert counts["failed"] == 0
    assert board.upload(token)[1]["model"]["version"] == newer(8)
    said = other.root("edgederm model list 2>/dev/null").splitlines()
    assert [json.loads(line)["version"] for line in said] == [shipped().manifest.version]


def test_each_tells_what_it_knows_also_one_that_is_down(board, other, variables, token):
    other.root("systemctl stop edgederm")
    # As a run leaves it that lost the board; it goes, and so does the one of this run.
    board.root("edgederm token add collect")
    board.root(
        "cd /tmp && runuser -u edgederm -- env -i PATH=$PATH STATE_DIRECTORY=/var/lib/edgederm "
        "/opt/edgederm/current/bin/python -m bench.run --quick --only presses"
    )
    inventory = board.inventory(variables, others={"other": other.host(), "gone": GONE})
    into = ARTIFACTS / "collected"
    place = f"collect_into={into}/{{{{ inventory_hostname }}}}"
    done, counts = board.play("collect", inventory, "-e", place, check=False)
    assert counts["failed"] == done.recap["other"]["failed"] == 0
    for one in (board, other):
        assert "event=" in (into / one.name / "journal.txt").read_text()
        about = json.loads((into / one.name / "release.json").read_text())
        assert about["name"] == current(one).rpartition("/")[2]
        lines = (into / one.name / "doctor.jsonl").read_text().splitlines()
        parts = {json.loads(line)["part"] for line in lines if line}
        assert {"model", "release", "history"} <= parts
        parts = json.loads((into / one.name / "sbom.cdx.json").read_text())
        assert parts["bomFormat"] == "CycloneDX"
        certificate = (into / one.name / "certificate.pem").read_text()
        assert certificate.startswith("-----BEGIN CERTIFICATE-----")
    assert "edgederm_answers_total" in (into / "board/metrics.txt").read_text()
    measured = json.loads((into / "board/bench/quick-part-generic.json").read_text())
    assert measured["press"]["whole"]["summary"]["count"] > 0
    told = "".join(file.read_text() for file in into.rglob("*") if file.is_file())
    assert token not in told
    assert "PRIVATE KEY" not in told
    assert '"collect"' not in board.root("edgederm token list")
