"""The whole box as a process: the shipped model, the replay camera, real HTTP on loopback."""

import contextlib
import json
import os
import re
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

import pytest

from tests.builders import a_model_file, a_picture

pytestmark = pytest.mark.portable


class Box:
    """A running daemon on a port of the system's choice."""

    def __init__(self, *, environment, program=("-m", "device", "serve"), files=None):
        self._state = tempfile.TemporaryDirectory()
        environment = {"EDGEDERM_HISTORY__PATH": self._state.name, **environment}
        self.process = subprocess.Popen(
            [sys.executable, *program],
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "EDGEDERM_SERVER__PORT": "0", **environment},
        )
        if files is not None:
            resource.prlimit(self.process.pid, resource.RLIMIT_NOFILE, (files, files))
        self.log = []
        for line in self.process.stderr:
            self.log.append(line)
            if found := re.search(r"http://127\.0\.0\.1:(\d+)", line):
                self.url = found[0]
                break
        else:
            raise RuntimeError("".join(self.log))
        self._reader = threading.Thread(target=lambda: self.log.extend(self.process.stderr))
        self._reader.start()

    def ask(self, path, *, body=None, headers=None):
        """Status and parsed body; a problem is an answer too."""
        request = urllib.request.Request(  # noqa: S310 - the box on loopback
            self.url + path, data=body, headers=headers or {}
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as response:  # noqa: S310 - the same
                return response.status, json.load(response)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)

    def stop(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        status = self.process.wait(timeout=60)
        self._reader.join(30)
        self.process.stderr.close()
        self._state.cleanup()
        return status


@pytest.fixture(scope="module")
def box():
    running = Box(environment={})
    yield running
    running.process.poll() is None and running.stop()


WEDGED = """
import sys
import time

from device import cli, compose


class Wedged:
    name = "wedged"

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        pass

    is_stuck = False

    def capture(self, timeout_s):
        time.sleep(120)

    glance = capture


compose.CAMERAS["replay"] = lambda settings: Wedged()
sys.exit(cli.main(["serve"]))
"""


@pytest.fixture(scope="module")
def small_model(tmp_path_factory):
    """Environment of a box whose model is made on the spot."""
    pytest.importorskip("onnx", reason="the model is made on the spot")
    path = a_model_file(tmp_path_factory.mktemp("model") / "small.onnx")
    return {"EDGEDERM_MODEL__PATH": str(path)}


def png():
    import cv2

    return cv2.imencode(".png", a_picture()[:, :, ::-1])[1].tobytes()


def test_the_box_is_ready_and_knows_its_model(box):
    assert box.ask("/healthz")[0] == 200
    assert box.ask("/readyz")[0] == 200
    status, contract = box.ask("/model")
    assert status == 200
    assert contract["compatible"] == "edgederm-contract-1"


def test_the_replay_camera_shows_the_shipped_pictures_in_order(box):
    """Drawn lesions are answered; the dark frame and the lens cap are to be taken again."""
    answers = [box.ask("/classify") for _ in range(6)]
    assert [status for status, _ in answers] == [200] * 6
    words = [body["result"] for _, body in answers]
    assert words.count("retake") == 2
    assert {body["source"] for _, body in answers} == {"replay"}
    assert all(next(iter(body["timings_ms"])) == "capture" for _, body in answers)


def test_an_upload_is_answered(box):
    status, body = box.ask("/classify", body=png(), headers={"Content-Type": "image/png"})
    assert status == 200
    assert body["source"] == "upload"
    assert sum(body["diagnoses"].values()) == pytest.approx(1)


def test_what_is_no_picture_is_a_problem_document(box):
    status, body = box.ask("/classify", body=b"no", headers={"Content-Type": "image/png"})
    assert 400 <= status < 500
    assert body["status"] == status
    assert "expected" in body["detail"]


def test_many_clients_at_once_are_answered_or_told_to_wait(box):
    """Never anything but 200 and 503 with a time to come back."""
    statuses = []

    def ask():
        statuses.append(box.ask("/classify", body=png(), headers={"Content-Type": "image/png"})[0])

    clients = [threading.Thread(target=ask) for _ in range(24)]
    for client in clients:
        client.start()
    for client in clients:
        client.join(30)
    assert len(statuses) == 24
    assert set(statuses) <= {200, 503}
    assert 200 in statuses


def test_a_box_without_a_camera_answers_uploads_and_says_what_is_missing(tmp_path):
    running = Box(environment={"EDGEDERM_CAMERA__PATH": str(tmp_path / "nothing")})
    try:
        status, body = running.ask("/readyz")
        assert status == 503
        assert "camera" in json.dumps(body)
        assert running.ask("/classify")[0] == 503
        upload = running.ask("/classify", body=png(), headers={"Content-Type": "image/png"})
        assert upload[0] == 200
    finally:
        assert running.stop() == 0


def test_a_signal_ends_the_box_in_order(box):
    assert box.stop() == 0
    assert not [line for line in box.log if "Traceback" in line]


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_a_signal_closes_the_camera_before_the_box_ends(small_model, name):
    running = Box(environment=small_model)
    assert running.ask("/classify")[0] == 200
    assert running.stop(getattr(signal, name)) == 0
    assert "event=camera.closed" in "".join(running.log)
    assert "Traceback" not in "".join(running.log)


def test_those_who_say_nothing_keep_nobody_else_out_for_long(small_model):
    """They are turned away before the process runs out of files to open."""
    running = Box(environment=small_model, files=320)
    with contextlib.ExitStack() as stack:
        for _ in range(400):
            port = int(running.url.rpartition(":")[2])
            stack.enter_context(socket.create_connection(("127.0.0.1", port), 10))
        deadline_s = time.monotonic() + 60
        while time.monotonic() < deadline_s:
            with contextlib.suppress(OSError):
                assert running.ask("/healthz")[0] == 200
                break
            time.sleep(0.5)
        else:
            pytest.fail("nobody is answered any more")
    assert running.stop() == 0
    assert len(running.log) < 50


def test_a_wedged_camera_does_not_hold_up_the_end(small_model):
    """Those who wait are told that the box stops, in time for whoever is about to kill it."""
    running = Box(
        environment={**small_model, "EDGEDERM_CAMERA__TIMEOUT_S": "60"}, program=("-c", WEDGED)
    )
    answers = []
    clients = [
        threading.Thread(target=lambda path=path: answers.append(running.ask(path)))
        for path in ("/readyz", "/classify", "/classify")
    ]
    for client in clients:
        client.start()
    time.sleep(1)
    began_s = time.monotonic()
    assert running.stop() == 0
    assert time.monotonic() - began_s < 40
    for client in clients:
        client.join(30)
    assert [(status, body["code"]) for status, body in answers] == [(503, "not-ready")] * 3
    assert "Traceback" not in "".join(running.log)
