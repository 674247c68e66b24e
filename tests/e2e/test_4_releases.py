"""A bad release goes by itself."""

import subprocess

from tests.e2e.conftest import commit, current

STARTING = "    with appliance(settings, give_up=give_up"
DIES = "    __import__('threading').Timer(3, lambda: os._exit(4)).start()\n"


def test_a_release_that_does_not_stay_up_goes_by_itself(board, inventory, token, checkout):
    """It says that it is ready, and dies three seconds later; nobody on the controller helps."""
    good = current(board)
    commit(checkout, "device/compose.py", lambda text: text.replace(STARTING, DIES + STARTING))
    try:
        done, _ = board.play("deploy", inventory, source=checkout, check=False)
    finally:
        subprocess.run(["git", "-C", checkout, "reset", "-q", "--hard", "HEAD~1"], check=True)
    assert done.returncode != 0
    assert "did not stay up" in done.stdout
    assert '"state": "returned"' in done.stdout.replace("\\", "")
    assert current(board) == good
    assert board.answers(token)
