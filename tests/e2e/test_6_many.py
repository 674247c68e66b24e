"""Many boards at once: what goes wrong on one neither stops nor changes another."""

import json

import pytest

from tests.bundles import Signer, a_key_folder, a_real_bundle, newer, shipped
from tests.e2e.board import Board
from tests.e2e.conftest import ARTIFACTS, SETTINGS, VARIABLES, commit, current

BAD_SETTINGS = {**SETTINGS, "server": {"host": "0.0.0.0", "portt": 1}}  # noqa: S104
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


def test_one_fails_and_the_other_is_deployed(board, other, token, checkout):
    """One after the other, the one that fails first; its settings are refused on the board."""
    before = current(board)
    commit(checkout, "device/__init__.py", lambda text: text + "\n# Newer.\n")
    bad = {**other.host(), "appliance_settings": BAD_SETTINGS}
    inventory = board.inventory(VARIABLES, others={"other": bad, "gone": GONE})
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
    assert other.root(
        "readlink /opt/edgederm/current; systemctl is-active edgederm", check=False
    ).split() == ["inactive"]


def test_both_at_once_when_it_was_put_right(board, other, token, checkout):
    """Each has a token of its own."""
    inventory = board.inventory(VARIABLES, others={"other": other.host()})
    done, counts = board.play("deploy", inventory, source=checkout)
    assert counts["changed"] == 0
    assert done.recap["other"]["changed"] > 0
    assert current(other) == current(board)
    assert other.service("ActiveState") == "active"
    assert token not in done.stdout


def test_one_has_nothing_to_go_back_to_and_the_other_goes_back(board, other, token):
    new = current(board)
    inventory = board.inventory(VARIABLES, others={"other": other.host()})
    done, counts = board.play("rollback", inventory, check=False)
    assert done.returncode != 0
    assert "there is no release before this one" in done.stdout
    assert counts["failed"] == 0
    assert current(board) != new == current(other)
    assert other.service("ActiveState") == "active"
    assert board.answers(token)


def test_one_does_not_trust_the_key_and_the_other_takes_the_model(board, other, token, tmp_path):
    signer = Signer(3)
    (key,) = a_key_folder(tmp_path / "keys", signer).glob("*.pub")
    board.put_bytes(key.read_bytes(), f"/etc/edgederm/keys/{key.name}")
    bundle = tmp_path / "model.edm"
    bundle.write_bytes(a_real_bundle(newer(8), signer=signer))
    inventory = board.inventory(VARIABLES, others={"other": other.host(), "gone": GONE})
    try:
        done, counts = board.play(
            "update-model", inventory, "-e", f"model_bundle={bundle}", check=False
        )
        _, body = board.upload(token)
    finally:
        board.root(
            "edgederm model rollback --shipped; systemctl restart edgederm; "
            f"rm /etc/edgederm/keys/{key.name}"
        )
    assert done.returncode != 0
    assert "no key is trusted" in done.stdout
    assert "it cannot be reached" in done.stdout
    assert counts["failed"] == 0
    assert body["model"]["version"] == newer(8)
    said = other.root("edgederm model list 2>/dev/null").splitlines()
    assert [json.loads(line)["version"] for line in said] == [shipped().manifest.version]


def test_each_tells_what_it_knows_also_one_that_is_down(board, other):
    other.root("systemctl stop edgederm")
    inventory = board.inventory(VARIABLES, others={"other": other.host(), "gone": GONE})
    into = ARTIFACTS / "collected-many"
    board.play(
        "collect", inventory, "-e", f"collect_into={into}/{{{{ inventory_hostname }}}}",
        check=False,
    )  # fmt: skip
    assert "edgederm_answers_total" in (into / "board/metrics.txt").read_text()
    for one in (board, other):
        assert "event=" in (into / one.name / "journal.txt").read_text()
        about = json.loads((into / one.name / "release.json").read_text())
        assert about["name"] == current(one).rpartition("/")[2]
