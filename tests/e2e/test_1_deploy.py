"""The playbook, on a board that was never touched, and again."""

import json
import re
import time

from tests.e2e.conftest import current, deploy_first

POLICY = "/opt/edgederm/current/lib/python3.13/site-packages/device/decision/policy.py"


def test_a_dry_run_on_a_fresh_board_succeeds_and_changes_nothing(board, inventory):
    before = board.root("find /etc /opt /usr/local /var/lib -xdev | sort")
    done, counts = board.play("deploy", inventory, "--check", "--diff")
    assert counts["failed"] == 0
    assert 'path = "/srv/pictures"' in done.stdout  # The settings that it would get are shown.
    assert board.root("find /etc /opt /usr/local /var/lib -xdev | sort") == before


def test_a_board_that_cannot_take_it_is_refused_before_any_change(board, tmp_path):
    camera = {"kind": "v4l2", "device": "/dev/video9"}
    for name in ("a/clinic.pub", "b/clinic.pub", "a/clinic.key"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("a key")
    keys = [str(tmp_path / name) for name in ("a/clinic.pub", "b/clinic.pub", "a/clinic.key")]
    inventory = board.inventory(
        {
            "appliance_settings": {"camera": camera},
            "appliance_model_keys": [*keys, "/nowhere.pub"],
            "appliance_revoked_keys": "/nowhere.txt",
        }
    )
    before = board.root("find /etc /opt -xdev | sort")
    done, counts = board.play("deploy", inventory, check=False)
    assert done.returncode != 0
    assert counts["changed"] == 0
    assert "should be at /dev/video9 and is not" in done.stdout
    assert "not on this machine: /nowhere.pub, /nowhere.txt; " in done.stdout
    assert f"each NAME.pub, found {keys[2]}; " in done.stdout
    assert "have a file name in common" in done.stdout
    assert board.root("find /etc /opt -xdev | sort") == before


def test_one_command_brings_a_fresh_board_to_its_first_answer(board, inventory, secrets, times):
    began_s = time.monotonic()
    said = deploy_first(board, inventory, secrets)
    times["first deployment"] = round(time.monotonic() - began_s, 1)
    assert said.count(secrets["token"]) == 1
    assert board.answers(secrets["token"])


def test_what_the_service_imports_was_compiled_before(board, token):
    """It may not keep what it compiles, so that each start would do so again."""
    program = "import device.api, uvicorn, reportlab.pdfgen.canvas; from device.cli import main; "
    program += 'main(["classify", "/srv/pictures/1-nevus.jpg"])'
    said = board.root(f"cd /; /opt/edgederm/current/bin/python -B -v -c '{program}' 2>&1")
    # In quotes where it was compiled before, and without them where that had to be done now.
    read = re.findall(r"code object from '?(/opt/[^'\n]+)", said)
    assert len(read) > 400
    assert [path for path in read if not path.endswith(".pyc")] == []


def test_the_second_run_changes_nothing_and_proves_the_service_healthy(
    board, inventory, token, times
):
    started = board.service("MainPID", "ActiveEnterTimestampMonotonic")
    began_s = time.monotonic()
    done, counts = board.play("deploy", inventory)
    times["second deployment"] = round(time.monotonic() - began_s, 1)
    assert (counts["changed"], counts["failed"]) == (0, 0), done.stdout
    assert "edgederm-" not in re.sub(r"edgederm-(board|activate|firewall|settle)", "", done.stdout)
    assert board.service("MainPID", "ActiveEnterTimestampMonotonic") == started
    assert board.answers(token)


def test_what_is_down_damaged_or_not_named_is_not_passed_over(board, inventory, token):
    """A control: were none of it looked at, nothing would change here either."""
    named = board.root("ls -A /etc/edgederm/keys")
    assert ".pub" in named
    before = current(board)
    board.root(
        "systemctl stop edgederm edgederm-firewall; cd /etc/edgederm/keys; "
        "echo stray > stolen.pub; echo stray > .hidden.pub; ln -s /etc/hostname link.pub; "
        f"echo '# edited' >> {POLICY}; echo '# edited' >> /etc/systemd/system/edgederm.service"
    )
    assert "changed: device/decision/policy.py" in _doctor(board)["release"]["found"]
    done, counts = board.play("deploy", inventory)
    # The keys; archive, installation and removal of the archive; and the switch.
    assert counts["changed"] == 5, done.stdout
    assert board.root("ls -A /etc/edgederm/keys") == named
    assert current(board) == f"{before}-again"
    assert current(board, "previous") == ""
    assert _doctor(board)["release"]["verdict"] == "ok"
    assert board.root("systemctl is-active edgederm-firewall") == "active\n"
    assert "# edited" not in board.root("systemctl cat edgederm")
    assert board.answers(token)


def test_a_switch_that_the_power_cut_short_is_settled_before_the_service(board, token):
    settings = board.root("cat /etc/edgederm/edgederm.toml")
    kept = {"release": board.root("readlink /opt/edgederm/current").split("/")[-1].strip()}
    board.put_bytes(
        json.dumps({**kept, "settings": settings}).encode(), "/opt/edgederm/on-trial.json"
    )
    board.root(
        "systemctl stop edgederm; cd /etc/systemd/system; "
        "echo '[Service]\nUser=nobody' >> edgederm.service; systemctl daemon-reload; "
        "ln -sfn releases/unproved /opt/edgederm/current; "
        "systemctl start edgederm-settle edgederm"
    )
    assert board.root("readlink /opt/edgederm/current").strip() == f"releases/{kept['release']}"
    assert board.answers(token)
    assert board.service("User") == "edgederm"  # The unit goes back too.
    assert "gone" in board.root("test -e /opt/edgederm/on-trial.json || echo gone")


def test_the_box_is_asked_with_a_token_and_over_tls_alone(board, token):
    status, body = board.ask("/classify", token=token)
    assert (status, body["source"]) == (200, "replay")
    assert board.ask("/classify")[0] == 401
    assert board.ask("/classify", token=token[:-1] + ("a" if token[-1] != "a" else "b"))[0] == 401
    assert board.ask("/readyz", token=token)[1]["status"] == "ready"
    plain = board.root("ss -Hltn 'sport = :8000'; ls -l /var/lib/edgederm/tokens.json")
    assert "-rw------- 1 edgederm edgederm" in plain
    assert board.ask("/healthz", "--tls-max", "1.1")[0] == 0
    assert board.ask("/healthz", "--connect-to", f"::{board.there}:8000")[0] == 200


def test_doctor_holds_the_installed_files_against_the_release(board, token):
    findings = _doctor(board)
    assert findings["release"]["verdict"] == "ok"
    assert findings["model"]["verdict"] == "ok"


def _doctor(board):
    text = board.root("edgederm doctor --json 2>/dev/null", check=False)
    return {line["part"]: line for line in map(json.loads, text.splitlines())}
