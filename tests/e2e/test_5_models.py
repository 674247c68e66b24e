"""A signed model reaches the board, and a bad one never answers for long."""

import functools
import json
import threading
import time

import pytest

from tests.bundles import BROKEN, Signer, a_bundle, a_real_bundle, newer, shipped
from tests.e2e.board import wait_for

RECOVERED_S = 20.0
THIEF = Signer(9)


@pytest.fixture(autouse=True)
def _many_starts(board, token):
    board.root("systemctl reset-failed edgederm")


@pytest.fixture
def send(board, token, tmp_path):
    """Send bytes as a model; returns status and answer."""

    def put(content, *, query=""):
        file = tmp_path / "sent.edm"
        file.write_bytes(content)
        kind = "Content-Type: application/octet-stream"
        # One that is refused for its size is refused before it is sent.
        waits = ("--expect100-timeout", "60")
        return board.ask(f"/model{query}", "-T", str(file), "-H", kind, *waits, token=token)

    return put


def running(board, token):
    """What the box says of the model that answers."""
    return board.ask("/state", token=token)[1]["model"]


def answers_with(board, token, version):
    """Whether an answer is given, and by that model."""
    status, body = board.upload(token)
    return status == 200 and body["model"]["version"] == version


def listed(board):
    """The models of the box by their slots."""
    lines = board.root("edgederm model list 2>/dev/null").splitlines()
    return {line["slot"]: line for line in map(json.loads, lines)}


def to_shipped(board, token):
    """Leave the box with the model of its software."""
    if "current" in listed(board):
        board.root("edgederm model rollback --shipped && systemctl restart edgederm")
    wait_for(lambda: answers_with(board, token, shipped().manifest.version), RECOVERED_S)


def test_an_update_that_lost_the_board_before_the_restart_is_ended_by_the_next_run(
    board, token, inventory, tmp_path
):
    bundle = tmp_path / "arrived.edm"
    bundle.write_bytes(a_real_bundle(newer(1)))
    board.put_bytes(bundle.read_bytes(), "/srv/arrived.edm")
    board.root("edgederm model install /srv/arrived.edm")
    assert answers_with(board, token, shipped().manifest.version)
    update = ("-e", f"model_bundle={bundle}")
    _, counts = board.play("update-model", inventory, *update)
    assert counts["changed"] == 1
    assert answers_with(board, token, newer(1))
    _, counts = board.play("update-model", inventory, *update)
    assert (counts["changed"], counts["failed"]) == (0, 0)
    to_shipped(board, token)


def test_a_signed_model_reaches_the_board_and_answers(board, token, signed, inventory, times):
    assert answers_with(board, token, shipped().manifest.version)
    update = ("-e", f"model_bundle={signed['bundle']}")
    began_s = time.monotonic()
    _, counts = board.play("update-model", inventory, *update)
    times["model update"] = round(time.monotonic() - began_s, 1)
    assert counts["changed"] > 0
    assert answers_with(board, token, newer())
    told = running(board, token)
    assert (told["source"], told["is_on_trial"]) == ("installed", True)
    row = json.loads(board.root("edgederm history list --limit 1 2>/dev/null"))
    assert row["model"]["version"] == newer()  # The history knows which model answered.
    _, counts = board.play("update-model", inventory, *update)
    assert (counts["changed"], counts["failed"]) == (0, 0)


def test_a_crash_on_trial_brings_the_model_before_back(board, token, times):
    assert running(board, token)["is_on_trial"]
    board.kill()
    old = shipped().manifest.version
    times["crash on trial, to the model before"] = round(
        wait_for(lambda: answers_with(board, token, old), RECOVERED_S), 1
    )
    assert newer() in running(board, token)["instead_of"]
    assert newer() in listed(board)["given up"]["words"]
    _, body = board.ask("/audit", token=token)
    assert "model given up" in json.dumps(body)


def test_an_update_that_fails_its_watch_is_told_and_undone(board, token, inventory, tmp_path):
    """As from a model that takes all memory at the third picture: the process dies, by our hand."""
    pid = board.pid()
    bundle = tmp_path / "bad.edm"
    bundle.write_bytes(a_real_bundle(newer(2)))

    def kill():
        wait_for(lambda: board.pid() not in {0, pid} and board.answers(token), 120)
        board.kill()

    killing = threading.Thread(target=kill)
    killing.start()
    try:
        done, _ = board.play("update-model", inventory, "-e", f"model_bundle={bundle}", check=False)
    finally:
        killing.join()
    assert done.returncode != 0
    assert "did not stay up" in done.stdout
    assert answers_with(board, token, shipped().manifest.version)


def test_an_update_that_does_not_load_is_told_and_undone(board, token, inventory, tmp_path):
    """The file is spoilt between its proof and the start, as by a bad card."""
    bundle = tmp_path / "spoilt.edm"
    bundle.write_bytes(a_real_bundle(newer(3)))
    drop_in = "/etc/systemd/system/edgederm.service.d/zz-spoil.conf"
    board.root(
        "printf '#!/bin/sh\\nfor one in /var/lib/edgederm/models/*.edm; do "
        "printf x | dd of=$one bs=1 seek=5000 conv=notrunc; done\\n' > /srv/spoil; "
        f"chmod 755 /srv/spoil; printf '[Service]\\nExecStartPre=/srv/spoil\\n' > {drop_in}; "
        "systemctl daemon-reload"
    )
    try:
        done, _ = board.play("update-model", inventory, "-e", f"model_bundle={bundle}", check=False)
    finally:
        board.root(f"rm {drop_in}; systemctl daemon-reload; systemctl restart edgederm")
    assert done.returncode != 0
    assert f"{newer(3)} does not answer" in done.stdout
    assert answers_with(board, token, shipped().manifest.version)


@functools.cache
def refusals():
    """What is sent, and the problem that it must be answered with."""
    good = a_real_bundle(newer(4))
    middle = len(good) // 2
    return {
        "tampered": (
            good[:middle] + bytes([good[middle] ^ 1]) + good[middle + 1 :],
            "bundle-signature",
        ),
        "cut off": (good[:-1000], "bundle-signature"),
        "wrong key": (a_real_bundle(newer(4), signer=THIEF), "bundle-key"),
        "oversized": (BROKEN["too large"].make(), "upload-too-large"),
        "downgraded": (a_real_bundle(f"0.0.{'1' * (len(newer()) - 4)}"), "bundle-older"),
        "a path upwards": (BROKEN["a path upwards"].make(), "bundle-malformed"),
        "another generation": (BROKEN["another generation"].make(), "bundle-incompatible"),
        "no model in it": (a_bundle(version=newer(4)), "bundle-proof"),
    }


@pytest.mark.parametrize("name", refusals())
def test_a_bundle_that_must_not_answer_is_refused(board, token, send, name):
    pid, before = board.pid(), listed(board)
    content, code = refusals()[name]
    status, body = send(content)
    assert 400 <= status < 500, body
    assert body["code"] == code
    assert (board.pid(), listed(board)) == (pid, before)
    assert answers_with(board, token, shipped().manifest.version)


def test_a_bundle_that_is_too_large_is_refused_on_the_board_as_well(board):
    board.put_bytes(BROKEN["too large"].make(), "/srv/large.edm")
    said = board.root("edgederm model install /srv/large.edm 2>&1", check=False)
    assert "model bundle refused (too-large)" in said


def test_only_an_admin_sends_models(board, send, token):
    made = board.root("edgederm token add walker --role operate 2>/dev/null").strip()
    content = a_real_bundle(newer(4))
    file = board.folder / "sent.edm"
    file.write_bytes(content)
    for one, expected in ((made, 403), (None, 401)):
        status, _ = board.ask("/model", "-T", str(file), token=one)
        assert status == expected
    assert answers_with(board, token, shipped().manifest.version)


def test_over_the_network_and_back_by_command(board, token, send):
    pid = board.pid()
    status, body = send(a_real_bundle(newer(4)))
    assert (status, body["restarts"]) == (200, True)
    wait_for(lambda: board.pid() != pid and answers_with(board, token, newer(4)), RECOVERED_S)
    board.root("edgederm model rollback && systemctl restart edgederm")
    wait_for(lambda: answers_with(board, token, shipped().manifest.version), RECOVERED_S)


def test_a_hang_on_trial_brings_the_model_before_back(board, token, send, times):
    pid = board.pid()
    assert send(a_real_bundle(newer(5)))[0] == 200
    wait_for(lambda: board.pid() != pid and answers_with(board, token, newer(5)), RECOVERED_S)
    board.kill("STOP")
    old = shipped().manifest.version
    times["hang on trial, to the model before"] = round(
        wait_for(lambda: answers_with(board, token, old), RECOVERED_S), 1
    )


def test_a_kill_at_any_moment_of_an_update_leaves_the_old_model_or_the_new_one(
    board, token, request, times
):
    """Kills spread over the time that an installation takes, and over the box that does it."""
    kills = max(4, (request.config.getoption("--kills") or 0) // 5)
    to_shipped(board, token)
    board.put_bytes(a_real_bundle(newer(6)), "/srv/new.edm")
    install = "edgederm model install /srv/new.edm"
    began_s = time.monotonic()
    board.root(install)
    whole_s = time.monotonic() - began_s
    found = {"old": 0, "new": 0}
    for number in range(kills):
        to_shipped(board, token)
        # To the last quarter, in which everything is written, belong half of the moments.
        share = number / kills
        share = 1.5 * share if share < 0.5 else 0.5 + share / 2
        board.root(
            f"({install} >/dev/null 2>&1) & sleep {share * whole_s:.3f}; "
            "pkill -9 -u edgederm -f 'device model' ; systemctl kill -s KILL edgederm; wait"
        )
        board.root("systemctl reset-failed edgederm")
        wait_for(lambda: board.answers(token), RECOVERED_S)
        version = board.upload(token)[1]["model"]["version"]
        assert version in {shipped().manifest.version, newer(6)}
        found["new" if version == newer(6) else "old"] += 1
    times["kills during model updates"] = {"kills": kills, **found}
    to_shipped(board, token)


def test_a_good_trial_ends_and_outlives_crashes(board, token, send):
    drop_in = "/etc/systemd/system/edgederm.service.d/zz-trial.conf"
    board.root(
        f"printf '[Service]\\nEnvironment=EDGEDERM_MODEL__TRIAL_S=1\\n' > {drop_in}; "
        "systemctl daemon-reload; systemctl restart edgederm"
    )
    pid = board.pid()
    assert send(a_real_bundle(newer(7)))[0] == 200
    wait_for(lambda: board.pid() != pid and answers_with(board, token, newer(7)), RECOVERED_S)
    wait_for(lambda: not running(board, token)["is_on_trial"], 60)
    pid = board.kill()
    wait_for(lambda: board.pid() != pid and answers_with(board, token, newer(7)), RECOVERED_S)
    assert running(board, token)["instead_of"] is None
    board.root(f"rm {drop_in}; systemctl daemon-reload")
    to_shipped(board, token)
