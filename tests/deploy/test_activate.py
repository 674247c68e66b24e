"""Switching releases on a board whose systemd and releases a test plays."""

import importlib.util
import json
import os
import shutil
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
ROLE = ROOT / "deploy/ansible/roles/appliance"
SPEC = importlib.util.spec_from_file_location("activate", ROLE / "files/activate.py")
activate = sys.modules[SPEC.name] = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(activate)


class Machine:
    """A board in a folder; what each release does when it is started, a test says."""

    def __init__(self, root):
        self.board = activate.Board(root=root, run=self.run, watch_s=10.0, sleep=self.sleep)
        self.board.releases.mkdir(parents=True)
        self.board.settings.parent.mkdir(parents=True)
        self.does = {}
        self.starts = []
        self.commands = []
        self.state = {"ActiveState": "inactive", "MainPID": "0", "NRestarts": "0"}

    def add(self, name, does="works"):
        (self.board.releases / name).mkdir()
        (self.board.releases / name / "pyvenv.cfg").write_text(
            "home = /usr/bin\ninclude-system-site-packages = false\nversion = 3.13.5\n"
        )
        (self.board.releases / name / "release.json").write_text("{}")
        self.does[name] = does
        os.utime(self.board.releases / name, (len(self.does), len(self.does)))

    def run(self, command):
        self.commands.append(command)
        if command[0].endswith("bin/python"):
            text = Path(command[-1]).read_text()
            if "refused" in text:
                return 1, "settings refused: port"
            return 0, json.dumps({"host": "127.0.0.1", "port": 0, "is_secure": True})
        verb = command[1]
        if verb == "restart":
            name = self.board.linked("current")
            self.starts.append((name, self.board.settings.read_text()))
            does = self.does[name]
            if does == "dies":
                self.state = {"ActiveState": "failed", "Result": "exit-code"}
                return 1, "Job for edgederm.service failed"
            status = does.removeprefix("says ") if does.startswith("says ") else "ready"
            self.state = {
                "ActiveState": "active", "MainPID": str(len(self.starts)), "NRestarts": "0",
                "StatusText": status,
            }  # fmt: skip
        if verb == "stop":
            self.state = {"ActiveState": "inactive", "MainPID": "0"}
        if verb == "show":
            return 0, "".join(f"{key}={value}\n" for key, value in self.state.items())
        return 0, ""

    def sleep(self, seconds):
        assert seconds == 10.0
        if self.does[self.board.linked("current")] == "dies later":
            self.state["NRestarts"] = "3"

    def switch(self, name, settings="a", **others):
        return activate.switch(self.board, activate.State(name, settings, **others))

    def sees(self, name):
        return (self.board.releases / name / "pyvenv.cfg").read_text().splitlines()[1]


@pytest.fixture
def machine(tmp_path):
    made = Machine(tmp_path)
    made.add("1.0")
    return made


def test_a_first_release_is_started_and_kept(machine):
    assert machine.switch("1.0")["state"] == "switched"
    assert machine.board.linked("current") == "1.0"
    assert machine.board.linked("previous") is None
    assert machine.starts == [("1.0", "a")]


def test_the_same_again_touches_nothing(machine):
    machine.switch("1.0")
    assert machine.switch("1.0")["state"] == "unchanged"
    assert len(machine.starts) == 1


def test_the_same_again_mends_a_service_that_is_down(machine):
    machine.switch("1.0")
    machine.run(["systemctl", "stop", "edgederm.service"])
    assert machine.switch("1.0")["state"] == "switched"
    assert len(machine.starts) == 2


@pytest.mark.parametrize(
    ("does", "told"),
    [
        ("dies", "does not start"),
        ("dies later", "did not stay up"),
        ("says model: the golden case failed", "model does not work any more"),
        ("says camera: unplugged; plug it in", "camera does not work any more"),
    ],
)
def test_a_bad_release_is_left_again_with_its_settings(machine, does, told):
    machine.switch("1.0", "a")
    machine.add("2.0", does)
    outcome = machine.switch("2.0", "b")
    assert outcome["state"] == "returned"
    assert told in outcome["problems"][0]
    assert machine.board.linked("current") == "1.0"
    assert machine.board.settings.read_text() == "a"
    assert machine.starts[-1] == ("1.0", "a")
    assert machine.state["ActiveState"] == "active"


def test_settings_that_harm_are_left_again_too(machine):
    machine.switch("1.0", "a")
    machine.does["1.0"] = "dies"
    machine.starts.clear()
    outcome = machine.switch("1.0", "b")
    assert [settings for _, settings in machine.starts] == ["b", "a"]
    assert outcome["state"] == "failed"  # In this test the release dies with the old ones as well.


def test_old_settings_that_cannot_be_read_any_more_are_started_all_the_same(machine):
    """Edited by hand since the start: what failed must not be left running in their place."""
    machine.switch("1.0", "a")
    machine.board.settings.write_text("refused")
    machine.add("2.0", "says model: the golden case failed")
    outcome = machine.switch("2.0", "b")
    assert outcome["state"] == "failed"
    assert "model does not work any more" in outcome["problems"][0]
    assert "settings refused: port" in outcome["problems"][1]
    assert machine.starts[-1] == ("1.0", "refused")
    assert machine.board.linked("current") == "1.0"


@pytest.mark.parametrize("sees_system", [None, False])
def test_an_old_release_that_is_gone_is_said_beside_what_failed(machine, sees_system):
    machine.switch("1.0", "a", sees_system=True)
    machine.add("2.0", "dies later")
    sleep = machine.board.sleep
    cut_while_watching(machine, "2.0", "b", sees_system=sees_system)
    machine.board.sleep = sleep
    shutil.rmtree(machine.board.releases / "1.0")
    machine.does["1.0"] = "dies"
    outcome = machine.switch("2.0", "b")
    assert outcome["state"] == "failed"
    assert "did not stay up" in outcome["problems"][0]
    assert "none named '1.0'" in outcome["problems"][1]
    assert "does not start" in outcome["problems"][2]


def test_a_camera_that_was_missing_before_is_no_fault_of_the_release(machine):
    machine.add("2.0", "says camera: unplugged; plug it in")
    assert machine.switch("2.0")["state"] == "switched"
    machine.add("3.0", "says camera: unplugged; plug it in")
    assert machine.switch("3.0")["state"] == "switched"


def test_a_first_release_that_fails_leaves_a_board_that_is_stopped_and_unlinked(machine):
    machine.does["1.0"] = "dies"
    assert machine.switch("1.0")["state"] == "failed"
    assert machine.board.linked("current") is None
    assert machine.state["ActiveState"] == "inactive"


def test_settings_that_a_release_refuses_reach_nothing(machine):
    machine.switch("1.0", "a")
    with pytest.raises(activate.ActivationError, match="settings refused: port"):
        machine.switch("1.0", "refused")
    assert machine.board.settings.read_text() == "a"
    assert sorted(path.name for path in machine.board.settings.parent.iterdir()) == [
        "edgederm.toml"
    ]


@pytest.mark.parametrize("name", ["2.0", "../1.0", "", "."])
def test_a_release_that_is_not_there_is_refused(machine, name):
    with pytest.raises(activate.ActivationError, match="expected a folder"):
        machine.switch(name)


def test_back_and_back_again(machine):
    machine.add("2.0")
    machine.switch("1.0", "a")
    machine.switch("2.0", "b")
    assert activate.back(machine.board)["state"] == "switched"
    assert machine.starts[-1] == ("1.0", "a")
    assert machine.board.linked("previous") == "2.0"
    activate.back(machine.board)
    assert machine.starts[-1] == ("2.0", "b")


def test_back_without_a_release_before_is_refused(machine):
    machine.switch("1.0")
    with pytest.raises(activate.ActivationError, match="no release before"):
        activate.back(machine.board)


def test_the_same_release_is_started_anew_when_asked(machine):
    with pytest.raises(activate.ActivationError, match="no release"):
        activate.again(machine.board)
    machine.switch("1.0", "a")
    assert activate.again(machine.board)["state"] == "switched"
    assert machine.starts == [("1.0", "a")] * 2
    assert machine.board.linked("previous") is None


@pytest.mark.parametrize(
    "name",
    [
        "etc/systemd/system/edgederm.service",
        "etc/systemd/system/edgederm.service.d/box.conf",
        "etc/edgederm/tls.pem",
        "etc/edgederm/keys/operator.pub",
    ],
)
def test_what_is_read_at_the_start_only_is_in_force_after_another_start(machine, name):
    """Also if the run that brought it lost the board before it came to the start."""
    file = machine.board.root / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("as it was")
    machine.switch("1.0")
    assert machine.switch("1.0")["state"] == "unchanged"
    file.write_text("as it is now")
    assert machine.switch("1.0")["state"] == "switched"
    assert machine.switch("1.0")["state"] == "unchanged"
    file.unlink()
    assert machine.switch("1.0")["state"] == "switched"
    assert len(machine.starts) == 3


def test_a_release_sees_the_systems_packages_from_the_switch_on(machine):
    machine.switch("1.0", sees_system=False)
    assert machine.switch("1.0", sees_system=True)["state"] == "switched"
    assert machine.sees("1.0") == "include-system-site-packages = true"
    assert machine.switch("1.0", sees_system=True)["state"] == "unchanged"
    assert machine.switch("1.0")["state"] == "unchanged"


def test_a_camera_that_fails_leaves_the_release_with_the_packages_that_it_saw(machine):
    machine.switch("1.0", "camera A", sees_system=True)
    machine.does["1.0"] = "dies"
    machine.switch("1.0", "camera B", sees_system=False)
    assert machine.sees("1.0") == "include-system-site-packages = true"


def test_a_camera_whose_watch_was_cut_short_leaves_them_too(machine, monkeypatch):
    machine.switch("1.0", "camera A", sees_system=True)
    monkeypatch.setattr(activate, "start", lambda *_: pytest.fail("the power goes here"))
    with pytest.raises(pytest.fail.Exception):
        machine.switch("1.0", "camera B", sees_system=False)
    assert machine.sees("1.0") == "include-system-site-packages = false"
    assert activate.settle(machine.board)["state"] == "switched"
    assert machine.sees("1.0") == "include-system-site-packages = true"


A, B = {"libcamera.conf": "doors of a ribbon", "limits.conf": "a"}, {"box.conf": "b"}
"""Drop-ins of two cameras, the first by an older version."""


def drop_ins(machine):
    return {file.name: file.read_text() for file in sorted(machine.board.drop_ins.iterdir())}


def with_another_camera(machine, does):
    machine.switch("1.0", "camera A", drop_ins=A)
    machine.add("2.0", does)
    return machine.switch("2.0", "camera B", drop_ins=B)


def test_doors_change_with_the_camera_and_the_operators_own_stay(machine):
    machine.switch("1.0", "camera A", drop_ins=A)
    (machine.board.drop_ins / "override.conf").write_text("mine")
    assert machine.switch("1.0", "camera A", drop_ins=B)["state"] == "switched"
    assert drop_ins(machine) == {**B, "override.conf": "mine"}
    assert machine.switch("1.0", "camera A", drop_ins=B)["state"] == "unchanged"
    assert machine.switch("1.0", "camera A")["state"] == "unchanged"


@pytest.mark.parametrize("does", ["dies", "says camera: unplugged; plug it in"])
def test_a_camera_that_fails_leaves_the_one_before_its_doors(machine, does):
    assert with_another_camera(machine, does)["state"] == "returned"
    assert drop_ins(machine) == A


def test_settings_that_are_refused_leave_the_doors_alone(machine):
    machine.switch("1.0", "camera A", drop_ins=A)
    with pytest.raises(activate.ActivationError):
        machine.switch("1.0", "refused", drop_ins=B)
    assert drop_ins(machine) == A


def test_a_camera_whose_watch_was_cut_short_leaves_them_at_the_boot(machine):
    machine.switch("1.0", "camera A", drop_ins=A)
    machine.add("2.0")
    cut_while_watching(machine, "2.0", "camera B", drop_ins=B)
    assert drop_ins(machine) == B
    machine.commands.clear()
    activate.settle(machine.board)
    assert drop_ins(machine) == A
    assert ["systemctl", "daemon-reload"] in machine.commands


def test_going_back_brings_the_doors_of_that_time(machine):
    assert with_another_camera(machine, "works")["state"] == "switched"
    assert drop_ins(machine) == B
    assert activate.back(machine.board)["state"] == "switched"
    assert drop_ins(machine) == A


@pytest.mark.parametrize("text", ["\0" * 40, "[]", "{}", '{"settings": "a", "drop_ins": []}'])
def test_what_was_kept_and_cannot_be_read_holds_up_no_deployment(machine, text):
    with_another_camera(machine, "works")
    for name in ("1.0", "2.0"):
        (machine.board.releases / name / "kept.json").write_text(text)
    machine.add("3.0")
    assert machine.switch("3.0", "camera A", drop_ins=A)["state"] == "switched"
    (machine.board.releases / "2.0" / "kept.json").write_text(text)
    with pytest.raises(activate.ActivationError, match="no release before"):
        activate.back(machine.board)


def test_what_an_older_version_kept_is_gone_back_to(machine):
    with_another_camera(machine, "works")
    (machine.board.releases / "1.0" / "kept.json").unlink()
    (machine.board.releases / "1.0" / "edgederm.toml").write_text("camera A")
    assert activate.back(machine.board)["state"] == "switched"
    assert machine.starts[-1] == ("1.0", "camera A")
    assert drop_ins(machine) == B  # It kept none.


def test_the_drop_ins_are_those_of_the_deployment():
    """The role writes one, and brought one of each kind before."""
    role = yaml.safe_load((ROLE / "vars/main.yml").read_text())["appliance_drop_ins"]
    before = {f"{name}.conf" for name in role} | {"limits.conf"}
    assert set(activate._OUR_DROP_INS) == {"box.conf"} | before


UNIT = "etc/systemd/system/edgederm.service"


def with_a_unit(machine, name, text):
    file = machine.board.releases / name / "board" / UNIT
    file.parent.mkdir(parents=True)
    file.write_text(text)


def test_units_come_and_go_with_their_release(machine):
    unit = machine.board.root / UNIT
    with_a_unit(machine, "1.0", "of 1.0")
    machine.switch("1.0")
    assert unit.read_text() == "of 1.0"
    machine.add("2.0", "dies")
    with_a_unit(machine, "2.0", "of 2.0")
    assert machine.switch("2.0")["state"] == "returned"
    assert unit.read_text() == "of 1.0"
    machine.does["2.0"] = "works"
    machine.switch("2.0")
    assert unit.read_text() == "of 2.0"
    activate.back(machine.board)
    assert unit.read_text() == "of 1.0"


def test_a_unit_that_somebody_edited_is_the_releases_again(machine):
    with_a_unit(machine, "1.0", "of 1.0")
    machine.switch("1.0")
    assert machine.switch("1.0")["state"] == "unchanged"
    (machine.board.root / UNIT).write_bytes(b"\xff")
    assert machine.switch("1.0")["state"] == "switched"
    assert (machine.board.root / UNIT).read_text() == "of 1.0"


def test_what_units_need_is_done_before_each_start(machine):
    machine.switch("1.0")
    activate.again(machine.board)
    steps = [command[1] for command in machine.commands if command[1] in {"-c", "restart"}]
    assert steps == ["-c", "restart"] * 2
    done = [command[-1] for command in machine.commands if command[0] == "sh"]
    for need in ("daemon-reload", "sysusers", "tmpfiles", "udevadm trigger", "firewall"):
        assert all(need in one for one in done), need


def test_units_that_cannot_be_had_fail_the_switch(machine):
    machine.switch("1.0", "a")
    run = machine.board.run
    fails = iter([True])
    machine.board.run = lambda command: (
        (1, "no such group") if command[0] == "sh" and next(fails, False) else run(command)
    )
    machine.add("2.0")
    outcome = machine.switch("2.0", "b")
    assert outcome["state"] == "returned"
    assert "no such group" in outcome["problems"][0]


def test_a_unit_that_others_may_write_is_put_right(machine):
    with_a_unit(machine, "1.0", "of 1.0")
    machine.switch("1.0")
    (machine.board.root / UNIT).chmod(0o666)
    assert machine.switch("1.0")["state"] == "switched"
    assert (machine.board.root / UNIT).stat().st_mode & 0o777 == 0o644


def test_a_damaged_release_is_nothing_to_go_back_to(machine):
    machine.switch("1.0")
    for name in ("2.0", "2.0-again"):
        machine.add(name)
        machine.switch(name)
    assert machine.board.linked("current") == "2.0-again"
    assert machine.board.linked("previous") == "1.0"


def test_a_service_that_was_stopped_is_not_taken_for_one_whose_camera_worked(machine):
    """As the guide stops it before doctor looks at the camera."""
    machine.switch("1.0")
    machine.run(["systemctl", "stop", "edgederm.service"])
    machine.add("2.0", "says camera: unplugged; plug it in")
    assert machine.switch("2.0")["state"] == "switched"


def test_back_from_a_watch_that_was_killed_is_to_what_ran_until_then(machine):
    for name in ("0.9", "2.0"):
        machine.add(name)
    machine.switch("0.9")
    machine.switch("1.0", "a")
    sleep = machine.board.sleep
    cut_while_watching(machine, "2.0", "b")
    machine.board.sleep = sleep
    assert activate.back(machine.board)["state"] == "switched"
    assert machine.starts[-1] == ("1.0", "a")


def test_back_to_where_the_box_is_is_refused(machine):
    """So the links stand after a power cut between the new one's first and last breath."""
    machine.add("2.0")
    machine.switch("1.0")
    machine.switch("2.0")
    machine.board.link("previous").unlink()
    machine.board.link("previous").symlink_to("releases/2.0")
    with pytest.raises(activate.ActivationError, match="no release before"):
        activate.back(machine.board)


def test_old_releases_go_but_never_those_that_are_needed(machine):
    for number in range(2, 7):
        machine.add(f"{number}.0")
    machine.switch("1.0")
    machine.switch("2.0")
    assert activate.prune(machine.board, 3) == ["3.0", "4.0", "5.0"]
    assert activate.prune(machine.board, 1) == ["6.0"]
    assert sorted(one.name for one in machine.board.releases.iterdir()) == ["1.0", "2.0"]


def test_what_is_half_installed_goes_first_and_displaces_no_release(machine):
    """But not what is linked, whatever became of it."""
    for number in range(2, 5):
        machine.add(f"{number}.0")
    for name in ("4.0", "1.0"):
        (machine.board.releases / name / "release.json").unlink()
    machine.switch("1.0")
    assert activate.prune(machine.board, 3) == ["4.0"]
    assert sorted(one.name for one in machine.board.releases.iterdir()) == ["1.0", "2.0", "3.0"]


def test_the_command_answers_in_json_and_by_its_status(machine, capsys, tmp_path):
    wanted = tmp_path / "wanted.toml"
    wanted.write_text("a")
    command = ["--release", "1.0", "--settings", str(wanted)]
    assert activate.main(command, machine.board) == 0
    outcome = json.loads(capsys.readouterr().out)
    assert outcome == {
        "state": "switched", "problems": [], "pruned": [], "current": "1.0", "previous": None,
    }  # fmt: skip
    assert activate.main(["--back"], machine.board) == 1
    assert json.loads(capsys.readouterr().out)["state"] == "refused"


class PowerCutError(Exception):
    """Nothing after it happened."""


def cut_while_watching(machine, name, settings, **options):
    def sleep(seconds):
        raise PowerCutError

    machine.board.sleep = sleep
    with pytest.raises(PowerCutError):
        machine.switch(name, settings, **options)


def test_a_watch_that_the_power_cut_short_is_settled_at_boot(machine):
    machine.switch("1.0", "a")
    machine.add("2.0")
    cut_while_watching(machine, "2.0", "b")
    assert machine.board.linked("current") == "2.0"
    outcome = activate.settle(machine.board)
    assert "2.0 was not watched to the end" in outcome["problems"]
    assert machine.board.linked("current") == "1.0"
    assert machine.board.settings.read_text() == "a"
    assert activate.settle(machine.board) == {"state": "unchanged", "problems": []}


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"release": "1.0"}', "\0" * 40])
def test_a_note_of_a_watch_that_cannot_be_read_holds_up_nothing(machine, capsys, text):
    machine.switch("1.0", "a")
    note = machine.board.link("on-trial.json")
    note.write_text(text)
    assert activate.settle(machine.board) == {"state": "unchanged", "problems": []}
    assert "on-trial.json is removed" in capsys.readouterr().err
    assert not note.exists()
    note.write_bytes(b"\xff")
    machine.add("2.0")
    assert machine.switch("2.0", "b")["state"] == "switched"


def killed_in_its_watch(machine, does):
    machine.switch("1.0", "a")
    machine.add("2.0", does)
    sleep = machine.board.sleep
    cut_while_watching(machine, "2.0", "b")
    machine.board.sleep = sleep
    return machine.switch("2.0", "b")


def test_a_watch_that_was_killed_is_begun_again_when_it_is_asked_for_again(machine):
    assert killed_in_its_watch(machine, "works")["state"] == "switched"
    assert machine.starts[-2:] == [("2.0", "b"), ("2.0", "b")]
    assert machine.board.linked("previous") == "1.0"
    assert activate.settle(machine.board)["state"] == "unchanged"
    assert activate.back(machine.board)["state"] == "switched"
    assert machine.board.linked("current") == "1.0"


@pytest.mark.parametrize("does", ["dies later", "says model: the golden case failed"])
def test_what_was_not_well_in_a_watch_that_was_killed_is_left(machine, does):
    assert killed_in_its_watch(machine, does)["state"] == "returned"
    assert machine.board.linked("current") == "1.0"
    assert machine.board.settings.read_text() == "a"


@pytest.mark.parametrize("does", ["works", "dies"])
def test_a_watch_that_was_over_leaves_nothing_to_settle(machine, does):
    machine.switch("1.0", "a")
    machine.add("2.0", does)
    machine.switch("2.0", "b")
    current = machine.board.linked("current")
    assert activate.settle(machine.board)["state"] == "unchanged"
    assert machine.board.linked("current") == current


def test_a_first_release_has_nothing_to_go_back_to(machine):
    cut_while_watching(machine, "1.0", "a")
    assert activate.settle(machine.board)["state"] == "unchanged"
    assert machine.board.linked("current") == "1.0"


class Healthy(BaseHTTPRequestHandler):
    """Answers whoever asks."""

    def do_GET(self):
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


def test_a_proxy_of_the_environment_is_not_asked_for_the_box(machine, monkeypatch):
    machine.switch("1.0")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with HTTPServer(("127.0.0.1", 0), Healthy) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")  # Nobody is there.
        try:
            address = f"http://127.0.0.1:{server.server_port}/healthz"
            assert activate.look(machine.board, address).problems == ()
        finally:
            server.shutdown()


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("0.0.0.0", "127.0.0.1"),  # noqa: S104 - the box's setting
        ("::", "[::1]"),
        ("fd00::7", "[fd00::7]"),
        ("192.168.1.7", "192.168.1.7"),
    ],
)
def test_the_box_is_asked_where_it_listens(machine, host, name):
    answer = json.dumps({"host": host, "port": 8000, "is_secure": True})
    machine.board.run = lambda command: (0, answer)
    address = activate.look_ahead(machine.board, activate.State("1.0", "a"))
    assert address == f"https://{name}:8000/healthz"
