"""The whole box as the network sees it: tokens from the command line, TLS, a browser's session."""

import http.client
import json
import os
import re
import signal
import ssl
import subprocess
import sys
import threading

import pytest

from tests.builders import a_model_file

pytestmark = pytest.mark.portable


class Box:
    """A daemon that asks for tokens and speaks TLS, with its state in *folder*."""

    def __init__(self, folder, environment):
        self.environment = {
            **os.environ,
            "EDGEDERM_HISTORY__PATH": str(folder),
            "EDGEDERM_SERVER__STATE_PATH": str(folder),
            "EDGEDERM_SERVER__PORT": "0",
            "EDGEDERM_SERVER__TLS": "on",
            "EDGEDERM_SERVER__REQUIRE_TOKEN": "true",
            **environment,
        }
        self.folder = folder

    def command(self, *words):
        done = subprocess.run(
            [sys.executable, "-m", "device", *words],
            capture_output=True,
            text=True,
            check=True,
            env=self.environment,
        )
        return done.stdout.strip()

    def start(self):
        self.process = subprocess.Popen(
            [sys.executable, "-m", "device", "serve"],
            stderr=subprocess.PIPE,
            text=True,
            env=self.environment,
        )
        self.log = []
        for line in self.process.stderr:
            self.log.append(line)
            if found := re.search(r"https://127\.0\.0\.1:(\d+)", line):
                self.port = int(found[1])
                break
        else:
            raise RuntimeError("".join(self.log))
        self._reader = threading.Thread(target=lambda: self.log.extend(self.process.stderr))
        self._reader.start()
        self.trusting = ssl.create_default_context(cafile=self.folder / "certificate.pem")

    def connection(self):
        return http.client.HTTPSConnection(
            "localhost", self.port, timeout=60, context=self.trusting
        )

    def ask(self, method, path, *, body=None, **headers):
        connection = self.connection()
        try:
            lines = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body, lines)
            response = connection.getresponse()
            return response, response.read()
        finally:
            connection.close()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(timeout=60)
        self._reader.join(30)
        self.process.stderr.close()
        return status


@pytest.fixture(scope="module")
def box(tmp_path_factory):
    pytest.importorskip("onnx", reason="the model is made on the spot")
    model = a_model_file(tmp_path_factory.mktemp("model") / "small.onnx")
    made = Box(tmp_path_factory.mktemp("box") / "state", {"EDGEDERM_MODEL__PATH": str(model)})
    made.start()
    yield made
    made.process.poll() is None and made.stop()


@pytest.fixture(scope="module")
def operator(box):
    return box.command("token", "add", "front desk", "--role", "operate")


def test_a_box_without_tokens_says_so_and_lets_nobody_in(box):
    assert "event=access.no_tokens" in "".join(box.log)
    assert box.ask("GET", "/healthz")[0].status == 200
    assert box.ask("GET", "/model")[0].status == 401


def test_the_log_shows_the_fingerprint_that_the_certificate_has(box):
    pem = (box.folder / "certificate.pem").read_text()
    said = subprocess.run(
        ["openssl", "x509", "-noout", "-fingerprint", "-sha256"],
        input=pem,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert f"event=tls.certificate sha256={said.strip().partition('=')[2]}" in "".join(box.log)


def test_a_token_made_on_the_command_line_opens_the_running_box(box, operator):
    response, body = box.ask("GET", "/classify", Authorization=f"Bearer {operator}")
    assert response.status == 200
    assert json.loads(body)["source"] == "replay"
    assert box.ask("GET", "/audit", Authorization=f"Bearer {operator}")[0].status == 403
    state = json.loads(box.ask("GET", "/state", Authorization=f"Bearer {operator}")[1])
    fingerprint = state["certificate_sha256"].upper()
    assert ":".join(re.findall("..", fingerprint)) in "".join(box.log)


def test_a_browser_logs_in_listens_and_is_put_out_when_its_token_is_revoked(box):
    token = box.command("token", "add", "lost phone", "--role", "operate")
    origin = f"https://localhost:{box.port}"
    response, _ = box.ask(
        "POST",
        "/login",
        body=json.dumps({"token": token}),
        Origin=origin,
        Content_Type="application/json",
    )
    cookie = response.headers["Set-Cookie"].partition(";")[0]
    assert cookie.startswith("__Host-edgederm=")
    listening = box.connection()
    listening.request("GET", "/events", headers={"Cookie": cookie})
    stream = listening.getresponse()
    assert stream.status == 200
    assert stream.readline() == b"retry: 3000\n"
    assert stream.readline() == b"\n"
    assert stream.readline() == b"event: state\n"
    assert box.ask("GET", "/classify", Cookie=cookie)[0].status == 200
    for line in iter(stream.readline, b"event: result\n"):
        assert line  # The end would come again and again.
    assert json.loads(stream.readline().removeprefix(b"data: "))["source"] == "replay"
    listening.close()
    box.command("token", "revoke", token.split("-")[1])
    assert box.ask("GET", "/session", Cookie=cookie)[0].status == 401


def test_the_secrets_stand_in_no_file_and_in_no_log(box, operator):
    secret = operator.rpartition("-")[2]
    for path in box.folder.iterdir():
        assert secret.encode() not in path.read_bytes()
    assert secret not in "".join(box.log)


def test_those_who_listen_do_not_hold_up_the_end(box, operator):
    listening = box.connection()
    listening.request("GET", "/events", headers={"Authorization": f"Bearer {operator}"})
    stream = listening.getresponse()
    stream.readline()
    assert box.stop() == 0
    assert "graceful shutdown exceeded" not in "".join(box.log)
    stream.read()
    listening.close()
    assert "Traceback" not in "".join(box.log)
