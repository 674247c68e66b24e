"""The box as a process of its own: started, waited for until it is ready, asked, ended."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_PATIENCE_S = 120.0
_LOOK_EVERY_S = 1.0
_ROOT = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Daemon:
    """A daemon that is ready."""

    pid: int
    url: str
    ready_s: float
    """From the start of the process until ``/readyz`` said yes."""

    def classify(self) -> float:
        """Ask for an answer; returns the seconds that it took."""
        began_s = time.perf_counter()
        with urllib.request.urlopen(f"{self.url}/classify", timeout=_PATIENCE_S) as response:  # noqa: S310 - loopback
            json.load(response)
        return time.perf_counter() - began_s


@contextmanager
def serving(model: Path, history: Path | None = None) -> Iterator[Daemon]:
    """
    Run ``python -m device serve`` with *model* and the sample pictures, on a port of its own.

    Its history is a new one in *history*, or in /tmp.

    It says when it serves as it says it to systemd, and is asked then whether it is ready: nobody
    asks again and again while it starts.

    Raises:
        RuntimeError: It ended, or was not ready within two minutes.
    """
    with (
        tempfile.TemporaryDirectory(dir=history) as name,
        open_socket(Path(name)) as (ready, address),
    ):
        folder = Path(name)
        began_s = time.perf_counter()
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "device", "serve"],
                stderr=log,
                cwd=_ROOT,
                env={
                    **own_environment(),
                    "EDGEDERM_SERVER__PORT": "0",
                    "EDGEDERM_HISTORY__PATH": str(folder),
                    "EDGEDERM_MODEL__PATH": str(model.resolve()),
                    "NOTIFY_SOCKET": address,
                },
            )
        try:
            _wait_for(ready, process, folder / "log")
            url = _url(folder / "log")
            with urllib.request.urlopen(f"{url}/readyz", timeout=_PATIENCE_S):  # noqa: S310 - loopback
                ready_s = time.perf_counter() - began_s
            yield Daemon(pid=process.pid, url=url, ready_s=ready_s)
        finally:
            process.terminate()
            process.wait(timeout=_PATIENCE_S)


def own_environment() -> dict[str, str]:
    """
    Return the environment of a process that is measured.

    Without what the bench sets for itself (see ``bench/run.py``), and without what would let it
    compile the box anew at each start: on a board the release lies there compiled.
    """
    left_out = ("OPENBLAS_NUM_THREADS", "PYTHONDONTWRITEBYTECODE")
    return {name: value for name, value in os.environ.items() if name not in left_out}


@contextmanager
def open_socket(folder: Path) -> Iterator[tuple[socket.socket, str]]:
    """Listen for what a service tells systemd; yields the socket and its address."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ready:
        address = folder / "notify"
        ready.bind(str(address))
        ready.settimeout(_LOOK_EVERY_S)
        yield ready, str(address)


def _wait_for(ready: socket.socket, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline_s = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline_s:
        if process.poll() is not None:
            raise RuntimeError(f"the daemon ended before it was ready: {log.read_text()[-2000:]}")
        try:
            if b"READY=1" in ready.recv(4096).split(b"\n"):
                return
        except TimeoutError:
            continue
    raise RuntimeError(f"the daemon was not ready within {_PATIENCE_S:g} s")


def _url(log: Path) -> str:
    """Read the address from the log."""
    found = re.search(r"http://127\.0\.0\.1:\d+", log.read_text())
    if found is None:
        raise RuntimeError(f"expected an address in the daemon's log, found {log.read_text()}")
    return found[0]
