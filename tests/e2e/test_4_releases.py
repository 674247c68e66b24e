"""A bad release goes by itself."""

import subprocess

from tests.e2e.conftest import commit, current

READY = '        self._send("READY=1", self._status())\n'
DIES = "        __import__('threading').Timer(1, lambda: os._exit(4)).start()\n"


def test_a_release_that_does_not_stay_up_goes_by_itself(board, inventory, token, checkout):
    """It says that it is ready, and dies a second later; nobody on the controller helps."""
    good = current(board)
    commit(checkout, "device/service/notify.py", lambda text: text.replace(READY, READY + DIES))
    try:
        done, _ = board.play("deploy", inventory, source=checkout, check=False)
    finally:
        subprocess.run(["git", "-C", checkout, "reset", "-q", "--hard", "HEAD~1"], check=True)
    assert done.returncode != 0
    assert "did not stay up" in done.stdout
    assert '"state": "returned"' in done.stdout.replace("\\", "")
    assert current(board) == good
    assert board.answers(token)
