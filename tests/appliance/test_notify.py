"""The whole box as a process under something that listens as systemd does."""

import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request

import pytest

pytestmark = pytest.mark.portable


def hear(listening, timeout_s):
    listening.settimeout(timeout_s)
    return listening.recv(4096).decode()


def falls_silent(hear):
    """Whether, after what was said before, nothing more comes."""
    for _ in range(100):
        try:
            hear(1)
        except TimeoutError:
            return True
    return False


@pytest.fixture
def box(tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        process = subprocess.Popen(
            [sys.executable, "-m", "device", "serve"],
            stderr=subprocess.PIPE,
            text=True,
            env={
                **os.environ,
                "EDGEDERM_SERVER__PORT": "0",
                "EDGEDERM_HISTORY__PATH": str(tmp_path / "state"),
                "NOTIFY_SOCKET": str(tmp_path / "notify"),
                "WATCHDOG_USEC": "400000",
            },
        )
        yield process, lambda timeout_s=30: hear(listening, timeout_s)
        process.kill()
        process.wait(10)
        process.stderr.close()


def test_ready_is_said_when_the_box_answers_and_the_beat_ends_with_the_turning(box):
    process, hear = box
    while (line := hear()) != "READY=1\nSTATUS=ready":
        assert line.startswith("STATUS=")
    log = ""
    while not (address := re.search(r"http://127\.0\.0\.1:\d+", log)):
        log += process.stderr.readline()
    with urllib.request.urlopen(f"{address[0]}/healthz", timeout=10) as answer:  # noqa: S310 - our own daemon
        assert answer.status == 200
    beats = 0
    while beats < 3:
        beats += hear() == "WATCHDOG=1"

    process.send_signal(signal.SIGSTOP)
    assert falls_silent(hear)
    process.send_signal(signal.SIGCONT)

    process.send_signal(signal.SIGTERM)
    while hear() != "STOPPING=1\nSTATUS=stopping":
        pass
    assert process.wait(20) == 0
