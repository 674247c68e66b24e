"""
How long a newcomer waits: ``python -m bench.first_start [COMMIT]``.

Clones the repository into an empty folder, runs ``make run`` with an empty download cache, and
prints the seconds until the installer is done, until the box says that it is ready, and for the
first ``GET /classify``.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

_PORT = 8765
_URL = f"http://127.0.0.1:{_PORT}"
_PATIENCE_S = 300.0
_ANSWER_S = 10.0
_STAMP = ".venv/.installed-*"


def main() -> None:
    """Measure and print one JSON object."""
    commit = sys.argv[1] if len(sys.argv) > 1 else "HEAD"
    with tempfile.TemporaryDirectory() as folder:
        clone = Path(folder) / "clone"
        _git("clone", "--quiet", str(Path(__file__).parents[1]), str(clone))
        _git("-C", str(clone), "checkout", "--quiet", commit)
        environment = {
            **os.environ,
            "EDGEDERM_SERVER__PORT": str(_PORT),
            "PIP_NO_CACHE_DIR": "1",
        }
        started_s = time.monotonic()
        box = subprocess.Popen(
            ["make", "run"],  # noqa: S607 - the command of the README
            cwd=clone,
            env=environment,
            stdout=sys.stderr,  # standard output is for the result alone
            start_new_session=True,
        )
        try:
            installed_s = _when(lambda: any(clone.glob(_STAMP)), started_s, box)
            ready_s = _when(_is_ready, started_s, box)
            asked_s = time.monotonic()
            with _open("/classify") as response:
                answer = json.load(response)
            answered_s = time.monotonic() - asked_s
        finally:
            with contextlib.suppress(ProcessLookupError):  # It died by itself.
                os.killpg(box.pid, signal.SIGTERM)
            box.wait(timeout=30)
    print(
        json.dumps(
            {
                "install_s": round(installed_s, 2),
                "ready_s": round(ready_s, 2),
                "start_after_install_s": round(ready_s - installed_s, 2),
                "first_classify_s": round(answered_s, 3),
                "first_result": answer["result"],
            },
            indent=2,
        )
    )


def _when(condition: Callable[[], bool], started_s: float, box: subprocess.Popen[bytes]) -> float:
    """Seconds since *started_s* at which *condition* held, while *box* lives."""
    while not condition():
        if box.poll() is not None:
            raise RuntimeError(f"make run ended with status {box.returncode}; see above")
        if time.monotonic() - started_s > _PATIENCE_S:
            raise TimeoutError(f"not within {_PATIENCE_S} s")
        time.sleep(0.02)
    return time.monotonic() - started_s


def _is_ready() -> bool:
    try:
        with _open("/readyz") as response:
            return bool(response.status == http.HTTPStatus.OK)
    except OSError:  # Nobody listens yet, not ready, or too slow: the family of all three.
        return False


def _open(path: str) -> http.client.HTTPResponse:
    response: http.client.HTTPResponse = urllib.request.urlopen(  # noqa: S310 - our own box
        _URL + path, timeout=_ANSWER_S
    )
    return response


def _git(*arguments: str) -> None:
    subprocess.run(["git", *arguments], check=True)  # noqa: S603, S607 - fixed verbs


if __name__ == "__main__":
    main()
