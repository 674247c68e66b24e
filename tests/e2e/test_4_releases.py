"""Releases that are bad go by themselves, and good ones when they are told to."""

import json
import subprocess

import pytest

from tests.e2e.conftest import ARTIFACTS, VARIABLES, commit, current

STARTING = "    with appliance(settings, give_up=give_up"
BAD = {
    "does not start": ("raise SystemExit(3)", "it does not start"),
    "does not stay up": (
        "__import__('threading').Timer(3, lambda: os._exit(4)).start()",
        "did not stay up",
    ),
}


@pytest.mark.parametrize("fault", BAD)
def test_a_bad_release_goes_by_itself(board, token, checkout, fault):
    good = current(board)
    line, told = BAD[fault]
    commit(
        checkout,
        "device/compose.py",
        lambda text: text.replace(STARTING, f"    {line}\n{STARTING}"),
    )
    try:
        done, _ = board.play("deploy", board.inventory(VARIABLES), source=checkout, check=False)
    finally:
        subprocess.run(["git", "-C", checkout, "reset", "-q", "--hard", "HEAD~1"], check=True)
    assert done.returncode != 0
    assert told in done.stdout
    assert '"state": "returned"' in done.stdout.replace("\\", "")
    assert current(board) == good
    assert board.answers(token)


def test_settings_that_are_refused_never_reach_the_service(board, token):
    pid = board.pid()
    bad = {**VARIABLES, "appliance_settings": {"camera": {"kind": "replay"}, "sever": {"port": 1}}}
    done, _ = board.play("deploy", board.inventory(bad), check=False)
    assert done.returncode != 0
    assert "refuses its settings" in done.stdout
    assert board.pid() == pid
    assert board.answers(token)


def test_a_new_release_is_rolled_back_on_demand(board, token, checkout):
    good = current(board)
    commit(checkout, "device/__init__.py", lambda text: text + "\n")
    _, counts = board.play("deploy", board.inventory(VARIABLES), source=checkout)
    assert counts["changed"] > 0
    new = current(board)
    assert new != good
    assert board.answers(token)
    board.play("rollback", board.inventory(VARIABLES))
    assert current(board) == good
    assert board.root("readlink /opt/edgederm/previous").strip() == new
    assert board.answers(token)


def test_the_board_tells_the_controller_what_it_knows(board, inventory, token):
    into = ARTIFACTS / "collected"
    board.root(
        "runuser -u edgederm -- sh -c 'mkdir -p /var/lib/edgederm/bench && cd /tmp && "
        "/opt/edgederm/current/bin/python -m bench.press 20 > /var/lib/edgederm/bench/press.json'"
    )
    board.play("collect", board.inventory(VARIABLES), "-e", f"collect_into={into}")
    assert "event=" in (into / "journal.txt").read_text()
    doctor = [json.loads(line) for line in (into / "doctor.jsonl").read_text().split("\n") if line]
    assert {"model", "release", "history"} <= {finding["part"] for finding in doctor}
    assert "edgederm_answers_total" in (into / "metrics.txt").read_text()
    assert json.loads((into / "sbom.cdx.json").read_text())["bomFormat"] == "CycloneDX"
    assert json.loads((into / "bench/press.json").read_text())["lit"] == 20
    files = [file for file in into.rglob("*") if file.is_file()]
    assert token not in "".join(file.read_text() for file in files)
