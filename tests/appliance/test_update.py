"""The whole box and another model: taken over REST, on trial, kept, or given up after a crash."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

import pytest

from device import cli
from device.compose import STUCK_STATUS
from tests.bundles import a_bundle, a_key_folder, a_real_bundle, newer, shipped

pytestmark = pytest.mark.portable

NEWEST = newer(2)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


class Box:
    """One box on one port, started again and again over the same state."""

    def __init__(self, folder):
        self.url = f"http://127.0.0.1:{free_port()}"
        self.environment = {
            "EDGEDERM_SERVER__PORT": self.url.rpartition(":")[2],
            "EDGEDERM_HISTORY__PATH": str(folder / "state"),
            "EDGEDERM_MODEL__STATE_PATH": str(folder / "state"),
            "EDGEDERM_MODEL__KEYS_PATH": str(a_key_folder(folder / "keys")),
        }
        self.process = None
        self.log = []

    def start(self, **environment):
        self.process = subprocess.Popen(
            [sys.executable, "-m", "device", "serve"],
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **self.environment, **environment},
        )
        reader = threading.Thread(target=self._read, args=(self.process.stderr,), daemon=True)
        reader.start()
        return self.ready(lambda model: True)

    def _read(self, stream):
        with stream:
            self.log.extend(stream)

    def ask(self, path, *, body=None, method="GET"):
        request = urllib.request.Request(  # noqa: S310 - the box on loopback
            self.url + path,
            data=body,
            method=method,
            headers={"Content-Type": "application/octet-stream"} if body else {},
        )
        try:
            with urllib.request.urlopen(request, timeout=200) as response:  # noqa: S310 - the same
                return response.status, json.load(response)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)

    def ready(self, is_wanted):
        """Wait until the box answers with a model that *is_wanted*; returns what it says of it."""
        deadline_s = time.monotonic() + 90
        while time.monotonic() < deadline_s:
            try:
                status, body = self.ask("/readyz")
            except OSError:  # Not there yet, or between two lives.
                status = None
            if status == 200 and is_wanted(body["model"]):
                return body["model"]
            if self.process.poll() is not None:
                break
            time.sleep(0.1)
        raise AssertionError("".join(self.log))

    def end(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        return self.process.wait(30)

    def acts(self):
        return [entry["act"] for entry in self.ask("/audit")[1]["entries"]]


@pytest.fixture
def box(tmp_path):
    made = Box(tmp_path)
    yield made
    if made.process is not None and made.process.poll() is None:
        made.process.kill()
        made.process.wait(30)


def version(text):
    return lambda model: model["version"] == text


def test_a_model_over_rest_is_given_up_after_a_crash(box):
    """The same process goes on with it; after a kill the shipped model answers again."""
    assert box.start()["source"] == "shipped"
    number = box.process.pid
    status, body = box.ask("/model", body=a_real_bundle(NEWEST), method="PUT")
    assert (status, body["version"], body["restarts"]) == (200, NEWEST, True)
    model = box.ready(version(NEWEST))
    assert (model["source"], model["is_on_trial"]) == ("installed", True)
    assert box.process.pid == number
    assert box.ask("/classify")[1]["model"]["version"] == NEWEST
    assert box.ask("/model")[1]["version"] == NEWEST

    box.end(signal.SIGKILL)
    model = box.start()
    assert (model["source"], model["version"]) == ("shipped", shipped().manifest.version)
    assert "did not end in order" in model["instead_of"]
    assert box.acts() == ["model given up", "model installed"]
    # The history knows who answered what.
    newest, before = (box.ask("/classify"), box.ask("/results"))[1][1]["results"]
    assert (newest["model"]["version"], before["model"]["version"]) == (model["version"], NEWEST)
    assert box.end() == 0
    assert "Traceback" not in "".join(box.log)


def test_an_end_in_order_goes_on_with_the_trial_and_time_ends_it(box):
    assert box.start()["source"] == "shipped"
    assert box.ask("/model", body=a_real_bundle(NEWEST), method="PUT")[0] == 200
    box.ready(version(NEWEST))
    assert box.end() == 0
    assert box.start()["is_on_trial"]
    assert box.end() == 0
    box.start(EDGEDERM_MODEL__TRIAL_S="0")
    box.ready(lambda model: not model["is_on_trial"])
    assert box.acts()[0] == "model kept"
    box.end(signal.SIGKILL)
    model = box.start()
    assert (model["version"], model["is_on_trial"]) == (NEWEST, False)


STOPPED_AT = """
import signal, sys, time
from device import cli
from device.classifier import OnnxClassifier
from device.history import Archive

def waits(*_):
    print("waits", flush=True)
    time.sleep(60)

# As in a terminal: what a shell starts in the background is deaf to it.
signal.signal(signal.SIGINT, signal.default_int_handler)
if sys.argv[1] == "model":
    OnnxClassifier.self_test = waits
else:
    Archive.__enter__ = waits
sys.exit(cli.main(["serve"]))
"""


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_a_box_that_is_stopped_while_it_starts_goes_on_with_the_trial(
    box, number, status, tmp_path, monkeypatch
):
    """While its model loads, and while its history opens: the server hears no signals yet."""
    for name, value in box.environment.items():
        monkeypatch.setenv(name, value)
    path = tmp_path / "new.edm"
    path.write_bytes(a_real_bundle(NEWEST))
    assert cli.main(["model", "install", str(path)]) == 0
    record = tmp_path / "state" / "models" / "installed.json"
    for place in ("model", "history"):
        with subprocess.Popen(
            [sys.executable, "-c", STOPPED_AT, place],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        ) as box.process:
            assert box.process.stdout.readline() == "waits\n"
            assert json.loads(record.read_text())["trial"] == "running"
            assert box.end(number) == status
        assert json.loads(record.read_text())["trial"] == "waiting"


def test_a_refused_model_leaves_the_box_answering(box):
    box.start()
    status, body = box.ask("/model", body=a_bundle(b"no graph", version="9.0.0"), method="PUT")
    assert (status, body["code"]) == (422, "bundle-proof")
    status, body = box.ask("/model", body=a_real_bundle("0.0.0"), method="PUT")
    assert (status, body["code"]) == (409, "bundle-older")
    assert box.ask("/classify")[0] == 200
    assert box.ask("/state")[1]["model"]["source"] == "shipped"


def test_a_model_that_fails_its_own_test_is_given_up_at_the_same_start(box, monkeypatch):
    """Its proof was passed, but by other libraries than those that are there now."""
    for name, value in box.environment.items():
        monkeypatch.setenv(name, value)
    box.start()
    assert box.ask("/model", body=a_real_bundle(NEWEST), method="PUT")[0] == 200
    box.ready(version(NEWEST))
    assert box.end() == 0
    program = (
        "import sys\n"
        "from device import cli\n"
        "from device.classifier import OnnxClassifier\n"
        "from device.core.errors import ModelError\n"
        "real = OnnxClassifier.self_test\n"
        "def fails(self):\n"
        f"    if self.manifest.version == {NEWEST!r}:\n"
        "        raise ModelError(field='golden', expected=1, found=2, remedy='none')\n"
        "    return real(self)\n"
        "OnnxClassifier.self_test = fails\n"
        "sys.exit(cli.main(['serve']))\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stderr=subprocess.PIPE, text=True
    ) as box.process:
        threading.Thread(target=box.log.extend, args=(box.process.stderr,), daemon=True).start()
        model = box.ready(lambda model: True)
        assert model["source"] == "shipped"
        assert "model refused (golden)" in model["instead_of"]
        assert box.acts()[0] == "model given up"
        box.end()


def test_who_is_looked_after_ends_to_be_started_again(box, tmp_path):
    """systemd starts a box anew; one that nobody looks after goes on by itself."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        box.start(NOTIFY_SOCKET=str(tmp_path / "notify"))
        assert box.ask("/model", body=a_real_bundle(NEWEST), method="PUT")[0] == 200
        assert box.process.wait(60) == STUCK_STATUS
    assert box.start()["version"] == NEWEST


def test_a_model_installed_beside_a_running_box_answers_after_its_next_start(
    box, tmp_path, monkeypatch
):
    for name, value in box.environment.items():
        monkeypatch.setenv(name, value)
    box.start()
    path = tmp_path / "new.edm"
    path.write_bytes(a_real_bundle(NEWEST))
    assert cli.main(["model", "install", str(path)]) == 0
    assert box.ask("/classify")[1]["model"]["version"] == shipped().manifest.version
    assert box.end() == 0
    assert box.start()["version"] == NEWEST
